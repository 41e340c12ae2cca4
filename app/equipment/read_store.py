"""Queries on plate reads and the passages they make up. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from app.equipment.tables import Equipment, PlateReadRow
from app.equipment.vocabulary import ReadStatus
from app.trips.service import Trip
from ingest.tables import Vehicle


@dataclass(frozen=True)
class SeenRead:
    """A plate read with its camera, its trip's code and plate if it has one, and the best picture of its passage."""

    read: PlateReadRow
    camera: Equipment
    trip_code: str | None
    trip_plate: str | None
    picture_ref: str | None


def reads_around(session: Session, equipment_id: int, since: datetime, until: datetime) -> Sequence[PlateReadRow]:
    """Reads of a camera within a span that are no history, repeats among them, oldest first."""
    return session.scalars(
        select(PlateReadRow)
        .where(
            PlateReadRow.equipment_id == equipment_id,
            PlateReadRow.time.between(since, until),
            PlateReadRow.status != ReadStatus.HISTORY,
        )
        .order_by(PlateReadRow.time, PlateReadRow.read_id)
    ).all()


def reads_by_id(session: Session, read_ids: Sequence[int]) -> Sequence[PlateReadRow]:
    """Plate reads by their numbers, oldest first."""
    return session.scalars(
        select(PlateReadRow).where(PlateReadRow.read_id.in_(read_ids)).order_by(PlateReadRow.time, PlateReadRow.read_id)
    ).all()


def join_passage(session: Session, lead: PlateReadRow, others: Sequence[int]) -> None:
    """Make reads, and what repeats them, repeats of the read that stands for their passage."""
    session.flush()
    session.execute(
        update(PlateReadRow)
        .where(or_(PlateReadRow.read_id.in_(others), PlateReadRow.passage_id.in_(others)))
        .values(status=ReadStatus.REPEAT, trip_id=lead.trip_id, passage_id=lead.read_id)
        .execution_options(synchronize_session="fetch")
    )


_member = aliased(PlateReadRow)
BEST_PICTURE: Final = (
    select(_member.image_ref)
    .where(
        or_(_member.read_id == PlateReadRow.read_id, _member.passage_id == PlateReadRow.read_id),
        _member.image_ref.is_not(None),
    )
    .order_by(_member.confidence.desc(), _member.read_id)
    .limit(1)
    .correlate(PlateReadRow)
    .scalar_subquery()
)
"""The picture of the surest read of a passage that has one."""


def newest_matched_at(session: Session, gate_id: str, station: str | None, since: datetime) -> int | None:
    """The trip whose plate was last read at a station since a time."""
    return session.scalars(
        select(PlateReadRow.trip_id)
        .join(Equipment, Equipment.equipment_id == PlateReadRow.equipment_id)
        .where(
            Equipment.gate_id == gate_id,
            Equipment.station == station,
            PlateReadRow.status == ReadStatus.MATCHED,
            PlateReadRow.time >= since,
        )
        .order_by(PlateReadRow.time.desc())
        .limit(1)
    ).one_or_none()


def list_reads(
    session: Session, visible: ColumnElement[bool], *, status: str | None, before: int | None, limit: int
) -> list[SeenRead]:
    """Plate reads of visible cameras, newest first."""
    query = (
        select(PlateReadRow, Equipment, Trip.code, Vehicle.plate, BEST_PICTURE)
        .join(Equipment, Equipment.equipment_id == PlateReadRow.equipment_id)
        .outerjoin(Trip, Trip.trip_id == PlateReadRow.trip_id)
        .outerjoin(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(
            visible,
            PlateReadRow.status == status if status is not None else true(),
            PlateReadRow.read_id < before if before is not None else true(),
        )
    )
    return [SeenRead(*row) for row in session.execute(query.order_by(PlateReadRow.read_id.desc()).limit(limit))]


def find_read(session: Session, visible: ColumnElement[bool], read_id: int) -> SeenRead | None:
    """A plate read of a visible camera."""
    rows = list_reads(session, and_(visible, PlateReadRow.read_id == read_id), status=None, before=None, limit=1)
    return rows[0] if rows else None


def lock_read(session: Session, read_id: int) -> PlateReadRow:
    """A plate read, locked until the transaction ends."""
    return session.scalars(
        select(PlateReadRow)
        .where(PlateReadRow.read_id == read_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
