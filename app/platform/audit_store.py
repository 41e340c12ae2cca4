"""Queries on the audit log. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.orm import Session

from app.platform.search import matches
from app.platform.tables import AuditHeadRow, AuditRow

AUDIT_LOCK = 0x636B_6175  # "ckau"
"""Key of the advisory lock under which audit rows are chained."""


def lock_audit(session: Session) -> None:
    """Wait until this transaction is the only one that appends to the audit log."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": AUDIT_LOCK})


def last_audit(session: Session) -> tuple[int, bytes] | None:
    """Number and hash of the newest audit row."""
    row = session.execute(
        select(AuditRow.audit_id, AuditRow.hash).order_by(AuditRow.audit_id.desc()).limit(1)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def last_head_at(session: Session, place: str) -> datetime | None:
    """When a head was last written to a place."""
    return session.scalar(select(func.max(AuditHeadRow.made_at)).where(AuditHeadRow.place == place))


def insert_head(session: Session, place: str, audit_id: int, hash_: bytes, signature: bytes, *, at: datetime) -> None:
    """Note that a head was written to a place."""
    session.add(AuditHeadRow(place=place, made_at=at, audit_id=audit_id, hash=hash_, signature=signature))
    session.flush()


def audit_rows(session: Session, *, batch: int = 1000) -> Iterator[AuditRow]:
    """All audit rows in the order of their numbers, read from the server in batches."""
    statement = select(AuditRow).order_by(AuditRow.audit_id).execution_options(yield_per=batch)
    yield from session.scalars(statement)


@dataclass(frozen=True)
class NamedObjects:
    """What a query names: numbers of objects by their type, trips that other objects belong to, who acted, acts."""

    by_type: Mapping[str, Collection[int]]
    trip_ids: Collection[int]
    actor_ids: Collection[int]
    actions: Collection[str]

    def conditions(self) -> list[ColumnElement[bool]]:
        """A row is of one of these."""
        found: list[ColumnElement[bool]] = [AuditRow.actor_id.in_(self.actor_ids), AuditRow.action.in_(self.actions)]
        for kind, numbers in self.by_type.items():
            found.append(
                and_(AuditRow.object_type == kind, AuditRow.object_id.in_([str(number) for number in numbers]))
            )
        written = [str(trip_id) for trip_id in self.trip_ids]
        return [*found, *(values["trip_id"].astext.in_(written) for values in (AuditRow.before, AuditRow.after))]


def search_audit(
    session: Session,
    *,
    query: str = "",
    objects: NamedObjects | None = None,
    action: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Sequence[AuditRow]:
    """Audit rows that match, newest first, beginning below number `before`.

    `query` is looked for in actor, object and address, `objects` are what it names besides; `action` is a prefix such
    as `orders.`.
    """
    conditions = []
    if query:
        conditions.append(
            or_(
                matches(query, AuditRow.actor, AuditRow.object_type),
                AuditRow.object_id == query,
                AuditRow.address == query,
                *(() if objects is None else objects.conditions()),
            )
        )
    if action:
        conditions.append(AuditRow.action.startswith(action, autoescape=True))
    if since is not None:
        conditions.append(AuditRow.at >= since)
    if until is not None:
        conditions.append(AuditRow.at < until)
    if before is not None:
        conditions.append(AuditRow.audit_id < before)
    return session.scalars(
        select(AuditRow).where(and_(True, *conditions)).order_by(AuditRow.audit_id.desc()).limit(limit)
    ).all()
