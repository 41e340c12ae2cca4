"""A convoy paid by one transfer, money that came too early, and the enterprise's bills."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.fees.tables import FeeRow
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from tests.app.collecting import Counter, open_counter
from tests.app.dispatching import add_organisation
from tests.app.test_vietqr import check_emvco

SignIn = Callable[..., TestClient]


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


def convoy(counter: Counter, *amounts_vnd: int) -> list[dict[str, object]]:
    return [counter.due(f"29C-{100 + n:03}.{n:02}", amount_vnd=amount) for n, amount in enumerate(amounts_vnd)]


def together(counter: Counter, fees: list[dict[str, object]]) -> dict[str, object]:
    made = counter.enterprise.post("/api/v1/fees/remittances", json={"fee_ids": [fee["fee_id"] for fee in fees]})
    assert made.status_code == 201, made.text
    return dict(made.json())


def test_twelve_trips_are_paid_by_one_transfer_with_a_receipt_each(counter: Counter) -> None:
    fees = convoy(counter, *(100_000 + 1_000 * n for n in range(12)))
    total = sum(100_000 + 1_000 * n for n in range(12))
    made = together(counter, fees)
    objects = check_emvco(made["code"]["payload"])  # type: ignore[index]
    assert (objects["54"], objects["62.08"]) == (str(total), made["reference"])
    received = counter.pay(total, f"MBVCB.123.{made['reference']}.CT tu 0123")
    assert received["status"] == "matched"
    assert counter.money() == [(total, total, 12)]
    assert counter.pay(total, str(made["reference"]))["status"] == "double"  # paid twice: held, and for a person
    seen = counter.enterprise.get(f"/api/v1/fees/remittances/{made['remittance_id']}").json()
    assert (seen["outstanding_vnd"], seen["code"]) == (0, None)
    (transfer_id,) = {
        row.transfer_id for row in counter.rows("SELECT transfer_id FROM app.payment WHERE applied_vnd > 0")
    }
    assert "confirm-transfer" in counter.cashier.get("/fees").text
    confirmed = counter.cashier.post(f"/api/v1/payments/transfers/{transfer_id}/confirm")
    assert confirmed.status_code == 200, confirmed.text
    assert {fee["status"] for fee in confirmed.json()} == {"paid"}
    numbers = [
        payment["receipt_number"] for fee in confirmed.json() for payment in fee["payments"] if payment["applied_vnd"]
    ]
    assert sorted(numbers) == list(range(1, 13))
    assert counter.cashier.post(f"/api/v1/payments/transfers/{transfer_id}/confirm").json() == []
    assert counter.tax.post(f"/api/v1/payments/transfers/{transfer_id}/confirm").status_code == 404


def test_the_same_trips_are_the_same_code(counter: Counter) -> None:
    fees = convoy(counter, 100_000, 200_000)
    first, again = together(counter, fees), together(counter, fees[::-1])
    assert first["reference"] == again["reference"]
    assert together(counter, fees[:1])["reference"] != first["reference"]


def test_too_little_fills_in_order_and_the_rest_stays_due(counter: Counter) -> None:
    fees = convoy(counter, 100_000, 200_000, 300_000)
    made = together(counter, [fees[2], fees[0], fees[1]])
    received = counter.pay(350_000, str(made["reference"]))
    assert received["status"] == "under"
    left = [counter.fee(int(str(fee["trip_id"])))["outstanding_vnd"] for fee in fees]
    assert left == [50_000, 200_000, 0]
    assert counter.money() == [(350_000, 350_000, 2)]
    seen = counter.enterprise.get(f"/api/v1/fees/remittances/{made['remittance_id']}").json()
    assert (seen["outstanding_vnd"], seen["code"]["amount_vnd"]) == (250_000, 250_000)
    assert counter.pay(250_000, str(made["reference"]))["status"] == "matched"
    assert counter.money()[1] == (250_000, 250_000, 2)
    assert counter.cashier.get("/api/v1/payments/open").json() == []


def test_too_much_is_over_on_the_last(counter: Counter) -> None:
    fees = convoy(counter, 100_000, 200_000)
    made = together(counter, fees)
    assert counter.pay(330_000, str(made["reference"]))["status"] == "over"
    (listed,) = counter.cashier.get("/api/v1/payments/open").json()
    assert (listed["fee_id"], listed["excess_vnd"]) == (fees[1]["fee_id"], 30_000)
    assert counter.money() == [(330_000, 330_000, 2)]


def test_several_references_are_split_only_if_the_sum_is_right(counter: Counter) -> None:
    one, two = convoy(counter, 100_000, 200_000)
    both = f"{one['reference']} va {two['reference']}"
    assert counter.payment(counter.pay(299_999, both)["payment_id"])["detail"] == "several_references"
    assert counter.pay(300_000, both)["status"] == "matched"
    assert counter.money() == [(299_999, 299_999, 1), (300_000, 300_000, 2)]
    strange = f"{one['reference']} CKS2345672A"
    assert counter.payment(counter.pay(100_000, strange)["payment_id"])["status"] in {"unmatched", "double"}


def test_a_person_splits_what_no_rule_does(counter: Counter) -> None:
    one, two = convoy(counter, 100_000, 200_000)
    payment_id = counter.pay(300_000, "nop phi 2 xe")["payment_id"]

    def attach(reference: object, version: int, **more: object) -> int:
        body = {"reference": reference, "reason": "Hỏi người chuyển", **more}
        where = f"/api/v1/payments/{payment_id}/attach"
        return counter.cashier.post(where, json=body, headers={"If-Match": f'"{version}"'}).status_code

    assert attach(one["reference"], 1, amount_vnd=300_001) == 422
    assert attach(one["reference"], 1, amount_vnd=100_000) == 200
    left = counter.payment(payment_id)
    assert (left["amount_vnd"], left["status"]) == (200_000, "unmatched")
    assert attach(two["reference"], left["version"]) == 200
    assert counter.money() == [(300_000, 300_000, 2)]
    for fee in (one, two):
        assert counter.act(int(str(fee["trip_id"])), "confirm").json()["status"] == "paid"
    third = counter.due("29C-300.33", amount_vnd=50_000)
    fourth = counter.due("29C-400.44", amount_vnd=60_000)
    made = together(counter, [third, fourth])
    payment_id = counter.pay(110_000, "nop phi doan xe")["payment_id"]
    assert attach(made["reference"], 1) == 200
    assert counter.money()[1] == (110_000, 110_000, 2)


def test_money_that_came_before_the_amount_was_known_is_matched_when_it_is(counter: Counter) -> None:
    trip_id = counter.trip()
    fee = counter.fee(trip_id)
    early = counter.pay(100_000, fee["reference"])
    assert counter.payment(early["payment_id"])["detail"] == "amount_not_known"
    counter.act(trip_id, "answers", facts={"payload_kg": 1500})
    known = counter.fee(trip_id)
    assert (known["status"], known["outstanding_vnd"]) == ("due", 0)
    assert counter.payment(early["payment_id"])["status"] == "matched"
    assert len(counter.rows("SELECT 1 FROM app.audit WHERE action = 'payments.match'")) == 1
    assert counter.act(trip_id, "confirm").json()["status"] == "paid"


def test_early_money_is_too_little_or_too_much_as_the_decision_says(counter: Counter) -> None:
    less, more = counter.trip("29C-111.11"), counter.trip("29C-222.22")
    for trip_id in (less, more):
        counter.pay(100_000, counter.fee(trip_id)["reference"])
    counter.act(less, "decision", amount_vnd=150_000, reason="Tra biểu phí")
    counter.act(more, "decision", amount_vnd=80_000, reason="Tra biểu phí")
    assert [counter.fee(trip_id)["outstanding_vnd"] for trip_id in (less, more)] == [50_000, 0]
    assert [counter.fee(trip_id)["payments"][0]["status"] for trip_id in (less, more)] == ["under", "over"]


def test_a_convoy_with_one_amount_not_known_yet(counter: Counter) -> None:
    one, two = convoy(counter, 100_000, 200_000)
    made = together(counter, [one, two])
    question = {"kind": "load_changed", "message": "", "values": {}, "facts": [], "rules": [], "given": {}}
    with counter.runtime.sessions.begin() as session:  # its load changed after the code was made
        changed = update(FeeRow).where(FeeRow.fee_id == two["fee_id"])
        session.execute(changed.values(status="open_question", amount_vnd=None, question=question))
    counter.pay(300_000, str(made["reference"]))
    assert counter.money() == [(300_000, 300_000, 2)]
    (waiting,) = counter.cashier.get("/api/v1/payments/open").json()
    assert (waiting["amount_vnd"], waiting["detail"]) == (200_000, "amount_not_known")
    counter.act(int(str(two["trip_id"])), "decision", amount_vnd=170_000, reason="Tra biểu phí")
    after = counter.fee(int(str(two["trip_id"])))
    assert (after["outstanding_vnd"], after["payments"][0]["status"]) == (0, "over")
    assert counter.money() == [(300_000, 300_000, 2)]


def test_what_cannot_be_paid_together(counter: Counter) -> None:
    fee = counter.due()
    transit = counter.trip("29C-222.22", regime="transit", direction="export")
    counter.act(transit, "decision", counter.tax, amount_vnd=500_000, reason="Theo biểu phí")
    other = counter.fee(transit)

    def status(*fee_ids: object, who: TestClient | None = None) -> int:
        sent = (who or counter.enterprise).post("/api/v1/fees/remittances", json={"fee_ids": list(fee_ids)})
        return sent.status_code

    assert status(fee["fee_id"], other["fee_id"]) == 422
    assert status(fee["fee_id"], 999) == 404
    assert status() == 422
    assert status(fee["fee_id"], who=counter.cashier) == 403
    stranger = counter.sign_in("enterprise", organisation_id=add_organisation(counter.runtime, "Xa lạ"))
    assert status(fee["fee_id"], who=stranger) == 404
    made = together(counter, [fee])
    assert stranger.get(f"/api/v1/fees/remittances/{made['remittance_id']}").status_code == 404
    assert counter.tax.get(f"/api/v1/fees/remittances/{made['remittance_id']}").status_code == 404
    assert counter.cashier.get(f"/api/v1/fees/remittances/{made['remittance_id']}").status_code == 200
    counter.act(fee["trip_id"], "cash", amount_vnd=100_000)
    assert status(fee["fee_id"]) == 409


# Bills


def test_bills_by_state_and_period_and_as_csv(counter: Counter) -> None:
    paid, due = counter.due("29C-111.11"), counter.due("29C-222.22")
    counter.act(paid["trip_id"], "cash", amount_vnd=100_000)

    def listed(query: str) -> list[int]:
        answer = counter.enterprise.get(f"/api/v1/fees/bills?{query}")
        assert answer.status_code == 200, answer.text
        return [bill["fee_id"] for bill in answer.json()["items"]]

    assert listed("") == [due["fee_id"], paid["fee_id"]]
    assert listed("state=open") == [due["fee_id"]]
    assert listed("state=paid") == [paid["fee_id"]]
    assert listed("from=2026-03-02&to=2026-03-02") == [due["fee_id"], paid["fee_id"]]
    assert listed("to=2026-03-01") == listed("from=2026-03-03") == []
    assert listed("from=0001-01-01&to=9999-12-31") == [due["fee_id"], paid["fee_id"]]
    assert listed("from=&to=") == [due["fee_id"], paid["fee_id"]]
    assert counter.enterprise.get("/api/v1/fees/bills?from=gestern").status_code == 422
    assert counter.enterprise.get("/api/v1/fees/bills?state=x").status_code == 422
    sent = counter.enterprise.get("/api/v1/fees/bills.csv?state=all")
    assert sent.headers["content-type"].startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(sent.content.decode("utf-8-sig")))
    assert head[0] == "Chuyến"
    assert [row[4:8] for row in rows] == [["100000", "0", "100000", "Chưa nộp"], ["100000", "100000", "0", "Đã nộp"]]
    assert rows[1][9] == "QLCK-HUUNGHI-2026-0000001"
    assert counter.cashier.get("/api/v1/fees/bills.csv").status_code == 403
    stranger = counter.sign_in("enterprise", organisation_id=add_organisation(counter.runtime, "Xa lạ"))
    assert stranger.get("/api/v1/fees/bills").json() == {"items": []}


@pytest.mark.parametrize("language", ["vi", "en", "zh"])
def test_the_enterprise_reaches_its_payment(counter: Counter, language: str) -> None:
    fee = counter.due()
    headers = {"accept-language": language}
    trip = counter.enterprise.get(f"/enterprise/trips/{fee['trip_id']}", headers=headers).text
    assert f'href="/fees/{fee["fee_id"]}" data-testid="pay-fee"' in trip
    assert "/fees/bills" in counter.enterprise.get("/enterprise", headers=headers).text
    bills = counter.enterprise.get("/fees/bills", headers=headers).text
    assert f'value="{fee["fee_id"]}"' in bills
    if language == "vi":
        assert "Nộp 100.000 đ" in bills
        assert "Nộp 100.000 đ" in trip
    made = together(counter, [fee])
    assert "vietqr" in counter.enterprise.get(f"/fees/remittances/{made['remittance_id']}", headers=headers).text
    assert counter.cashier.get("/fees/bills").status_code == 403
