"""Queries on what customs' system says of declarations and trips. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.integrations.customs_tables import CustomsDeclarationRow, DifferenceRow, TripCustomsRow
from app.platform.json import JsonObject
from app.trips.customs_numbers import CustomsShare
from app.trips.service import Trip
from ingest.tables import Vehicle


@dataclass(frozen=True)
class KnownDeclaration:
    """A declaration of a trip, and what customs said of it: `state` `None` while they have not answered.

    `gross_kg` is what the trip carries of it.
    """

    number: str
    gross_kg: int | None
    given_channel: str | None
    asked_at: datetime
    state: str | None
    channel: str | None
    hold_reason: str
    released_at: datetime | None
    lines: Sequence[JsonObject]
    as_of: datetime | None
    is_simulated: bool


@dataclass(frozen=True)
class Carried:
    """How many trips carry goods of a declaration, and how many kg of them by what is known (`None`: of none)."""

    trips: int
    gross_kg: int | None


@dataclass(frozen=True)
class ListedDifference:
    """A difference with the code and plate of its trip."""

    difference: DifferenceRow
    code: str
    plate: str
    gate_id: str


def link(session: Session, trip_id: int, shares: Sequence[CustomsShare], now: datetime) -> list[str]:
    """Say which declarations a trip carries goods of; the numbers that are new to it."""
    numbers = [share.number for share in shares]
    session.execute(
        delete(TripCustomsRow).where(TripCustomsRow.trip_id == trip_id, TripCustomsRow.number.not_in(numbers))
    )
    new = []
    for share in shares:
        statement = insert(TripCustomsRow).values(
            trip_id=trip_id, number=share.number, gross_kg=share.gross_kg, asked_at=now
        )
        inserted = session.scalars(statement.on_conflict_do_nothing().returning(TripCustomsRow.number)).one_or_none()
        if inserted is not None:
            new.append(share.number)
            continue
        session.execute(
            update(TripCustomsRow)
            .where(TripCustomsRow.trip_id == trip_id, TripCustomsRow.number == share.number)
            .values(gross_kg=share.gross_kg)
            .execution_options(synchronize_session=False)
        )
    return new


def known_of_trip(session: Session, trip_id: int) -> list[KnownDeclaration]:
    """The declarations of a trip with what customs said of them, by number."""
    said = CustomsDeclarationRow
    query = (
        select(
            TripCustomsRow.number,
            TripCustomsRow.gross_kg,
            TripCustomsRow.given_channel,
            TripCustomsRow.asked_at,
            said.state,
            said.channel,
            func.coalesce(said.hold_reason, ""),
            said.released_at,
            func.coalesce(said.lines, []),
            said.as_of,
            func.coalesce(said.is_simulated, False),
        )
        .outerjoin(said, said.number == TripCustomsRow.number)
        .where(TripCustomsRow.trip_id == trip_id)
        .order_by(TripCustomsRow.number)
    )
    return [KnownDeclaration(*row) for row in session.execute(query)]


def carried(session: Session, numbers: Collection[str]) -> Mapping[str, Carried]:
    """What all trips together carry of some declarations, by number."""
    query = (
        select(TripCustomsRow.number, func.count(), func.sum(TripCustomsRow.gross_kg))
        .where(TripCustomsRow.number.in_(numbers))
        .group_by(TripCustomsRow.number)
    )
    rows = session.execute(query) if numbers else ()
    return {number: Carried(trips, None if kg is None else int(kg)) for number, trips, kg in rows}


def trips_with(session: Session, number: str) -> list[int]:
    """The trips that carry goods of a declaration, in the order in which they are locked."""
    query = select(TripCustomsRow.trip_id).where(TripCustomsRow.number == number).order_by(TripCustomsRow.trip_id)
    return list(session.scalars(query))


def note_given(session: Session, trip_id: int, channel: str | None) -> None:
    """Note which channel customs gave a trip."""
    session.execute(
        update(TripCustomsRow)
        .where(TripCustomsRow.trip_id == trip_id)
        .values(given_channel=channel)
        .execution_options(synchronize_session=False)
    )


def keep_declaration(session: Session, values: Mapping[str, object]) -> bool:
    """Keep what customs said of a declaration, by the columns of its table, unless a later word is kept; whether it
    was."""
    statement = insert(CustomsDeclarationRow).values(**values)
    newer = statement.on_conflict_do_update(
        index_elements=["number"],
        set_={name: statement.excluded[name] for name in values},
        where=CustomsDeclarationRow.version < statement.excluded.version,
    )
    return session.scalars(newer.returning(CustomsDeclarationRow.number)).one_or_none() is not None


# Differences


def add_difference(session: Session, row: DifferenceRow) -> bool:
    """Keep a difference; whether it was not known."""
    values = {
        "trip_id": row.trip_id,
        "number": row.number,
        "kind": row.kind,
        "ours": row.ours,
        "theirs": row.theirs,
        "found_at": row.found_at,
        "settled_at": row.settled_at,
        "reason": row.reason or "",
    }
    statement = insert(DifferenceRow).values(**values).on_conflict_do_nothing().returning(DifferenceRow.difference_id)
    return session.scalars(statement).one_or_none() is not None


def list_differences(session: Session, *, limit: int) -> list[ListedDifference]:
    """The differences that are open, then those that were settled last."""
    query = (
        select(DifferenceRow, Trip.code, Vehicle.plate, Trip.gate_id)
        .join(Trip, Trip.trip_id == DifferenceRow.trip_id)
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .order_by(DifferenceRow.settled_at.desc().nulls_first(), DifferenceRow.difference_id.desc())
        .limit(limit)
    )
    return [ListedDifference(*row) for row in session.execute(query.execution_options(populate_existing=True))]


def differences_of(session: Session, trip_id: int) -> Sequence[DifferenceRow]:
    """The differences of a trip, the oldest first."""
    query = select(DifferenceRow).where(DifferenceRow.trip_id == trip_id).order_by(DifferenceRow.difference_id)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def lock_difference(session: Session, difference_id: int) -> DifferenceRow | None:
    """A difference, locked."""
    return session.get(DifferenceRow, difference_id, with_for_update=True, populate_existing=True)


def trips_with_untold_weighings(session: Session, since: datetime, until: datetime) -> list[int]:
    """Trips with declarations that were weighed in a time, of which customs were not told."""
    rows = session.execute(
        text(
            """
            SELECT DISTINCT w.trip_id FROM app.weighing w
            WHERE w.received_at BETWEEN :since AND :until
              AND EXISTS (SELECT FROM app.trip_customs c WHERE c.trip_id = w.trip_id)
              AND NOT EXISTS (
                SELECT FROM app.neighbour_outbox o
                WHERE o.neighbour = 'customs' AND o.subject = 'weighing ' || w.weighing_id)
            ORDER BY w.trip_id LIMIT 200
            """
        ),
        {"since": since, "until": until},
    )
    return list(rows.scalars())
