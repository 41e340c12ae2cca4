"""Dead letters in PostgreSQL. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ingest.tables import DeadLetter


def add(connection: Connection, letters: Sequence[dict[str, object]]) -> int:
    """Keep dead letters, given by column; those that are there already are not repeated. How many were new."""
    found = connection.execute(
        insert(DeadLetter)
        .values(list(letters))
        .on_conflict_do_nothing(index_elements=["stream", "entry_id", "row"])
        .returning(DeadLetter.dead_letter_id)
    )
    return len(found.all())


def find(session: Session, dead_letter_id: int) -> DeadLetter | None:
    """One dead letter, locked until the end of the transaction, so that two people do not replay it at once."""
    return session.get(DeadLetter, dead_letter_id, with_for_update=True)


def list_waiting(session: Session, *, limit: int, after: int = 0, kind: str | None = None) -> list[DeadLetter]:
    """Those that were not replayed, oldest first, with ids above `after`, of one kind if given."""
    waiting = select(DeadLetter).where(DeadLetter.replayed_at.is_(None), DeadLetter.dead_letter_id > after)
    if kind is not None:
        waiting = waiting.where(DeadLetter.kind == kind)
    return list(session.scalars(waiting.order_by(DeadLetter.dead_letter_id).limit(limit)))


def count_waiting(session: Session) -> dict[str, int]:
    """How many wait, by the kind of their reason."""
    rows = session.execute(
        select(DeadLetter.kind, func.count()).where(DeadLetter.replayed_at.is_(None)).group_by(DeadLetter.kind)
    )
    return {kind: int(count) for kind, count in rows}


def mark_replayed(session: Session, dead_letter_id: int, now: datetime) -> None:
    """Note that a dead letter went back into the stream."""
    session.execute(update(DeadLetter).where(DeadLetter.dead_letter_id == dead_letter_id).values(replayed_at=now))


def drop(session: Session, dead_letter_id: int) -> bool:
    """Throw a dead letter away; whether it was there."""
    found = session.execute(
        delete(DeadLetter).where(DeadLetter.dead_letter_id == dead_letter_id).returning(DeadLetter.dead_letter_id)
    )
    return found.first() is not None


def drop_replayed(session: Session, before: datetime) -> int:
    """Throw those away that were replayed before a moment; how many."""
    found = session.execute(
        delete(DeadLetter).where(DeadLetter.replayed_at < before).returning(DeadLetter.dead_letter_id)
    )
    return len(found.all())
