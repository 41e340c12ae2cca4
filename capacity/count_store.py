"""Counts of yards and what reads tell of who is inside. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from capacity import ledger_store as ledger_rows
from capacity.reconciling import Occupancy, Reads, estimate
from capacity.tables import CountRow
from geo.errors import ConflictError, NotFoundError

REMEMBERED = timedelta(days=7)
"""Reads that the estimate is made from."""
MIN_EXITS = 50
"""With fewer exits read in that time, reads are not held against what a person counted."""


@dataclass(frozen=True)
class Count:
    """Vehicles that a person counted in a yard; `expected_veh`, what the ledger made of that moment."""

    count_id: int
    yard_id: str
    time: datetime
    inside_veh: int
    expected_veh: int
    counted_by: int | None
    shift: str | None
    confirmed: bool
    undone_at: datetime | None


def list_counts(session: Session, yard_id: str, *, limit: int = 5) -> list[Count]:
    """The last counts of a yard, newest first, those that were taken back among them."""
    rows = session.scalars(
        select(CountRow).where(CountRow.yard_id == yard_id).order_by(CountRow.count_id.desc()).limit(limit)
    )
    return [_count(row) for row in rows]


def take_back_count(session: Session, yard_id: str, count_id: int, *, now: datetime, by: int | None) -> Count:
    """Undo the last count of a yard: what is inside is what it would be without it.

    Raises
    ------
    NotFoundError
        If the yard has no such count.
    ConflictError
        If it was taken back already, or is not the last one.
    """
    balance = ledger_rows.lock_balances(session).get(yard_id)
    row = session.get(CountRow, count_id, populate_existing=True)
    if balance is None or row is None or row.yard_id != yard_id:
        raise NotFoundError("There is no count {count_id} of the yard {yard_id}.", count_id=count_id, yard_id=yard_id)
    if row.undone_at is not None:
        raise ConflictError("The count of {time} was taken back already.", time=row.time.isoformat())
    standing = select(CountRow).where(CountRow.yard_id == yard_id, CountRow.undone_at.is_(None))
    last, *before = session.scalars(standing.order_by(CountRow.count_id.desc()).limit(2)).all()
    if last.count_id != count_id:
        raise ConflictError("A later count, of {time}, is already entered.", time=last.time.isoformat())
    kept = before[0] if before else None
    session.execute(update(CountRow).where(CountRow.count_id == count_id).values(undone_at=now, undone_by=by))
    after = replace(
        balance,
        unidentified_veh=balance.unidentified_veh - (row.inside_veh - row.expected_veh),
        counted_at=kept.time if kept else None,
        counted_veh=kept.inside_veh if kept else None,
        expected_veh=kept.expected_veh if kept else None,
    )
    ledger_rows.save_balances(session, {yard_id: after})
    session.refresh(row)
    return _count(row)


def _count(row: CountRow) -> Count:
    return Count(
        row.count_id,
        row.yard_id,
        row.time,
        row.inside_veh,
        row.expected_veh,
        row.counted_by,
        row.shift,
        row.confirmed,
        row.undone_at,
    )


def find_occupancy(session: Session, yard_id: str, now: datetime) -> Occupancy | None:
    """What reads and acts of the last week tell of how many are inside a yard; `None` if there are too few of them."""
    rows = session.execute(
        text(
            """
            WITH move AS (
                SELECT coalesce('v' || vehicle_id, 'p' || plate_norm) AS truck, kind, time
                FROM capacity.movement WHERE yard_id = :yard_id AND time BETWEEN :since AND :now
            ), seen AS (
                SELECT truck, kind, time, lead(kind) OVER w AS next_kind, lead(time) OVER w AS next_time,
                       lag(kind) OVER w AS last_kind
                FROM move WINDOW w AS (PARTITION BY truck ORDER BY time)
            )
            SELECT kind, extract(epoch FROM CAST(:now AS timestamptz) - time) AS age_s,
                   extract(epoch FROM next_time - time) AS stay_s,
                   kind = 'enter' AND next_kind = 'leave' AS is_matched,
                   kind = 'leave' AND last_kind IS DISTINCT FROM 'enter' AND last_kind IS DISTINCT FROM 'leave'
                       AS is_unmatched
            FROM seen WHERE kind = 'leave' OR next_kind IS DISTINCT FROM 'enter'
            """
        ),
        {"yard_id": yard_id, "since": now - REMEMBERED, "now": now},
    ).all()
    exits = [float(row.age_s) for row in rows if row.kind == "leave"]
    if len(exits) < MIN_EXITS:
        return None
    entries = [row for row in rows if row.kind == "enter"]
    return estimate(
        Reads(
            open_age_s=np.array([float(row.age_s) for row in entries if not row.is_matched]),
            stay_s=np.array([float(row.stay_s) for row in entries if row.is_matched]),
            entry_age_s=np.array([float(row.age_s) for row in entries]),
            exit_age_s=np.array(exits),
            unmatched_exits=sum(row.is_unmatched for row in rows),
        )
    )
