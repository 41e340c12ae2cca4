"""Queries on the parties of trips and the answers of vehicles' holders. Nothing here commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.accounts.service import Organisation
from app.trips.tables import IS_OPEN, Trip, TripParty, TripVehicleAnswer
from ingest.tables import Vehicle


@dataclass(frozen=True)
class NamedParty:
    """The part of an organisation in a trip, with its name."""

    role: str
    organisation_id: int
    organisation: str


@dataclass(frozen=True)
class AskedTrip:
    """An open trip that another enterprise declared for a vehicle; `agreed` is `None` until it is answered."""

    trip_id: int
    code: str
    plate: str
    organisation: str
    gate_id: str
    planned_arrival: datetime
    agreed: bool | None


def parties(session: Session, trip_id: int) -> list[NamedParty]:
    """The parts that organisations have in a trip."""
    rows = session.execute(
        select(TripParty.role, TripParty.organisation_id, Organisation.name)
        .join(Organisation, Organisation.organisation_id == TripParty.organisation_id)
        .where(TripParty.trip_id == trip_id)
    )
    return [NamedParty(*row) for row in rows]


def party_ids(session: Session, trip_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The organisations that were given a part in each of some trips by name."""
    found: dict[int, set[int]] = defaultdict(set)
    query = select(TripParty.trip_id, TripParty.organisation_id).where(
        TripParty.trip_id.in_(trip_ids), ~TripParty.by_power
    )
    for trip_id, organisation_id in session.execute(query) if trip_ids else ():
        found[trip_id].add(organisation_id)
    return {trip_id: tuple(sorted(ids)) for trip_id, ids in found.items()}


def set_party(
    session: Session, trip_id: int, role: str, organisation_id: int | None, *, by_power: bool = False
) -> None:
    """Give a part in a trip to an organisation, or to nobody."""
    if organisation_id is None:
        session.execute(delete(TripParty).where(TripParty.trip_id == trip_id, TripParty.role == role))
        return
    values = {"organisation_id": organisation_id, "by_power": by_power}
    query = insert(TripParty).values(trip_id=trip_id, role=role, **values)
    session.execute(query.on_conflict_do_update(index_elements=["trip_id", "role"], set_=values))


def find_answer(session: Session, trip_id: int) -> TripVehicleAnswer | None:
    """What was answered of a trip's vehicle."""
    query = select(TripVehicleAnswer).where(TripVehicleAnswer.trip_id == trip_id)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def set_answer(
    session: Session,
    trip_id: int,
    vehicle_id: int,
    *,
    holder_id: int | None,
    agreed: bool,
    by: int | None,
    now: datetime,
) -> None:
    """Note what was answered of a trip's vehicle, in place of what was before."""
    values = {
        "vehicle_id": vehicle_id,
        "organisation_id": holder_id,
        "agreed": agreed,
        "answered_at": now,
        "answered_by": by,
    }
    query = insert(TripVehicleAnswer).values(trip_id=trip_id, **values)
    session.execute(query.on_conflict_do_update(index_elements=["trip_id"], set_=values))


def lock_trip(session: Session, visible: ColumnElement[bool], trip_id: int) -> Trip | None:
    """A visible trip, locked until the transaction ends."""
    query = select(Trip).where(Trip.trip_id == trip_id, visible).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def lock_open_trip(session: Session, of_vehicle: ColumnElement[bool], trip_id: int) -> Trip | None:
    """An open trip of one of some vehicles, locked until the transaction ends."""
    return lock_trip(session, and_(of_vehicle, text(IS_OPEN)), trip_id)


def trips_of_driver(session: Session, driver_id: int, vehicle_id: int) -> Sequence[Trip]:
    """The open trips of a driver with a vehicle."""
    query = select(Trip).where(Trip.driver_id == driver_id, Trip.vehicle_id == vehicle_id, text(IS_OPEN))
    return session.scalars(query).all()


def asked_trips(
    session: Session, of_vehicle: ColumnElement[bool], own: Collection[int], *, limit: int = 200
) -> list[AskedTrip]:
    """Open trips of some vehicles that other organisations than `own` declared, unanswered ones first."""
    query = (
        select(
            Trip.trip_id,
            Trip.code,
            Vehicle.plate,
            Organisation.name,
            Trip.gate_id,
            Trip.planned_arrival,
            TripVehicleAnswer.agreed,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(
            TripVehicleAnswer,
            and_(TripVehicleAnswer.trip_id == Trip.trip_id, TripVehicleAnswer.vehicle_id == Trip.vehicle_id),
        )
        .where(of_vehicle, text(f"trip.{IS_OPEN}"))
        .order_by(TripVehicleAnswer.agreed.is_not(None), Trip.planned_arrival, Trip.trip_id)
        .limit(limit)
    )
    if own:
        query = query.where(Trip.organisation_id.not_in(own))
    return [AskedTrip(*row) for row in session.execute(query)]
