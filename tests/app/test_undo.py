"""A confirmation is undone for 30 seconds by who gave it, with what followed, or refused with a reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.procedures.steps import Step
from app.sheets.store import NamedStep
from app.sheets.undo_rule import undo_until
from tests.app.paying import pay
from tests.app.stationing import Gate
from tests.conftest import NOW

SignIn = Callable[..., TestClient]
LATER = NOW + timedelta(hours=3)
HEALTH, BARRIER = ("health_quarantine", "health"), ("border_guard", "barrier_1")


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    return Gate.open(runtime, sign_in)


def undo(gate: Gate, trip_id: int, role: str, step: str) -> Response:
    return gate.act(role, trip_id, step, "undo")


def advance(gate: Gate, seconds: float) -> None:
    gate.runtime.clock.advance(seconds)  # type: ignore[attr-defined]


def test_the_own_confirmation_is_undone_with_what_followed(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH)
    mine = gate.person("health_quarantine").get(f"/api/v1/trips/{trip_id}/sheet").json()
    assert next(step for step in mine["steps"] if step["step"] == "health")["undo_until"] is not None
    advance(gate, 29)
    answer = undo(gate, trip_id, *HEALTH)
    assert answer.status_code == 200, answer.text
    state = gate.state(trip_id)
    assert (state["health"], state["barrier_1"]) == ("ready", "waiting")
    step = next(step for step in gate.sheet(trip_id)["steps"] if step["step"] == "health")
    assert (step["done_at"], step["done_by"], step["data"]) == (None, None, {})
    assert gate.sheet(trip_id)["trip"]["arrived_at"] is None, "nobody has seen it at the gate then"
    again = undo(gate, trip_id, *HEALTH)
    assert again.status_code == 200, "a second tap changes nothing"
    timeline = gate.person("enterprise").get(f"/api/v1/trips/{trip_id}").json()["timeline"]
    assert [line["data"]["act"] for line in timeline if line["kind"] == "sheet"][-2:] == ["confirm", "undo"]
    gate.pass_steps(trip_id, HEALTH)


def test_an_undone_confirmation_shows_nobody_where_the_truck_is(gate: Gate) -> None:
    trip_id = gate.declare()
    assert where(gate, trip_id) == ("planned", None)
    gate.pass_steps(trip_id, HEALTH)
    at_health = where(gate, trip_id)
    gate.pass_steps(trip_id, BARRIER)
    assert gate.sheet(trip_id)["trip"]["stage"] == "in_the_yard"
    assert undo(gate, trip_id, *BARRIER).status_code == 200
    assert where(gate, trip_id) == at_health
    assert undo(gate, trip_id, *HEALTH).status_code == 200
    assert where(gate, trip_id) == ("planned", None)
    gate.pass_steps(trip_id, HEALTH, BARRIER)
    assert gate.sheet(trip_id)["trip"]["stage"] == "in_the_yard", "the second confirmation of a step counts"


def where(gate: Gate, trip_id: int) -> tuple[str, str | None]:
    """The stage of a trip, and the gate that it is judged to be at."""
    query = text("SELECT gate_id FROM app.trip_place WHERE trip_id = :trip_id AND ended_at IS NULL")
    with gate.runtime.sessions() as session:
        return gate.sheet(trip_id)["trip"]["stage"], session.scalar(query, {"trip_id": trip_id})


def test_after_half_a_minute_it_stands(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH)
    advance(gate, 31)
    late = undo(gate, trip_id, *HEALTH)
    assert late.status_code == 409
    assert "second person" in late.json()["detail"]
    assert gate.state(trip_id)["health"] == "done"


def test_nobody_undoes_what_another_confirmed(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH)
    other = gate.sign_in("health_quarantine", gate_id="huu-nghi", locale="en")
    version = gate.sheet(trip_id)["version"]
    where = f"/api/v1/trips/{trip_id}/steps/health/undo"
    assert other.post(where, headers={"If-Match": f'"{version}"'}).status_code == 409
    guard = gate.person("border_guard")
    assert guard.post(where, headers={"If-Match": f'"{version}"'}).status_code == 403
    there = gate.person("health_quarantine", "tan-thanh")
    assert there.post(where, headers={"If-Match": f'"{version}"'}).status_code == 404
    assert gate.person("health_quarantine").post(where).status_code == 428
    assert gate.state(trip_id)["health"] == "done"


def test_what_somebody_acted_on_since_stays(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH, BARRIER)
    refused = undo(gate, trip_id, *HEALTH)
    assert refused.status_code == 409
    assert "Barrier 1" in refused.json()["detail"]


def test_what_the_platform_released_since_falls_with_it(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.to_quarantine(trip_id)
    customs = gate.person("customs")
    version = gate.sheet(trip_id)["version"]
    channel = f"/api/v1/trips/{trip_id}/channel"
    assert customs.put(channel, json={"channel": "green"}, headers={"If-Match": f'"{version}"'}).status_code == 200
    gate.pass_steps(trip_id, ("plant_quarantine", "quarantine_plant"))
    assert gate.state(trip_id)["customs"] == "done", "green releases at once"
    assert undo(gate, trip_id, "plant_quarantine", "quarantine_plant").status_code == 200
    state = gate.state(trip_id)
    assert (state["quarantine_plant"], state["customs"]) == ("ready", "waiting")


def test_a_step_that_was_returned_is_returned_again(gate: Gate) -> None:
    trip_id = gate.declare()
    gate.to_quarantine(trip_id)
    back = gate.act("plant_quarantine", trip_id, "quarantine_plant", "return", to="yard", reasons=["plate_differs"])
    assert back.status_code == 200, back.text
    gate.pass_steps(trip_id, ("yard_operator", "yard"))
    assert undo(gate, trip_id, "yard_operator", "yard").status_code == 200
    step = next(step for step in gate.sheet(trip_id)["steps"] if step["step"] == "yard")
    assert (step["status"], step["data"]["reasons"]) == ("returned", ["plate_differs"])


def test_a_barrier_that_opened_is_not_closed_again_by_undoing(gate: Gate) -> None:
    with gate.runtime.sessions() as session:
        session.execute(
            text(
                "INSERT INTO app.equipment (kind, name, gate_id, station, vendor, created_at) "
                "VALUES ('barrier', 'B1', 'huu-nghi', 'barrier_1', 'http', now())"
            )
        )
        session.commit()
    trip_id = gate.declare()
    gate.pass_steps(trip_id, HEALTH, BARRIER)
    settle(gate, "opened")
    refused = undo(gate, trip_id, *BARRIER)
    assert refused.status_code == 409
    assert "barrier" in refused.json()["detail"]
    settle(gate, "failed")
    assert undo(gate, trip_id, *BARRIER).status_code == 200, "it never opened"


@pytest.mark.parametrize(
    ("regime", "exit_step"), [("export", "barrier_2"), ("import", "barrier_1"), ("transit", "barrier_2")]
)
def test_a_mistap_at_the_exit_is_undone_and_the_trip_goes_on(gate: Gate, regime: str, exit_step: str) -> None:
    trip_id = gate.declare(regime=regime, direction="import" if regime == "import" else "export")
    leave(gate, trip_id)
    assert gate.sheet(trip_id)["trip"]["stage"] == "out"
    station = gate.person("border_guard").get(f"/station/sheet/{trip_id}?at={exit_step}").text
    assert 'data-act="undo"' in station, "the page offers it"
    advance(gate, 20)
    answer = undo(gate, trip_id, "border_guard", exit_step)
    assert answer.status_code == 200, answer.text
    sheet = gate.sheet(trip_id)
    assert (sheet["trip"]["stage"], sheet["is_finished"]) == ("in_the_yard", False)
    assert gate.state(trip_id)[exit_step] == "ready"
    assert where(gate, trip_id) == ("in_the_yard", "huu-nghi")
    assert undo(gate, trip_id, "border_guard", exit_step).status_code == 200, "a second tap changes nothing"
    gate.pass_steps(trip_id, ("border_guard", exit_step))
    assert gate.sheet(trip_id)["trip"]["stage"] == "out"
    advance(gate, 31)
    assert undo(gate, trip_id, "border_guard", exit_step).status_code == 409


def leave(gate: Gate, trip_id: int) -> None:
    """All that is ready is done until the trip is over."""
    while ready := [step["step"] for step in gate.sheet(trip_id)["steps"] if step["status"] == "ready"]:
        advance(gate, 60)
        if ready[0] == "fee":
            pay(gate.person(gate.sheet(trip_id)["fee"]["collector"] or "gate_management"), trip_id)
        else:
            answer = gate.act(Step.get(ready[0]).agency(), trip_id, ready[0], reason="Đã xem giấy tờ")
            assert answer.status_code == 200, answer.text


def test_what_is_entered_later_from_paper_is_undone_from_when_it_was_entered() -> None:
    entered = {"at": NOW.isoformat(), "by": "An", "reason": "Mất điện", "entered_at": LATER.isoformat()}
    step = NamedStep("health", "done", NOW, NOW, 7, {"entered_later": entered}, "An")
    assert undo_until(step, 7) == LATER + timedelta(seconds=30)
    assert undo_until(replace(step, data={}), 7) == NOW + timedelta(seconds=30)
    assert undo_until(step, 8) is None


def settle(gate: Gate, status: str) -> None:
    """Once the device, which is none, has failed to answer: let it have answered so."""
    for _ in range(600):
        with gate.runtime.sessions() as session:
            present = session.scalar(text("SELECT status FROM app.barrier_command"))
            if present != "sent":
                session.execute(text("UPDATE app.barrier_command SET status = :status"), {"status": status})
                session.commit()
                return
        time.sleep(0.1)
    pytest.fail("the barrier was never told")
