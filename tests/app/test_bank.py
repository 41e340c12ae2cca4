"""Transfers on a real database: signed reports, statements, matching, and what is left to a person."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app.fees import bank_values, statement_file
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import InvalidInputError, MalformedError
from tests.app.collecting import Counter, open_counter
from tests.app.test_vietqr import check_emvco

SignIn = Callable[..., TestClient]


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


def test_a_fee_is_paid_by_vietqr_and_bank_report(counter: Counter) -> None:
    fee = counter.due()
    code = counter.enterprise.get(f"/api/v1/fees/{fee['fee_id']}/vietqr").json()
    objects = check_emvco(code["payload"])
    assert (objects["54"], objects["38.01.01"], code["simulated"]) == ("100000", "1023456780", True)
    received = counter.pay(int(objects["54"]), f"MBVCB.{objects['62.08']}.CT tu 0123")
    assert (received["status"], received["repeated"]) == ("matched", False)
    waiting = counter.fee(fee["trip_id"])
    assert (waiting["status"], waiting["outstanding_vnd"]) == ("due", 0)
    assert counter.step(fee["trip_id"]) == "ready"  # the collector confirms that the money is there
    assert counter.enterprise.get(f"/api/v1/fees/{fee['fee_id']}/vietqr").status_code == 409
    assert counter.act(fee["trip_id"], "cash", amount_vnd=100_000).status_code == 409
    paid = counter.act(fee["trip_id"], "confirm")
    assert paid.status_code == 200, paid.text
    assert (paid.json()["status"], paid.json()["payments"][0]["receipt_number"]) == ("paid", 1)
    assert counter.step(fee["trip_id"]) == "done"


def test_nothing_is_confirmed_without_the_money(counter: Counter) -> None:
    answer = counter.act(counter.due()["trip_id"], "confirm")
    assert answer.status_code == 409
    assert "100000" in answer.json()["detail"]


# The door


def test_a_repeated_report_has_one_effect(counter: Counter) -> None:
    report = counter.transfer(100_000, counter.due()["reference"])
    first, again = counter.post(report), counter.post(report)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json() | {"repeated": True}
    assert counter.rows("SELECT count(*) FROM app.payment")[0][0] == 1
    assert counter.post(report | {"amount_vnd": 1}).status_code == 409


def test_reports_at_once_have_one_effect(counter: Counter) -> None:
    report = counter.transfer(100_000, counter.due()["reference"])
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: counter.post(report), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["repeated"] for answer in answers) == [False, True, True, True]


def test_a_report_needs_a_fresh_and_right_signature(counter: Counter) -> None:
    report = counter.transfer(100_000, counter.due()["reference"])
    assert counter.post(report, key="0" * 64).status_code == 401
    assert counter.post(report, age_s=301).status_code == 401
    assert counter.post(report, age_s=-301).status_code == 401
    other_key = counter.accounts["tax"]["webhook_key"]
    assert counter.post(report, key=other_key).status_code == 401
    account_id = counter.accounts["tax"]["collecting_account_id"]
    assert TestClient(counter.cashier.app).post(f"/api/v1/payments/bank/{account_id}", content=b"{}").status_code == 401
    assert counter.rows("SELECT count(*) FROM app.payment")[0][0] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"amount_vnd": 0},
        {"amount_vnd": 1.5},
        {"amount_vnd": "100"},
        {"received_at": "2026-03-02T10:00:00"},
        {"received_at": "2026-04-02T10:00:00Z"},
        {"bank_ref": ""},
        {"content": "a\x00"},
        {"content": None},
    ],
)
def test_a_report_that_cannot_be_is_refused(counter: Counter, change: dict[str, object]) -> None:
    assert counter.post(counter.transfer(100_000, "x") | change).status_code == 422


# Matching


def test_unknown_transfers_wait_for_a_person(counter: Counter) -> None:
    fee, other = counter.due(), counter.due("29C-222.22")
    details = {
        "tien hang": "no_reference",
        f"{fee['reference']} va {other['reference']}": "several_references",
    }
    for content, detail in details.items():
        assert counter.payment(counter.pay(100_000, content)["payment_id"])["detail"] == detail
    wrong = counter.pay(100_000, fee["reference"], "tax")
    assert wrong["status"] == "unmatched"
    (seen,) = counter.tax.get("/api/v1/payments/open").json()
    assert seen["detail"] == "other_collector"
    assert len(counter.cashier.get("/api/v1/payments/open").json()) == 2
    assert counter.fee(fee["trip_id"])["outstanding_vnd"] == 100_000


def test_a_person_finds_out_whose_a_transfer_is(counter: Counter) -> None:
    fee = counter.due()
    payment_id = counter.pay(100_000, "nop phi xe 29C12345")["payment_id"]

    def attach(reference: str, version: int = 1) -> int:
        body = {"reference": reference, "reason": "Hỏi người chuyển"}
        where = f"/api/v1/payments/{payment_id}/attach"
        return counter.cashier.post(where, json=body, headers={"If-Match": f'"{version}"'}).status_code

    assert attach("CKS22222222") == 404
    assert attach(fee["reference"], version=7) == 412
    assert attach(fee["reference"].lower()) == 200
    assert attach(fee["reference"], version=2) == 409
    assert counter.act(fee["trip_id"], "confirm").json()["status"] == "paid"


def test_two_parts_pay_one_fee_with_a_receipt_each(counter: Counter) -> None:
    fee = counter.due()
    first = counter.pay(40_000, fee["reference"])
    assert first["status"] == "under"
    assert counter.cashier.get("/api/v1/payments/open").json()[0]["payment_id"] == first["payment_id"]
    code = counter.enterprise.get(f"/api/v1/fees/{fee['fee_id']}/vietqr").json()
    assert code["amount_vnd"] == 60_000
    assert counter.pay(60_000, fee["reference"])["status"] == "matched"
    assert counter.cashier.get("/api/v1/payments/open").json() == []
    paid = counter.act(fee["trip_id"], "confirm").json()
    assert [payment["receipt_number"] for payment in paid["payments"]] == [1, 2]


def test_the_rest_can_be_paid_in_cash(counter: Counter) -> None:
    fee = counter.due()
    counter.pay(40_000, fee["reference"])
    paid = counter.act(fee["trip_id"], "cash", amount_vnd=60_000).json()
    assert (paid["status"], [payment["applied_vnd"] for payment in paid["payments"]]) == ("paid", [40_000, 60_000])


def test_what_is_over_is_given_back_by_two_persons(counter: Counter) -> None:
    fee = counter.due()
    over = counter.pay(150_000, fee["reference"])
    assert over["status"] == "over"
    assert counter.act(fee["trip_id"], "confirm").json()["status"] == "paid"
    (listed,) = counter.cashier.get("/api/v1/payments/open").json()
    assert listed["excess_vnd"] == 50_000
    assert counter.refund(over["payment_id"], 50_001).status_code == 409  # more than is over pays an open trip
    assert counter.refund(over["payment_id"], 50_000).status_code == 202
    assert counter.decide().status_code == 204
    assert counter.cashier.get("/api/v1/payments/open").json() == []
    assert counter.fee(fee["trip_id"])["status"] == "paid"


def test_a_double_payment_is_given_back_whole(counter: Counter) -> None:
    fee = counter.due()
    counter.pay(100_000, fee["reference"])
    double = counter.pay(100_000, fee["reference"])
    assert double["status"] == "double"
    assert counter.act(fee["trip_id"], "confirm").json()["status"] == "paid"
    assert counter.refund(double["payment_id"], 100_000).status_code == 202
    assert counter.decide().status_code == 204
    assert counter.payment(double["payment_id"])["status"] == "refunded"
    assert counter.fee(fee["trip_id"])["status"] == "paid"


def test_a_part_given_back_no_longer_pays(counter: Counter) -> None:
    fee = counter.due()
    paid = counter.pay(100_000, fee["reference"])
    assert counter.act(fee["trip_id"], "waiver", reason="Hàng cứu trợ").status_code == 409
    assert counter.refund(paid["payment_id"], 30_000).status_code == 202
    assert counter.decide().status_code == 204
    after = counter.fee(fee["trip_id"])
    assert (after["status"], after["outstanding_vnd"], after["payments"][0]["status"]) == ("due", 30_000, "under")
    assert counter.act(fee["trip_id"], "confirm").status_code == 409


def test_money_for_an_open_question_waits(counter: Counter) -> None:
    fee = counter.fee(counter.trip())
    received = counter.pay(100_000, fee["reference"])
    assert counter.payment(received["payment_id"])["detail"] == "amount_not_known"


# Statements

HEAD = "Mã giao dịch;Ngày giao dịch;Số tiền;Nội dung\n"


def send(counter: Counter, text: str, who: TestClient | None = None) -> dict[str, object]:
    answer = (who or counter.cashier).post(
        "/api/v1/payments/statements", content=text.encode(), headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_statement_has_a_result_for_each_row(counter: Counter) -> None:
    fee = counter.due()
    report = counter.transfer(40_000, fee["reference"])
    counter.post(report)
    text = HEAD + "\n".join(
        [
            f"{report['bank_ref']};02/03/2026 10:00;40.000;{fee['reference']}",
            f"S1;02/03/2026 10:05;60.000;CT {fee['reference']} tu A",
            "S2;02/03/2026 10:06;1,5;thua",
            "S3;mai;100.000;thua",
            "S4;02/03/2026 10:07;-20.000;chi",
            "S5;02/03/2026 10:08;70.000;tien hang",
        ]
    )
    answer = send(counter, text)
    results = [row["result"] for row in answer["rows"]]  # type: ignore[index,attr-defined]
    assert results == ["repeat", "matched", "error", "error", "outgoing", "unmatched"]
    assert "mai" in answer["rows"][3]["message"]  # type: ignore[index]
    again = send(counter, text)
    assert again["counts"] == {"repeat": 3, "error": 2, "outgoing": 1}
    assert counter.act(fee["trip_id"], "confirm").json()["status"] == "paid"


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", HEAD[:-9], "\x00", '"a\n' * 3])
def test_a_file_that_is_no_statement_is_refused(counter: Counter, text: str) -> None:
    answer = counter.cashier.post("/api/v1/payments/statements", content=text.encode())
    assert answer.status_code == 400, answer.text


def test_a_file_in_another_encoding_is_refused() -> None:
    with pytest.raises(MalformedError):
        statement_file.read_rows("Số tiền".encode("utf-16"))


@pytest.mark.parametrize(
    ("written", "amount_vnd"),
    [
        ("4000000", 4_000_000),
        ("4.000.000", 4_000_000),
        ("4,000,000", 4_000_000),
        ("+ 100.000 đ", 100_000),
        ("100,000 VND", 100_000),
    ],
)
def test_amounts_are_read_as_statements_write_them(written: str, amount_vnd: int) -> None:
    assert bank_values.read_amount(written) == amount_vnd


@pytest.mark.parametrize("written", ["4,00", "1.5", "4.00.000", "1,000.000", "abc", ""])
def test_an_amount_that_could_be_two_things_is_refused(written: str) -> None:
    with pytest.raises(InvalidInputError):
        bank_values.read_amount(written)


def test_accounts_are_entered_by_administrators(counter: Counter) -> None:
    admin = counter.sign_in("administrator")
    body = {
        "collector": "gate_management",
        "gate_id": "huu-nghi",
        "bank_bin": "970415",
        "bank_name": "VietinBank",
        "account_number": "113366668888",
        "account_name": "TRUNG TAM QLCK",
    }
    assert counter.cashier.post("/api/v1/payments/accounts", json=body).status_code == 403
    assert admin.post("/api/v1/payments/accounts", json=body | {"gate_id": "nowhere"}).status_code == 422
    made = admin.post("/api/v1/payments/accounts", json=body)
    assert made.status_code == 201, made.text
    assert len(made.json()["webhook_key"]) == 64
    assert "webhook_key" not in admin.get("/api/v1/payments/accounts").text
    assert counter.post(counter.transfer(1, "x")).status_code == 401  # the account before is out of use
