"""Money that comes in: matched with fees, taken in cash, confirmed by a collector, given a receipt.

A transfer never settles a fee by itself: the collector confirms that the money is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.fees import closing_store, payment_store, store
from app.fees.reference import find_references
from app.fees.schemas import OpenPaymentOut, PaymentOut
from app.fees.service import announce, check_reason, lock_for_collector, settle, summary
from app.fees.tables import CollectingAccount, FeeRow, Payment
from app.fees.tariff import MAX_AMOUNT_VND
from app.fees.vocabulary import FeeStatus, PaymentStatus
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.sheets.service import Sheets
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version

SERIES_NAMES = {"gate_management": "QLCK", "tax": "THUE"}


# Transfers


@dataclass(frozen=True)
class Transfer:
    """Money that a bank says came in; `bank_ref` is the bank's own name for it, `content` what the payer wrote."""

    bank_ref: str
    amount_vnd: int
    received_at: datetime
    content: str
    payer: str = ""


def record_transfer(
    action: ActionContext, account: CollectingAccount, transfer: Transfer, *, source: str
) -> tuple[Payment, bool]:
    """Take down a transfer that a bank reports, and match it; the payment, and whether it is new.

    The bank's reference on the account names the transfer: reported again, by webhook or statement, it is the same.
    Reports on one account are taken down one after the other: a statement locks many fees, in the bank's order.
    """
    payment_store.lock_collecting_account(action.session, account.collecting_account_id)
    values = {
        **asdict(transfer),
        "method": "transfer",
        "source": source,
        "status": PaymentStatus.UNMATCHED,
        "collector": account.collector,
        "gate_id": account.gate_id,
        "collecting_account_id": account.collecting_account_id,
        "recorded_at": action.now,
    }
    payment = payment_store.insert_payment(action.session, values)
    if payment is None:
        known = payment_store.find_transfer(action.session, account.collecting_account_id, transfer.bank_ref)
        assert known is not None
        if (known.amount_vnd, known.received_at) != (transfer.amount_vnd, transfer.received_at):
            raise ConflictError(
                "The bank's reference {bank_ref} is known with another amount or time; check it with the bank.",
                field="bank_ref",
                bank_ref=transfer.bank_ref,
            )
        return known, False
    fee, detail = _find_fee(action.session, payment)
    if fee is None:
        payment.detail = detail
    else:
        _match(action.session, fee, payment)
        announce(action, fee)
    action.session.flush()
    after = _record(payment)
    action.record("payments.transfer", "payment", payment.payment_id, None, after)
    return payment, True


def _find_fee(session: Session, payment: Payment) -> tuple[FeeRow | None, str]:
    """The fee that a transfer names, locked, or why there is none."""
    references = find_references(payment.content)
    if len(references) != 1:
        return None, "several_references" if references else "no_reference"
    if store.find_fee_id(session, references[0]) is None:
        return None, "unknown_reference"
    is_own = and_(FeeRow.collector == payment.collector, FeeRow.gate_id == payment.gate_id)
    fee = store.lock_fee(session, and_(FeeRow.reference == references[0], is_own))
    if fee is None:
        return None, "other_collector"
    if fee.amount_vnd is None:
        return None, "amount_not_known"
    return fee, ""


def _match(session: Session, fee: FeeRow, payment: Payment) -> None:
    """Put a payment on a locked fee and say how it fits what is still due."""
    earlier = [
        other for other in payment_store.payments_of(session, fee.fee_id) if other.payment_id != payment.payment_id
    ]
    outstanding_vnd = _outstanding(fee, earlier)
    payment.fee_id, payment.detail = fee.fee_id, None
    payment.applied_vnd = min(payment.amount_vnd, outstanding_vnd)
    if outstanding_vnd == 0:
        payment.status = PaymentStatus.DOUBLE
    elif payment.amount_vnd < outstanding_vnd:
        payment.status = PaymentStatus.UNDER
    else:
        payment.status = PaymentStatus.MATCHED if payment.amount_vnd == outstanding_vnd else PaymentStatus.OVER
        for other in earlier:
            if other.status == PaymentStatus.UNDER:
                other.status = PaymentStatus.MATCHED
    payment.version += 1
    store.update_fee(session, fee, {})


