"""What simulated collectors and payers do about a fee. Amounts that the tariff leaves open are invented and say so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from app.fees import bank, payments, service
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.sheets.service import Sheets
from app.trips.vocabulary import Collector

INVENTED: Final = "Biểu phí chưa có mức cho lô hàng này; số tiền do người thu quyết định (mô phỏng)"
"""The tariff has no rate for this load; the collector decides the amount (simulated)."""
STEP_VND: Final = 50_000
AMOUNTS_VND: Final = {"fresh_fruit": 700_000, "fresh_produce": 600_000, "seafood": 1_200_000, "timber": 900_000}
OTHER_VND: Final = 1_100_000
BANK: Final = {"bank_bin": "970499", "bank_name": "Ngân hàng mô phỏng"}


def act_on_fee(session: Session, sheets: Sheets, principal: Principal, row: Any, act: str, *, now: datetime) -> None:
    """Open a fee that is missing, decide an open question, pay in cash, transfer, or confirm a transfer."""
    action = ActionContext(session, principal, now)
    if act == "open":
        service.open_fee(action.by_platform(), sheets, row.trip_id)
    elif act == "decide":
        amount_vnd = AMOUNTS_VND.get(row.goods_class, OTHER_VND) + STEP_VND * (row.trip_id % 7)
        service.decide_amount(action, sheets, row.fee_id, row.fee_version, amount_vnd, INVENTED)
    elif act == "cash":
        payments.take_cash(action, sheets, row.fee_id, row.fee_version, row.amount_vnd - row.applied_vnd)
    elif act == "transfer":
        account = bank.find_collecting_account(session, str(principal.role), row.gate_id)
        if account is None or not account.simulated:  # no money may seem to come in on a real account
            payments.take_cash(action, sheets, row.fee_id, row.fee_version, row.amount_vnd)
            return
        transfer = {
            "bank_ref": f"SIM{row.fee_id:09d}",
            "amount_vnd": row.amount_vnd,
            "received_at": now,
            "content": f"{row.reference} phi cua khau (mo phong)",
            "payer": "DOANH NGHIEP MO PHONG",
        }
        payments.record_transfer(action.by_platform(), account, transfer, source="webhook")
    else:
        payments.confirm(action, sheets, row.fee_id, row.fee_version)


def open_accounts(session: Session, gates: Iterable[str], now: datetime) -> None:
    """A simulated bank account for each collector at each gate that has none."""
    known = list(gates)
    for number, gate_id in enumerate(known):
        for collector in Collector:
            if bank.find_collecting_account(session, collector, gate_id) is not None:
                continue
            values = {
                **BANK,
                "collector": collector,
                "gate_id": gate_id,
                "simulated": True,
                "account_number": f"00000000{number}{list(Collector).index(collector)}",
                "account_name": "TAI KHOAN MO PHONG",
            }
            bank.enter_account(ActionContext(session, None, now), values, gates=known, secret_key="")
