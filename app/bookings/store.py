"""Queries on bookings. Nothing here commits.

Whoever gives away or takes back a place locks the gate first (`lock_gates`), after the trip if it locks one, so that no
place is given twice and nobody waits in a ring.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.bookings.tables import Booking
from app.trips.place_need import need_of
from app.trips.scope import vehicle_is_agreed
from app.trips.service import Trip, is_on_now
from app.trips.vocabulary import Direction, Stage
from capacity.slots import COUNTING_AGAINST, HOUR, KEPT, OPEN, TAKING, SlotState
from capacity.vocabulary import ZoneKind
from geo.tables import RoadRow
from ingest.tables import LastPosition, Vehicle


@dataclass(frozen=True)
class NamedBooking:
    """A booking with the plate of its truck and what its trip carries."""

    booking: Booking
    plate: str
    code: str
    goods: str
    stage: str


@dataclass(frozen=True)
class TripNow:
    """What the trip of a booking is now."""

    stage: Stage
    gate_id: str
    vehicle_id: int
    need: ZoneKind


@dataclass(frozen=True)
class TripToBook:
    """A trip that a place can be booked for; `need`, the kind of place that its truck needs."""

    trip_id: int
    code: str
    plate: str
    goods: str
    gate_id: str
    planned_arrival: datetime
    need: ZoneKind


@dataclass(frozen=True)
class Taken:
    """Places of a yard's hour that are taken by who needs a kind of place."""

    yard_id: str
    starts_at: datetime
    need: ZoneKind
    priority: int
    ordinary: int


@dataclass(frozen=True)
class KeptPlace:
    """A place that somebody relies on, and the truck that it is for, with the kind of place that it needs."""

    trip_id: int
    yard_id: str
    starts_at: datetime
    need: ZoneKind = ZoneKind.STANDARD


def lock_gates(session: Session, gate_ids: Collection[str]) -> None:
    """Wait until this transaction is the only one that gives away or takes back places of some gates."""
    for gate_id in sorted(set(gate_ids)):
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('bookings:' || :gate_id, 0))"), {"gate_id": gate_id}
        )


def lock_enterprise(session: Session, organisation_id: int) -> None:
    """Wait until this transaction is the only one in which an enterprise takes places, at whatever gate."""
    key = text("SELECT pg_advisory_xact_lock(hashtextextended('bookings-of:' || :organisation_id, 0))")
    session.execute(key, {"organisation_id": str(organisation_id)})


def find_booking(session: Session, visible: ColumnElement[bool], booking_id: int) -> NamedBooking | None:
    """A booking among the visible ones."""
    found = list_bookings(session, visible, Booking.booking_id == booking_id, limit=1)
    return found[0] if found else None


def list_bookings(
    session: Session, visible: ColumnElement[bool], *conditions: ColumnElement[bool], limit: int
) -> list[NamedBooking]:
    """Bookings among the visible ones, the newest first."""
    rows = session.execute(
        select(Booking, Vehicle.plate, Trip.code, Trip.goods, Trip.stage)
        .join(Trip, Trip.trip_id == Booking.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Booking.vehicle_id)
        .where(visible, *conditions)
        .order_by(Booking.booking_id.desc())
        .limit(limit)
    )
    return [NamedBooking(*row) for row in rows]


def lock_booking(session: Session, visible: ColumnElement[bool], booking_id: int) -> Booking | None:
    """A booking among the visible ones, locked, as it stands now."""
    query = select(Booking).join(Trip, Trip.trip_id == Booking.trip_id)
    query = query.where(visible, Booking.booking_id == booking_id).with_for_update(of=Booking)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def lock_bookings(session: Session, *conditions: ColumnElement[bool]) -> Sequence[Booking]:
    """Bookings, locked, in the order of their numbers."""
    query = select(Booking).where(*conditions).order_by(Booking.booking_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).all()


def lock_with_trips(session: Session) -> list[tuple[Booking, TripNow]]:
    """Open bookings, locked, with what their trips are now."""
    query = (
        select(Booking, Trip.stage, Trip.gate_id, Trip.vehicle_id, Trip.goods_class, Trip.facts)
        .join(Trip, Trip.trip_id == Booking.trip_id)
        .where(Booking.state.in_(OPEN))
        .order_by(Booking.booking_id)
        .with_for_update(of=Booking)
    )
    rows = session.execute(query.execution_options(populate_existing=True))
    return [
        (booking, TripNow(Stage(stage), gate_id, vehicle_id, need_of(goods_class, facts)))
        for booking, stage, gate_id, vehicle_id, goods_class, facts in rows
    ]


