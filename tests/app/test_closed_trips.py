"""Closed trips stay findable for the agencies that acted on them, printable, and read-only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.notifications import feed
from app.platform.runtime import Runtime
from app.reporting import bulletin, day_figures
from capacity import store as capacity_store
from tests.app.paying import fine, pay
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
WAY = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
)


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    return Gate.open(runtime, sign_in)


@pytest.fixture
def trip_id(gate: Gate) -> int:
    """A trip that has left."""
    made = gate.declare("29C-123.45", trailer_plate="29R-012.34", driver_name="Nguyễn Văn An")
    gate.pass_steps(made, *WAY)
    pay(gate.person("gate_management"), made)
    gate.pass_steps(made, ("border_guard", "barrier_2"))
    gate.runtime.clock.advance(2 * 3600.0)  # type: ignore[attr-defined]
    return made


def find(person: TestClient, **wanted: Any) -> list[int]:
    answer = fine(person.get("/api/v1/stations/closed", params=wanted))
    return [trip["trip_id"] for trip in answer.json()["items"]]


def test_each_agency_that_acted_finds_it_by_whatever_it_knows(gate: Gate, trip_id: int) -> None:
    sheet = gate.sheet(trip_id)
    customs = gate.person("customs")
    for written in (
        "29C-123.45",
        "123.45",
        "29R01234",
        "Văn An",
        "nguyen van an",
        sheet["trip"]["code"],
        "305123456780",
    ):
        assert find(customs, text=written) == [trip_id], written
    assert find(customs, text="29C-999.99") == []
    now = gate.runtime.clock.now()
    assert find(customs, since=(now - timedelta(hours=3)).isoformat(), until=now.isoformat()) == [trip_id]
    assert find(customs, until=(now - timedelta(hours=3)).isoformat()) == []
    for role in ("health_quarantine", "border_guard", "yard_operator", "plant_quarantine"):
        assert find(gate.person(role), text="29C-123.45") == [trip_id], role
    assert customs.get("/api/v1/stations/closed").status_code == 422


def test_who_did_not_act_on_it_finds_nothing(gate: Gate, trip_id: int) -> None:
    for person in (gate.person("animal_quarantine"), gate.person("customs", "tan-thanh")):
        assert find(person, text="29C-123.45") == []
        assert person.get(f"/api/v1/trips/{trip_id}/sheet").status_code == 404
    assert gate.person("enterprise").get("/api/v1/stations/closed", params={"text": "29C"}).status_code == 403


def test_it_is_read_and_printed_and_changed_by_nobody(gate: Gate, trip_id: int) -> None:
    customs = gate.person("customs")
    read = fine(customs.get(f"/api/v1/trips/{trip_id}/sheet"))
    assert read.json()["may"] == {"confirm": [], "return": []}
    where = f"/api/v1/trips/{trip_id}/steps/customs"
    for act, body in (("return", {"reasons": ["plate_differs"]}), ("undo", {})):
        answer = customs.post(f"{where}/{act}", json=body, headers={"If-Match": read.headers["ETag"]})
        assert answer.status_code == 409, act
    page = customs.get(f"/station?at=customs&trip={trip_id}").text
    assert 'data-act="print"' in page
    assert 'data-act="confirm"' not in page
    found = customs.get("/station/closed", params={"text": "Văn An", "since": "", "until": ""}).text
    assert f"trip={trip_id}" in found
    assert "Write at least three" in customs.get("/station/closed", params={"text": "a"}).text
    assert customs.get("/station/closed", params={"since": "no date"}).status_code == 200


def test_what_is_open_is_not_among_the_closed(gate: Gate) -> None:
    made = gate.declare("29C-123.46")
    gate.pass_steps(made, ("health_quarantine", "health"))
    assert find(gate.person("health_quarantine"), text="29C-123.46") == []


def test_a_truck_that_goes_away_is_turned_back_by_an_officer_and_free(gate: Gate) -> None:
    made = gate.declare("29C-123.46")
    gate.pass_steps(made, ("health_quarantine", "health"))
    where = f"/api/v1/trips/{made}/turn-back"
    guard = gate.person("border_guard")
    tag = {"If-Match": guard.get(f"/api/v1/trips/{made}/sheet").headers["ETag"]}
    body = {"reason": "Xe quay đầu về nội địa"}
    assert guard.post(where, json={"reason": " "}, headers=tag).status_code == 422
    assert guard.post(where, json=body).status_code == 428
    assert gate.person("border_guard", "tan-thanh").post(where, json=body, headers=tag).status_code == 404
    assert gate.person("customs").post(where, json=body, headers=tag).status_code == 403
    for _ in range(2):
        ended = fine(guard.post(where, json=body, headers=tag))
        assert ended.json()["trip"]["stage"] == "out"
    timeline = gate.person("enterprise").get(f"/api/v1/trips/{made}").json()["timeline"]
    assert [line["data"]["reason"] for line in timeline if line["kind"] == "turned_back"] == [body["reason"]]
    assert gate.act("border_guard", made, "barrier_1").status_code == 409
    health = gate.person("health_quarantine")
    assert find(health, text="29C-123.46") == [made], "who acted on it finds it again"
    read = fine(health.get(f"/api/v1/trips/{made}/sheet")).json()
    assert read["may"] == {"confirm": [], "return": []}
    page = health.get(f"/station?at=health&trip={made}").text
    assert 'data-act="print"' in page
    assert 'data-act="confirm"' not in page
    gate.declare("29C-123.46")


def test_that_it_turned_back_is_corrected_by_two_and_the_trip_goes_on(gate: Gate) -> None:
    made = gate.declare("29C-123.46")
    gate.pass_steps(made, *WAY[:2])
    guard = gate.person("border_guard")
    where = f"/api/v1/trips/{made}"
    tag = {"If-Match": guard.get(f"{where}/sheet").headers["ETag"]}
    wrong = {"kind": "reopen", "reason": "Nhầm biển số"}
    assert guard.post(f"{where}/steps/turned_back/corrections", json=wrong).status_code == 409, "it did not"
    fine(guard.post(f"{where}/turn-back", json={"reason": "Xe quay đầu về nội địa"}, headers=tag))
    assert "turn-correction-reason" in guard.get(f"/station?at=barrier_1&trip={made}").text
    customs = gate.person("customs")
    assert customs.post(f"{where}/steps/turned_back/corrections", json=wrong).status_code == 403
    gate.runtime.clock.advance(600.0)  # type: ignore[attr-defined]
    number = fine(guard.post(f"{where}/steps/turned_back/corrections", json=wrong)).json()["correction_id"]
    decision = f"/api/v1/corrections/{number}/decision"
    assert guard.post(decision, json={"approved": True}).status_code == 403, "a second person decides"
    other = gate.sign_in("border_guard", gate_id="huu-nghi", locale="en")
    assert "29C-123.46" in other.get("/station?at=barrier_2").text
    for _ in range(2):
        assert fine(other.post(decision, json={"approved": True})).json()["status"] == "approved"
    sheet = gate.sheet(made)
    assert sheet["trip"]["stage"] == "in_the_yard", "where the barrier had shown it"
    assert sheet["corrections"][0]["old"]["data"]["reason"] == "Xe quay đầu về nội địa"
    assert "<del>" in other.get(f"/station?at=barrier_1&trip={made}").text
    gate.pass_steps(made, WAY[2])


def test_a_truck_turned_back_out_of_the_yard_leaves_the_ledger_and_is_counted_so(gate: Gate) -> None:
    with gate.runtime.sessions() as session:
        capacity_store.seed_yards(session, gate.runtime.corridor, now=gate.runtime.clock.now())
        session.commit()
    made = gate.declare("29C-123.46")
    gate.pass_steps(made, *WAY[:3])
    inside = "SELECT count(*) FROM capacity.presence WHERE left_at IS NULL"
    with gate.runtime.sessions() as session:
        assert session.scalar(text(inside)) == 1
    gate.runtime.clock.advance(1800.0)  # type: ignore[attr-defined]
    guard = gate.person("border_guard")
    tag = {"If-Match": guard.get(f"/api/v1/trips/{made}/sheet").headers["ETag"]}
    fine(guard.post(f"/api/v1/trips/{made}/turn-back", json={"reason": "Hàng không đủ giấy tờ"}, headers=tag))
    now = gate.runtime.clock.now()
    with gate.runtime.sessions() as session:
        assert session.scalar(text(inside)) == 0
        place = session.execute(text("SELECT kind, gate_id FROM app.trip_place WHERE ended_at IS NULL")).one()
        assert tuple(place) == ("turned_back", "huu-nghi")
        day = day_figures.notice_day(now)
        [counted] = day_figures.count_day(session, day, ["huu-nghi"], now + timedelta(minutes=1))
        assert (counted.arrivals, counted.turned_back, counted.went_out, counted.standing) == (1, 1, 0, 0)
        assert counted.adds_up
        [told] = bulletin.count_day(session, day, ["huu-nghi"], now + timedelta(minutes=1))
        assert (told.figures["turned_back"], told.figures["fruit_exports"]) == (1, 0)
        feed.follow(session, now)
        session.commit()
    told_of = {
        notification["kind"] for notification in gate.person("enterprise").get("/api/v1/notifications").json()["items"]
    }
    assert ("trip.turned_back" in told_of, "trip.out" in told_of) == (True, False)
