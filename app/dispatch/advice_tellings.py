"""What advice told, each time it told something else: the past shows the words of its time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.dispatch import advisory_store
from app.dispatch.tables import AdviceTelling
from geo.errors import InvalidInputError

EVERY: Final = timedelta(minutes=5)
"""Words that differ by little more than their minute are kept as often as the past shows forecasts."""
LONGEST: Final = timedelta(hours=25)


def keep(session: Session, advisory_id: int, told: Mapping[str, object], now: datetime, *, is_news: bool) -> None:
    """Keep what an advice tells from `now` on, if it differs from what it told: news at once, else every five minutes.

    `told` are the columns `severity`, `until`, `probability`, `values` of an advisory, and others.
    """
    columns = {name: told[name] for name in ("severity", "until", "probability", "values")}
    last = advisory_store.last_telling(session, advisory_id)
    if last is not None:
        is_same = all(getattr(last, name) == value for name, value in columns.items())
        if is_same or (not is_news and now - last.told_at < EVERY) or now <= last.told_at:
            return
    advisory_store.insert_telling(session, {"advisory_id": advisory_id, "told_at": now, **columns})


def list_tellings(session: Session, begin: datetime, end: datetime) -> list[AdviceTelling]:
    """What was told from `begin` until before `end`, oldest first.

    Raises
    ------
    InvalidInputError
        If that is more than 25 hours, or nothing.
    """
    if not timedelta(0) < end - begin <= LONGEST:
        raise InvalidInputError("Ask for a span of up to 25 hours.", field="to")
    return advisory_store.list_tellings(session, begin, end)
