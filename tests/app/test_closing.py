"""The end of a collector's day: it adds up, once, and leaves nothing out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from tests.app.collecting import Counter, open_counter

SignIn = Callable[..., TestClient]


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


def close(counter: Counter, counted_vnd: int, who: TestClient | None = None, **more: Any) -> Response:
    return (who or counter.cashier).post("/api/v1/payments/closings", json={"counted_cash_vnd": counted_vnd} | more)


def preview(counter: Counter, who: TestClient | None = None) -> dict[str, Any]:
    return dict((who or counter.cashier).get("/api/v1/payments/closings/preview").json())


def test_a_day_adds_up_and_is_closed_once(counter: Counter) -> None:
    cash, bank = counter.due("29C-111.11"), counter.due("29C-222.22", amount_vnd=4_000_000)
    counter.act(cash["trip_id"], "cash", amount_vnd=100_000)
    counter.pay(4_050_000, bank["reference"])
    counter.act(bank["trip_id"], "confirm", counter.second)
    counter.pay(7_000, "tien hang")
    seen = preview(counter)
    assert (seen["cash_vnd"], seen["transfer_vnd"], seen["net_vnd"], seen["closed"]) == (
        100_000,
        4_000_000,
        4_100_000,
        False,
    )
    assert seen["held_vnd"] == 57_000
    wrong = close(counter, 90_000)
    assert wrong.status_code == 422
    assert wrong.json()["field"] == "reason"
    answer = close(counter, 100_000)
    assert answer.status_code == 201, answer.text
    (closing,) = answer.json()
    assert (closing["net_vnd"], closing["difference_vnd"], closing["payments"]) == (4_100_000, 0, 2)
    assert closing["receipts"] == [{"series": "QLCK-HUUNGHI-2026", "first": 1, "last": 2, "count": 2}]
    assert sum(account["cash_vnd"] + account["transfer_vnd"] for account in closing["accounts"]) == closing["net_vnd"]
    assert len(closing["accounts"]) == 2
    assert close(counter, 0).status_code == 409
    assert close(counter, 0, counter.second).status_code == 409
    assert preview(counter)["closed"] is True
    assert preview(counter, counter.tax)["closed"] is False


def test_a_difference_is_explained(counter: Counter) -> None:
    counter.act(counter.due()["trip_id"], "cash", amount_vnd=100_000)
    (closing,) = close(counter, 99_000, reason="Trả nhầm tiền lẻ").json()
    assert (closing["difference_vnd"], closing["difference_reason"]) == (-1_000, "Trả nhầm tiền lẻ")


def test_what_comes_after_the_closing_is_in_the_next(counter: Counter) -> None:
    first, second = counter.due("29C-111.11"), counter.due("29C-222.22")
    counter.act(first["trip_id"], "cash", amount_vnd=100_000)
    close(counter, 100_000)
    counter.act(second["trip_id"], "cash", amount_vnd=100_000)
    assert close(counter, 100_000).status_code == 409
    counter.runtime.clock.advance(86_400)  # type: ignore[attr-defined]
    again = counter.sign_in("gate_management", gate_id="huu-nghi")
    (closing,) = close(counter, 100_000, again).json()
    assert (closing["payments"], closing["receipts"][0]["first"]) == (1, 2)
    assert len(again.get("/api/v1/payments/closings").json()) == 2
    total = counter.rows("SELECT sum(net_vnd) FROM app.closing")[0][0]
    assert total == counter.rows("SELECT sum(applied_vnd) FROM app.payment")[0][0] == 200_000


def test_a_refund_is_taken_off(counter: Counter) -> None:
    fee = counter.due()
    (payment,) = counter.act(fee["trip_id"], "cash", amount_vnd=100_000).json()["payments"]
    with counter.runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE app.trip SET stage = 'out'")
    counter.refund(payment["payment_id"], 30_000)
    counter.decide()
    (closing,) = close(counter, 70_000).json()
    assert (closing["cash_vnd"], closing["cash_refund_vnd"], closing["net_vnd"]) == (100_000, 30_000, 70_000)


def test_a_repeated_request_is_one_closing(counter: Counter) -> None:
    body, key = {"counted_cash_vnd": 0}, {"Idempotency-Key": "a"}
    answers = [counter.cashier.post("/api/v1/payments/closings", json=body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]


def test_an_edited_receipt_stops_the_closing(counter: Counter) -> None:
    for number in range(1, 4):
        counter.act(counter.due(f"29C-{number}00.00")["trip_id"], "cash", amount_vnd=100_000)
    with counter.runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE app.payment SET receipt_number = 9 WHERE receipt_number = 2")
    assert close(counter, 300_000).status_code == 409
