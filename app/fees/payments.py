"""Money at the office: transfers put on fees by a person, cash taken, both confirmed and given receipts.

Transfers are matched in `transfers`. A transfer never settles a fee by itself: the collector confirms that the money
is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.fees import closing_store, payment_store, transfer_store
from app.fees.acts import check_reason, lock_for_collector, summary
from app.fees.matching import overpaid_vnd
from app.fees.schemas import OpenPaymentOut, PaymentOut
from app.fees.service import settle
from app.fees.tables import FeeRow, Payment
from app.fees.tariff import MAX_AMOUNT_VND
from app.fees.transfers import money, outstanding_vnd, payment_record, refit, split_off, spread
from app.fees.vocabulary import FeeStatus, PaymentStatus
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.sheets.service import Sheets
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version
from ingest.plates import display_plate

SERIES_NAMES = {"gate_management": "QLCK", "tax": "THUE"}


@dataclass(frozen=True)
class SharedTransfer:
    """A transfer over several fees that wait to be confirmed, with the plates of their trucks."""

    transfer_id: int
    amount_vnd: int
    received_at: datetime
    payer: str
    content: str
    plates: list[str]


# Attaching


def attach(
    action: ActionContext,
    payment_id: int,
    expected_version: int,
    reference: str,
    reason: str,
    amount_vnd: int | None = None,
) -> None:
    """Put a transfer that matched nothing on the fee or remittance with a reference: a person found out whose it is.

    Of `amount_vnd` only that much is put there, the rest stays unmatched and can be put on another fee.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such payment or fee for the caller, it was changed since, is not unmatched, the fee's amount
        is not known yet, or the reason is missing.
    """
    said = check_reason(reason)
    get_payment(action.session, action.actor, payment_id)
    written = reference.strip().upper()
    claim = next(iter(transfer_store.find_claims(action.session, [written])), None)
    if claim is None:
        raise NotFoundError("There is no fee {name} that you may see.", name=reference.strip()[:40])
    locked = {  # in one order and before the payment, as everywhere
        fee_id: lock_for_collector(action.session, action.actor, fee_id, None) for fee_id in sorted(claim.fee_ids)
    }
    fees = [locked[fee_id] for fee_id in claim.fee_ids]
    if all(fee.amount_vnd is None for fee in fees):
        raise ConflictError("The amount of the fee {reference} is not known yet.", reference=written)
    payment = lock_payment(action.session, action.actor, payment_id, expected_version)
    if payment.status != PaymentStatus.UNMATCHED:
        raise ConflictError("The payment is {status}, not unmatched.", status=PaymentStatus.get(payment.status))
    if payment.refunded_vnd:
        raise ConflictError("Part of the payment was given back already; give back the rest.")
    if amount_vnd is not None and not 1 <= amount_vnd <= payment.amount_vnd:
        raise InvalidInputError(
            "The payment has {whole} đ; put at most that on the fee.", field="amount_vnd", whole=payment.amount_vnd
        )
    before = payment_record(payment)
    part = payment
    if amount_vnd is not None and amount_vnd < payment.amount_vnd:
        part = split_off(action, payment, amount_vnd)
    spread(action, part, fees)
    action.session.flush()
    after = {**payment_record(part), "reason": said, "rest_vnd": 0 if part is payment else payment.amount_vnd}
    action.record("payments.attach", "payment", payment_id, before, after)


# Cash and confirmation


def take_cash(action: ActionContext, sheets: Sheets, fee_id: int, expected_version: int | None, amount_vnd: int) -> int:
    """Take what is still due in cash: the fee is paid, the receipt numbered; the payment's id.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such fee for the caller, it was changed since, is not due, or the amount is another.
    """
    fee = lock_for_collector(action.session, action.actor, fee_id, expected_version)
    _check_due(fee)
    due_vnd = outstanding_vnd(action.session, fee)
    if due_vnd == 0:
        raise ConflictError("The money for this fee is on the account already; confirm it.")
    if amount_vnd != due_vnd:
        raise InvalidInputError(
            "{given} đ were entered, but {due} đ are due; take exactly what is due.",
            field="amount_vnd",
            given=amount_vnd,
            due=due_vnd,
        )
    before = summary(fee)
    assert fee.collector is not None
    payment = payment_store.insert_payment(
        action.session,
        {
            "fee_id": fee_id,
            "method": "cash",
            "source": "desk",
            "status": PaymentStatus.MATCHED,
            "amount_vnd": amount_vnd,
            "applied_vnd": amount_vnd,
            "collector": fee.collector,
            "gate_id": fee.gate_id,
            "received_at": action.now,
            "recorded_at": action.now,
            "recorded_by": action.actor.account_id,
        },
    )
    _confirm_payments(action, fee, payment_store.payments_of(action.session, fee_id))
    settle(action, sheets, fee, FeeStatus.PAID)
    refit(action.session, fee)
    after = {**summary(fee), "payment": payment_record(payment)}
    action.record("fees.cash", "fee", fee_id, before, after)
    return payment.payment_id


def confirm(action: ActionContext, sheets: Sheets, fee_id: int, expected_version: int | None) -> None:
    """Confirm that the money for a fee is on the account: the fee is paid, every transfer gets its receipt.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is no such fee for the caller, it was changed since, is not due, or the money is not all there.
    """
    fee = lock_for_collector(action.session, action.actor, fee_id, expected_version)
    _check_due(fee)
    _confirm(action, sheets, fee)


def confirm_transfer(action: ActionContext, sheets: Sheets, transfer_id: int) -> list[int]:
    """Confirm every fee that a transfer over several fees pays and whose money is all there; their ids.

    Each fee is paid by itself, with a receipt of its own. What is confirmed already stays; again it changes nothing.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such transfer for the caller, or none of its fees can be confirmed.
    """
    visible = and_(payment_store.own_payments(action.actor, "fees.collect"), Payment.transfer_id == transfer_id)
    fee_ids = payment_store.fees_of(action.session, visible)
    if not fee_ids:
        raise NotFoundError("There is no transfer {transfer_id} over fees that you may see.", transfer_id=transfer_id)
    confirmed, is_paid = [], False
    for fee_id in fee_ids:
        fee = lock_for_collector(action.session, action.actor, fee_id, None)
        is_paid = is_paid or fee.status == FeeStatus.PAID
        if fee.status == FeeStatus.DUE and outstanding_vnd(action.session, fee) == 0:
            _confirm(action, sheets, fee)
            confirmed.append(fee_id)
    if not confirmed and not is_paid:
        raise ConflictError("No fee of this transfer has all its money yet.")
    return confirmed


def _confirm(action: ActionContext, sheets: Sheets, fee: FeeRow) -> None:
    missing_vnd = outstanding_vnd(action.session, fee)
    if missing_vnd:
        raise ConflictError("{missing} đ of this fee have not come in yet.", missing=missing_vnd)
    before = summary(fee)
    payments = payment_store.payments_of(action.session, fee.fee_id)
    _confirm_payments(action, fee, payments)
    settle(action, sheets, fee, FeeStatus.PAID)
    after = {**summary(fee), "payments": [payment_record(payment) for payment in payments]}
    action.record("fees.confirm", "fee", fee.fee_id, before, after)


def _confirm_payments(action: ActionContext, fee: FeeRow, payments: Sequence[Payment]) -> None:
    assert fee.collector is not None
    closing_store.lock_books(action.session, fee.collector, fee.gate_id)
    series = series_name(fee.collector, fee.gate_id, action.now)
    for payment in payments:
        if payment.confirmed_at is None and payment.applied_vnd:
            number = payment_store.next_receipt(action.session, series, fee.collector, fee.gate_id)
            payment.confirmed_at, payment.confirmed_by = action.now, action.actor.account_id
            payment.receipt_series, payment.receipt_number = series, number
            payment.version += 1
    action.session.flush()


def series_name(collector: str, gate_id: str, now: datetime) -> str:
    """The series of receipts of a collector at a gate in a local year, such as `QLCK-HUUNGHI-2026`."""
    gate = "".join(character for character in gate_id.upper() if character.isalnum())
    return f"{SERIES_NAMES[collector]}-{gate}-{now.astimezone(LOCAL_ZONE).year}"


# Reading and pieces


def list_for_a_person(session: Session, principal: Principal, *, limit: int = 200) -> list[OpenPaymentOut]:
    """Payments of the caller's office that no rule settles: unknown, over, under, double; oldest first."""
    visible = payment_store.own_payments(principal, "fees.read")
    return [
        OpenPaymentOut(
            **dict(PaymentOut.model_validate(found.payment)),
            reference=found.reference,
            fee_vnd=found.fee_vnd,
            fee_status=found.fee_status,
            excess_vnd=_excess_vnd(session, found.payment, found.fee_vnd),
        )
        for found in payment_store.list_for_a_person(session, visible, limit)
    ]