def trip_and_plate(session: Session, booking: Booking) -> tuple[Trip, str]:
    """The trip of a booking, and the plate of the vehicle that it is for."""
    query = (
        select(Trip, Vehicle.plate)
        .join(Vehicle, Vehicle.vehicle_id == booking.vehicle_id)
        .where(Trip.trip_id == booking.trip_id)
    )
    trip, plate = session.execute(query).one()
    return trip, plate


def find_place_of_truck(session: Session, trip: Trip, since: datetime) -> tuple[str, float] | None:
    """Road and kilometre where the truck of a trip was last seen, not before a time and on that trip."""
    query = (
        select(RoadRow.road, LastPosition.km)
        .join(RoadRow, RoadRow.road_id == LastPosition.road_id)
        .join(Trip, Trip.vehicle_id == LastPosition.vehicle_id)
        .where(Trip.trip_id == trip.trip_id, Trip.stage != Stage.PLANNED, is_on_now())
        .where(LastPosition.time >= since, LastPosition.km.is_not(None))
    )
    found = session.execute(query).one_or_none()
    return None if found is None else (found.road, float(found.km))


def open_of_trip(session: Session, trip_id: int) -> Booking | None:
    """The open booking of a trip."""
    return session.scalars(select(Booking).where(Booking.trip_id == trip_id, Booking.state.in_(OPEN))).one_or_none()


def insert_booking(session: Session, values: Mapping[str, object]) -> Booking | None:
    """A new booking; `None` if the trip, its vehicle or its chassis number has an open one."""
    query = insert(Booking).values(**values).on_conflict_do_nothing().returning(Booking)
    return session.scalars(query).one_or_none()


