"""Queries on declarations, imports and undeclared arrivals. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Account, Organisation
from app.declarations.tables import IS_WAITING, DeclarationImport, DeclarationRow, UndeclaredArrival
from app.procedures.steps import Step, StepStatus
from app.trips.service import IS_OPEN, Trip
from ingest.tables import Vehicle

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

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


def find_trip(session: Session, visible: ColumnElement[bool], trip_id: int) -> AnyRow | None:
    """A visible trip, with the names of truck and organisation."""
    query = (
        select(Trip, Vehicle.plate, Organisation.name.label("organisation"))
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .where(Trip.trip_id == trip_id, visible)
    )
    return session.execute(query).one_or_none()


def list_latest(
    session: Session, visible: ColumnElement[bool], *, status: str | None, before: int | None, limit: int
) -> Sequence[AnyRow]:
    """The latest revision of each visible trip's declaration, newest trip first."""
    query = (
        select(
            DeclarationRow,
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
    return session.execute(query).all()


def insert_revision(session: Session, values: Mapping[str, Any]) -> DeclarationRow:
    """A new revision."""
    return session.scalars(insert(DeclarationRow).values(**values).returning(DeclarationRow)).one()


def update_revision(session: Session, trip_id: int, revision: int, values: Mapping[str, Any]) -> None:
    """Change a revision of a locked trip."""
    session.execute(
        update(DeclarationRow)
        .where(DeclarationRow.trip_id == trip_id, DeclarationRow.revision == revision)
        .values(**values)
        .execution_options(synchronize_session="fetch")
    )


def find_open_trip_by_plate(session: Session, plate_norm: str) -> Trip | None:
    """The open trip of the truck with a plate."""
    return session.scalars(
        select(Trip)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(Vehicle.plate_norm == plate_norm, text(f"trip.{IS_OPEN}"))
    ).one_or_none()


def find_open_trip_by_trailer(session: Session, trailer_norm: str, *, but: int | None) -> Trip | None:
    """An open trip with a trailer, other than the trip `but`."""
    query = select(Trip).where(Trip.trailer_plate == trailer_norm, text(IS_OPEN)).limit(1)
    return session.scalars(query if but is None else query.where(Trip.trip_id != but)).one_or_none()


def has_step_done(session: Session, trip_id: int) -> bool:
    """Whether an agency has already confirmed a step of the trip."""
    return bool(
        session.scalar(
            text(
                "SELECT EXISTS (SELECT 1 FROM app.trip_step "
                "WHERE trip_id = :trip_id AND status = :done AND step <> :declaration AND done_by IS NOT NULL)"
            ),
            {"trip_id": trip_id, "done": StepStatus.DONE, "declaration": Step.DECLARATION},
        )
    )


def take_back_sheet(session: Session, trip_id: int) -> None:
    """Remove the steps of a locked trip and its procedure, with the channel customs gave under it."""
    session.execute(text("DELETE FROM app.trip_step WHERE trip_id = :trip_id"), {"trip_id": trip_id})
    session.execute(
        text(
            "UPDATE app.trip SET procedure_id = NULL, channel = NULL, version = version + 1, "
            "facts = facts - 'channel' - 'undeclared_since' WHERE trip_id = :trip_id"
        ),
        {"trip_id": trip_id},
    )


# Imports


def insert_import(session: Session, values: Mapping[str, Any]) -> int:
    """A new import; its id."""
    return int(session.scalars(insert(DeclarationImport).values(**values).returning(DeclarationImport.import_id)).one())


def lock_import(session: Session, visible: ColumnElement[bool], import_id: int) -> DeclarationImport | None:
    """A visible import, locked."""
    return session.scalars(
        select(DeclarationImport).where(DeclarationImport.import_id == import_id, visible).with_for_update()
    ).one_or_none()


def find_import(session: Session, visible: ColumnElement[bool], import_id: int) -> DeclarationImport | None:
    """A visible import."""
    query = select(DeclarationImport).where(DeclarationImport.import_id == import_id, visible)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


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


def arrivals(session: Session, visible: ColumnElement[bool], *, since: datetime) -> Sequence[AnyRow]:
    """Vehicles that wait, longest first, then those that arrived since and are done with, newest first."""
    is_over = or_(UndeclaredArrival.submitted_at.is_not(None), UndeclaredArrival.left_at.is_not(None))
    query = (
        select(UndeclaredArrival, Trip.code, Organisation.name.label("organisation"), Account.full_name.label("clerk"))
        .outerjoin(Trip, Trip.trip_id == UndeclaredArrival.trip_id)
        .outerjoin(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .join(Account, Account.account_id == UndeclaredArrival.registered_by)
        .where(visible, or_(~is_over, UndeclaredArrival.arrived_at >= since))
        .order_by(
            is_over,
            func.coalesce(UndeclaredArrival.submitted_at, UndeclaredArrival.left_at).desc(),
            UndeclaredArrival.arrived_at,
        )
        .limit(300)
    )
    return session.execute(query).all()


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


def search_enterprises(session: Session, query: str, *, limit: int) -> Sequence[Organisation]:
    """Enterprises and customs agents whose name holds the words asked for."""
    words = [Organisation.name.icontains(word, autoescape=True) for word in query.split()]
    return session.scalars(
        select(Organisation)
        .where(and_(Organisation.kind.in_(("enterprise", "customs_agent")), *words))
        .order_by(Organisation.name)
        .limit(limit)
    ).all()
