"""What an account was told: the list behind the bell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.notifications import store
from app.notifications.schemas import NotificationOut
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal

MAX_COUNTED: Final = 100
KEPT: Final = timedelta(days=30)
"""How long notifications and the log of webhooks are kept."""


def list_notifications(
    session: Session, principal: Principal, gettext: Callable[[str], str], language: str, page: PageRequest
) -> Page[NotificationOut]:
    """A page of what the caller was told, newest first, put in words of `language` by `gettext`."""
    rows = store.list_notifications(session, principal.account_id, before=page.before, limit=page.fetch)
    return paginate(rows, page, "notification_id", lambda row: NotificationOut.of(row, gettext, language))


def count_unread(session: Session, principal: Principal) -> int:
    """How many the caller has not read, counted up to `MAX_COUNTED`."""
    return store.count_unread(session, principal.account_id, limit=MAX_COUNTED)


def mark_read(session: Session, principal: Principal, until: int, *, now: datetime) -> int:
    """Mark the caller's notifications up to number `until` as read; how many were not."""
    return store.mark_read(session, principal.account_id, until=until, now=now)


def prune(session: Session, now: datetime) -> None:
    """Forget what is older than `KEPT`."""
    store.prune(session, now - KEPT)
