"""What simulated collectors and payers do about a fee. Amounts that the tariff leaves open are invented and say so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.demo.store import FeePapers, TripPapers
from app.fees import bank, payments, service
from app.fees.matching import Transfer
from app.fees.schemas import AccountIn
from app.fees.transfers import record_transfer
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.sheets.service import Sheets
from app.trips.vocabulary import Collector

INVENTED: Final = "Biểu phí chưa có mức cho lô hàng này; số tiền do người thu quyết định (mô phỏng)"
"""The tariff has no rate for this load; the collector decides the amount (simulated)."""
STEP_VND: Final = 50_000
AMOUNTS_VND: Final = {"fresh_fruit": 700_000, "fresh_produce": 600_000, "seafood": 1_200_000, "timber": 900_000}
OTHER_VND: Final = 1_100_000
BANK_BIN: Final = "970499"
BANK_NAME: Final = "Ngân hàng mô phỏng"


def act_on_fee(
    session: Session, sheets: Sheets, principal: Principal, papers: TripPapers, act: str, *, now: datetime
) -> None:
    """Open a fee that is missing, decide an open question, pay in cash, transfer, or confirm a transfer."""
    action, fee = ActionContext(session, principal, now), papers.fee
    if fee is None:
        service.open_fee(action.by_platform(), sheets, papers.trip_id)
    elif act == "decide":
        amount_vnd = AMOUNTS_VND.get(papers.goods_class, OTHER_VND) + STEP_VND * (papers.trip_id % 7)
        service.decide_amount(action, sheets, fee.fee_id, fee.version, amount_vnd, INVENTED)
    elif act == "cash":
        payments.take_cash(action, sheets, fee.fee_id, fee.version, _amount_vnd(fee) - fee.applied_vnd)
    elif act == "transfer":
        account = bank.find_account(session, str(principal.role), papers.gate_id)
        if account is None or not account.simulated:  # no money may seem to come in on a real account
            payments.take_cash(action, sheets, fee.fee_id, fee.version, _amount_vnd(fee))
            return
        transfer = Transfer(
            bank_ref=f"SIM{fee.fee_id:09d}",
            amount_vnd=_amount_vnd(fee),
            received_at=now,
            content=f"{fee.reference} phi cua khau (mo phong)",
            payer="DOANH NGHIEP MO PHONG",
        )
        record_transfer(action.by_platform(), account, transfer, channel="own")
    else:
        payments.confirm(action, sheets, fee.fee_id, fee.version)


def _amount_vnd(fee: FeePapers) -> int:
    assert fee.amount_vnd is not None, "only a fee that is due is paid, and it has an amount"
    return fee.amount_vnd


def open_accounts(session: Session, gates: Iterable[str], now: datetime) -> None:
    """A simulated bank account for each collector at each gate that has none."""
    known = list(gates)
    for number, gate_id in enumerate(known):
        for collector in Collector:
            if bank.find_account(session, collector, gate_id) is not None:
                continue
            entered = AccountIn(
                collector=collector,
                gate_id=gate_id,
                bank_bin=BANK_BIN,
                bank_name=BANK_NAME,
                account_number=f"00000000{number}{list(Collector).index(collector)}",
                account_name="TAI KHOAN MO PHONG",
                simulated=True,
            )
            bank.enter_account(ActionContext(session, None, now), entered, gates=known, secret_key="")
