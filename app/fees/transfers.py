"""Transfers that come in: reported once or often, split over the fees they name, matched when their amounts are known.

The money of a transfer is in its payments, one for each fee; whatever is matched, split or corrected, their amounts add
up to the transfer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.fees import payment_store, store, transfer_store
from app.fees.acts import announce
from app.fees.matching import (
    CLOCKS,
    Money,
    Report,
    Transfer,
    apart_s,
    fit,
    is_same_transfer,
    may_share_reference,
    overpaid_vnd,
    share_out,
)
from app.fees.reference import find_references
from app.fees.schemas import PaymentOut
from app.fees.tables import BankTransfer, CollectingAccount, FeeRow, Payment
from app.fees.vocabulary import FeeStatus, PaymentMethod, PaymentSource, PaymentStatus
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError

STATEMENT = "statement"
"""The channel of statement files; all others are webhooks."""


@dataclass(frozen=True)
class Recorded:
    """What became of a report: the transfer it is of, the payments that is split into, and whether it is new."""

    transfer_id: int
    payments: Sequence[Payment]
    is_new: bool

    @property
    def status(self) -> str:
        """How the money fits: that of the first payment that needs a person, if one does."""
        statuses = [payment.status for payment in self.payments]
        return next((status for status in statuses if status in PaymentStatus.for_a_person()), statuses[0])


def record_transfer(
    action: ActionContext,
    account: CollectingAccount,
    transfer: Transfer,
    *,
    channel: str,
    taken: set[int] | None = None,
) -> Recorded:
    """Take down a transfer that a bank, gateway or statement reports, and match it.

    Reports are of one transfer if they have the same bank reference, or the same amount, time and content: gateways and
    statements name one transfer differently. Reports on one account are taken down one after the other: a statement
    locks many fees, in the bank's order.

    Arguments: `channel`, who reports (`statement`, or the name of a gateway); `taken`, the transfers that other rows
    of the same file are of, which grows.

    Raises
    ------
    ConflictError
        If the bank's reference is known with another amount or day.
    """
    payment_store.lock_collecting_account(action.session, account.collecting_account_id)
    taken = set() if taken is None else taken
    known = _find_known(action.session, account, transfer, channel, taken)
    is_new = known is None
    found = known or _insert(action, account, transfer, channel)
    taken.add(found.transfer_id)
    transfer_store.insert_report(
        action.session,
        {
            "transfer_id": found.transfer_id,
            "collecting_account_id": account.collecting_account_id,
            "channel": channel,
            "bank_ref": transfer.bank_ref,
            "is_made_up": transfer.is_ref_made_up,
            "recorded_at": action.now,
        },
    )
    payments = transfer_store.payments_of_transfer(action.session, found.transfer_id)
    if is_new:
        place(action, payments[0])
        action.session.flush()
        payments = transfer_store.payments_of_transfer(action.session, found.transfer_id)
        for payment in payments:
            action.record("payments.transfer", "payment", payment.payment_id, None, payment_record(payment))
    elif transfer.has_time and not found.has_time:
        found.received_at, found.has_time = transfer.received_at, True
        for payment in payments:
            payment.received_at = transfer.received_at
        action.session.flush()
    return Recorded(found.transfer_id, payments, is_new)


def _find_known(
    session: Session, account: CollectingAccount, transfer: Transfer, channel: str, taken: set[int]
) -> BankTransfer | None:
    account_id = account.collecting_account_id
    known = transfer_store.find_reported(session, account_id, transfer.bank_ref)
    if known is not None:
        if not may_share_reference(_report_of(known), transfer.report):
            raise ConflictError(
                "The bank's reference {bank_ref} is known with another amount or time; check it with the bank.",
                field="bank_ref",
                bank_ref=transfer.bank_ref,
            )
        return known
    day = transfer.received_at.astimezone(LOCAL_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    alike = [
        other
        for other in transfer_store.transfers_like(
            session, account_id, transfer.amount_vnd, day - CLOCKS, day + timedelta(days=1) + CLOCKS
        )
        if other.transfer_id not in taken and is_same_transfer(_report_of(other), transfer.report)
    ]
    if alike and not transfer.is_ref_made_up:  # a channel that names transfers gives each one name
        named = transfer_store.reported_through(session, [other.transfer_id for other in alike], channel)
        alike = [other for other in alike if other.transfer_id not in named]
    return min(alike, key=lambda other: apart_s(_report_of(other), transfer.report), default=None)


def _report_of(known: BankTransfer) -> Report:
    return Report(known.amount_vnd, known.received_at, known.has_time, known.content)


def _insert(action: ActionContext, account: CollectingAccount, transfer: Transfer, channel: str) -> BankTransfer:
    made = transfer_store.insert_transfer(
        action.session,
        {
            "collecting_account_id": account.collecting_account_id,
            "amount_vnd": transfer.amount_vnd,
            "received_at": transfer.received_at,
            "has_time": transfer.has_time,
            "content": transfer.content,
            "named": find_references(transfer.content),
            "recorded_at": action.now,
        },
    )
    payment_store.insert_payment(
        action.session,
        {
            "transfer_id": made.transfer_id,
            "method": PaymentMethod.TRANSFER,
            "source": PaymentSource.STATEMENT if channel == STATEMENT else PaymentSource.WEBHOOK,
            "status": PaymentStatus.UNMATCHED,
            "amount_vnd": transfer.amount_vnd,
            "collector": account.collector,
            "gate_id": account.gate_id,
            "collecting_account_id": account.collecting_account_id,
            "bank_ref": transfer.bank_ref,
            "content": transfer.content,
            "payer": transfer.payer,
            "received_at": transfer.received_at,
            "recorded_at": action.now,
        },
    )
    return made


# Placing money on fees


def place(action: ActionContext, payment: Payment) -> None:
    """Put a payment that matched nothing on the fees its content names, or say in `detail` why that is for a person.

    One fee, or one remittance, takes what comes: it is filled in order, what is missing stays due, what is over is
    shown. Several references of single fees are taken only if the amount is exactly what they owe together.
    """
    references = find_references(payment.content)
    claims = transfer_store.find_claims(action.session, references)
    if not claims:
        payment.detail = "unknown_reference" if references else "no_reference"
        return
    fees = lock_own_fees(action.session, payment, [fee_id for claim in claims for fee_id in claim.fee_ids])
    if not fees:
        payment.detail = "other_collector"
        return
    is_one = len(references) == 1
    dues = [outstanding_vnd(action.session, fee) for fee in fees]
    if not is_one and any(fee.amount_vnd is None for fee in fees):
        payment.detail = "amount_not_known"
    elif not is_one and (len(claims) < len(references) or sum(dues) != payment.amount_vnd):
        payment.detail = "several_references"
    else:
        spread(action, payment, fees)


def spread(action: ActionContext, payment: Payment, fees: Sequence[FeeRow]) -> None:
    """Share a payment out over locked fees in their order; it keeps the last share and, if all are known, what is over.

    Fees whose amount is not known yet take nothing; then what is left waits for them.
    """
    known = [fee for fee in fees if fee.amount_vnd is not None]
    shares, rest_vnd = share_out(payment.amount_vnd, [outstanding_vnd(action.session, fee) for fee in known])
    paid = [(fee, share_vnd) for fee, share_vnd in zip(known, shares, strict=True) if share_vnd]
    must_wait = len(known) < len(fees) and (rest_vnd > 0 or not paid)
    if not paid and not must_wait:
        put(action, known[0], payment)
        return
    for fee, share_vnd in paid if must_wait else paid[:-1]:
        put(action, fee, split_off(action, payment, share_vnd))
    if must_wait:
        payment.detail = "amount_not_known"
    else:
        put(action, paid[-1][0], payment)


def put(action: ActionContext, fee: FeeRow, payment: Payment) -> None:
    """Put a payment on a locked fee and say how it fits what is still due."""
    due_vnd = outstanding_vnd(action.session, fee)
    payment.fee_id, payment.detail = fee.fee_id, None
    payment.applied_vnd = min(payment.amount_vnd, due_vnd)
    action.session.flush()
    refit(action.session, fee)
    announce(action, fee)


def split_off(action: ActionContext, payment: Payment, amount_vnd: int) -> Payment:
    """A new payment over a part of another one that is not given back; both together are what that was."""
    copied = ("transfer_id", "method", "source", "collector", "gate_id", "collecting_account_id", "bank_ref", "content")
    payment.amount_vnd -= amount_vnd
    payment.version += 1
    action.session.flush()
    part = payment_store.insert_payment(
        action.session,
        {
            **{name: getattr(payment, name) for name in copied},
            "payer": payment.payer,
            "received_at": payment.received_at,
            "recorded_at": payment.recorded_at,
            "recorded_by": payment.recorded_by,
            "status": PaymentStatus.UNMATCHED,
            "amount_vnd": amount_vnd,
        },
    )
    return part


def lock_own_fees(session: Session, payment: Payment, fee_ids: Sequence[int]) -> list[FeeRow]:
    """Those of some fees that the office of a payment collects, in their order.

    They are locked in one order, whatever theirs is: two transfers over the same fees wait for each other.
    """
    locked: dict[int, FeeRow] = {}
    for fee_id in sorted(set(fee_ids)):
        own = and_(FeeRow.fee_id == fee_id, FeeRow.collector == payment.collector, FeeRow.gate_id == payment.gate_id)
        fee = store.lock_fee(session, own)
        if fee is not None:
            locked[fee_id] = fee
    return [locked[fee_id] for fee_id in dict.fromkeys(fee_ids) if fee_id in locked]


# What fits


def outstanding_vnd(session: Session, fee: FeeRow) -> int:
    """What is still due of a fee, nothing while its amount is not known."""
    if fee.status != FeeStatus.DUE or fee.amount_vnd is None:
        return 0
    kept_vnd = sum(money(payment).kept_vnd for payment in payment_store.payments_of(session, fee.fee_id))
    return max(fee.amount_vnd - kept_vnd, 0)


def money(payment: Payment) -> Money:
    """A payment's amounts."""
    return Money(payment.amount_vnd, payment.applied_vnd, payment.refunded_vnd)


