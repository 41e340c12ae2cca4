"""Outages: a step that needs what is out says so, waits or is done on paper, and is entered later at its true time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.gates.vocabulary import System
from app.platform.runtime import Runtime
from app.procedures.steps import Step
from geo.clock import FixedClock
from tests.app.stationing import Gate
from tests.conftest import NOW

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def gate(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Gate:
    return Gate.open(runtime, sign_in)


def outage(gate: Gate, system: str, **body: Any) -> dict[str, Any]:
    answer = gate.person("border_guard").post(
        "/api/v1/gates/huu-nghi/outages", json={"system": system, "cause": "Bão số 5", **body}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def paper(at: datetime, **changes: Any) -> dict[str, Any]:
    return {"at": at.isoformat(), "by": "Đại úy Hoàng Văn Thụ", "reason": "Mất điện, làm trên giấy", **changes}


def test_every_system_is_needed_by_a_step_and_every_station_needs_power() -> None:
    needed = {system for step in Step for system in step.spec.needs}
    assert needed == set(System)
    assert all(System.POWER in step.spec.needs for step in Step.stations())


@pytest.mark.parametrize(("system", "is_blocked"), [("power", True), ("platform", True), ("customs_system", False)])
def test_without_paper_only_steps_that_need_what_is_out_wait(gate: Gate, system: str, is_blocked: bool) -> None:
    trip_id = gate.declare()
    made = outage(gate, system, paper_mode=False)
    answer = gate.act("health_quarantine", trip_id, "health")
    assert answer.status_code == (409 if is_blocked else 200), answer.text
    if is_blocked:
        assert "Bão số 5" in answer.json()["detail"]
        address = f"/api/v1/outages/{made['notice_id']}/end"
        ended = gate.person("border_guard").post(address, json={"reason": "Có điện"}, headers={"If-Match": '"1"'})
        assert ended.status_code == 200
        assert gate.act("health_quarantine", trip_id, "health").status_code == 200


def test_with_paper_the_step_goes_on_and_the_sheet_says_what_is_out(gate: Gate) -> None:
    trip_id = gate.declare()
    outage(gate, "power", ends_at=(NOW + HOUR).isoformat())
    shown = gate.sheet(trip_id)["outages"]["items"]
    assert [(item["system"], "health" in item["steps"]) for item in shown] == [("power", True)]
    page = gate.person("health_quarantine").get(f"/station?at=health&trip={trip_id}").text
    assert "Bão số 5" in page
    assert gate.act("health_quarantine", trip_id, "health").status_code == 200


def test_an_act_on_paper_is_entered_with_its_true_time(gate: Gate, clock: FixedClock) -> None:
    trip_id = gate.declare()
    made = outage(gate, "power")
    clock.advance(3 * 3600)
    body = {"reason": "Có điện", "at": (NOW + 2 * HOUR).isoformat()}
    address = f"/api/v1/outages/{made['notice_id']}/end"
    assert gate.person("border_guard").post(address, json=body, headers={"If-Match": '"1"'}).status_code == 200

    answer = gate.act("health_quarantine", trip_id, "health", paper=paper(NOW + 30 * MINUTE))
    assert answer.status_code == 200, answer.text
    health = next(step for step in answer.json()["steps"] if step["step"] == "health")
    assert datetime.fromisoformat(health["done_at"]) == NOW + 30 * MINUTE
    entered = health["data"]["entered_later"]
    assert (entered["by"], entered["reason"]) == ("Đại úy Hoàng Văn Thụ", "Mất điện, làm trên giấy")
    assert datetime.fromisoformat(entered["entered_at"]) == NOW + 3 * HOUR
    assert (entered["notice_id"], entered["system"]) == (made["notice_id"], "power")
    page = gate.person("health_quarantine").get(f"/station?at=health&trip={trip_id}").text
    assert "entered later" in page
    assert "Đại úy Hoàng Văn Thụ" in page
    barrier = next(step for step in answer.json()["steps"] if step["step"] == "barrier_1")
    assert datetime.fromisoformat(barrier["since"]) == NOW + 30 * MINUTE  # it could be done from then on


@pytest.mark.parametrize(
    ("at", "changes", "field"),
    [
        (NOW + 150 * MINUTE, {}, "paper.at"),  # it worked again by then
        (NOW - 2 * HOUR, {}, "paper.at"),  # before the trip was entered
        (NOW + 5 * HOUR, {}, "paper.at"),  # in the future
        (NOW + HOUR, {"by": " "}, "paper.by"),
        (NOW + HOUR, {"reason": "x"}, "paper.reason"),
    ],
)
def test_what_cannot_have_been_done_on_paper_is_refused(
    gate: Gate, clock: FixedClock, at: datetime, changes: dict[str, Any], field: str
) -> None:
    trip_id = gate.declare()
    made = outage(gate, "power")
    clock.advance(3 * 3600)
    body = {"reason": "Có điện", "at": (NOW + 2 * HOUR).isoformat()}
    gate.person("border_guard").post(f"/api/v1/outages/{made['notice_id']}/end", json=body, headers={"If-Match": '"1"'})
    answer = gate.act("health_quarantine", trip_id, "health", paper=paper(at, **changes))
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert gate.state(trip_id)["health"] == "ready"


def test_paper_needs_an_outage_that_allows_it_and_the_order_of_the_steps(gate: Gate, clock: FixedClock) -> None:
    trip_id = gate.declare()
    clock.advance(3600)
    assert gate.act("health_quarantine", trip_id, "health", paper=paper(NOW + MINUTE)).status_code == 422
    outage(gate, "customs_system", starts_at=NOW.isoformat())
    assert gate.act("health_quarantine", trip_id, "health", paper=paper(NOW + MINUTE)).status_code == 422
    outage(gate, "network", starts_at=NOW.isoformat())
    gate.pass_steps(trip_id, ("health_quarantine", "health"))
    answer = gate.act("border_guard", trip_id, "barrier_1", paper=paper(NOW + 30 * MINUTE))
    assert answer.status_code == 422  # the step before was done later than that
    assert "health" in answer.json()["detail"]


def test_what_a_client_sends_as_data_never_passes_for_paper(gate: Gate) -> None:
    trip_id = gate.declare()
    answer = gate.act("health_quarantine", trip_id, "health", data={"entered_later": "2020-01-01", "note": "x"})
    health = next(step for step in answer.json()["steps"] if step["step"] == "health")
    assert health["data"] == {"note": "x"}
    assert datetime.fromisoformat(health["done_at"]) == NOW
