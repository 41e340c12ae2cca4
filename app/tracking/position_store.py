"""Queries behind the live map and its past: last positions, moments of the past day, a vehicle's track."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from geoalchemy2.functions import ST_X, ST_Y, ST_MakeEnvelope
from sqlalchemy import ColumnElement, and_, exists, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.trips.service import Trip, TripPlace, is_current
from app.trips.vocabulary import PlaceKind
from ingest.tables import FixRow, LastPosition, Vehicle

BoundingBox = tuple[float, float, float, float]
_AT_GATE = frozenset[str | None](PlaceKind.at_gate())


class Whereabouts(NamedTuple):
    """Where an open trip's truck is counted (see `app.trips.service.TripPlace`), and since when it is under way."""

    kind: str | None = None
    gate_id: str | None = None
    site_id: str | None = None
    since: datetime | None = None
    under_way_since: datetime | None = None

    @property
    def is_at_gate(self) -> bool:
        """Whether it stands at a gate, before its barriers or between them."""
        return self.kind in _AT_GATE


class VehiclePosition(NamedTuple):
    """The last position of a vehicle (degrees, kilometre from the border), with its plate, open trip and place.

    A tuple, since every look at the map makes thousands.
    """

    vehicle_id: int
    plate: str
    trip_id: int | None
    time: datetime
    lon: float
    lat: float
    speed_mps: float | None
    heading_deg: float | None
    road_id: int | None
    edge_id: str | None
    km: float | None
    direction: int
    site_id: str | None
    motion: str
    gate_id: str | None
    stage: str | None
    simulated: bool
    goods_class: str | None
    perishable: bool | None
    device_id: int
    place: Whereabouts


@dataclass(frozen=True, slots=True)
class PastPosition:
    """Where a vehicle was at a moment of the past."""

    vehicle_id: int
    plate: str
    time: datetime
    lon: float
    lat: float
    speed_mps: float | None
    heading_deg: float | None
    road_id: int | None
    km: float | None
    direction: int
    status: int


class SpanFix(NamedTuple):
    """A fix of any vehicle. A tuple, since frames are made of hundreds of thousands."""

    vehicle_id: int
    time: datetime
    lon: float
    lat: float
    speed_mps: float | None
    km: float | None


class TrackFix(NamedTuple):
    """A fix of the vehicle whose track it is. A tuple, since a track has tens of thousands."""

    time: datetime
    lon: float
    lat: float
    speed_mps: float | None
    heading_deg: float | None
    road_id: int | None
    km: float | None
    flags: int
    accuracy_m: float | None = None
    ignition: bool | None = None


@dataclass(frozen=True, slots=True)
class Unheard:
    """A truck at a gate of which no position was ever kept, with its open trip."""

    vehicle_id: int
    plate: str
    trip_id: int
    gate_id: str
    simulated: bool
    goods_class: str
    perishable: bool
    kind: str
    place_gate_id: str | None
    site_id: str | None
    since: datetime
    under_way_since: datetime | None

    @property
    def place(self) -> Whereabouts:
        """Where it is counted."""
        return Whereabouts(self.kind, self.place_gate_id, self.site_id, self.since, self.under_way_since)


