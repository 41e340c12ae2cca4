"""Webhooks of gateways: their documented shapes and signatures, what is not ours, and what cannot be."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.fees.gateways import casso, payos, sepay
from app.fees.gateways.messages import Message
from app.fees.gateways.registry import GATEWAYS, gateway_of
from app.platform.encryption import key_ring
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import InvalidInputError, MalformedError
from tests.app.collecting import Counter, open_counter

SignIn = Callable[..., TestClient]
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)

PAYOS_SAMPLE = {
    "orderCode": 123,
    "amount": 3000,
    "description": "VQRIO123",
    "accountNumber": "12345678",
    "reference": "TF230204212323",
    "transactionDateTime": "2023-02-04 18:25:00",
    "currency": "VND",
    "paymentLinkId": "124c33293c43417ab7879e14c8d9eb18",
    "code": "00",
    "desc": "Thành công",
    "counterAccountBankId": "",
    "counterAccountBankName": "",
    "counterAccountName": "",
    "counterAccountNumber": "",
    "virtualAccountName": "",
    "virtualAccountNumber": "",
}
PAYOS_KEY = "1a54716c8f0efb2744fb28b6e38b25da7f67a925d98bc1c18bd8faaecadd7675"
PAYOS_SIGNATURE = "412e915d2871504ed31be63c8f62a149a4410d34c4c42affc9006ef9917eaa03"
CASSO_SAMPLE = {
    "error": 0,
    "data": {
        "id": 0,
        "reference": "MA_GIAO_DICH_THU_NGHIEM",
        "description": "giao dich thu nghiem",
        "amount": 599000,
        "runningBalance": 25000000,
        "transactionDateTime": "2024-10-03 15:06:37",
        "accountNumber": "88888888",
        "bankName": "VPBank",
        "bankAbbreviation": "VPB",
        "virtualAccountNumber": "",
        "virtualAccountName": "",
        "counterAccountName": "NGUYEN VAN A",
        "counterAccountNumber": "8888888888",
        "counterAccountBankId": "970415",
        "counterAccountBankName": "VietinBank",
    },
}
CASSO_KEY = "mgExMrjj4i7a1p8Cs6LmFbpCd8lbw4sSX4LZXPag7TKazeIogtR90tvWYTkwQbvs"
CASSO_SIGNATURE = (
    "t=1727948258788,v1=ed0a4bd2e826d5cb69988cdb141e6c1a080e21f3b57eb72cd78192220042b9e7"
    "dde0868fc667faea8e224900fa7904e7c88dfa098032fb2d6b6996856e8b7ff3"
)


@pytest.fixture
def counter(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Counter:
    return open_counter(runtime, sheets, sign_in)


def message(body: Any, **headers: str) -> Message:
    return Message({name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode(), NOW)


# The makers' own examples


def test_the_sample_that_payos_publishes_verifies() -> None:
    sent = message({"code": "00", "success": True, "data": PAYOS_SAMPLE, "signature": PAYOS_SIGNATURE})
    assert gateway_of(sent).name == "payos"
    assert payos.verify(sent, PAYOS_KEY)
    assert not payos.verify(sent, PAYOS_KEY + "0")
    other = message({"data": PAYOS_SAMPLE | {"amount": 3001}, "signature": PAYOS_SIGNATURE})
    assert not payos.verify(other, PAYOS_KEY)
    (reported,) = payos.read(sent)
    transfer = reported.read()
    assert transfer is not None
    assert (transfer.bank_ref, transfer.amount_vnd, transfer.content) == ("TF230204212323", 3000, "VQRIO123")
    assert transfer.received_at.isoformat() == "2023-02-04T18:25:00+07:00"
    assert (reported.is_for("12345678"), reported.is_for("87654321")) == (True, False)


def test_payos_signs_null_as_empty_and_lists_as_json() -> None:
    data = {"b": None, "a": "undefined", "c": [{"z": 1, "y": "é"}], "d": 3.0, "e": True}
    assert payos.signed_text(data) == 'a=&b=&c=[{"y":"é","z":1}]&d=3&e=true'


def test_the_sample_that_casso_publishes_verifies_and_a_changed_one_does_not() -> None:
    sent = message(CASSO_SAMPLE, x_casso_signature=CASSO_SIGNATURE)
    assert gateway_of(sent).name == "casso"
    assert casso.verify(sent, CASSO_KEY)
    assert not casso.verify(message(CASSO_SAMPLE | {"error": 1}, x_casso_signature=CASSO_SIGNATURE), CASSO_KEY)
    assert not casso.verify(message(CASSO_SAMPLE, x_casso_signature="t=1,v1=00"), CASSO_KEY)
    (reported,) = casso.read(sent)
    transfer = reported.read()
    assert transfer is not None
    assert (transfer.bank_ref, transfer.payer) == ("MA_GIAO_DICH_THU_NGHIEM", "NGUYEN VAN A")


@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_casso_signs_accents_as_javascript_or_php_do(ensure_ascii: bool) -> None:
    body = {"error": 0, "data": {"amount": 1, "description": "nộp phí 29C/1"}}
    form = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=ensure_ascii)
    signed = f"7.{form.replace('/', chr(92) + '/') if ensure_ascii else form}"
    signature = hmac.new(b"key", signed.encode(), hashlib.sha512).hexdigest()
    assert casso.verify(message(body, x_casso_signature=f"t=7,v1={signature}"), "key")


def test_sepay_proves_itself_by_key_or_by_signature_with_its_time() -> None:
    body = {"id": 92704, "transferAmount": 2277000}
    assert sepay.verify(message(body, authorization="Apikey abc"), "abc")
    assert sepay.verify(message(body, authorization="apikey abc"), "abc")
    assert not sepay.verify(message(body, authorization="Apikey abd"), "abc")
    seconds = str(int(NOW.timestamp()))

    def signed(timestamp: str) -> Message:
        sent = f"{timestamp}.".encode() + json.dumps(body).encode()
        signature = hmac.new(b"abc", sent, hashlib.sha256).hexdigest()
        return message(body, x_sepay_signature=f"sha256={signature}", x_sepay_timestamp=timestamp)

    assert sepay.verify(signed(seconds), "abc")
    assert not sepay.verify(signed(seconds), "abd")
    assert not sepay.verify(signed(str(int(seconds) - 301)), "abc")


def test_every_gateway_recognises_only_its_own_messages() -> None:
    shown = {
        "sepay": message({}, authorization="Apikey x"),
        "casso": message({"data": []}, secure_token="x"),
        "payos": message({"data": {}, "signature": "x"}),
        "own": message({"signature": "x", "data": {}}, x_signature="x"),
    }
    assert {name: gateway_of(sent).name for name, sent in shown.items()} == {name: name for name in shown}
    assert {gateway.name for gateway in GATEWAYS} == set(shown)
    assert gateway_of(Message({}, b"no json", NOW)).name == "own"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"amount": 1.5}, InvalidInputError),
        ({"amount": "viel"}, InvalidInputError),
        ({"amount": None}, InvalidInputError),
        ({"amount": True}, InvalidInputError),
        ({"when": "gestern"}, InvalidInputError),
        ({"when": "2027-01-01"}, InvalidInputError),
        ({"tid": "", "id": None}, InvalidInputError),
        ({"tid": "x" * 101}, InvalidInputError),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, object], error: type[Exception]) -> None:
    entry = {"id": 1, "tid": "A", "amount": 5, "when": "2026-03-01", "description": ""} | changes
    (reported,) = casso.read(message({"data": [entry]}))
    with pytest.raises(error):
        reported.read()


@pytest.mark.parametrize("data", [None, [], "x", [1], 5])
def test_a_message_without_transactions_is_no_message(data: object) -> None:
    with pytest.raises(MalformedError):
        casso.read(message({"data": data}))


# At the door


def sepay_body(counter: Counter, amount_vnd: int, content: str, **changes: Any) -> bytes:
    now = counter.runtime.clock.now().astimezone().isoformat()
    sent = {
        "id": 92704,
        "gateway": "Vietcombank",
        "transactionDate": now,
        "accountNumber": counter.accounts["gate_management"]["account_number"],
        "code": None,
        "content": content,
        "transferType": "in",
        "transferAmount": amount_vnd,
        "accumulated": 19077000,
        "subAccount": None,
        "referenceCode": "MBVCB.3278907687",
        **changes,
    }
    return json.dumps(sent).encode()


def test_sepay_pays_a_fee_and_sent_again_changes_nothing(counter: Counter) -> None:
    fee = counter.due()
    body = sepay_body(counter, 100_000, f"MBVCB.327.{fee['reference']}.CT tu 0123")
    headers = {"Authorization": f"Apikey {counter.accounts['gate_management']['webhook_key']}"}
    first, again = counter.knock(body, headers), counter.knock(body, headers)
    assert first.status_code == 200, first.text
    assert (first.json()["success"], first.json()["results"][0]["result"]) == (True, "matched")
    assert again.json()["results"][0]["repeated"] is True
    assert counter.money() == [(100_000, 100_000, 1)]
    assert counter.knock(body, {"Authorization": "Apikey wrong"}).status_code == 401
    assert counter.act(fee["trip_id"], "confirm").json()["status"] == "paid"


def test_what_is_not_ours_is_answered_and_not_booked(counter: Counter) -> None:
    headers = {"Authorization": f"Apikey {counter.accounts['gate_management']['webhook_key']}"}
    reference = counter.due()["reference"]

    def result(**changes: Any) -> str:
        answer = counter.knock(sepay_body(counter, 100_000, reference, **changes), headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["results"][0]["result"])

    assert result(transferType="out") == "outgoing"
    assert result(accountNumber="999") == "other_account"
    assert result(transferAmount=-5) == "outgoing"
    assert counter.money() == []
    assert result(accountNumber="", subAccount="") == "matched"  # a message that names no account is for its door


def test_cassos_list_is_taken_apart_and_a_bad_entry_loses_nothing_else(counter: Counter) -> None:
    fee, other = counter.due(), counter.due("29C-222.22")
    number = counter.accounts["gate_management"]["account_number"]
    when = counter.runtime.clock.now().astimezone().isoformat()
    entries = [
        {"tid": "A1", "amount": 100_000, "when": when, "description": fee["reference"], "bank_sub_acc_id": number},
        {"tid": "A2", "amount": 1.5, "when": when, "description": "?", "bank_sub_acc_id": number},
        {"tid": "A3", "amount": 100_000, "when": when, "description": other["reference"], "subAccId": number},
    ]
    headers = {"Secure-Token": counter.accounts["gate_management"]["webhook_key"]}
    answer = counter.knock(json.dumps({"error": 0, "data": entries}).encode(), headers)
    assert answer.status_code == 200, answer.text
    assert [entry["result"] for entry in answer.json()["results"]] == ["matched", "error", "matched"]
    assert "1.5" in answer.json()["results"][1]["message"]
    assert len(counter.rows("SELECT 1 FROM app.audit WHERE action = 'payments.refused'")) == 1
    assert len(counter.money()) == 2
    assert counter.knock(b'{"data": []}', headers).status_code == 400
    assert counter.knock(b"no json", headers).status_code == 400
    assert counter.knock(b"[" * 60_000, headers).status_code == 400
    odd = [
        entries[0] | {"tid": "A\ud800\x00", "description": "\udfff"},
        entries[0] | {"when": "0001-01-01T00:00:00+14:00"},
    ]
    strange = counter.knock(json.dumps({"data": odd}).encode(), headers)
    assert [entry["result"] for entry in strange.json()["results"]] == ["unmatched", "error"]


def test_a_gateway_with_a_key_of_its_own(counter: Counter) -> None:
    admin = counter.sign_in("administrator")
    fee = counter.due()
    account = counter.accounts["gate_management"]
    data = PAYOS_SAMPLE | {
        "accountNumber": account["account_number"],
        "amount": 100_000,
        "description": fee["reference"],
        "transactionDateTime": "2026-03-02 09:00:00",
        "counterAccountName": None,
    }
    signature = hmac.new(PAYOS_KEY.encode(), payos.signed_text(data).encode(), hashlib.sha256).hexdigest()
    body = json.dumps({"code": "00", "desc": "success", "data": data, "signature": signature}).encode()
    assert counter.knock(body, {}).status_code == 401
    where = f"/api/v1/payments/accounts/{account['collecting_account_id']}/gateways"
    assert counter.cashier.put(f"{where}/payos", json={"key": PAYOS_KEY}).status_code == 403
    assert admin.put(f"{where}/paypal", json={"key": PAYOS_KEY}).status_code == 422
    entered = admin.put(f"{where}/payos", json={"key": PAYOS_KEY})
    assert (entered.status_code, entered.json()["webhook_key"]) == (200, None), entered.text
    assert PAYOS_KEY not in str(counter.rows("SELECT after FROM app.audit WHERE action = 'accounts.gateway'"))
    [(key,)] = counter.rows("SELECT key FROM app.bank_gateway")
    assert (PAYOS_KEY in key, key_ring().decrypt(key)) == (False, PAYOS_KEY)
    assert counter.knock(body, {}).json()["results"][0]["result"] == "matched"
    sample = {"code": "00", "data": PAYOS_SAMPLE, "signature": PAYOS_SIGNATURE}
    assert counter.knock(json.dumps(sample).encode(), {}).json() == {
        "success": True,
        "results": [{"result": "other_account", "payment_id": None, "repeated": False, "message": None}],
    }
    back = admin.put(f"{where}/payos", json={"key": None})
    assert back.json()["webhook_key"] == account["webhook_key"]
    assert counter.knock(body, {}).status_code == 401


def test_one_transfer_that_two_gateways_and_a_statement_report_is_booked_once(counter: Counter) -> None:
    fee = counter.due()
    key = counter.accounts["gate_management"]["webhook_key"]
    assert counter.post(counter.transfer(100_000, f"QR {fee['reference']}")).status_code == 200
    body = sepay_body(counter, 100_000, f"{fee['reference']} CT tu A")
    again = counter.knock(body, {"Authorization": f"Apikey {key}"})
    assert again.json()["results"][0]["repeated"] is True
    day = counter.runtime.clock.now().strftime("%d/%m/%Y")
    rows = f"Ngày GD;Số bút toán;Ghi có;Diễn giải\n{day};FT777;100,000.00;TT {fee['reference']}\n"
    assert counter.statement(rows.encode()) == ["repeat"]
    assert counter.money() == [(100_000, 100_000, 1)]
    assert counter.act(fee["trip_id"], "confirm").json()["received_vnd"] == 100_000
