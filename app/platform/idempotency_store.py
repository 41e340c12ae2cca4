"""Queries on the keys of repeated requests. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.platform.tables import Idempotency

# Requests that may be repeated


@dataclass(frozen=True)
class RequestKey:
    """A request that may come again: whose, to do what, under which name."""

    account_id: int
    act: str
    key: str

    def condition(self) -> ColumnElement[bool]:
        """The condition on `Idempotency`."""
        return and_(Idempotency.account_id == self.account_id, Idempotency.act == self.act, Idempotency.key == self.key)


def claim_key(session: Session, name: RequestKey, fingerprint: bytes, now: datetime) -> bool:
    """Whether a key is new. A second transaction with the same key waits here for the first to end."""
    query = (
        pg_insert(Idempotency)
        .values(account_id=name.account_id, act=name.act, key=name.key, fingerprint=fingerprint, created_at=now)
        .on_conflict_do_nothing()
        .returning(Idempotency.key)
    )
    return session.execute(query).one_or_none() is not None


def get_key(session: Session, name: RequestKey) -> tuple[bytes, int | None]:
    """What a known key was used for: the fingerprint of the request, and what it made."""
    row = session.execute(select(Idempotency.fingerprint, Idempotency.object_id).where(name.condition())).one()
    return bytes(row.fingerprint), row.object_id


def settle_key(session: Session, name: RequestKey, object_id: int) -> None:
    """Remember what the request of a key made."""
    session.execute(update(Idempotency).where(name.condition()).values(object_id=object_id))


def forget_keys(session: Session, before: datetime) -> int:
    """Forget keys older than a time; how many."""
    result = session.execute(text("DELETE FROM app.idempotency WHERE created_at < :before"), {"before": before})
    return int(getattr(result, "rowcount", 0))
