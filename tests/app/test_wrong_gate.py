"""A truck that came to the wrong gate is found there, and sent on or taken over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from app.gates import service as gates
from app.gates.profile import default_profiles
from app.notifications import feed
from app.platform.runtime import Runtime
from tests.app.paying import fine, pay
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
HERE, THERE = "huu-nghi", "tan-thanh"
PLATE = "29C-123.45"


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    return Gate.open(runtime, sign_in)


def search(person: TestClient, written: str) -> dict[str, Any]:
    return dict(fine(person.get("/api/v1/stations/search", params={"text": written})).json())


def act(person: TestClient, trip_id: int, what: str, plate: str = PLATE) -> Response:
    return person.post(f"/api/v1/stations/elsewhere/{trip_id}/{what}", json={"plate": plate})


def test_it_is_found_there_by_its_whole_plate_or_code_only(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    guard = gate.person("border_guard", THERE)
    found = search(guard, PLATE)
    assert found["items"] == []
    assert [(trip["trip_id"], trip["gate_id"]) for trip in found["elsewhere"]] == [(trip_id, HERE)]
    code = found["elsewhere"][0]["code"]
    assert [trip["trip_id"] for trip in search(guard, code)["elsewhere"]] == [trip_id]
    assert [trip["trip_id"] for trip in search(guard, "29C-I23.4S")["elsewhere"]] == [trip_id], "a camera's confusion"
    assert search(guard, "12345")["elsewhere"] == [], "of parts of plates nothing is said"
    assert search(gate.person("border_guard", HERE), PLATE)["elsewhere"] == []
    page = guard.get("/station/find", params={"text": PLATE, "at": "barrier_1"}).text
    assert "declared for Huu Nghi" in page
    assert 'data-elsewhere-act="take-over"' in page
    customs = gate.person("customs", THERE).get("/station/find", params={"text": PLATE, "at": "customs"}).text
    assert "declared for Huu Nghi" in customs
    assert "data-elsewhere-act" not in customs


def test_it_is_sent_on_and_its_driver_told_once(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    guard = gate.person("border_guard", THERE)
    assert act(guard, trip_id, "send-on", "29C-999.99").status_code == 422
    assert act(gate.person("border_guard", HERE), trip_id, "send-on").status_code == 409
    assert act(gate.person("customs", THERE), trip_id, "send-on").status_code == 403
    for _ in range(2):
        assert act(guard, trip_id, "send-on").status_code == 204
    with gate.runtime.sessions() as session:
        feed.follow(session, gate.runtime.clock.now())
        session.commit()
    told = gate.person("enterprise").get("/api/v1/notifications").json()["items"]
    assert [notification["kind"] for notification in told].count("trip.sent_on") == 1
    timeline = gate.person("enterprise").get(f"/api/v1/trips/{trip_id}").json()["timeline"]
    assert [line["data"] for line in timeline if line["kind"] == "sent_on"] == [{"at_gate": THERE, "to": HERE}]


def test_it_is_taken_over_with_all_that_hangs_on_it_and_leaves_there(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    guard = gate.person("border_guard", THERE)
    assert act(guard, trip_id, "take-over", "29C-999.99").status_code == 422
    taken = fine(act(guard, trip_id, "take-over"))
    assert taken.json()["trip"]["gate_id"] == THERE
    assert fine(act(guard, trip_id, "take-over")).json()["version"] == taken.json()["version"]
    with gate.runtime.sessions() as session:
        feed.follow(session, gate.runtime.clock.now())
        session.commit()
        told = gate.person("enterprise").get("/api/v1/notifications").json()["items"]
        assert [notification["kind"] for notification in told].count("trip.moved") == 1, "its enterprise is told"
        row = session.execute(
            text("SELECT t.arrived_at, f.gate_id FROM app.trip t JOIN app.fee f USING (trip_id)")
        ).one()
        assert row.arrived_at == gate.runtime.clock.now()
        assert row.gate_id == THERE
    steps = (
        ("health_quarantine", "health"),
        ("border_guard", "barrier_1"),
        ("yard_operator", "yard"),
        ("plant_quarantine", "quarantine_plant"),
        ("customs", "customs"),
        ("", "pay"),
        ("border_guard", "barrier_2"),
    )
    for role, step in steps:
        if step == "pay":
            pay(gate.person("gate_management", THERE), trip_id)
            continue
        person = gate.person(role, THERE)
        sheet = fine(person.get(f"/api/v1/trips/{trip_id}/sheet"))
        where = f"/api/v1/trips/{trip_id}/steps/{step}/confirm"
        last = fine(person.post(where, json={}, headers={"If-Match": sheet.headers["ETag"]}))
    assert last.json()["trip"]["stage"] == "out"


def test_what_its_gate_has_begun_with_is_not_taken_over(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    gate.pass_steps(trip_id, ("health_quarantine", "health"))
    refused = act(gate.person("border_guard", THERE), trip_id, "take-over")
    assert refused.status_code == 409
    assert gate.sheet(trip_id)["trip"]["gate_id"] == HERE


def test_a_gate_takes_over_only_what_it_takes(gate: Gate) -> None:
    with gate.runtime.sessions() as session:
        gates.seed_profiles(session, gate.runtime.corridor, now=gate.runtime.clock.now())
        narrow = default_profiles(gate.runtime.corridor)[THERE].values().model_copy(update={"goods": ("timber",)})
        assert gates.publish_simulated(session, THERE, narrow, now=gate.runtime.clock.now())
        session.commit()
    trip_id = gate.declare(PLATE)
    refused = act(gate.person("support", THERE), trip_id, "take-over")
    assert refused.status_code == 422
    assert "Fresh fruit" in refused.json()["detail"]
    assert gate.sheet(trip_id)["trip"]["gate_id"] == HERE


def test_a_trip_that_is_over_is_nobodys(gate: Gate) -> None:
    trip_id = gate.declare(PLATE)
    where = f"/api/v1/trips/{trip_id}"
    tag = gate.person("enterprise").get(where).headers["ETag"]
    fine(gate.person("enterprise").post(f"{where}/cancel", headers={"If-Match": tag}))
    guard = gate.person("border_guard", THERE)
    assert act(guard, trip_id, "take-over").status_code == 404
    assert search(guard, PLATE)["elsewhere"] == []
