"""Queries on transshipments. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Account, Organisation
from app.sheets.service import TripStepRow
from app.transshipments.tables import IS_OPEN, Transshipment, TransshipmentMove
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.service import Trip
from app.trips.vocabulary import DeclarationStatus
from ingest.tables import Vehicle

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"
_registrant, _decider, _worker = aliased(Account), aliased(Account), aliased(Account)


def insert_transshipment(
    session: Session, values: Mapping[str, Any], moves: Sequence[Mapping[str, Any]]
) -> Transshipment | None:
    """A new transshipment with its moves; `None` if its trip has an open one."""
    made = session.scalars(
        pg_insert(Transshipment)
        .values(**values)
        .on_conflict_do_nothing(index_elements=[Transshipment.trip_id], index_where=text(IS_OPEN))
        .returning(Transshipment)
    ).one_or_none()
    if made is not None:
        session.execute(
            insert(TransshipmentMove),
            [
                {**move, "transshipment_id": made.transshipment_id, "position": position}
                for position, move in enumerate(moves, 1)
            ],
        )
    return made


def lock_transshipment(session: Session, visible: ColumnElement[bool], transshipment_id: int) -> Transshipment | None:
    """A transshipment of a visible trip, locked against other acts until the transaction ends."""
    return session.scalars(
        select(Transshipment)
        .join(Trip, Trip.trip_id == Transshipment.trip_id)
        .where(Transshipment.transshipment_id == transshipment_id, visible)
        .with_for_update(of=Transshipment)
        .execution_options(populate_existing=True)
    ).one_or_none()


def update_transshipment(session: Session, transshipment_id: int, values: Mapping[str, Any]) -> int:
    """Change a locked transshipment; its new version."""
    query = (
        update(Transshipment)
        .where(Transshipment.transshipment_id == transshipment_id)
        .values(**values, version=Transshipment.version + 1)
        .returning(Transshipment.version)
        .execution_options(synchronize_session="fetch")
    )
    return int(session.execute(query).scalar_one())


def find_transshipments(
    session: Session,
    visible: ColumnElement[bool],
    *,
    transshipment_id: int | None = None,
    trip_id: int | None = None,
    statuses: Collection[str] = (),
    before: int | None = None,
    limit: int = 100,
) -> Sequence[AnyRow]:
    """Transshipments of visible trips, newest first: `Transshipment`, `Trip`, plate, enterprise, names of who acted."""
    query = (
        select(
            Transshipment,
            Trip,
            Vehicle.plate,
            Organisation.name.label("organisation"),
            _registrant.full_name.label("registrant"),
            _decider.full_name.label("decider"),
            _worker.full_name.label("worker"),
        )
        .join(Trip, Trip.trip_id == Transshipment.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .join(_registrant, _registrant.account_id == Transshipment.registered_by)
        .outerjoin(_decider, _decider.account_id == Transshipment.decided_by)
        .outerjoin(_worker, _worker.account_id == Transshipment.carried_out_by)
        .where(visible)
        .order_by(Transshipment.transshipment_id.desc())
        .limit(limit)
    )
    if transshipment_id is not None:
        query = query.where(Transshipment.transshipment_id == transshipment_id)
    if trip_id is not None:
        query = query.where(Transshipment.trip_id == trip_id)
    if statuses:
        query = query.where(Transshipment.status.in_(statuses))
    if before is not None:
        query = query.where(Transshipment.transshipment_id < before)
    return session.execute(query).all()


def moves_of(session: Session, transshipment_ids: Collection[int]) -> Sequence[TransshipmentMove]:
    """The moves of transshipments, in order."""
    return session.scalars(
        select(TransshipmentMove)
        .where(TransshipmentMove.transshipment_id.in_(transshipment_ids))
        .order_by(TransshipmentMove.transshipment_id, TransshipmentMove.position)
    ).all()


def moved_already(session: Session, trip_id: int) -> Sequence[AnyRow]:
    """What earlier transshipments took from each line of a trip: `line packages weight_kg`."""
    return session.execute(
        text(
            """
            SELECT m.line, sum(m.packages)::integer AS packages, sum(m.weight_kg) AS weight_kg
            FROM app.transshipment_move m JOIN app.transshipment t USING (transshipment_id)
            WHERE t.trip_id = :trip_id AND t.status = :carried_out GROUP BY m.line
            """
        ),
        {"trip_id": trip_id, "carried_out": TransshipmentStatus.CARRIED_OUT},
    ).all()


def declared_lines(session: Session, trip_id: int) -> Sequence[Mapping[str, Any]]:
    """The lines of goods of a trip's declaration in force, as `app.declarations.form.Line` keeps them."""
    data = session.scalar(
        text(
            "SELECT data FROM app.declaration WHERE trip_id = :trip_id AND status = ANY(:declared) "
            "ORDER BY revision DESC LIMIT 1"
        ),
        {"trip_id": trip_id, "declared": list(DeclarationStatus.declared())},
    )
    return list((data or {}).get("lines") or ())


def step_statuses(session: Session, trip_id: int) -> dict[str, str]:
    """The status of each step on a trip's sheet."""
    rows = session.execute(select(TripStepRow.step, TripStepRow.status).where(TripStepRow.trip_id == trip_id))
    return {row.step: row.status for row in rows}


def plate_of(session: Session, vehicle_id: int) -> str:
    """A vehicle's plate in normal form."""
    return session.scalars(select(Vehicle.plate_norm).where(Vehicle.vehicle_id == vehicle_id)).one()
