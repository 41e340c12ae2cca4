"""Queries on the trips that announcements of gates concern. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from app.gates.notice import GateNotice
from app.gates.vocabulary import NoticeKind
from app.trips.service import Trip
from app.trips.vocabulary import Stage
from geo.tables import SiteRow
from ingest.plates import display_plate
from ingest.tables import Vehicle

AHEAD: Final = timedelta(hours=24)
"""So far ahead an outage without an end is told, and so far back a planned trip is late rather than given up."""


@dataclass(frozen=True)
class ConcernedTrip:
    """An open trip that an announcement is about, and whose it is."""

    trip_id: int
    code: str
    plate: str
    organisation_id: int
    driver_id: int | None
    vehicle_id: int
    stage: str
    goods: str
    planned_arrival: datetime


def trips_concerned(
    session: Session, notice: GateNotice, visible: ColumnElement[bool], now: datetime, *, limit: int | None = None
) -> list[ConcernedTrip]:
    """Open trips toward the gate that an announcement is about, by their planned arrival.

    A ban is about those that are not in the gate area yet, an outage about all; planned trips as far as they are to
    come while it holds (an outage without an end: within a day of its beginning), and those that are late: a truck
    without a signal may be on its way.
    """
    stages = Stage.before_yard() if notice.kind == NoticeKind.BAN else Stage.open()
    until = notice.end or notice.ends_at
    if until is None and notice.kind == NoticeKind.OUTAGE:
        until = notice.starts_at + AHEAD
    comes_then = Trip.planned_arrival >= notice.starts_at
    if until is not None:
        comes_then = and_(comes_then, Trip.planned_arrival < until)
    is_late = and_(Trip.planned_arrival < now, Trip.planned_arrival >= now - AHEAD)
    query = (
        select(  # in the order of the fields of ConcernedTrip
            Trip.trip_id,
            Trip.code,
            Vehicle.plate_norm,
            Trip.organisation_id,
            Trip.driver_id,
            Trip.vehicle_id,
            Trip.stage,
            Trip.goods,
            Trip.planned_arrival,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(
            visible,
            Trip.gate_id == notice.gate_id,
            Trip.stage.in_(stages),
            or_(Trip.stage != Stage.PLANNED, comes_then, is_late if notice.is_in_force(now) else false()),
        )
        .order_by(Trip.planned_arrival, Trip.trip_id)
    )
    if notice.regimes:
        query = query.where(Trip.regime.in_(notice.regimes))
    if notice.goods:
        declared = Trip.facts["goods_class"]
        query = query.where(
            or_(Trip.goods_class.in_(notice.goods), func.jsonb_exists_any(declared, list(notice.goods)))
        )
    if limit is not None:
        query = query.limit(limit)
    return [ConcernedTrip(row[0], row[1], display_plate(row[2]), *row[3:]) for row in session.execute(query)]


def gate_ids(session: Session) -> set[str]:
    """The gates there are."""
    return set(session.scalars(select(SiteRow.site_id).where(SiteRow.kind == "gate")))


def gate_name(session: Session, gate_id: str) -> str:
    """The Vietnamese name of a gate, its id if there is none."""
    return session.scalar(select(SiteRow.name_vi).where(SiteRow.site_id == gate_id)) or gate_id
