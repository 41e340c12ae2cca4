"""The fee follows the goods when they change vehicles in the yard.

The tariff asks for a fee of each vehicle that takes goods over the border, by what it carries. So every receiving
vehicle has its own fee, from its own share, payload and body; of the vehicle that was emptied nothing is due any more.
What stays on a vehicle goes over with it and is paid for there. No line of the tariff that we know says what becomes of
money that was paid for a vehicle emptied later: a collector is asked, with the amount, on the receiving vehicle's fee,
and can give the money back after the emptied vehicle has left. Nothing is moved or forgiven by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.fees import payment_store, store
from app.fees.acts import announce, summary
from app.fees.assessment import Question
from app.fees.records import LineRecord
from app.fees.tables import FeeRow
from app.fees.vocabulary import FeeStatus
from app.platform.actions import ActionContext
from app.procedures.steps import Step
from app.sheets.service import SheetChange

FELL_AWAY: Final = {
    "vi": "Hàng đã sang tải hết sang xe khác, xe về không tải",
    "en": "All goods went on in other vehicles; this one goes home empty",
    "zh": "货物已全部换装到其他车辆，空车返回",
}


def follow_goods(action: ActionContext, change: SheetChange) -> None:
    """What a transshipment does to the fees: that of an emptied vehicle ends, on that of a receiving one a collector is
    asked where the emptied one had paid."""
    if change.act == "emptied":
        _end_fee(action, change.trip.trip_id)
    origin = change.data.get("received_from") if change.act == "received" else None
    if isinstance(origin, Mapping) and origin.get("emptied"):
        _ask_about_paid(action, change.trip.trip_id, origin)


def _end_fee(action: ActionContext, trip_id: int) -> None:
    fee = store.lock_fee(action.session, FeeRow.trip_id == trip_id)
    if fee is None or fee.status in FeeStatus.settled():
        return
    before = summary(fee)
    paid_vnd = _paid_vnd(action, fee)
    if paid_vnd:
        message = (
            "The goods went on in other vehicles, and {paid} đ came in for this one, of which nothing is due any more. "
            "Give it back once the vehicle has left, or enter the amount that it still pays."
        )
        question = Question("transshipped", message, {"paid": _amount(paid_vnd)})
        values: dict[str, object] = {
            "status": FeeStatus.OPEN_QUESTION,
            "question": question.to_record(),
            "amount_vnd": None,
            "derivation": [],
        }
    else:
        line: LineRecord = {
            "kind": "transshipped",
            "rule": "transshipped",
            "label": FELL_AWAY,
            "amount_vnd": 0,
            "subtotal_vnd": 0,
            "goods_class": None,
            "share": None,
        }
        values = {
            "status": FeeStatus.WAIVED,
            "collector": fee.collector or str(Step.FEE.agency()),
            "question": None,
            "amount_vnd": 0,
            "derivation": [line],
            "settled_at": action.now,
        }
    store.update_fee(action.session, fee, values)
    announce(action, fee)
    action.record("fees.transshipped", "fee", fee.fee_id, before, summary(fee))


def _ask_about_paid(action: ActionContext, trip_id: int, origin: Mapping[str, object]) -> None:
    giver_id = origin.get("trip_id")
    given = store.lock_fee(action.session, FeeRow.trip_id == giver_id)
    fee = store.lock_fee(action.session, FeeRow.trip_id == trip_id)
    if given is None or fee is None or fee.status in FeeStatus.settled():
        return
    paid_vnd = _paid_vnd(action, given)
    if not paid_vnd:
        return
    before = summary(fee)
    known = {
        "paid": _amount(paid_vnd),
        "plate": str(origin.get("plate")),
        "code": str(origin.get("code")),
        "tariff": "–" if fee.amount_vnd is None else _amount(fee.amount_vnd),
    }
    message = (
        "The goods came out of {plate} (trip {code}), for which {paid} đ was paid. By the tariff this vehicle would "
        "pay {tariff} đ. Look at both and enter the amount that this vehicle still pays, or have it waived."
    )
    values: dict[str, object] = {
        "status": FeeStatus.OPEN_QUESTION,
        "question": Question("transshipped", message, known).to_record(),
        "amount_vnd": None,
        "derivation": [],
    }
    store.update_fee(action.session, fee, values)
    announce(action, fee)
    action.record("fees.ask_transshipped", "fee", fee.fee_id, before, summary(fee))


def _paid_vnd(action: ActionContext, fee: FeeRow) -> int:
    """What came in for a fee and was not given back."""
    payments = payment_store.payments_of(action.session, fee.fee_id)
    return sum(payment.amount_vnd - payment.refunded_vnd for payment in payments)


def _amount(amount_vnd: int) -> str:
    return f"{amount_vnd:,}".replace(",", ".")
