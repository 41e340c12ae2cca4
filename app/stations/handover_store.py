"""Queries on shift handovers. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session, aliased

from app.accounts.service import Account
from app.stations.tables import HandoverRow


@dataclass(frozen=True)
class NamedHandover:
    """A handover with the names of who gave and who took it."""

    row: HandoverRow
    handed_by: str
    taken_by: str | None


def list_handovers(session: Session, gate_id: str, station: str, limit: int) -> list[NamedHandover]:
    """The handovers of a station, newest first."""
    taker = aliased(Account)
    query = (
        select(HandoverRow, Account.full_name, taker.full_name)
        .join(Account, Account.account_id == HandoverRow.handed_by)
        .outerjoin(taker, taker.account_id == HandoverRow.taken_by)
        .where(HandoverRow.gate_id == gate_id, HandoverRow.station == station)
        .order_by(HandoverRow.handover_id.desc())
        .limit(limit)
    )
    return [NamedHandover(*row) for row in session.execute(query.execution_options(populate_existing=True))]


@dataclass(frozen=True)
class Alarm:
    """What devices raised of a trip: the kind of its report and what it says."""

    trip_id: int
    kind: str
    found: str


def device_alarms(session: Session, trip_ids: Collection[int], wanted: Collection[tuple[str, str]]) -> list[Alarm]:
    """Which of some reports (kind, what it says) stand on the timelines of trips, each once."""
    rows = session.execute(
        text(
            """
            SELECT DISTINCT e.trip_id, e.kind, w.found
            FROM unnest(CAST(:kinds AS text[]), CAST(:found AS text[])) AS w (kind, found)
            JOIN app.trip_event e ON e.kind = w.kind
                AND coalesce(e.data ->> 'verdict', e.data ->> 'result', e.data ->> 'status') = w.found
            WHERE e.trip_id = ANY(:trip_ids) ORDER BY e.trip_id, e.kind, w.found
            """
        ),
        {
            "trip_ids": list(trip_ids),
            "kinds": [kind for kind, _ in wanted],
            "found": [found for _, found in wanted],
        },
    )
    return [Alarm(*row) for row in rows]


def entered_later(session: Session, trip_ids: Collection[int]) -> list[tuple[int, str]]:
    """The steps of trips that were done on paper and entered later: trip and step."""
    query = text(
        "SELECT trip_id, step FROM app.trip_step WHERE trip_id = ANY(:trip_ids) AND data ? 'entered_later' "
        "ORDER BY trip_id, step"
    )
    return [(row.trip_id, row.step) for row in session.execute(query, {"trip_ids": list(trip_ids)})]


def lock_station(session: Session, gate_id: str, station: str) -> None:
    """Let nobody else hand over or take at a station until the transaction ends."""
    key = {"key": f"handover {gate_id} {station}"}
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), key)


def find_open(session: Session, gate_id: str, station: str) -> HandoverRow | None:
    """The handover of a station that nobody took yet."""
    query = select(HandoverRow).where(
        HandoverRow.gate_id == gate_id, HandoverRow.station == station, HandoverRow.taken_at.is_(None)
    )
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def find_handover(session: Session, gate_id: str, handover_id: int) -> HandoverRow | None:
    """A handover at a gate."""
    query = select(HandoverRow).where(HandoverRow.gate_id == gate_id, HandoverRow.handover_id == handover_id)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def insert_handover(session: Session, values: Mapping[str, object]) -> int:
    """A new handover; its id."""
    row = HandoverRow(**values)
    session.add(row)
    session.flush()
    return row.handover_id


def update_handover(session: Session, handover_id: int, values: Mapping[str, object]) -> None:
    """Change a handover."""
    session.execute(
        update(HandoverRow)
        .where(HandoverRow.handover_id == handover_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
