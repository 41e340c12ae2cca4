"""Queries on trips. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    TextClause,
    and_,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.orm import Session

from app.accounts.service import Account, Organisation
from app.platform.json import JsonObject
from app.platform.search import matches
from app.registers.service import has_driver_number
from app.trips.codes import find_code
from app.trips.presence_tables import TripPlace
from app.trips.scope import Sight
from app.trips.tables import CURRENT_TRIP, IS_OPEN, Trip, TripEvent
from app.trips.vocabulary import PlaceKind, Stage
from ingest.store import heard_at
from ingest.tables import Device, LastPosition, Vehicle


@dataclass(frozen=True)
class TripFilter:
    """What a list of trips is narrowed to: `since` a planned arrival, `plate` in normal form, `query` words.

    `by_number`: the query may be a driver's telephone or the number of a paper, for those who may know it.
    """

    stages: tuple[str, ...] = ()
    gate_id: str | None = None
    since: datetime | None = None
    plate: str | None = None
    query: str = ""
    by_number: bool = False


@dataclass(frozen=True)
class SeenPosition:
    """Where a truck was last: degrees, kilometre from the border, the site it stands in."""

    time: datetime
    lon: float
    lat: float
    km: float | None
    edge_id: str | None
    speed_mps: float | None
    heading_deg: float | None
    site: str | None


@dataclass(frozen=True)
class NamedTrip:
    """A trip with the names that people know its parts by, and where its truck is while it is open.

    `is_seen`: its vehicle is open to the reader.
    """

    trip: Trip
    plate: str
    organisation: str
    driver: str | None
    position: SeenPosition | None
    is_seen: bool = True


@dataclass(frozen=True)
class TimelineLine:
    """A line of a timeline as it is read; `actor` is the name of the person who acted."""

    at: datetime
    kind: str
    data: JsonObject
    actor: str | None


@dataclass(frozen=True)
class TruckDevice:
    """What reports for a truck."""

    kind: str
    key_hint: str
    last_seen_at: datetime | None


def holds(query: str, *, by_number: bool = False) -> ColumnElement[bool]:
    """The condition on `Trip` that each word of a query stands in code, plates, goods, enterprise or driver.

    Or that it is, `by_number`, the telephone or the number of a paper of the driver.
    """
    numbered = has_driver_number(Trip.driver_id, Trip.organisation_id, query) if by_number else false()
    return Trip.trip_id.in_(
        select(Trip.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(Account, Account.account_id == Trip.driver_id)
        .where(
            or_(
                Trip.code == find_code(query),
                numbered,
                matches(
                    query,
                    Trip.code,
                    Vehicle.plate,
                    Vehicle.plate_norm,
                    Trip.trailer_plate,
                    Trip.goods,
                    Organisation.name,
                    Account.full_name,
                ),
            )
        )
    )


def find_trip(
    session: Session, visible: ColumnElement[bool], trip_id: int, sight: Sight | None = None
) -> NamedTrip | None:
    """A trip among the visible ones; `sight` is what is seen of its vehicle, none: all of it."""
    conditions = [Trip.trip_id == trip_id, visible]
    seen = Sight(true(), true()) if sight is None else sight
    return next(iter(_read_trips(session, conditions, sight=seen, limit=1)), None)


def list_trips(
    session: Session,
    visible: ColumnElement[bool],
    wanted: TripFilter,
    *,
    sight: Sight,
    before: int | None,
    limit: int,
) -> list[NamedTrip]:
    """Visible trips, newest first, `limit` of them below the trip `before`; `sight` as for `find_trip`."""
    conditions: list[ColumnElement[bool] | TextClause] = [visible]
    if before is not None:
        conditions.append(Trip.trip_id < before)
    if wanted.stages:
        conditions.append(Trip.stage.in_(wanted.stages))
        if set(wanted.stages) <= set(Stage.open()):
            conditions.append(text(IS_OPEN))  # said again in its own words, so that the partial indexes apply
    if wanted.gate_id is not None:
        conditions.append(Trip.gate_id == wanted.gate_id)
    if wanted.since is not None:
        conditions.append(Trip.planned_arrival >= wanted.since)
    if wanted.plate is not None:
        conditions.append(Vehicle.plate_norm == wanted.plate)
    if wanted.query:
        conditions.append(holds(wanted.query, by_number=wanted.by_number))
    return _read_trips(session, conditions, sight=sight, limit=limit)


def _read_trips(
    session: Session,
    conditions: Sequence[ColumnElement[bool] | TextClause],
    *,
    sight: Sight,
    limit: int,
) -> list[NamedTrip]:
    query: Select[*tuple[Any, ...]] = (
        select(  # in the order of the fields of NamedTrip and SeenPosition
            Trip,
            Vehicle.plate,
            Organisation.name,
            Account.full_name,
            sight.vehicle,
            LastPosition.time,
            func.ST_X(LastPosition.geom),
            func.ST_Y(LastPosition.geom),
            LastPosition.km,
            LastPosition.edge_id,
            LastPosition.speed_mps,
            LastPosition.heading_deg,
            LastPosition.site_id,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(Account, Account.account_id == Trip.driver_id)
        .outerjoin(LastPosition, and_(LastPosition.vehicle_id == Trip.vehicle_id, is_on_now(), sight.position))
        .where(*conditions)
        .order_by(Trip.trip_id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return [
        NamedTrip(trip, plate, organisation, driver, None if seen[0] is None else SeenPosition(*seen), is_seen)
        for trip, plate, organisation, driver, is_seen, *seen in session.execute(query)
    ]


def lock_trip(session: Session, visible: ColumnElement[bool], trip_id: int) -> Trip | None:
    """A visible trip, locked against other edits until the transaction ends."""
    return session.scalars(
        select(Trip).where(Trip.trip_id == trip_id, visible).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def find_open_trip(session: Session, vehicle_id: int) -> Trip | None:
    """The trip that a vehicle is on, of its open ones; see `CURRENT_TRIP`."""
    query = select(Trip).join(CURRENT_TRIP, CURRENT_TRIP.c.trip_id == Trip.trip_id)
    return session.scalars(query.where(CURRENT_TRIP.c.vehicle_id == vehicle_id)).one_or_none()


def open_trips_of(session: Session, vehicle_id: int, organisation_id: int) -> Sequence[Trip]:
    """The open trips of a vehicle that an enterprise declared, that under way and those ahead, by planned arrival."""
    query = select(Trip).where(Trip.vehicle_id == vehicle_id, Trip.organisation_id == organisation_id, text(IS_OPEN))
    return session.scalars(query.order_by(Trip.planned_arrival, Trip.trip_id)).all()


def lock_vehicle(session: Session, vehicle_id: int) -> None:
    """Keep others from declaring trips for a vehicle until the transaction ends."""
    query = select(Vehicle.vehicle_id).where(Vehicle.vehicle_id == vehicle_id)
    session.execute(query.with_for_update(key_share=True))


def lock_overdue(session: Session, before: datetime) -> Sequence[Trip]:
    """Trips that were to arrive before a time and whose truck nobody saw, or not for a day, locked.

    A truck that its GPS alone had in the queue and that drove away is one of them, a truck that an officer handled is
    not: silence moves none of those. Those on which somebody acts are left out.
    """
    now_at = select(TripPlace.kind).where(TripPlace.trip_id == Trip.trip_id, TripPlace.ended_at.is_(None))
    kind = now_at.limit(1).scalar_subquery()
    query = select(Trip).where(
        Trip.stage.in_(Stage.before_queue()),
        Trip.planned_arrival < before,
        or_(kind == PlaceKind.UNKNOWN, and_(kind == PlaceKind.PLANNED, Trip.arrived_at.is_(None))),
        text(IS_OPEN),
    )
    query = query.order_by(Trip.trip_id).with_for_update(skip_locked=True)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def is_current() -> ColumnElement[bool]:
    """The condition on `Trip` that its vehicle is on it; see `CURRENT_TRIP`."""
    return Trip.trip_id.in_(select(CURRENT_TRIP.c.trip_id))


def is_on_now() -> ColumnElement[bool]:
    """As `is_current`, where few trips are asked: looked up truck by truck."""
    of_truck = (CURRENT_TRIP.c.vehicle_id == Trip.vehicle_id, CURRENT_TRIP.c.trip_id == Trip.trip_id)
    return exists().select_from(CURRENT_TRIP).where(*of_truck).correlate(Trip)


def find_trip_of_driver(session: Session, driver_id: int, vehicle_id: int) -> Trip | None:
    """The open trip of a driver with a vehicle, the one planned first if there are several."""
    query = select(Trip).where(Trip.driver_id == driver_id, Trip.vehicle_id == vehicle_id, text(IS_OPEN))
    return session.scalars(query.order_by(Trip.planned_arrival, Trip.trip_id).limit(1)).one_or_none()


def find_open_trip_with_trailer(session: Session, trailer_plate: str, organisation_id: int, *, but: int) -> Trip | None:
    """An open trip of an enterprise with a trailer, or one of another that is under way; other than the trip `but`."""
    concerns = or_(Trip.organisation_id == organisation_id, Trip.stage != Stage.PLANNED)
    query = select(Trip).where(Trip.trailer_plate == trailer_plate, text(IS_OPEN), Trip.trip_id != but, concerns)
    return session.scalars(query.limit(1)).one_or_none()


def open_trips_of_driver(session: Session, driver_id: int) -> Sequence[Trip]:
    """The open trips of a driver, newest first."""
    query = select(Trip).where(Trip.driver_id == driver_id, text(IS_OPEN))
    return session.scalars(query.order_by(Trip.trip_id.desc())).all()


def insert_trip(session: Session, values: Mapping[str, object]) -> Trip:
    """A new trip."""
    return session.scalars(insert(Trip).values(**values).returning(Trip)).one()


def update_trip(session: Session, trip_id: int, values: Mapping[str, object]) -> int:
    """Change a locked trip; its new version."""
    query = (
        update(Trip)
        .where(Trip.trip_id == trip_id)
        .values(**values, version=Trip.version + 1)
        .returning(Trip.version)
        .execution_options(synchronize_session="fetch")
    )
    return int(session.execute(query).scalar_one())


def insert_events(session: Session, rows: Sequence[Mapping[str, object]]) -> None:
    """Lines of timelines: `trip_id at kind data actor_id`."""
    if rows:
        session.execute(insert(TripEvent), [dict(row) for row in rows])


def events_of(session: Session, trip_id: int) -> list[TimelineLine]:
    """A trip's timeline, oldest first, with the names of those who acted."""
    query = (
        select(TripEvent.at, TripEvent.kind, TripEvent.data, Account.full_name)
        .outerjoin(Account, Account.account_id == TripEvent.actor_id)
        .where(TripEvent.trip_id == trip_id)
        .order_by(TripEvent.at, TripEvent.event_id)  # what is entered later stands where it belongs
    )
    return [TimelineLine(*row) for row in session.execute(query)]


def devices_of(session: Session, vehicle_id: int) -> list[TruckDevice]:
    """What reports for a vehicle."""
    query = (
        select(Device.kind, Device.key_hint, heard_at())
        .where(Device.vehicle_id == vehicle_id, Device.revoked_at.is_(None))
        .order_by(Device.device_id)
    )
    return [TruckDevice(*row) for row in session.execute(query)]


def find_driver(session: Session, account_id: int) -> Account | None:
    """A driver's account that is in use."""
    return session.scalars(
        select(Account).where(Account.account_id == account_id, Account.role == "driver", Account.disabled_at.is_(None))
    ).one_or_none()


def find_driver_of_vehicle(session: Session, vehicle_id: int) -> int | None:
    """The account of the driver bound to a vehicle, the newest if several are."""
    return session.scalars(
        select(Account.account_id)
        .where(Account.vehicle_id == vehicle_id, Account.role == "driver", Account.disabled_at.is_(None))
        .order_by(Account.account_id.desc())
        .limit(1)
    ).one_or_none()


def bind_driver(session: Session, account_id: int, vehicle_id: int) -> None:
    """Let an account drive a vehicle."""
    session.execute(update(Account).where(Account.account_id == account_id).values(vehicle_id=vehicle_id))