def update_booking(session: Session, booking: Booking, values: Mapping[str, object]) -> None:
    """Change columns of a locked booking."""
    session.execute(
        update(Booking)
        .where(Booking.booking_id == booking.booking_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    session.refresh(booking)


def open_of_vehicle(session: Session, trip_id: int, vehicle_id: int, chassis_number: str) -> Sequence[Booking]:
    """The open bookings of a trip and of its vehicle, by whatever part of its identity, locked."""
    same = or_(Booking.trip_id == trip_id, Booking.vehicle_id == vehicle_id, Booking.chassis_number == chassis_number)
    return lock_bookings(session, same, Booking.state.in_(OPEN))


def count_of_enterprise(session: Session, organisation_id: int, gate_id: str, starts_at: datetime) -> tuple[int, int]:
    """How many bookings an enterprise has that take places of an hour at a gate, and how many are open at all."""
    in_hour = (Booking.gate_id == gate_id) & (Booking.starts_at == starts_at) & Booking.state.in_([*TAKING, *OPEN])
    query = select(func.count().filter(in_hour), func.count().filter(Booking.state.in_(OPEN)))
    row = session.execute(query.where(Booking.organisation_id == organisation_id)).one()
    return row[0], row[1]


def strikes_of(session: Session, chassis_number: str, since: datetime) -> list[datetime]:
    """When a vehicle did not come or cancelled late, since a moment; what was excused counts no more."""
    query = select(Booking.state_since).where(
        Booking.chassis_number == chassis_number,
        Booking.state.in_(COUNTING_AGAINST),
        Booking.state_since >= since,
    )
    return list(session.scalars(query))


def taken(session: Session, gate_ids: Collection[str], since: datetime, until: datetime) -> list[Taken]:
    """Places taken by yard, hour and kind, of hours that begin in [since, until).

    A truck that may still come takes a place in each hour in which it may: one that was extended, in several.
    """
    last = case((Booking.state.in_(KEPT), Booking.until - HOUR), else_=Booking.starts_at)
    each = (
        select(
            Booking.yard_id,
            func.generate_series(Booking.starts_at, last, HOUR).label("hour"),
            Booking.place_kind,
            Booking.is_priority,
        )
        .where(
            Booking.gate_id.in_(gate_ids),
            Booking.until > since,
            Booking.starts_at < until,
            Booking.state.in_(TAKING),
            Booking.yard_id.is_not(None),
        )
        .subquery()
    )
    rows = session.execute(
        select(
            each.c.yard_id,
            each.c.hour,
            each.c.place_kind,
            func.count().filter(each.c.is_priority),
            func.count().filter(~each.c.is_priority),
        )
        .where(each.c.hour >= since, each.c.hour < until)
        .group_by(each.c.yard_id, each.c.hour, each.c.place_kind)
    )
    return [
        Taken(yard_id, starts_at, ZoneKind(kind), priority, ordinary)
        for yard_id, starts_at, kind, priority, ordinary in rows
        if yard_id is not None
    ]


def trips_to_book(session: Session, visible: ColumnElement[bool], limit: int) -> list[TripToBook]:
    """Declared exports among the visible trips whose truck is not at the gate and that have no place yet, next first.

    One whose place is only held may still choose another.
    """
    booked = select(Booking.trip_id).where(Booking.state.in_(OPEN), Booking.state != SlotState.HELD)
    rows = session.execute(
        select(Trip, Vehicle.plate)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(
            visible,
            Trip.stage.in_(Stage.before_queue()),
            Trip.direction == Direction.EXPORT,
            Trip.procedure_id.is_not(None),
            Trip.trip_id.not_in(booked),
        )
        .order_by(Trip.planned_arrival, Trip.trip_id)
        .limit(limit)
    )
    return [
        TripToBook(
            trip.trip_id,
            trip.code,
            plate,
            trip.goods,
            trip.gate_id,
            trip.planned_arrival,
            need_of(trip.goods_class, trip.facts),
        )
        for trip, plate in rows
    ]


def is_agreed(session: Session, trip_id: int) -> bool:
    """Whether a trip's vehicle makes it by the word of who may say so."""
    return session.scalar(select(Trip.trip_id).where(Trip.trip_id == trip_id, vehicle_is_agreed())) is not None


def count_expected(session: Session) -> dict[str, int]:
    """Trucks by gate that have a place booked and have not come: the booked queue."""
    query = select(Booking.gate_id, func.count()).where(Booking.state.in_(KEPT)).group_by(Booking.gate_id)
    return {gate_id: count for gate_id, count in session.execute(query)}


def kept_places(session: Session) -> list[KeptPlace]:
    """Places that the yard plan keeps: of trucks that are expected, and of those that wait before the gate."""
    waits = (Booking.state == SlotState.ARRIVED) & (Trip.stage == Stage.QUEUED)
    rows = session.execute(
        select(Booking.trip_id, Booking.yard_id, Booking.starts_at, Booking.place_kind)
        .join(Trip, Trip.trip_id == Booking.trip_id)
        .where(or_(Booking.state.in_(KEPT), waits), Booking.yard_id.is_not(None))
        .order_by(Booking.starts_at, Booking.booking_id)
    )
    return [
        KeptPlace(trip_id, yard_id, starts_at, ZoneKind(kind))
        for trip_id, yard_id, starts_at, kind in rows
        if yard_id is not None
    ]


def count_called_up(session: Session) -> dict[str, dict[ZoneKind, int]]:
    """Trucks by yard and by the kind of place that they need that were called up and have not come."""
    called = Booking.state == SlotState.CALLED_UP
    query = select(Booking.yard_id, Booking.place_kind, func.count()).where(called, Booking.yard_id.is_not(None))
    found: dict[str, dict[ZoneKind, int]] = defaultdict(dict)
    for yard_id, kind, count in session.execute(query.group_by(Booking.yard_id, Booking.place_kind)):
        if yard_id is not None:
            found[yard_id][ZoneKind(kind)] = count
    return found


def by_hour(bookings: Sequence[Booking]) -> Mapping[tuple[str, datetime], list[Booking]]:
    """Bookings by gate and hour."""
    found: dict[tuple[str, datetime], list[Booking]] = defaultdict(list)
    for booking in bookings:
        found[booking.gate_id, booking.starts_at].append(booking)
    return found


def by_yard_and_hour(bookings: Sequence[Booking]) -> Mapping[tuple[str | None, datetime], list[Booking]]:
    """Bookings by yard and hour."""
    found: dict[tuple[str | None, datetime], list[Booking]] = defaultdict(list)
    for booking in bookings:
        found[booking.yard_id, booking.starts_at].append(booking)
    return found


EVERYTHING: ColumnElement[bool] = true()
"""For what the platform does of itself."""
