"""A wrong fee put right by two persons: up, down, to nothing; what was paid counts, what was stays visible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import ConflictError
from tests.app.collecting import Counter, open_counter

SignIn = Callable[..., TestClient]
WHY = "Nhầm loại hàng, tra lại biểu phí"


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


def ask(counter: Counter, trip_id: int, amount_vnd: int, who: TestClient | None = None) -> Response:
    return counter.act(trip_id, "correction", who, amount_vnd=amount_vnd, reason=WHY)


def correct(counter: Counter, trip_id: int, amount_vnd: int) -> dict[str, Any]:
    asked = ask(counter, trip_id, amount_vnd)
    assert asked.status_code == 202, asked.text
    decided = counter.decide()
    assert decided.status_code == 204, decided.text
    return counter.fee(trip_id)


def leave(sheets: Sheets, action: ActionContext, trip_id: int) -> None:
    """Confirm whatever is ready until nothing is."""
    query = text("SELECT step FROM app.trip_step WHERE trip_id = :trip_id AND status = 'ready' ORDER BY step")
    while ready := action.session.execute(query, {"trip_id": trip_id}).scalars().all():
        for step in ready:
            sheets.confirm_step(action, trip_id, step, expected_version=None)


def test_a_decision_is_corrected_by_two_persons_and_stays_visible(counter: Counter) -> None:
    fee = counter.due(amount_vnd=500_000)
    assert ask(counter, fee["trip_id"], 700_000).status_code == 202
    assert ask(counter, fee["trip_id"], 800_000).status_code == 409  # one waits already
    assert counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ").status_code == 409
    assert counter.decide(counter.cashier).status_code == 403
    assert counter.fee(fee["trip_id"])["amount_vnd"] == 500_000
    assert counter.decide().status_code == 204
    after = counter.fee(fee["trip_id"])
    assert (after["status"], after["amount_vnd"], after["outstanding_vnd"]) == ("due", 700_000, 700_000)
    assert [line["amount_vnd"] for line in after["derivation"]] == [500_000, 200_000]
    assert after["derivation"][1]["reason"] == WHY
    (correction,) = after["corrections"]
    assert (correction["previous_vnd"], correction["amount_vnd"], correction["status"]) == (
        500_000,
        700_000,
        "approved",
    )
    assert (correction["asked_by_name"], correction["decided_by_name"]) == (
        None,
        None,
    )  # officers are no payer's business
    seen = counter.fee(fee["trip_id"], counter.cashier)["corrections"][0]
    assert seen["asked_by_name"]
    assert seen["decided_by_name"]
    (line,) = counter.rows("SELECT before, after, actor_id FROM app.audit WHERE action = 'fees.correct'")
    assert (line.before["amount_vnd"], line.after["amount_vnd"]) == (500_000, 700_000)
    assert line.actor_id == counter.second.account_id  # type: ignore[attr-defined]
    shown = counter.enterprise.get(f"/fees/{fee['fee_id']}", headers={"accept-language": "vi"}).text
    assert "<s>" in shown
    assert "500.000" in shown
    assert counter.enterprise.get(f"/fees/{fee['fee_id']}/correction").status_code == 403


def test_a_refused_correction_changes_nothing_and_another_can_be_asked_for(counter: Counter) -> None:
    fee = counter.due(amount_vnd=500_000)
    ask(counter, fee["trip_id"], 700_000)
    assert counter.decide(approved=False).status_code == 422
    assert counter.decide(approved=False, reason="Không đúng").status_code == 204
    assert counter.fee(fee["trip_id"])["amount_vnd"] == 500_000
    assert ask(counter, fee["trip_id"], 600_000, counter.second).status_code == 202
    assert counter.decide(counter.cashier).status_code == 204
    assert counter.fee(fee["trip_id"])["amount_vnd"] == 600_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"amount_vnd": 500_000, "reason": WHY}, 422),
        ({"amount_vnd": -1, "reason": WHY}, 422),
        ({"amount_vnd": 1.5, "reason": WHY}, 422),
        ({"amount_vnd": 600_000, "reason": " "}, 422),
        ({"amount_vnd": 600_000}, 422),
        ({"amount_vnd": 10**12 + 1, "reason": WHY}, 422),
    ],
)
def test_what_is_no_correction(counter: Counter, body: dict[str, object], status: int) -> None:
    fee = counter.due(amount_vnd=500_000)
    assert counter.act(fee["trip_id"], "correction", **body).status_code == status


def test_others_and_open_questions_have_no_correction(counter: Counter) -> None:
    trip_id = counter.trip()
    assert ask(counter, trip_id, 5).status_code == 409
    fee = counter.due("29C-222.22")
    assert ask(counter, fee["trip_id"], 5, counter.tax).status_code == 404
    assert ask(counter, fee["trip_id"], 5, counter.enterprise).status_code == 403
    stale = counter.act(fee["trip_id"], "correction", amount_vnd=5, reason=WHY, version=fee["version"] - 1)
    assert stale.status_code == 412


def test_a_fee_that_changed_since_is_asked_about_again(counter: Counter) -> None:
    fee = counter.due()
    ask(counter, fee["trip_id"], 300_000)
    with counter.runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE app.fee SET amount_vnd = 200000")
    assert counter.decide().status_code == 409
    assert counter.fee(fee["trip_id"])["amount_vnd"] == 200_000


def test_a_paid_fee_corrected_up_is_due_again_and_holds_the_truck(counter: Counter) -> None:
    fee = counter.due()
    counter.act(fee["trip_id"], "cash", amount_vnd=100_000)
    assert counter.step(fee["trip_id"]) == "done"
    after = correct(counter, fee["trip_id"], 250_000)
    assert (after["status"], after["outstanding_vnd"]) == ("due", 150_000)
    with counter.runtime.sessions() as session:
        action = ActionContext(session, None, counter.runtime.clock.now())
        counter.sheets.update_facts(action, fee["trip_id"], {"channel": "green"})
        with pytest.raises(ConflictError, match="opened again"):
            leave(counter.sheets, action, fee["trip_id"])
        session.rollback()
    assert counter.act(fee["trip_id"], "cash", amount_vnd=150_000).status_code == 200
    paid = counter.fee(fee["trip_id"])
    assert (paid["status"], [payment["receipt_number"] for payment in paid["payments"]]) == ("paid", [1, 2])


def test_a_paid_fee_corrected_down_gives_back_the_rest_at_once(counter: Counter) -> None:
    fee = counter.due(amount_vnd=500_000)
    counter.pay(500_000, fee["reference"])
    (payment,) = counter.act(fee["trip_id"], "confirm").json()["payments"]
    assert counter.refund(payment["payment_id"], 200_000).status_code == 409  # the trip is open
    after = correct(counter, fee["trip_id"], 300_000)
    assert (after["status"], after["outstanding_vnd"], after["received_vnd"]) == ("paid", 0, 500_000)
    (listed,) = counter.cashier.get("/api/v1/payments/open").json()
    assert (listed["status"], listed["excess_vnd"]) == ("over", 200_000)
    assert counter.refund(payment["payment_id"], 200_001).status_code == 409
    assert counter.refund(payment["payment_id"], 200_000).status_code == 202
    assert counter.decide().status_code == 204
    assert counter.cashier.get("/api/v1/payments/open").json() == []
    (kept,) = counter.fee(fee["trip_id"])["payments"]
    assert (kept["applied_vnd"], kept["refunded_vnd"], kept["status"]) == (500_000, 200_000, "matched")
    receipt = counter.cashier.get(f"/api/v1/payments/{payment['payment_id']}/receipt")
    assert receipt.status_code == 200


def test_money_that_was_over_pays_what_is_due_after_a_correction(counter: Counter) -> None:
    fee = counter.due()
    counter.pay(150_000, fee["reference"])
    after = correct(counter, fee["trip_id"], 150_000)
    assert (after["outstanding_vnd"], after["payments"][0]["status"]) == (0, "matched")
    assert counter.act(fee["trip_id"], "confirm").json()["status"] == "paid"
    other = counter.due("29C-222.22")
    counter.pay(180_000, other["reference"])
    counter.act(other["trip_id"], "confirm")  # its receipt says 100,000 and stays so
    raised = correct(counter, other["trip_id"], 160_000)
    assert (raised["status"], raised["outstanding_vnd"]) == ("due", 0)
    amounts = [(payment["amount_vnd"], payment["applied_vnd"], payment["status"]) for payment in raised["payments"]]  # type: ignore[attr-defined]
    assert amounts == [(120_000, 100_000, "over"), (60_000, 60_000, "matched")]
    assert counter.act(other["trip_id"], "confirm").json()["status"] == "paid"
    assert counter.money()[1] == (180_000, 180_000, 2)


def test_money_nobody_confirmed_is_free_again_when_the_fee_falls(counter: Counter) -> None:
    fee = counter.due(amount_vnd=500_000)
    counter.pay(500_000, fee["reference"])
    after = correct(counter, fee["trip_id"], 200_000)
    (payment,) = after["payments"]
    assert (payment["applied_vnd"], payment["status"], after["outstanding_vnd"]) == (200_000, "over", 0)
    assert counter.act(fee["trip_id"], "confirm").json()["payments"][0]["applied_vnd"] == 200_000


def test_a_waived_fee_can_be_corrected_and_a_fee_to_nothing(counter: Counter) -> None:
    fee = counter.due()
    counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ")
    counter.decide()
    after = correct(counter, fee["trip_id"], 100_000)
    assert (after["status"], after["outstanding_vnd"]) == ("due", 100_000)
    assert [line["amount_vnd"] for line in after["derivation"]] == [100_000]  # type: ignore[attr-defined]
    nothing = correct(counter, fee["trip_id"], 0)
    assert (nothing["status"], nothing["outstanding_vnd"]) == ("waived", 0)
    paid = counter.due("29C-222.22")
    counter.act(paid["trip_id"], "cash", amount_vnd=100_000)
    freed = correct(counter, paid["trip_id"], 0)
    assert freed["status"] == "paid"
    (payment,) = freed["payments"]
    assert counter.refund(payment["payment_id"], 100_000).status_code == 202
    assert counter.decide().status_code == 204
    (given,) = counter.fee(paid["trip_id"])["payments"]
    assert given["status"] == "refunded"


def test_the_database_itself_refuses_one_person(counter: Counter) -> None:
    from sqlalchemy.exc import IntegrityError

    fee = counter.due()
    ask(counter, fee["trip_id"], 5)
    with pytest.raises(IntegrityError), counter.runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE app.fee_release SET decided_by = asked_by WHERE kind = 'correction'")
