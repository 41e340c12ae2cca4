"""Queries on transshipments. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, insert, or_, select, text, union_all, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Account, Organisation
from app.platform.json import JsonObject
from app.sheets.service import TripStepRow
from app.transshipments.balance import Amount
from app.transshipments.shares import Figures
from app.transshipments.tables import IS_OPEN, Transshipment, TransshipmentMove, TransshipmentReceiver
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.service import Trip
from app.trips.vocabulary import DeclarationStatus
from ingest.tables import Vehicle

_registrant, _decider, _beginner, _worker = (aliased(Account) for _ in range(4))
_receiving_trip, _giving_truck, _receiving_truck = aliased(Trip), aliased(Vehicle), aliased(Vehicle)


@dataclass(frozen=True)
class NamedTransshipment:
    """A transshipment with its trip, the plate of the trip's truck, its enterprise, and the names of who acted."""

    transshipment: Transshipment
    trip: Trip
    plate: str
    organisation: str
    registrant: str
    decider: str | None
    beginner: str | None
    worker: str | None


@dataclass(frozen=True)
class NamedReceiver:
    """A receiving vehicle with the trip it got, `None` until the goods were moved."""

    receiver: TransshipmentReceiver
    code: str | None
    stage: str | None


@dataclass(frozen=True)
class Link:
    """Goods that went from one trip to another: who gave, who received, when they were moved (`None`: not yet)."""

    transshipment_id: int
    status: str
    giver_id: int
    giver_code: str
    giver_plate: str
    plate: str
    trip_id: int | None
    code: str | None
    carried_out_at: datetime | None


@dataclass(frozen=True)
class ReceivedLine:
    """What a trip received of one line of a giving trip."""

    giver_id: int
    line: int
    amount: Amount


