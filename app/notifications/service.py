"""What an account was told: the list behind the bell, and how each kind is put."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from app.notifications import store
from app.platform.labels import N_
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal
from app.procedures.steps import Step

MAX_COUNTED: Final = 100
KEPT: Final = timedelta(days=30)
"""How long notifications and the log of webhooks are kept."""

TEXTS: Final = {
    "trip.queued": N_("The truck is in the queue"),
    "trip.in_the_yard": N_("The truck is in the yard"),
    "trip.out": N_("The trip is over: the truck is out"),
    "trip.cancelled": N_("The trip was cancelled"),
    "step.done": N_("Done: {step}"),
    "step.returned": N_("Returned to be mended: {step}"),
    "fee.due": N_("A fee is to be paid"),
    "fee.paid": N_("The fee is paid"),
    "fee.waived": N_("The fee was waived"),
    "fee.refunded": N_("The fee was paid back"),
    "order.active": N_("The traffic police issued an order"),
    "order.cancelled": N_("The traffic police withdrew an order"),
}
URGENT: Final = frozenset({"step.returned", "fee.due", "order.active"})
"""Kinds that ask for something to be done."""
ICONS: Final = {"trip": "truck", "step": "clipboard-check", "fee": "cash", "order": "flag-exclamation"}


def list_notifications(
    session: Session, principal: Principal, gettext: Callable[[str], str], page: PageRequest
) -> Page[dict[str, Any]]:
    """A page of what the caller was told, newest first, put in words."""
    rows = store.list_notifications(session, principal.account_id, before=page.before, limit=page.fetch)
    return paginate(rows, page, "notification_id", lambda row: _describe(row, gettext))


def count_unread(session: Session, principal: Principal) -> int:
    """How many the caller has not read, counted up to `MAX_COUNTED`."""
    return store.count_unread(session, principal.account_id, most=MAX_COUNTED)


def mark_read(session: Session, principal: Principal, until: int, *, now: datetime) -> int:
    """Mark the caller's notifications up to number `until` as read; how many were not."""
    return store.mark_read(session, principal.account_id, until=until, now=now)


def prune(session: Session, now: datetime) -> None:
    """Forget what is older than `KEPT`."""
    store.prune(session, now - KEPT)


def text_of(kind: str, data: dict[str, Any], gettext: Callable[[str], str]) -> str:
    """A notification in words; `gettext` translates."""
    template = gettext(TEXTS.get(kind, kind))
    step = data.get("step")
    if step is None:
        return template
    return template.format(step=gettext(Step.get(step).label))


def _describe(row: Any, gettext: Callable[[str], str]) -> dict[str, Any]:
    one = row.NotificationRow
    return {
        "notification_id": one.notification_id,
        "at": one.at,
        "kind": one.kind,
        "text": text_of(one.kind, one.data, gettext),
        "urgent": one.kind in URGENT,
        "trip_id": one.trip_id,
        "code": row.code,
        "plate": row.plate,
        "gate_id": row.gate_id,
        "data": one.data,
        "read_at": one.read_at,
    }
