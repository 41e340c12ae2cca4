"""What was confirmed wrongly is corrected by two persons of the agency, and what stood there stays readable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.platform.runtime import Runtime
from capacity import store as capacity_store
from tests.app.equipping import one, rekor, send, set_up
from tests.app.paying import pay
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
HEALTH = ("health_quarantine", "health")
TO_EXIT = (
    HEALTH,
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
)


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    return Gate.open(runtime, sign_in)


def ask(officer: TestClient, trip_id: int, step: str, kind: str = "reopen", **more: Any) -> Response:
    body = {"kind": kind, "reason": "Xác nhận nhầm xe", **more}
    return officer.post(f"/api/v1/trips/{trip_id}/steps/{step}/corrections", json=body)


def decide(officer: TestClient, correction_id: int, approved: bool = True, reason: str = "") -> Response:
    where = f"/api/v1/corrections/{correction_id}/decision"
    return officer.post(where, json={"approved": approved, "reason": reason})


def second(gate: Gate, role: str) -> TestClient:
    return gate.sign_in(role, gate_id="huu-nghi", locale="en")


def test_a_wrong_confirmation_is_opened_again_by_two_persons(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH, ("border_guard", "barrier_1"))
    gate.runtime.clock.advance(3600.0)  # type: ignore[attr-defined]
    first, other = gate.person("health_quarantine"), second(gate, "health_quarantine")
    asked = ask(first, trip_id, "health")
    assert asked.status_code == 201, asked.text
    number = asked.json()["correction_id"]
    assert ask(first, trip_id, "health").json()["correction_id"] == number, "asked twice it is the same"
    assert ask(other, trip_id, "health", reason="Lý do khác").status_code == 409
    assert decide(first, number).status_code == 403, "nobody confirms the own correction"
    assert decide(gate.person("customs"), number).status_code == 404
    assert gate.state(trip_id)["health"] == "done"
    waiting = other.get("/api/v1/corrections").json()["items"]
    assert [(correction["correction_id"], correction["is_own"]) for correction in waiting] == [(number, False)]
    decided = decide(other, number)
    assert (decided.status_code, decided.json()["status"]) == (200, "approved"), decided.text
    assert decide(other, number).status_code == 200, "sent again it changes nothing"
    state = gate.state(trip_id)
    assert (state["health"], state["barrier_1"]) == ("ready", "done"), "what others confirmed stands"
    shown = gate.sheet(trip_id)["corrections"]
    assert [(correction["step"], correction["status"], correction["old"]["status"]) for correction in shown] == [
        ("health", "approved", "done")
    ]
    assert shown[0]["old"]["done_by"]
    assert shown[0]["decided_by"]
    timeline = gate.person("enterprise").get(f"/api/v1/trips/{trip_id}").json()["timeline"]
    assert [line["data"]["status"] for line in timeline if line["kind"] == "correction"] == ["asked", "approved"]
    gate.pass_steps(trip_id, HEALTH)


def test_what_was_noted_is_corrected_and_the_old_stays(gate: Gate) -> None:
    trip_id = gate.declare()
    noted = {"data": {"temperature_c": 39.9}, "reason": "Đo lại sau"}
    assert gate.act("health_quarantine", trip_id, "health", **noted).status_code == 200
    first, other = gate.person("health_quarantine"), second(gate, "health_quarantine")
    assert ask(first, trip_id, "health", "record").status_code == 422, "what holds instead is missing"
    number = ask(first, trip_id, "health", "record", new={"temperature_c": 36.9}).json()["correction_id"]
    assert decide(other, number, approved=False).status_code == 422, "a refusal needs a reason"
    assert decide(other, number).status_code == 200
    sheet = gate.sheet(trip_id)
    step = next(step for step in sheet["steps"] if step["step"] == "health")
    assert (step["status"], step["data"]) == ("done", {"temperature_c": 36.9})
    assert sheet["corrections"][0]["old"]["data"] == {"temperature_c": 39.9}
    page = first.get(f"/station/sheet/{trip_id}?at=health", headers={"accept": "text/html"}).text
    assert "<del>Body temperature (°C): 39.9</del>" in page
    assert "<strong>Body temperature (°C): 36.9</strong>" in page
    assert "temperature_c" not in page


def test_a_refused_correction_changes_nothing(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH)
    number = ask(gate.person("health_quarantine"), trip_id, "health").json()["correction_id"]
    other = second(gate, "health_quarantine")
    assert decide(other, number, approved=False, reason="Xe đúng").json()["status"] == "refused"
    assert gate.state(trip_id)["health"] == "done"
    assert decide(other, number).status_code == 409


def test_only_the_agency_of_the_step_at_its_gate_asks(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH)
    assert ask(gate.person("customs"), trip_id, "health").status_code == 403
    assert ask(gate.person("health_quarantine", "tan-thanh"), trip_id, "health").status_code == 404
    assert ask(gate.person("border_guard"), trip_id, "barrier_1").status_code == 409, "it is not confirmed"
    assert ask(gate.person("health_quarantine"), trip_id, "health", reason=" x ").status_code == 422
    assert ask(gate.person("enterprise"), trip_id, "health").status_code == 403


def closed(gate: Gate) -> int:
    """A trip that is over; its id."""
    trip_id = gate.declare()
    gate.pass_steps(trip_id, *TO_EXIT)
    pay(gate.person("gate_management"), trip_id)
    gate.pass_steps(trip_id, ("border_guard", "barrier_2"))
    return trip_id


def test_a_closed_trip_is_opened_again_at_its_last_step_only(gate: Gate) -> None:
    trip_id = closed(gate)
    assert gate.sheet(trip_id)["trip"]["stage"] == "out"
    assert ask(gate.person("customs"), trip_id, "customs").status_code == 409
    record = ask(gate.person("customs"), trip_id, "customs", "record", new={"note": "Luồng vàng"})
    assert record.status_code == 201
    assert decide(second(gate, "customs"), record.json()["correction_id"]).status_code == 200
    assert gate.sheet(trip_id)["trip"]["stage"] == "out", "what was noted is corrected, the trip stays closed"
    number = ask(gate.person("border_guard"), trip_id, "barrier_2").json()["correction_id"]
    assert decide(second(gate, "border_guard"), number).status_code == 200
    sheet = gate.sheet(trip_id)
    assert (sheet["trip"]["stage"], sheet["is_finished"]) == ("in_the_yard", False)
    assert gate.state(trip_id)["barrier_2"] == "ready"
    work = gate.person("border_guard").get("/api/v1/inspections", params={"station": "barrier_2"}).json()
    assert [trip["trip_id"] for trip in work["here"]] == [trip_id]
    gate.pass_steps(trip_id, ("border_guard", "barrier_2"))


def test_ledger_fee_and_cameras_follow_a_corrected_exit(gate: Gate, client: TestClient) -> None:
    with gate.runtime.sessions() as session:
        capacity_store.seed_yards(session, gate.runtime.corridor, now=gate.runtime.clock.now())
        session.commit()
    trip_id = closed(gate)
    inside = "SELECT count(*) AS trucks FROM capacity.presence WHERE left_at IS NULL"
    assert one(gate.runtime, inside).trucks == 0
    gate.runtime.clock.advance(300.0)  # type: ignore[attr-defined]
    number = ask(gate.person("border_guard"), trip_id, "barrier_2").json()["correction_id"]
    assert decide(second(gate, "border_guard"), number).status_code == 200
    assert one(gate.runtime, inside).trucks == 1, "it stands in its yard again"
    assert gate.state(trip_id)["fee"] == "done", "what was paid is paid"
    camera = set_up(
        gate.sign_in("administrator"), "plate_camera", "rekor", site_id="huu-nghi-barrier-2", config={"camera_id": "7"}
    )
    read = rekor("29C12345", gate.runtime.clock.now())
    assert send(client, camera, read).json() == {"plates": 1, "new": 1}
    assert one(gate.runtime, "SELECT trip_id FROM app.plate_read").trip_id == trip_id
    gate.pass_steps(trip_id, ("border_guard", "barrier_2"))
    assert one(gate.runtime, inside).trucks == 0


def test_a_camera_knows_no_trip_that_was_taken_back(gate: Gate, client: TestClient) -> None:
    trip_id = gate.declare()
    where = f"/api/v1/trips/{trip_id}"
    tag = gate.person("enterprise").get(where).headers["ETag"]
    assert gate.person("enterprise").post(f"{where}/cancel", headers={"If-Match": tag}).status_code == 200
    camera = set_up(
        gate.sign_in("administrator"), "plate_camera", "rekor", site_id="huu-nghi-barrier-1", config={"camera_id": "7"}
    )
    gate.runtime.clock.advance(3600.0)  # type: ignore[attr-defined]
    assert send(client, camera, rekor("29C12345", gate.runtime.clock.now())).json() == {"plates": 1, "new": 1}
    read = one(gate.runtime, "SELECT status, trip_id FROM app.plate_read")
    assert (read.status, read.trip_id) == ("unknown", None)
    waiting = gate.person("support").get("/api/v1/undeclared-plates").json()["items"]
    assert [each["plate"] for each in waiting] == ["29C-123.45"], "it rings at the support desk"


def test_a_closed_trip_whose_truck_is_on_another_stays_closed(gate: Gate) -> None:
    trip_id = closed(gate)
    gate.declare()
    number = ask(gate.person("border_guard"), trip_id, "barrier_2").json()["correction_id"]
    assert decide(second(gate, "border_guard"), number).status_code == 409
    assert gate.sheet(trip_id)["trip"]["stage"] == "out"


def test_the_station_shows_the_old_value_struck_out_and_who_decides(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH)
    first, other = gate.person("health_quarantine"), second(gate, "health_quarantine")
    assert "data-correction-form" in first.get(f"/station?at=health&trip={trip_id}").text
    number = ask(first, trip_id, "health").json()["correction_id"]
    assert 'data-act="correction-approve"' not in first.get(f"/station?at=health&trip={trip_id}").text
    page = other.get(f"/station?at=health&trip={trip_id}").text
    assert 'data-act="correction-approve"' in page
    assert "Corrections that wait for a second person" in page
    decide(other, number)
    assert "<del>Done at" in other.get(f"/station?at=health&trip={trip_id}").text
