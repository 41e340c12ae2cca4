"""Events from the platform to people: a transactional outbox relayed to a Redis stream.

`publish_event` writes the event in the caller's transaction, so that it exists exactly if the change does.
After the commit it is relayed to the stream `ck:events`; what a crash leaves behind is swept up by
control. A consumer may therefore see an event twice, never not at all; `event_id` tells repeats apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

import orjson
import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import BigInteger, Identity, Index, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.platform.json import JsonObject
from app.platform.permissions import Principal, Role
from geo.database import Base

STREAM = "ck:events"
SESSION_ENDED = "session"
"""An event for the platform itself: sessions of the accounts in its audience ended or locked. No client gets it."""
SCOPES_CHANGED = "scopes"
"""An event for the platform itself: who sees which vehicles changed. No client gets it, its audience is nobody."""
STREAM_LENGTH = 20_000
"""How many events a client that was away can catch up on."""

log = structlog.get_logger("outbox")


@dataclass(frozen=True)
class Audience:
    """Who an event is for; any match lets it through. With `gates` given, a role bound to another gate is left out."""

    roles: tuple[str, ...] = field(default=())
    organisations: tuple[int, ...] = field(default=())
    accounts: tuple[int, ...] = field(default=())
    vehicles: tuple[int, ...] = field(default=())
    gates: tuple[str, ...] = field(default=())

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The audience out of its JSON."""
        return cls(**{name: tuple(values) for name, values in record.items()})

    def includes(self, principal: Principal) -> bool:
        """Whether `principal` may see the event.

        An enterprise is matched by the organisations it acts for, a driver by the vehicle or the account; a driver
        employed by an organisation does not get what concerns its other trucks.
        """
        return (
            (str(principal.role) in self.roles and (not self.gates or principal.gate_id in (None, *self.gates)))
            or (principal.role is Role.ENTERPRISE and not principal.organisation_ids.isdisjoint(self.organisations))
            or principal.account_id in self.accounts
            or (principal.vehicle_id is not None and principal.vehicle_id in self.vehicles)
        )


class OutboxRow(Base):
    """An event to relay."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "event_id", postgresql_where=text("relayed_at IS NULL")),
        {"schema": "app"},
    )

    event_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime]
    type: Mapped[str]
    audience: Mapped[JsonObject] = mapped_column(JSONB)
    data: Mapped[JsonObject] = mapped_column(JSONB)
    relayed_at: Mapped[datetime | None]


def publish_event(
    session: Session, type_: str, audience: Audience, data: Mapping[str, object], *, at: datetime
) -> None:
    """Record an event in the present transaction; it reaches people after the commit."""
    session.add(OutboxRow(at=at, type=type_, audience=asdict(audience), data=dict(data)))
    session.info["has_events"] = True


def relay_after_commit(session: Session, redis: Redis) -> None:
    """Relay what the transaction just committed; call right after `commit`. Costs nothing if it emitted nothing.

    A server that is away now is no fault of what is committed: the events wait in the outbox for control.
    """
    if not session.info.pop("has_events", False):
        return
    try:
        relay_waiting(session, redis)
        session.commit()
    except (RedisError, SQLAlchemyError, OSError) as error:
        session.rollback()
        log.warning("events wait in the outbox", reason=str(error).split("\n", 1)[0][:200])


def relay_waiting(session: Session, redis: Redis, *, limit: int = 1000) -> int:
    """Send up to `limit` waiting events to the stream, oldest first; how many were sent.

    Rows are locked, so that two relays never send the same event; the caller commits.
    """
    rows = session.scalars(
        select(OutboxRow)
        .where(OutboxRow.relayed_at.is_(None))
        .order_by(OutboxRow.event_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return 0
    with redis.pipeline(transaction=False) as pipe:
        for row in rows:
            pipe.xadd(STREAM, encode(row), maxlen=STREAM_LENGTH, approximate=True)
        pipe.hincrby("ck:counters", "events_relayed_total", len(rows))
        pipe.execute()
    session.execute(
        update(OutboxRow)
        .where(OutboxRow.event_id.in_([row.event_id for row in rows]))
        .values(relayed_at=text("clock_timestamp()"))
        .execution_options(synchronize_session=False)
    )
    return len(rows)


def encode(row: OutboxRow) -> dict[Any, Any]:
    """The stream entry of an event."""
    return {
        b"event_id": str(row.event_id).encode(),
        b"type": row.type.encode(),
        b"at": row.at.isoformat().encode(),
        b"audience": orjson.dumps(row.audience),
        b"data": orjson.dumps(row.data),
    }
