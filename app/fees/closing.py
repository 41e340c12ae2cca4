"""The end of a collector's day: what was taken and given back, counted against the cash in the drawer.

A closing takes every confirmed payment and approved refund that no closing has yet: each is in exactly one, and what
comes in after today's closing is in tomorrow's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.fees import closing_store
from app.fees.service import check_reason
from app.fees.tables import Closing, Payment, Release
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, ForbiddenError, InvalidInputError


def preview(session: Session, principal: Principal, *, now: datetime) -> dict[str, Any]:
    """What a closing would hold now, and whether today is closed already."""
    collector, gate_id = _office(principal)
    day = now.astimezone(LOCAL_ZONE).date()
    rows = closing_store.open_payments(session, collector, gate_id)
    refunds = closing_store.open_refunds(session, collector, gate_id)
    closed = closing_store.find_closing(session, collector, gate_id, day) is not None
    held_vnd = closing_store.held_vnd(session, collector, gate_id)
    return {"day": day, "closed": closed, **totals(rows, refunds), "held_vnd": held_vnd}


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
    rows = closing_store.open_payments(action.session, collector, gate_id)
    refunds = closing_store.open_refunds(action.session, collector, gate_id)
    sums = totals(rows, refunds)
    difference_vnd = counted_cash_vnd - sums["expected_cash_vnd"]
    said = None
    if difference_vnd:
        if not reason.strip():
            raise InvalidInputError(
                "{counted} đ were counted, the records have {expected} đ; count again or give the reason.",
                field="reason",
                counted=counted_cash_vnd,
                expected=sums["expected_cash_vnd"],
            )
        said = check_reason(reason)
    del sums["expected_cash_vnd"]
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
        **sums,
    )
    action.session.add(closing)
    action.session.flush()
    closing_store.stamp_closing(action.session, closing, [row.Payment for row in rows], refunds)
    after = describe(closing)
    action.record("fees.close", "closing", closing.closing_id, None, after)
    return closing.closing_id


def totals(rows: Sequence[Any], refunds: Sequence[Release]) -> dict[str, Any]:
    """The sums of payments (with `Payment` and `cashier`, in order of their receipts) and refunds.

    Raises
    ------
    ConflictError
        If the receipts of a series have a gap: then a row is missing.
    """
    taken: dict[str, int] = defaultdict(int)
    by_account: dict[int, dict[str, Any]] = {}
    series: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        payment: Payment = row.Payment
        taken[payment.method] += payment.applied_vnd
        account = by_account.setdefault(
            payment.confirmed_by or 0,
            {"account_id": payment.confirmed_by, "name": row.cashier, "cash_vnd": 0, "transfer_vnd": 0, "payments": 0},
        )
        account[f"{payment.method}_vnd"] += payment.applied_vnd
        account["payments"] += 1
        series[payment.receipt_series or ""].append(payment.receipt_number or 0)
    receipts = []
    for name, numbers in sorted(series.items()):
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise ConflictError("The receipts of the series {series} have a gap; call an administrator.", series=name)
        receipts.append({"series": name, "first": numbers[0], "last": numbers[-1], "count": len(numbers)})
    back: dict[str, int] = defaultdict(int)
    for release in refunds:
        back[release.method or "cash"] += release.applied_vnd
    return {
        "payments": len(rows),
        "refunds": len(refunds),
        "cash_vnd": taken["cash"],
        "transfer_vnd": taken["transfer"],
        "cash_refund_vnd": back["cash"],
        "transfer_refund_vnd": back["transfer"],
        "net_vnd": taken["cash"] + taken["transfer"] - back["cash"] - back["transfer"],
        "expected_cash_vnd": taken["cash"] - back["cash"],
        "receipts": receipts,
        "accounts": list(by_account.values()),
    }


def list_closings(session: Session, principal: Principal, *, limit: int = 60) -> list[dict[str, Any]]:
    """The closings of the caller's office, newest first."""
    rows = closing_store.list_closings(session, *_office(principal), limit)
    return [{**describe(row.Closing), "closed_by_name": row.closed_by_name} for row in rows]


def describe(closing: Closing) -> dict[str, Any]:
    """A closing as plain values."""
    return {
        name: getattr(closing, name)
        for name in (
            "closing_id",
            "collector",
            "gate_id",
            "day",
            "closed_at",
            "payments",
            "refunds",
            "cash_vnd",
            "transfer_vnd",
            "cash_refund_vnd",
            "transfer_refund_vnd",
            "net_vnd",
            "counted_cash_vnd",
            "difference_vnd",
            "difference_reason",
            "held_vnd",
            "receipts",
            "accounts",
        )
    }


def _office(principal: Principal) -> tuple[str, str]:
    principal.require("fees.collect")
    if principal.gate_id is None:
        raise ForbiddenError("Your account is bound to no gate. Ask an administrator to set the gate.")
    return str(principal.role), principal.gate_id