_EARLIER = aliased(TripPlace)
WHEREABOUTS = (
    TripPlace.kind,
    TripPlace.gate_id,
    TripPlace.site_id,
    TripPlace.began_at,
    select(func.min(_EARLIER.began_at))
    .where(_EARLIER.trip_id == Trip.trip_id, _EARLIER.kind != PlaceKind.PLANNED)
    .correlate(Trip)
    .scalar_subquery(),
)
"""The columns of `Whereabouts`, of a query that joins `Trip` and `TripPlace`."""


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
) -> list[VehiclePosition]:
    """Last positions with plate, open trip and its place; `visible` is a condition on `LastPosition.vehicle_id`.

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
            LastPosition.device_id,
            *WHEREABOUTS,
        )
        .join(Vehicle, Vehicle.vehicle_id == LastPosition.vehicle_id)
        .outerjoin(Trip, and_(Trip.vehicle_id == LastPosition.vehicle_id, is_current()))
        .outerjoin(TripPlace, and_(TripPlace.trip_id == Trip.trip_id, TripPlace.ended_at.is_(None)))
        .where(visible)
    )
    if gate_id is not None:
        query = query.where(Trip.gate_id == gate_id)
    if bbox is not None:
        query = query.where(func.ST_Intersects(LastPosition.geom, ST_MakeEnvelope(*bbox, 4326)))
    if since is not None:
        query = query.where(LastPosition.time > since)
    found: Iterable[Sequence[Any]] = session.connection().execute(query)  # no entities: past the loading of the ORM
    own = -len(WHEREABOUTS)
    return [VehiclePosition._make((*columns[:own], Whereabouts._make(columns[own:]))) for columns in found]


def list_unheard(
    session: Session, visible: ColumnElement[bool], *, gate_id: str | None = None, since: datetime | None = None
) -> Sequence[Unheard]:
    """Trucks of open trips that stand at a gate and of which no position was ever kept.

    `visible` is a condition on `Trip.vehicle_id`; `gate_id` keeps trips to one gate, `since` who came later.
    """
    query = (
        select(
            Trip.vehicle_id,
            Vehicle.plate,
            Trip.trip_id,
            Trip.gate_id,
            Trip.simulated,
            Trip.goods_class,
            Trip.perishable,
            *WHEREABOUTS,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(TripPlace, and_(TripPlace.trip_id == Trip.trip_id, TripPlace.ended_at.is_(None)))
        .outerjoin(LastPosition, LastPosition.vehicle_id == Trip.vehicle_id)
        .where(
            visible,
            is_current(),
            TripPlace.kind.in_(PlaceKind.at_gate()),
            LastPosition.vehicle_id.is_(None),
        )
        .order_by(Trip.vehicle_id)
    )
    if gate_id is not None:
        query = query.where(Trip.gate_id == gate_id)
    if since is not None:
        query = query.where(TripPlace.began_at > since)
    return [Unheard(*tuple(row)) for row in session.execute(query)]


def positions_at(
    session: Session, at: datetime, window_s: float, *, km: tuple[float, float] | None = None
) -> list[PastPosition]:
    """The last fix of every vehicle in (`at` − `window_s`, `at`]; with `km` only of those that were between the two.

    A vehicle whose last position is older than the window has no fix in it, so only the others are looked up, each by
    one step on the primary key of one or two daily partitions: the cost does not grow with what is stored.
    """
    begin = at - timedelta(seconds=window_s)  # a constant, so that the days it does not touch are not even planned
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
    if km is not None:
        query = query.where(newest.c.km.between(*km))
    found: Iterable[Sequence[Any]] = session.execute(query)
    return [PastPosition(*columns) for columns in found]


def fixes_between(session: Session, begin: datetime, end: datetime, limit: int) -> list[SpanFix]:
    """Fixes of all vehicles in (`begin`, `end`], by time."""
    query = (
        select(
            FixRow.vehicle_id,
            FixRow.time,
            ST_X(FixRow.geom),
            ST_Y(FixRow.geom),
            FixRow.speed_mps,
            FixRow.km,
        )
        .where(FixRow.time > begin, FixRow.time <= end, FixRow.flags.op("&")(2) == 0)
        .order_by(FixRow.time)
        .limit(limit)
    )
    return [SpanFix(*row) for row in session.execute(query)]


def track(
    session: Session,
    vehicle_id: int,
    begin: datetime,
    end: datetime,
    limit: int,
    visible: ColumnElement[bool] | None = None,
) -> list[TrackFix]:
    """Fixes of one vehicle in [`begin`, `end`], by time; of those only which the condition `visible` lets through."""
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
            FixRow.accuracy_m,
            FixRow.attributes["ignition"].astext.in_(("true", "1")),
        )
        .where(FixRow.vehicle_id == vehicle_id, FixRow.time >= begin, FixRow.time <= end)
        .where(true() if visible is None else visible)
        .order_by(FixRow.time)
        .limit(limit)
    )
    return [TrackFix(*row) for row in session.execute(query)]


def find_plate(session: Session, vehicle_id: int) -> str | None:
    """The plate of a vehicle, as shown."""
    return session.scalar(select(Vehicle.plate).where(Vehicle.vehicle_id == vehicle_id))