def _outstanding(fee: FeeRow, payments: Sequence[Payment]) -> int:
    if fee.status != FeeStatus.DUE or fee.amount_vnd is None:
        return 0
    return max(fee.amount_vnd - sum(payment.applied_vnd for payment in payments), 0)


def attach(action: ActionContext, payment_id: int, expected_version: int, reference: str, reason: str) -> None:
    """Put a transfer that matched nothing on the fee with a reference, because a person found out whose it is.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such payment or fee for the caller, it was changed since, is not unmatched, the fee's amount
        is not known yet, or the reason is missing.
    """
    said = check_reason(reason)
    get_payment(action.session, action.actor, payment_id)
    fee_id = store.find_fee_id(action.session, reference.strip().upper())
    if fee_id is None:
        raise NotFoundError("There is no fee {name} that you may see.", name=reference.strip()[:40])
    fee = lock_for_collector(action.session, action.actor, fee_id, None)  # before the payment, as everywhere
    if fee.amount_vnd is None:
        raise ConflictError("The amount of the fee {reference} is not known yet.", reference=fee.reference)
    payment = lock_payment(action.session, action.actor, payment_id, expected_version)
    if payment.status != PaymentStatus.UNMATCHED:
        raise ConflictError("The payment is {status}, not unmatched.", status=payment.status)
    if payment.refunded_vnd:
        raise ConflictError("Part of the payment was given back already; give back the rest.")
    before = _record(payment)
    _match(action.session, fee, payment)
    announce(action, fee)
    after = {**_record(payment), "reason": said}
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
    earlier = payment_store.payments_of(action.session, fee_id)
    outstanding_vnd = _outstanding(fee, earlier)
    if outstanding_vnd == 0:
        raise ConflictError("The money for this fee is on the account already; confirm it.")
    if amount_vnd != outstanding_vnd:
        raise InvalidInputError(
            "{given} đ were entered, but {due} đ are due; take exactly what is due.",
            field="amount_vnd",
            given=amount_vnd,
            due=outstanding_vnd,
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
    assert payment is not None
    for other in earlier:
        if other.status == PaymentStatus.UNDER:
            other.status = PaymentStatus.MATCHED
    _confirm_payments(action, fee, [*earlier, payment])
    settle(action, sheets, fee, FeeStatus.PAID)
    after = {**summary(fee), "payment": _record(payment)}
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
    payments = payment_store.payments_of(action.session, fee_id)
    missing_vnd = _outstanding(fee, payments)
    if missing_vnd:
        raise ConflictError("{missing} đ of this fee have not come in yet.", missing=missing_vnd)
    before = summary(fee)
    _confirm_payments(action, fee, payments)
    settle(action, sheets, fee, FeeStatus.PAID)
    after = {**summary(fee), "payments": [_record(payment) for payment in payments]}
    action.record("fees.confirm", "fee", fee_id, before, after)


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
            excess_vnd=found.payment.amount_vnd - found.payment.applied_vnd - found.payment.refunded_vnd,
        )
        for found in payment_store.list_for_a_person(session, visible, limit)
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


def _record(payment: Payment) -> JsonObject:
    """A payment as the audit log keeps it."""
    return PaymentOut.model_validate(payment).model_dump()


def _check_due(fee: FeeRow) -> None:
    if fee.status == FeeStatus.OPEN_QUESTION:
        raise ConflictError("The amount of the fee {reference} is not known yet.", reference=fee.reference)
    if fee.status in FeeStatus.settled():
        raise ConflictError("The fee is {status} already.", status=fee.status)