def insert_transshipment(
    session: Session,
    values: Mapping[str, object],
    moves: Sequence[Mapping[str, object]],
    receivers: Sequence[Mapping[str, object]],
) -> Transshipment | None:
    """A new transshipment with its moves and receiving vehicles; `None` if its trip has an open one."""
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
        session.execute(
            insert(TransshipmentReceiver),
            [{**receiver, "transshipment_id": made.transshipment_id} for receiver in receivers],
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


def update_transshipment(session: Session, transshipment_id: int, values: Mapping[str, object]) -> int:
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
) -> list[NamedTransshipment]:
    """Transshipments of visible trips, newest first; the one of an id also if a receiving trip is visible."""
    query: Select[*tuple[Any, ...]] = (
        select(  # in the order of the fields of NamedTransshipment
            Transshipment,
            Trip,
            Vehicle.plate,
            Organisation.name,
            _registrant.full_name,
            _decider.full_name,
            _beginner.full_name,
            _worker.full_name,
        )
        .join(Trip, Trip.trip_id == Transshipment.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .join(_registrant, _registrant.account_id == Transshipment.registered_by)
        .outerjoin(_decider, _decider.account_id == Transshipment.decided_by)
        .outerjoin(_beginner, _beginner.account_id == Transshipment.begun_by)
        .outerjoin(_worker, _worker.account_id == Transshipment.carried_out_by)
        .order_by(Transshipment.transshipment_id.desc())
        .limit(limit)
    )
    if transshipment_id is None:
        query = query.where(visible)
    else:
        receiving = (
            select(TransshipmentReceiver.transshipment_id)
            .join(Trip, Trip.trip_id == TransshipmentReceiver.trip_id)
            .where(TransshipmentReceiver.transshipment_id == transshipment_id, visible)
            .correlate(None)
        )
        is_visible = or_(visible, Transshipment.transshipment_id.in_(receiving))
        query = query.where(Transshipment.transshipment_id == transshipment_id, is_visible)
    if trip_id is not None:
        query = query.where(Transshipment.trip_id == trip_id)
    if statuses:
        query = query.where(Transshipment.status.in_(statuses))
    if before is not None:
        query = query.where(Transshipment.transshipment_id < before)
    return [NamedTransshipment(*row) for row in session.execute(query)]


def moves_of(session: Session, transshipment_ids: Collection[int]) -> Sequence[TransshipmentMove]:
    """The moves of transshipments, in order."""
    return session.scalars(
        select(TransshipmentMove)
        .where(TransshipmentMove.transshipment_id.in_(transshipment_ids))
        .order_by(TransshipmentMove.transshipment_id, TransshipmentMove.position)
    ).all()


def receivers_of(session: Session, transshipment_ids: Collection[int]) -> list[NamedReceiver]:
    """The receiving vehicles of transshipments, by plate."""
    query = (
        select(TransshipmentReceiver, Trip.code, Trip.stage)
        .outerjoin(Trip, Trip.trip_id == TransshipmentReceiver.trip_id)
        .where(TransshipmentReceiver.transshipment_id.in_(transshipment_ids))
        .order_by(TransshipmentReceiver.transshipment_id, TransshipmentReceiver.plate)
        .execution_options(populate_existing=True)
    )
    return [NamedReceiver(*row) for row in session.execute(query)]


def link_trip(session: Session, transshipment_id: int, plate: str, trip_id: int) -> None:
    """Write down which trip a receiving vehicle has; the trip is locked."""
    loads = select(func.count()).where(TransshipmentReceiver.trip_id == trip_id).scalar_subquery()
    session.execute(
        update(TransshipmentReceiver)
        .where(TransshipmentReceiver.transshipment_id == transshipment_id, TransshipmentReceiver.plate == plate)
        .values(trip_id=trip_id, turn=loads + 1)
        .execution_options(synchronize_session=False)
    )


def links_of(session: Session, trip_id: int, statuses: Collection[str]) -> list[Link]:
    """The transshipments in which a trip gave or received goods, oldest first."""
    own = union_all(  # not an OR over both tables, which no index answers
        select(Transshipment.transshipment_id).where(Transshipment.trip_id == trip_id),
        select(TransshipmentReceiver.transshipment_id).where(TransshipmentReceiver.trip_id == trip_id),
    )
    query: Select[*tuple[Any, ...]] = (
        select(  # in the order of the fields of Link
            Transshipment.transshipment_id,
            Transshipment.status,
            Trip.trip_id,
            Trip.code,
            _giving_truck.plate_norm,
            TransshipmentReceiver.plate,
            _receiving_trip.trip_id,
            _receiving_trip.code,
            Transshipment.carried_out_at,
        )
        .join(TransshipmentReceiver, TransshipmentReceiver.transshipment_id == Transshipment.transshipment_id)
        .join(Trip, Trip.trip_id == Transshipment.trip_id)
        .join(_giving_truck, _giving_truck.vehicle_id == Trip.vehicle_id)
        .outerjoin(_receiving_trip, _receiving_trip.trip_id == TransshipmentReceiver.trip_id)
        .where(
            Transshipment.transshipment_id.in_(own),
            Transshipment.status.in_(statuses),
            or_(Transshipment.trip_id == trip_id, TransshipmentReceiver.trip_id == trip_id),
        )
        .order_by(Transshipment.transshipment_id, TransshipmentReceiver.plate)
    )
    return [Link(*row) for row in session.execute(query)]


def received_lines(session: Session, trip_id: int) -> list[ReceivedLine]:
    """What a trip received, in the order in which it stands on its declaration: by when a line came first."""
    amounts = (func.sum(TransshipmentMove.packages), func.sum(TransshipmentMove.weight_kg))
    first = func.min(TransshipmentReceiver.turn)
    query = (
        select(Transshipment.trip_id, TransshipmentMove.line, *amounts)
        .join(TransshipmentMove, TransshipmentMove.transshipment_id == Transshipment.transshipment_id)
        .join(
            TransshipmentReceiver,
            (TransshipmentReceiver.transshipment_id == Transshipment.transshipment_id)
            & (TransshipmentReceiver.plate == TransshipmentMove.to_plate),
        )
        .where(TransshipmentReceiver.trip_id == trip_id, Transshipment.status == TransshipmentStatus.CARRIED_OUT)
        .group_by(Transshipment.trip_id, TransshipmentMove.line)
        .order_by(first, TransshipmentMove.line)
    )
    return [
        ReceivedLine(giver_id, line, Amount(int(packages), weight_kg))
        for giver_id, line, packages, weight_kg in session.execute(query)
    ]


def moved_already(session: Session, trip_id: int) -> dict[int, Amount]:
    """What earlier transshipments took from each line of a trip."""
    rows = session.execute(
        text(
            """
            SELECT m.line, sum(m.packages)::integer AS packages, sum(m.weight_kg) AS weight_kg
            FROM app.transshipment_move m JOIN app.transshipment t USING (transshipment_id)
            WHERE t.trip_id = :trip_id AND t.status = :carried_out GROUP BY m.line
            """
        ),
        {"trip_id": trip_id, "carried_out": TransshipmentStatus.CARRIED_OUT},
    )
    return {row.line: Amount(row.packages, row.weight_kg) for row in rows}


def write_figures(session: Session, transshipment_id: int, figures: Sequence[Figures]) -> None:
    """Write down what of the declared figures went with each move, in the order of the moves."""
    rows = [
        {
            "transshipment_id": transshipment_id,
            "position": position,
            "quantity": each.quantity,
            "net_weight_kg": each.net_weight_kg,
        }
        for position, each in enumerate(figures, 1)
    ]
    session.execute(update(TransshipmentMove), rows)


def taken_figures(session: Session, trip_id: int) -> dict[int, Figures]:
    """What of the declared figures of each line of a trip is on other vehicles."""
    query = (
        select(
            TransshipmentMove.line,
            func.coalesce(func.sum(TransshipmentMove.quantity), 0),
            func.coalesce(func.sum(TransshipmentMove.net_weight_kg), 0),
        )
        .join(Transshipment, Transshipment.transshipment_id == TransshipmentMove.transshipment_id)
        .where(Transshipment.trip_id == trip_id, Transshipment.status == TransshipmentStatus.CARRIED_OUT)
        .group_by(TransshipmentMove.line)
    )
    return {line: Figures(quantity, net_weight_kg) for line, quantity, net_weight_kg in session.execute(query)}


def declared_lines(session: Session, trip_id: int) -> list[JsonObject]:
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
