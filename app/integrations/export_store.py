"""Queries on exports that were exchanged and on the days that were compared. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from app.declarations import shares as declarations
from app.integrations.export_tables import ExportRow, ReconciliationRow
from app.integrations.vocabulary import ExportDirection
from app.trips.service import Trip
from app.trips.vocabulary import Direction

CANCELLATION = "cancellation"


def insert_export(session: Session, values: Mapping[str, object]) -> bool:
    """Put down a version that was said; whether it was not known."""
    statement = insert(ExportRow).values(**values).on_conflict_do_nothing().returning(ExportRow.export_id)
    return session.scalars(statement).one_or_none() is not None


def lock_exports_of_trip(session: Session, trip_id: int) -> ExportRow | None:
    """The newest version of a trip's export that was said; the trip's row is locked, so that versions come in order."""
    session.execute(select(Trip.trip_id).where(Trip.trip_id == trip_id).with_for_update())
    query = select(ExportRow).where(ExportRow.trip_id == trip_id, ExportRow.direction == ExportDirection.OUT)
    return session.scalars(query.order_by(ExportRow.version.desc()).limit(1)).one_or_none()


def ended_exports(session: Session, stages: Collection[str], since: datetime, *, limit: int) -> Sequence[int]:
    """Trips that ended in one of some stages and whose export, said since then, was not taken back."""
    newer = aliased(ExportRow)
    is_newest = (
        ~select(newer.export_id).where(newer.trip_id == ExportRow.trip_id, newer.version > ExportRow.version).exists()
    )
    query = (
        select(ExportRow.trip_id)
        .join(Trip, Trip.trip_id == ExportRow.trip_id)
        .where(
            ExportRow.direction == ExportDirection.OUT,
            ExportRow.function != CANCELLATION,
            ExportRow.issued_at >= since,
            Trip.stage.in_(stages),
            is_newest,
        )
        .distinct()
        .limit(limit)
    )
    return [trip_id for trip_id in session.scalars(query) if trip_id is not None]


def unsaid_exports(
    session: Session, neighbour: str, stages: Collection[str], since: datetime, *, limit: int
) -> Sequence[int]:
    """Declared trips out of the country in some stages of which a neighbour was told nothing; the earliest first."""
    is_said = select(ExportRow.export_id).where(
        ExportRow.trip_id == Trip.trip_id, ExportRow.neighbour == neighbour, ExportRow.direction == ExportDirection.OUT
    )
    query = (
        select(Trip.trip_id)
        .where(
            Trip.direction == Direction.EXPORT,
            Trip.stage.in_(stages),
            Trip.created_at >= since,
            declarations.is_declared(Trip.trip_id),
            ~is_said.exists(),
        )
        .order_by(Trip.trip_id)
        .limit(limit)
    )
    return session.scalars(query).all()


def note_receipt(session: Session, neighbour: str, reference: str, version: int, at: datetime) -> bool:
    """Note that a neighbour has a version of ours; whether that was news."""
    statement = (
        update(ExportRow)
        .where(
            ExportRow.neighbour == neighbour,
            ExportRow.direction == ExportDirection.OUT,
            ExportRow.reference == reference,
            ExportRow.version == version,
            ExportRow.receipt_at.is_(None),
        )
        .values(receipt_at=at)
        .returning(ExportRow.export_id)
    )
    return session.scalars(statement).one_or_none() is not None


def newest_versions(
    session: Session, neighbour: str, direction: ExportDirection, begin: datetime, end: datetime
) -> dict[str, int]:
    """The newest version of each export issued in a time, by reference."""
    query = (
        select(ExportRow.reference, func.max(ExportRow.version))
        .where(
            ExportRow.neighbour == neighbour,
            ExportRow.direction == direction,
            ExportRow.issued_at >= begin,
            ExportRow.issued_at < end,
        )
        .group_by(ExportRow.reference)
    )
    return {reference: version for reference, version in session.execute(query)}


def begin_day(session: Session, neighbour: str, day: date, now: datetime) -> bool:
    """Begin to compare a day; whether nobody had."""
    values = {"neighbour": neighbour, "day": day, "asked_at": now}
    statement = insert(ReconciliationRow).values(**values).on_conflict_do_nothing().returning(ReconciliationRow.day)
    return session.scalars(statement).one_or_none() is not None


def lock_day(session: Session, neighbour: str, day: date) -> ReconciliationRow | None:
    """A day that is compared, locked."""
    query = select(ReconciliationRow).where(ReconciliationRow.neighbour == neighbour, ReconciliationRow.day == day)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


def list_days(session: Session, *, limit: int) -> Sequence[ReconciliationRow]:
    """The days that were compared, the newest first."""
    query = select(ReconciliationRow).order_by(ReconciliationRow.day.desc(), ReconciliationRow.neighbour)
    return session.scalars(query.limit(limit)).all()
