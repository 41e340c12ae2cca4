"""Queries on plates that cameras read and nobody declared. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.declarations.tables import IS_RINGING, IS_WAITING, UndeclaredArrival, UndeclaredSighting
from app.declarations.vocabulary import SightingOutcome
from app.trips.service import IS_OPEN, Trip
from ingest.tables import Vehicle

_IS_OPEN_SIGHTING = UndeclaredSighting.outcome.is_(None)


def is_known(session: Session, gate_id: str, plate_norm: str, *, dismissed_since: datetime) -> bool:
    """Whether a plate waits at a desk already, or was dismissed at this gate since a time."""
    waits = select(UndeclaredArrival.arrival_id).where(UndeclaredArrival.plate_norm == plate_norm, text(IS_WAITING))
    dismissed = select(UndeclaredSighting.sighting_id).where(
        UndeclaredSighting.gate_id == gate_id,
        UndeclaredSighting.plate_norm == plate_norm,
        UndeclaredSighting.outcome == SightingOutcome.DISMISSED,
        UndeclaredSighting.closed_at >= dismissed_since,
    )
    return bool(session.scalar(select(or_(exists(waits), exists(dismissed)))))


def insert_or_see_again(session: Session, values: Mapping[str, object]) -> int | None:
    """A new sighting's number; `None` if the plate rings at the gate already, which is seen again then."""
    statement = (
        pg_insert(UndeclaredSighting)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["gate_id", "plate_norm"], index_where=text(IS_RINGING))
        .returning(UndeclaredSighting.sighting_id)
    )
    sighting_id = session.scalars(statement).one_or_none()
    if sighting_id is None:
        seen = values["last_seen_at"]
        session.execute(
            update(UndeclaredSighting)
            .where(
                UndeclaredSighting.gate_id == values["gate_id"],
                UndeclaredSighting.plate_norm == values["plate_norm"],
                _IS_OPEN_SIGHTING,
            )
            .values(
                last_seen_at=func.greatest(UndeclaredSighting.last_seen_at, seen),
                seen_at=func.least(UndeclaredSighting.seen_at, seen),
                read_id=case((UndeclaredSighting.has_picture, UndeclaredSighting.read_id), else_=values["read_id"]),
                has_picture=or_(UndeclaredSighting.has_picture, literal(values["has_picture"])),
            )
        )
    return sighting_id


def withdraw(session: Session, read_ids: Sequence[int], now: datetime) -> None:
    """End what reads rang for."""
    session.execute(
        update(UndeclaredSighting)
        .where(UndeclaredSighting.read_id.in_(read_ids), _IS_OPEN_SIGHTING)
        .values(outcome=SightingOutcome.WITHDRAWN, closed_at=now)
    )


def note_pictures(session: Session, read_ids: Sequence[int]) -> None:
    """What these reads rang for has a picture."""
    session.execute(update(UndeclaredSighting).where(UndeclaredSighting.read_id.in_(read_ids)).values(has_picture=True))


def list_ringing(session: Session, gate_id: str, *, since: datetime) -> Sequence[UndeclaredSighting]:
    """Open sightings at a gate of plates neither declared nor registered since, newest first."""
    return session.scalars(
        select(UndeclaredSighting)
        .where(
            UndeclaredSighting.gate_id == gate_id,
            _IS_OPEN_SIGHTING,
            UndeclaredSighting.last_seen_at >= since,
            ~exists(_declared(UndeclaredSighting.plate_norm)),
            ~exists(
                select(UndeclaredArrival.arrival_id).where(
                    UndeclaredArrival.plate_norm == UndeclaredSighting.plate_norm, text(IS_WAITING)
                )
            ),
        )
        .order_by(UndeclaredSighting.last_seen_at.desc(), UndeclaredSighting.sighting_id.desc())
        .limit(50)
    ).all()


def find_open(session: Session, gate_id: str | None, sighting_id: int) -> UndeclaredSighting | None:
    """An open sighting at a gate, locked."""
    return _lock(session, UndeclaredSighting.gate_id == gate_id, UndeclaredSighting.sighting_id == sighting_id)


def find_open_plate(session: Session, gate_id: str, plate_norm: str) -> UndeclaredSighting | None:
    """The open sighting of a plate at a gate, locked."""
    return _lock(session, UndeclaredSighting.gate_id == gate_id, UndeclaredSighting.plate_norm == plate_norm)


def close(
    session: Session,
    row: UndeclaredSighting,
    outcome: SightingOutcome,
    now: datetime,
    account_id: int,
    *,
    arrival_id: int | None = None,
) -> None:
    """End a locked sighting."""
    row.outcome, row.closed_at, row.closed_by, row.arrival_id = outcome, now, account_id, arrival_id
    session.flush()


def reads_of_arrivals(session: Session, arrival_ids: Sequence[int]) -> dict[int, int]:
    """The plate reads that arrivals were registered from, by arrival; the earliest of each."""
    rows = session.execute(
        select(UndeclaredSighting.arrival_id, func.min(UndeclaredSighting.read_id).label("read_id"))
        .where(UndeclaredSighting.arrival_id.in_(arrival_ids), UndeclaredSighting.has_picture)
        .group_by(UndeclaredSighting.arrival_id)
    )
    return {row.arrival_id: row.read_id for row in rows if row.arrival_id is not None}


def is_declared(session: Session, plate_norm: str) -> bool:
    """Whether an open trip was declared for a truck or trailer with a plate, whoever declared it."""
    return session.scalar(select(_declared(plate_norm).exists())) is True


def _lock(session: Session, *conditions: ColumnElement[bool]) -> UndeclaredSighting | None:
    query = select(UndeclaredSighting).where(and_(_IS_OPEN_SIGHTING, *conditions)).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _declared(plate_norm: str | InstrumentedAttribute[str]) -> Select[int]:
    return (
        select(Trip.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(
            text(f"trip.{IS_OPEN}"),
            Trip.procedure_id.is_not(None),
            or_(Vehicle.plate_norm == plate_norm, Trip.trailer_plate == plate_norm),
        )
    )
