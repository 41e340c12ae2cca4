"""A truck at a station that nobody declared is led to the temporary yard from the page that does not find it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from app.platform.runtime import Runtime
from capacity import store as capacity_store
from tests.app.dispatching import trip_body
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
STRANGER = "51C-999.99"
HTML = {"accept": "text/html"}


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    return Gate.open(runtime, sign_in)


def look_for(person: TestClient, written: str, at: str = "barrier_1") -> str:
    answer = person.get("/station/find", params={"text": written, "at": at})
    assert answer.status_code == 200, answer.text
    return answer.text


def lead(person: TestClient, plate: str = STRANGER, key: str = "tap-1", **more: str) -> Response:
    return person.post(
        "/api/v1/stations/temporary-yard", json={"plate": plate, **more}, headers={"Idempotency-Key": key}
    )


def inside(gate: Gate, yard_id: str = "huu-nghi-temporary") -> int:
    with gate.runtime.sessions() as session:
        return capacity_store.get_yard_state(session, yard_id, gate.runtime.clock.now()).inside_veh


def enter(gate: Gate, plate: str) -> int:
    """A trip that its enterprise entered and did not declare."""
    body = trip_body(plate, gate.runtime.clock.now() + timedelta(hours=1))
    answer = gate.person("enterprise").post("/api/v1/trips", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["trip_id"])


def events(gate: Gate) -> list[Any]:
    query = text("SELECT data, audience FROM app.outbox WHERE type = 'undeclared' ORDER BY event_id")
    with gate.runtime.sessions() as session:
        return list(session.execute(query))


@pytest.mark.parametrize(
    ("role", "at"), [("border_guard", "barrier_1"), ("health_quarantine", "health"), ("support", "support")]
)
def test_who_finds_it_leads_it_aside_from_that_page_and_the_desk_declares_it(gate: Gate, role: str, at: str) -> None:
    officer, desk = gate.person(role), gate.person("support")
    page = look_for(officer, STRANGER, at)
    assert 'data-testid="lead-aside"' in page
    assert 'href="/station/closed?text=51C-999.99"' in page
    first = lead(officer, note="No papers with the driver")
    assert first.status_code == 201, first.text
    assert (first.json()["plate"], first.json()["site_id"]) == (STRANGER, "huu-nghi-temporary")
    assert lead(officer, note="No papers with the driver").json() == first.json(), "the same tap over a bad line"
    assert lead(officer, key="another").status_code == 409
    page = look_for(officer, STRANGER, at)
    assert "lead-aside" not in page
    assert "stands-aside" in page
    assert ('href="/support"' in page) == (role == "support")
    listed = desk.get("/support", headers=HTML).text
    assert STRANGER in listed
    assert "No papers with the driver" in listed
    (event,) = events(gate)
    assert event.data["by_role"] == role
    assert (event.audience["roles"], event.audience["gates"]) == (["support"], ["huu-nghi"])
    assert STRANGER not in str(event.data)


def test_yard_station_and_handover_count_it_until_it_leaves(gate: Gate) -> None:
    guard, desk = gate.person("border_guard"), gate.person("support")
    assert inside(gate) == 0
    arrival_id = lead(guard).json()["arrival_id"]
    assert inside(gate) == 1
    assert STRANGER in gate.person("yard_operator").get("/yard/huu-nghi-temporary/board").text
    for person, at in ((guard, "barrier_1"), (desk, "support")):
        assert STRANGER in person.get("/station/work", params={"at": at}).text
        assert STRANGER in person.get("/station/handover", params={"at": at}, headers=HTML).text
    assert STRANGER not in gate.person("customs").get("/station/work", params={"at": "customs"}).text
    token = desk.get("/support", headers=HTML).text.split('name="csrf_token" value="')[1].split('"')[0]
    gate.runtime.clock.advance(600)
    left = desk.post(
        f"/support/{arrival_id}/leave", data={"csrf_token": token, "note": "Went home"}, follow_redirects=False
    )
    assert left.status_code == 303, left.text
    assert inside(gate) == 0
    assert "lead-aside" in look_for(guard, STRANGER)


def test_others_are_told_who_does_it(gate: Gate) -> None:
    customs = gate.person("customs")
    page = look_for(customs, STRANGER, "customs")
    assert "lead-aside" not in page
    assert "Border guard, health quarantine or support desk" in page
    assert lead(customs).status_code == 403


def test_only_a_whole_plate_of_a_truck_that_is_not_found_is_led_aside(gate: Gate) -> None:
    guard = gate.person("border_guard")
    gate.declare("29C-123.45")
    assert "lead-aside" not in look_for(guard, "29C-123.45"), "it is declared"
    assert "Is it none of these?" in look_for(guard, "29C-1234"), "one that begins so is another"
    assert "Write the whole plate" in look_for(guard, "99999")
    assert "trailer" in look_for(guard, "29R-012.34")
    assert lead(guard, "29R-012.34").status_code == 422
    assert lead(guard, "29C-123.45").status_code == 409
    gate.declare("29C-777.77")
    there = gate.person("border_guard", "tan-thanh")
    assert "lead-aside" not in look_for(there, "29C-777.77"), "it is sent on, or taken over"


def test_one_at_another_gates_temporary_yard_is_told_there_first(gate: Gate) -> None:
    lead(gate.person("border_guard"))
    there = gate.person("border_guard", "tan-thanh")
    page = look_for(there, STRANGER)
    assert "lead-aside" not in page
    assert "notes first that it left" in page
    assert lead(there).status_code == 409


def test_the_truck_of_an_undeclared_trip_is_on_the_desks_list_once_it_was_led_aside(gate: Gate) -> None:
    trip_id = enter(gate, "29C-555.55")
    gate.arrive("29C-555.55", km=1.2)
    guard, desk = gate.person("border_guard"), gate.person("support")
    sheet = guard.get(f"/station/sheet/{trip_id}", params={"at": "barrier_1"}).text
    assert 'data-act="temporary-yard"' in sheet
    for _ in range(2):
        assert guard.post(f"/api/v1/trips/{trip_id}/temporary-yard").status_code == 200
    assert gate.person("customs").post(f"/api/v1/trips/{trip_id}/temporary-yard").status_code == 403
    sheet = guard.get(f"/station/sheet/{trip_id}", params={"at": "barrier_1"}).text
    assert 'data-act="temporary-yard"' not in sheet
    assert "stands-aside" in sheet
    assert desk.get("/support", headers=HTML).text.count("29C-555.55") >= 1
    assert inside(gate) == 1


def test_what_the_desk_registers_counts_for_the_trip_that_nobody_declared_before_it_is(gate: Gate) -> None:
    trip_id = enter(gate, "29C-555.55")
    gate.arrive("29C-555.55", km=1.2)
    with gate.runtime.sessions() as session:  # a camera saw it before, so that its arrival is known
        session.execute(
            text("""UPDATE app.trip SET arrived_at = now(), facts = facts || '{"undeclared_since": "x"}'""")
        )
        session.commit()
    assert lead(gate.person("support"), "29C-555.55").status_code == 201
    with gate.runtime.sessions() as session:
        place = session.execute(
            text("SELECT site_id FROM app.trip_place WHERE trip_id = :trip AND ended_at IS NULL"), {"trip": trip_id}
        ).scalar_one()
    assert place == "huu-nghi-temporary"
    assert inside(gate) == 1
