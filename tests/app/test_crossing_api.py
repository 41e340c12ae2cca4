"""A trip from declaration to exit by nothing but the public API, each role with its own account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.fees import tariffs
from app.platform.runtime import Runtime
from tests.app.declaring import declaration_body, declaration_line
from tests.app.stationing import Gate

MAX_REQUESTS = 40
OUT = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
    ("gate_management", "fee"),
    ("border_guard", "barrier_2"),
)


class Crossing:
    """People of every role at one gate, and a count of what they send, sign-in included."""

    def __init__(self, runtime: Runtime, sign_in: Callable[..., TestClient]) -> None:
        self.runtime = runtime
        self.gate = Gate.open(runtime, sign_in)
        with runtime.sessions() as session:
            tariffs.seed_tariffs(session, now=runtime.clock.now())
            session.commit()
        self.people: dict[str, TestClient] = {}
        self.requests = 0

    def send(self, role: str, method: str, path: str, **more: Any) -> Response:
        """One request of somebody of a role; the first one of each costs a sign-in."""
        if role not in self.people:
            self.people[role] = self.gate.person(role)
            self.requests += 1
        self.requests += 1
        return self.people[role].request(method, path, **more)

    def declare(self, **changes: Any) -> int:
        """Declare and submit in one request; the trip."""
        arrival = self.runtime.clock.now() + timedelta(hours=2)
        body = {**declaration_body(arrival, **changes), "submit": True}
        headers = {"Idempotency-Key": "crossing"}
        return int(
            _fine(self.send("enterprise", "POST", "/api/v1/declarations", json=body, headers=headers))["trip_id"]
        )

    def confirm(self, role: str, step: str, trip_id: int) -> Response:
        """Look at the work list, read the sheet, confirm: what an officer's own program would do."""
        work = _fine(self.send(role, "GET", "/api/v1/inspections", params={"station": step}))
        assert trip_id in {trip["trip_id"] for trip in (*work["here"], *work["next"])}, f"{step}: not on the list"
        sheet = self.send(role, "GET", f"/api/v1/trips/{trip_id}/sheet")
        assert step in _fine(sheet)["may"]["confirm"], step
        headers = {"If-Match": sheet.headers["ETag"], "Idempotency-Key": f"{trip_id}-{step}"}
        return self.send(role, "POST", f"/api/v1/trips/{trip_id}/steps/{step}/confirm", json={}, headers=headers)

    def pay(self, role: str, trip_id: int) -> None:
        """Settle what the tariff asks, then take the cash."""
        answer = self.send(role, "GET", f"/api/v1/fees/of-trip/{trip_id}")
        fee = _fine(answer)
        where = f"/api/v1/fees/{fee['fee_id']}"
        if fee["status"] == "open_question":
            answer = self.send(
                role,
                "POST",
                f"{where}/decision",
                json={"amount_vnd": 150_000, "reason": "Tra theo biểu phí"},
                headers={"If-Match": answer.headers["ETag"]},
            )
            fee = _fine(answer)
        headers = {"If-Match": answer.headers["ETag"], "Idempotency-Key": f"{trip_id}-cash"}
        body = {"amount_vnd": fee["outstanding_vnd"]}
        assert _fine(self.send(role, "POST", f"{where}/cash", json=body, headers=headers))["status"] == "paid"


@pytest.fixture
def crossing(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Crossing:
    return Crossing(runtime, sign_in)


def test_a_full_trip_takes_few_requests(crossing: Crossing) -> None:
    trip_id = crossing.declare()
    for role, step in OUT:
        if step == "fee":
            crossing.pay(role, trip_id)
        else:
            answer = crossing.confirm(role, step, trip_id)
            _fine(answer)
    assert answer.json()["is_finished"] is True
    assert answer.json()["trip"]["stage"] == "out"
    assert crossing.requests < MAX_REQUESTS, crossing.requests


def test_a_lost_answer_asked_for_again_changes_nothing(crossing: Crossing) -> None:
    trip_id = crossing.declare()
    assert crossing.declare() == trip_id
    first = crossing.confirm("health_quarantine", "health", trip_id)
    headers = {"If-Match": '"1"', "Idempotency-Key": f"{trip_id}-health"}
    where = f"/api/v1/trips/{trip_id}/steps/health/confirm"
    again = crossing.send("health_quarantine", "POST", where, json={}, headers=headers)
    assert (again.status_code, again.json()["version"]) == (200, first.json()["version"])


def test_the_exit_stays_shut_until_the_fee_is_paid(crossing: Crossing) -> None:
    trip_id = crossing.declare()
    for role, step in OUT[:5]:
        _fine(crossing.confirm(role, step, trip_id))
    sheet = crossing.send("border_guard", "GET", f"/api/v1/trips/{trip_id}/sheet")
    where = f"/api/v1/trips/{trip_id}/steps/barrier_2/confirm"
    refused = crossing.send("border_guard", "POST", where, json={}, headers={"If-Match": sheet.headers["ETag"]})
    assert refused.status_code == 409, refused.text
    assert crossing.send("enterprise", "GET", f"/api/v1/trips/{trip_id}").json()["stage"] != "out"
    crossing.pay("gate_management", trip_id)
    _fine(crossing.confirm("border_guard", "barrier_2", trip_id))


def test_goods_declared_otherwise_after_payment_are_paid_for_before_the_exit(crossing: Crossing) -> None:
    trip_id = crossing.declare()
    for role, step in OUT[:4]:
        _fine(crossing.confirm(role, step, trip_id))
    crossing.pay("gate_management", trip_id)
    sheet = crossing.send("customs", "GET", f"/api/v1/trips/{trip_id}/sheet")
    assert state(sheet)["fee"] == "done"
    _fine(
        crossing.send(
            "customs",
            "POST",
            f"/api/v1/trips/{trip_id}/steps/customs/return",
            json={"reasons": ["goods_differ"]},
            headers={"If-Match": sheet.headers["ETag"]},
        )
    )

    arrival = crossing.runtime.clock.now() + timedelta(hours=2)
    line = declaration_line(
        hs_code="5208", description="Vải bông", goods_class="textiles", perishable=False, temperature_c=None
    )
    where = f"/api/v1/declarations/{trip_id}"
    present = crossing.send("enterprise", "GET", where)
    body = {**declaration_body(arrival, refrigerated=False, lines=[line]), "submit": True}
    _fine(crossing.send("enterprise", "PUT", where, json=body, headers={"If-Match": present.headers["ETag"]}))
    assert state(crossing.send("customs", "GET", f"/api/v1/trips/{trip_id}/sheet"))["fee"] != "done"
    fee = _fine(crossing.send("gate_management", "GET", f"/api/v1/fees/of-trip/{trip_id}"))
    assert fee["question"]["kind"] == "load_changed"


def state(sheet: Response) -> dict[str, str]:
    return {step["step"]: step["status"] for step in _fine(sheet)["steps"]}


def _fine(answer: Response) -> dict[str, Any]:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return dict(answer.json())
