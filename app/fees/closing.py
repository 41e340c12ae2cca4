"""The end of a collector's day: what was taken and given back, counted against the cash in the drawer.

A closing takes every confirmed payment and approved refund that no closing has yet: each is in exactly one, and what
comes in after today's closing is in tomorrow's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.fees import closing_store
from app.fees.acts import check_reason
from app.fees.closing_store import ConfirmedPayment
from app.fees.records import CashierSums, ReceiptRun
from app.fees.schemas import ClosingColumns, ClosingOut, PreviewOut
from app.fees.tables import Closing, Release
from app.fees.vocabulary import PaymentMethod
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, ForbiddenError, InvalidInputError


@dataclass(frozen=True)
class Sums:
    """What was taken and given back, whole đồng; `receipts` by series, `accounts` by who confirmed."""

    payments: int
    refunds: int
    cash_vnd: int
    transfer_vnd: int
    cash_refund_vnd: int
    transfer_refund_vnd: int
    net_vnd: int
    receipts: list[ReceiptRun]
    accounts: list[CashierSums]

    @property
    def expected_cash_vnd(self) -> int:
        """The cash that should be in the drawer."""
        return self.cash_vnd - self.cash_refund_vnd


def preview(session: Session, principal: Principal, *, now: datetime) -> PreviewOut:
    """What a closing would hold now, and whether today is closed already."""
    collector, gate_id = _office(principal)
    day = now.astimezone(LOCAL_ZONE).date()
    sums = totals(
        closing_store.open_payments(session, collector, gate_id),
        closing_store.open_refunds(session, collector, gate_id),
    )
    closed = closing_store.find_closing(session, collector, gate_id, day) is not None
    held_vnd = closing_store.held_vnd(session, collector, gate_id)
    return PreviewOut(**vars(sums), day=day, closed=closed, expected_cash_vnd=sums.expected_cash_vnd, held_vnd=held_vnd)


def close_day(action: ActionContext, counted_cash_vnd: int, reason: str = "") -> int:
    """Close the present local day of the caller's office; the closing's id.

    Arguments: `counted_cash_vnd`, the cash taken as counted by hand; `reason`, why it differs from the records, needed
    only then.

    Raises
    ------
    ConflictError
        If the day is closed already, or the receipts of a series have a gap.
    InvalidInputError
        If the cash differs and no reason is given.
    """
    collector, gate_id = _office(action.actor)
    day = action.now.astimezone(LOCAL_ZONE).date()
    closing_store.lock_books(action.session, collector, gate_id)
    newest = closing_store.newest_closed_day(action.session, collector, gate_id)
    if newest is not None and newest >= day:
        raise ConflictError("The day {day} is closed already; what comes in now belongs to the next.", day=str(newest))
    if counted_cash_vnd < 0:
        raise InvalidInputError("The counted cash cannot be negative.", field="counted_cash_vnd")
    taken = closing_store.open_payments(action.session, collector, gate_id)
    refunds = closing_store.open_refunds(action.session, collector, gate_id)
    sums = totals(taken, refunds)
    difference_vnd = counted_cash_vnd - sums.expected_cash_vnd
    said = None
    if difference_vnd:
        if not reason.strip():
            raise InvalidInputError(
                "{counted} đ were counted, the records have {expected} đ; count again or give the reason.",
                field="reason",
                counted=counted_cash_vnd,
                expected=sums.expected_cash_vnd,
            )
        said = check_reason(reason)
    closing = Closing(
        collector=collector,
        gate_id=gate_id,
        day=day,
        closed_at=action.now,
        closed_by=action.actor.account_id,
        counted_cash_vnd=counted_cash_vnd,
        difference_vnd=difference_vnd,
        difference_reason=said,
        held_vnd=closing_store.held_vnd(action.session, collector, gate_id),
        **vars(sums),
    )
    action.session.add(closing)
    action.session.flush()
    closing_store.stamp_closing(action.session, closing, [confirmed.payment for confirmed in taken], refunds)
    after = ClosingColumns.model_validate(closing).model_dump()
    action.record("fees.close", "closing", closing.closing_id, None, after)
    return closing.closing_id


def totals(payments: Sequence[ConfirmedPayment], refunds: Sequence[Release]) -> Sums:
    """The sums of payments (in order of their receipts) and refunds.

    Raises
    ------
    ConflictError
        If the receipts of a series have a gap: then a payment is missing.
    """
    by_account: dict[int, CashierSums] = {}
    numbers_by_series: dict[str, list[int]] = defaultdict(list)
    for confirmed in payments:
        payment = confirmed.payment
        account = by_account.setdefault(
            payment.confirmed_by or 0,
            CashierSums(
                account_id=payment.confirmed_by, name=confirmed.cashier, cash_vnd=0, transfer_vnd=0, payments=0
            ),
        )
        account["cash_vnd" if payment.method == PaymentMethod.CASH else "transfer_vnd"] += payment.applied_vnd
        account["payments"] += 1
        numbers_by_series[payment.receipt_series or ""].append(payment.receipt_number or 0)
    refund_vnd: dict[str, int] = defaultdict(int)
    for release in refunds:
        refund_vnd[release.method or PaymentMethod.CASH] += release.applied_vnd
    cash_vnd = sum(account["cash_vnd"] for account in by_account.values())
    transfer_vnd = sum(account["transfer_vnd"] for account in by_account.values())
    return Sums(
        payments=len(payments),
        refunds=len(refunds),
        cash_vnd=cash_vnd,
        transfer_vnd=transfer_vnd,
        cash_refund_vnd=refund_vnd[PaymentMethod.CASH],
        transfer_refund_vnd=refund_vnd[PaymentMethod.TRANSFER],
        net_vnd=cash_vnd + transfer_vnd - sum(refund_vnd.values()),
        receipts=[_run(series, numbers) for series, numbers in sorted(numbers_by_series.items())],
        accounts=list(by_account.values()),
    )


def _run(series: str, numbers: list[int]) -> ReceiptRun:
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise ConflictError("The receipts of the series {series} have a gap; call an administrator.", series=series)
    return {"series": series, "first": numbers[0], "last": numbers[-1], "count": len(numbers)}


def list_closings(session: Session, principal: Principal, *, limit: int = 60) -> list[ClosingOut]:
    """The closings of the caller's office, newest first."""
    return [
        ClosingOut(**dict(ClosingColumns.model_validate(closed.closing)), closed_by_name=closed.closed_by_name)
        for closed in closing_store.list_closings(session, *_office(principal), limit)
    ]


def _office(principal: Principal) -> tuple[str, str]:
    principal.require("fees.collect")
    if principal.gate_id is None:
        raise ForbiddenError("Your account is bound to no gate. Ask an administrator to set the gate.")
    return str(principal.role), principal.gate_id