def _excess_vnd(session: Session, payment: Payment, fee_vnd: int | None) -> int:
    """What of a payment can be given back at once: what pays nothing, or more than a fee that was corrected."""
    over_vnd = money(payment).over_vnd
    if over_vnd or payment.fee_id is None:
        return over_vnd
    payments = payment_store.payments_of(session, payment.fee_id)
    return min(overpaid_vnd(fee_vnd, list(map(money, payments))), money(payment).kept_vnd)


def list_shared(session: Session, principal: Principal, *, limit: int = 50) -> list[SharedTransfer]:
    """Transfers over several fees of the caller's office that wait to be confirmed, oldest first."""
    visible = payment_store.own_payments(principal, "fees.collect")
    return [
        SharedTransfer(
            transfer_id=transfer_id,
            amount_vnd=sum(payment.amount_vnd for payment, _ in parts),
            received_at=parts[0][0].received_at,
            payer=parts[0][0].payer,
            content=parts[0][0].content,
            plates=[display_plate(plate) for payment, plate in parts if payment.confirmed_at is None],
        )
        for transfer_id, parts in transfer_store.shared_transfers(session, visible, limit).items()
    ]


def get_payment(session: Session, principal: Principal, payment_id: int) -> PaymentOut:
    """A payment of the caller's office; raises NotFoundError if there is none."""
    visible = and_(payment_store.own_payments(principal, "fees.read"), Payment.payment_id == payment_id)
    payment = payment_store.find_payment(session, visible)
    if payment is None:
        raise NotFoundError("There is no payment {payment_id} that you may see.", payment_id=payment_id)
    return PaymentOut.model_validate(payment)


def lock_payment(session: Session, principal: Principal, payment_id: int, expected_version: int | None) -> Payment:
    """A payment of the caller's office, locked; `expected_version` `None` takes it as it is."""
    visible = and_(payment_store.own_payments(principal, "fees.collect"), Payment.payment_id == payment_id)
    payment = payment_store.lock_payment(session, visible)
    if payment is None:
        raise NotFoundError("There is no payment {payment_id} that you may see.", payment_id=payment_id)
    check_version(payment.version, expected_version)
    return payment


def check_amount(amount_vnd: int) -> int:
    """An amount that can have come in; raises InvalidInputError."""
    if not 1 <= amount_vnd <= MAX_AMOUNT_VND:
        raise InvalidInputError("The amount must be 1 đồng or more.", field="amount_vnd")
    return amount_vnd


def _check_due(fee: FeeRow) -> None:
    if fee.status == FeeStatus.OPEN_QUESTION:
        raise ConflictError("The amount of the fee {reference} is not known yet.", reference=fee.reference)
    if fee.status in FeeStatus.settled():
        raise ConflictError("The fee is {status} already.", status=FeeStatus.get(fee.status))