def refit(session: Session, fee: FeeRow) -> None:
    """Say of each payment of a locked fee how it fits, and that the fee changed."""
    payments = payment_store.payments_of(session, fee.fee_id)
    if fee.amount_vnd is not None and fee.status != FeeStatus.OPEN_QUESTION:
        for payment, status in zip(payments, fit(fee.status, fee.amount_vnd, list(map(money, payments))), strict=True):
            if payment.status != status:
                payment.status = status
                payment.version += 1
    store.update_fee(session, fee, {})


def apply_money(action: ActionContext, fee: FeeRow) -> None:
    """After the amount of a locked fee became known or was corrected: let the money that is there pay it.

    What was over pays what is due now, what waited under the fee's reference is matched, and what is no longer due is
    taken off payments that nobody confirmed. A confirmed payment stays what its receipt says.
    """
    assert fee.amount_vnd is not None
    payments = payment_store.payments_of(action.session, fee.fee_id)
    surplus_vnd = overpaid_vnd(fee.amount_vnd if fee.status in FeeStatus.paying() else 0, list(map(money, payments)))
    for payment in reversed(payments):
        if payment.confirmed_at is None and surplus_vnd:
            taken_vnd = min(payment.applied_vnd, surplus_vnd)
            payment.applied_vnd -= taken_vnd
            surplus_vnd -= taken_vnd
    action.session.flush()
    for payment in payments:
        take_vnd = min(outstanding_vnd(action.session, fee), money(payment).over_vnd)
        if not take_vnd:
            continue
        if payment.confirmed_at is None:
            payment.applied_vnd += take_vnd
            action.session.flush()
        else:
            part = split_off(action, payment, take_vnd)
            part.fee_id, part.applied_vnd = fee.fee_id, take_vnd
            action.session.flush()
            action.record("payments.split", "payment", part.payment_id, None, payment_record(part))
    refit(action.session, fee)
    _match_waiting(action, fee)


def _match_waiting(action: ActionContext, fee: FeeRow) -> None:
    """Match the money that came before the amount of a fee was known."""
    assert fee.collector is not None
    references = transfer_store.references_over(action.session, fee)
    for payment in transfer_store.lock_waiting(action.session, references, fee.collector, fee.gate_id):
        before = payment_record(payment)
        place(action, payment)
        action.session.flush()
        if payment_record(payment) != before:
            parts = transfer_store.payments_of_transfer(action.session, payment.transfer_id or 0)
            after = {"payments": [payment_record(part) for part in parts]}
            action.by_platform().record("payments.match", "payment", payment.payment_id, before, after)


def payment_record(payment: Payment) -> JsonObject:
    """A payment as the audit log keeps it."""
    return PaymentOut.model_validate(payment).model_dump()
