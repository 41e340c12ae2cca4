"""Queries on declarations and undeclared arrivals. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Organisation
from app.declarations import personal
from app.declarations.documents import ReturnReasons
from app.declarations.tables import IS_WAITING, DeclarationRow, UndeclaredArrival
from app.platform.json import JsonObject
from app.trips.service import IS_OPEN, Trip, is_current
from app.trips.vocabulary import DeclarationStatus
from geo.database import records
from ingest.tables import Vehicle


@dataclass(frozen=True)
class NamedTrip:
    """A trip with the names of its truck and organisation."""

    trip: Trip
    plate: str
    organisation: str


@dataclass(frozen=True)
class ListedDeclaration:
    """The latest revision of a trip's declaration, with what the trip is known by."""

    trip_id: int
    revision: int
    status: str
    version: int
    submitted_at: datetime | None
    returned_at: datetime | None
    return_reasons: ReturnReasons | None
    code: str
    goods: str
    gate_id: str
    stage: str
    planned_arrival: datetime
    simulated: bool
    plate: str
    organisation: str


@dataclass(frozen=True)
class NamedArrival:
    """An undeclared arrival with its trip's code and organisation, once it has one."""

    arrival: UndeclaredArrival
    code: str | None
    organisation: str | None


_newer = aliased(DeclarationRow)
_LATEST = (
    ~select(_newer.trip_id)
    .where(_newer.trip_id == DeclarationRow.trip_id, _newer.revision > DeclarationRow.revision)
    .exists()
)


def revisions_of(session: Session, trip_id: int) -> Sequence[DeclarationRow]:
    """All revisions of a trip's declaration, newest first."""
    return session.scalars(
        select(DeclarationRow)
        .where(DeclarationRow.trip_id == trip_id)
        .order_by(DeclarationRow.revision.desc())
        .execution_options(populate_existing=True)
    ).all()


def handed_in(session: Session, trip_ids: Collection[int]) -> list[tuple[int, JsonObject]]:
    """What was handed in last of each of some trips."""
    rows = session.execute(
        select(DeclarationRow.trip_id, DeclarationRow.data)
        .ext(distinct_on(DeclarationRow.trip_id))
        .where(DeclarationRow.trip_id.in_(trip_ids), DeclarationRow.status != DeclarationStatus.DRAFT)
        .order_by(DeclarationRow.trip_id, DeclarationRow.revision.desc())
    )
    return [(trip_id, data) for trip_id, data in rows]


