"""Warning an enterprise before something on its file expires: 30, 7 and 1 days ahead, once each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.outbox import Audience
from app.platform.permissions import Principal
from app.registers import store
from app.registers.claims import EVENT
from app.registers.store import Expiring
from geo.clock import LOCAL_ZONE

DAYS_AHEAD: Final = (30, 7, 1)
"""How many days before a date its enterprise is warned."""
SHOWN_PAST: Final = timedelta(days=365)
"""How long what has expired stays on the list of what expires."""


@dataclass(frozen=True)
class Due:
    """A date of the registers and how many days are left to it by the calendar of the border; below 0 it is over."""

    expiring: Expiring
    days_left: int


def distance(days_left: int) -> int | None:
    """Which warning is due with so many days left: the nearest of `DAYS_AHEAD` that is reached; `None` if none is.

    What is put on file five days before it expires is warned of once, as seven days ahead, and again on the last day.
    """
    return min((days for days in DAYS_AHEAD if 0 <= days_left <= days), default=None)


def warn(session: Session, now: datetime) -> int:
    """Warn of what is due and was not warned of yet; how many warnings."""
    today = _today(now)
    given = 0
    for found in store.expiring(session, today, today + timedelta(days=max(DAYS_AHEAD))):
        days_left = (found.expires_on - today).days
        days_before = distance(days_left)
        if days_before is None or not store.add_warning(session, found, days_before, now):
            continue
        data = {
            "kind": "expires",
            "subject": found.subject,
            "what": found.what,
            "name": found.name,
            "expires_on": found.expires_on.isoformat(),
            "days": days_before,
        }
        outbox.publish_event(session, EVENT, Audience(organisations=(found.organisation_id,)), data, at=now)
        given += 1
    return given


def list_due(session: Session, principal: Principal, now: datetime) -> Sequence[Due]:
    """What expires within the furthest distance, and what has, of the caller's organisations; the nearest first."""
    today = _today(now)
    until = today + timedelta(days=max(DAYS_AHEAD))
    found = store.expiring(
        session, today - SHOWN_PAST, until, principal.organisation_ids, numbered=not principal.is_looking
    )
    return [Due(entry, (entry.expires_on - today).days) for entry in found]


def _today(now: datetime) -> date:
    return now.astimezone(LOCAL_ZONE).date()
