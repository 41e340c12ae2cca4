"""Queries behind the live map and its past: last positions, moments of the past day, a vehicle's track."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from geoalchemy2.functions import ST_X, ST_Y, ST_MakeEnvelope
from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.trips.service import Trip
from app.trips.vocabulary import Stage
from ingest.tables import FixRow, LastPosition, Vehicle

BoundingBox = tuple[float, float, float, float]
Rows = Sequence[Any]
"""Rows as the database gives them, columns in the order the function names."""


def is_simulated(vehicle_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whether a truck is of the demonstration: one of its trips is simulated. It is so between its trips as well."""
    trip = aliased(Trip)
    return exists().where(trip.vehicle_id == vehicle_id, trip.simulated)


def list_positions(
    session: Session,
    visible: ColumnElement[bool],
    *,
    gate_id: str | None = None,
    bbox: BoundingBox | None = None,
    since: datetime | None = None,
) -> Rows:
    """Last positions with plate and open trip; `visible` is a condition on `LastPosition.vehicle_id`.

    `gate_id` keeps trips to one gate, `bbox` (west, south, east, north) what lies in it, `since` what is newer.
    """
    query = (
        select(
            LastPosition.vehicle_id,
            Vehicle.plate,
            Trip.trip_id,
            LastPosition.time,
            ST_X(LastPosition.geom),
            ST_Y(LastPosition.geom),
            LastPosition.speed_mps,
            LastPosition.heading_deg,
            LastPosition.road_id,
            LastPosition.edge_id,
            LastPosition.km,
            LastPosition.direction,
            LastPosition.site_id,
            LastPosition.motion,
            Trip.gate_id,
            Trip.stage,
            is_simulated(LastPosition.vehicle_id),
            Trip.goods_class,
            Trip.perishable,
        )
        .join(Vehicle, Vehicle.vehicle_id == LastPosition.vehicle_id)
        .outerjoin(Trip, and_(Trip.vehicle_id == LastPosition.vehicle_id, Trip.stage.in_(Stage.open())))
        .where(visible)
    )
    if gate_id is not None:
        query = query.where(Trip.gate_id == gate_id)
    if bbox is not None:
        query = query.where(func.ST_Intersects(LastPosition.geom, ST_MakeEnvelope(*bbox, 4326)))
    if since is not None:
        query = query.where(LastPosition.time > since)
    return session.execute(query).all()


def positions_at(session: Session, at: datetime, window_s: float) -> Rows:
    """The last fix of every vehicle in (`at` − `window_s`, `at`]: vehicle, plate, time, lon, lat, speed, heading, km.

    A vehicle whose last position is older than the window has no fix in it, so only the others are looked up, each by
    one step on the primary key of one or two daily partitions: the cost does not grow with what is stored.
    """
    begin = at - func.make_interval(0, 0, 0, 0, 0, 0, window_s, type_=INTERVAL)
    newest = (
        select(
            FixRow.time,
            FixRow.geom,
            FixRow.speed_mps,
            FixRow.heading_deg,
            FixRow.road_id,
            FixRow.km,
            FixRow.direction,
            FixRow.status,
        )
        .where(FixRow.vehicle_id == LastPosition.vehicle_id, FixRow.time > begin, FixRow.time <= at)
        .where(FixRow.flags.op("&")(2) == 0)
        .order_by(FixRow.time.desc())
        .limit(1)
        .lateral("newest")
    )
    query = (
        select(
            LastPosition.vehicle_id,
            Vehicle.plate,
            newest.c.time,
            ST_X(newest.c.geom),
            ST_Y(newest.c.geom),
            newest.c.speed_mps,
            newest.c.heading_deg,
            newest.c.road_id,
            newest.c.km,
            newest.c.direction,
            newest.c.status,
        )
        .join(Vehicle, Vehicle.vehicle_id == LastPosition.vehicle_id)
        .join(newest, newest.c.time.is_not(None))
        .where(LastPosition.time > begin)
    )
    return session.execute(query).all()


def fixes_between(session: Session, begin: datetime, end: datetime, limit: int) -> Rows:
    """Fixes of all vehicles in (`begin`, `end`], by time: vehicle, time, lon, lat, speed, heading, km, status."""
    query = (
        select(
            FixRow.vehicle_id,
            FixRow.time,
            ST_X(FixRow.geom),
            ST_Y(FixRow.geom),
            FixRow.speed_mps,
            FixRow.heading_deg,
            FixRow.km,
            FixRow.status,
        )
        .where(FixRow.time > begin, FixRow.time <= end, FixRow.flags.op("&")(2) == 0)
        .order_by(FixRow.time)
        .limit(limit)
    )
    return session.execute(query).all()


def track(session: Session, vehicle_id: int, begin: datetime, end: datetime, limit: int) -> Rows:
    """Fixes of one vehicle in [`begin`, `end`], by time: time, lon, lat, speed, heading, road piece, km, flags."""
    query = (
        select(
            FixRow.time,
            ST_X(FixRow.geom),
            ST_Y(FixRow.geom),
            FixRow.speed_mps,
            FixRow.heading_deg,
            FixRow.road_id,
            FixRow.km,
            FixRow.flags,
        )
        .where(FixRow.vehicle_id == vehicle_id, FixRow.time >= begin, FixRow.time <= end)
        .order_by(FixRow.time)
        .limit(limit)
    )
    return session.execute(query).all()


def find_plate(session: Session, vehicle_id: int) -> str | None:
    """The plate of a vehicle, as shown."""
    return session.scalar(select(Vehicle.plate).where(Vehicle.vehicle_id == vehicle_id))