def find_trip(session: Session, visible: ColumnElement[bool], trip_id: int) -> NamedTrip | None:
    """A visible trip, with the names of truck and organisation."""
    query = (
        select(Trip, Vehicle.plate, Organisation.name)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .where(Trip.trip_id == trip_id, visible)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else NamedTrip(*row)


def list_latest(
    session: Session, visible: ColumnElement[bool], *, status: str | None, before: int | None, limit: int
) -> list[ListedDeclaration]:
    """The latest revision of each visible trip's declaration, newest trip first."""
    query = (
        select(
            DeclarationRow.trip_id,
            DeclarationRow.revision,
            DeclarationRow.status,
            DeclarationRow.version,
            DeclarationRow.submitted_at,
            DeclarationRow.returned_at,
            DeclarationRow.return_reasons,
            Trip.code,
            Trip.goods,
            Trip.gate_id,
            Trip.stage,
            Trip.planned_arrival,
            Trip.simulated,
            Vehicle.plate,
            Organisation.name.label("organisation"),
        )
        .join(Trip, Trip.trip_id == DeclarationRow.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .where(_LATEST, visible)
        .order_by(DeclarationRow.trip_id.desc())
        .limit(limit)
    )
    if status is not None:
        query = query.where(DeclarationRow.status == status)
    if before is not None:
        query = query.where(DeclarationRow.trip_id < before)
    return records(ListedDeclaration, session.execute(query))


def insert_revision(session: Session, values: Mapping[str, Any]) -> DeclarationRow:
    """A new revision."""
    return session.scalars(insert(DeclarationRow).values(**_with_digests(values)).returning(DeclarationRow)).one()


def update_revision(session: Session, trip_id: int, revision: int, values: Mapping[str, Any]) -> None:
    """Change a revision of a locked trip."""
    session.execute(
        update(DeclarationRow)
        .where(DeclarationRow.trip_id == trip_id, DeclarationRow.revision == revision)
        .values(**_with_digests(values))
        .execution_options(synchronize_session="fetch")
    )


def _with_digests(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Columns of a revision with the digests of the driver that its data name."""
    return {**values, "driver_digests": personal.digests_of(values["data"])} if "data" in values else values


def find_open_trip_by_plate(session: Session, plate_norm: str) -> Trip | None:
    """The trip that the truck with a plate is on, of its open ones."""
    return session.scalars(
        select(Trip)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(Vehicle.plate_norm == plate_norm, is_current())
    ).one_or_none()


def open_trips_of(session: Session, plate_norm: str, organisation_id: int) -> Sequence[Trip]:
    """The open trips of the truck with a plate that an enterprise declared, by planned arrival."""
    query = (
        select(Trip)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(Vehicle.plate_norm == plate_norm, Trip.organisation_id == organisation_id, text(f"trip.{IS_OPEN}"))
    )
    return session.scalars(query.order_by(Trip.planned_arrival, Trip.trip_id)).all()


def open_trips_by_trailer(session: Session, trailer_norm: str, organisation_id: int) -> Sequence[Trip]:
    """The open trips with a trailer that an enterprise declared, by planned arrival."""
    query = select(Trip).where(
        Trip.trailer_plate == trailer_norm, Trip.organisation_id == organisation_id, text(IS_OPEN)
    )
    return session.scalars(query.order_by(Trip.planned_arrival, Trip.trip_id)).all()


# Undeclared arrivals


def insert_arrival(session: Session, values: Mapping[str, Any]) -> UndeclaredArrival | None:
    """A vehicle that came undeclared; `None` if it already waits."""
    query = (
        pg_insert(UndeclaredArrival)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["plate_norm"], index_where=text(IS_WAITING))
        .returning(UndeclaredArrival)
    )
    return session.scalars(query).one_or_none()


def lock_arrival(session: Session, visible: ColumnElement[bool], arrival_id: int) -> UndeclaredArrival | None:
    """A visible arrival, locked."""
    query = select(UndeclaredArrival).where(UndeclaredArrival.arrival_id == arrival_id, visible)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


def find_arrival_of_trip(session: Session, trip_id: int) -> UndeclaredArrival | None:
    """The arrival that a trip was declared for and that still waits."""
    return session.scalars(
        select(UndeclaredArrival).where(UndeclaredArrival.trip_id == trip_id, text(IS_WAITING)).with_for_update()
    ).one_or_none()


def find_waiting(session: Session, plate_norm: str) -> UndeclaredArrival | None:
    """The arrival of a vehicle that still waits undeclared."""
    return session.scalars(
        select(UndeclaredArrival).where(UndeclaredArrival.plate_norm == plate_norm, text(IS_WAITING))
    ).one_or_none()


def strangers(session: Session, gate_id: str) -> Sequence[UndeclaredArrival]:
    """Vehicles that wait undeclared at a gate and are on no open trip, longest first."""
    on_trip = (
        select(Trip.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(Vehicle.plate_norm == UndeclaredArrival.plate_norm, text(f"trip.{IS_OPEN}"))
        .exists()
    )
    return session.scalars(
        select(UndeclaredArrival)
        .where(UndeclaredArrival.gate_id == gate_id, text(IS_WAITING), ~on_trip)
        .order_by(UndeclaredArrival.arrived_at)
    ).all()


def arrivals(session: Session, visible: ColumnElement[bool], *, since: datetime) -> list[NamedArrival]:
    """Vehicles that wait, longest first, then those that arrived since and are done with, newest first."""
    is_over = or_(UndeclaredArrival.submitted_at.is_not(None), UndeclaredArrival.left_at.is_not(None))
    query = (
        select(UndeclaredArrival, Trip.code, Organisation.name)
        .outerjoin(Trip, Trip.trip_id == UndeclaredArrival.trip_id)
        .outerjoin(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .where(visible, or_(~is_over, UndeclaredArrival.arrived_at >= since))
        .order_by(
            is_over,
            func.coalesce(UndeclaredArrival.submitted_at, UndeclaredArrival.left_at).desc(),
            UndeclaredArrival.arrived_at,
        )
        .limit(300)
    )
    return [NamedArrival(*row) for row in session.execute(query)]


def update_arrival(session: Session, arrival_id: int, values: Mapping[str, Any]) -> None:
    """Change a locked arrival."""
    session.execute(
        update(UndeclaredArrival)
        .where(UndeclaredArrival.arrival_id == arrival_id)
        .values(**values)
        .execution_options(synchronize_session="fetch")
    )


def mark_arrived(session: Session, trip_id: int, arrived_at: datetime) -> None:
    """Note since when a trip's truck stands undeclared in the gate area, unless that is known already."""
    session.execute(
        text(
            "UPDATE app.trip SET arrived_at = coalesce(arrived_at, :at), "
            "facts = jsonb_build_object('undeclared_since', CAST(:since AS text)) || facts WHERE trip_id = :trip_id"
        ),
        {"at": arrived_at, "since": arrived_at.isoformat(), "trip_id": trip_id},
    )
