"""Queries of stays in yards, and of what was learned from them. Nothing here commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.forecasting.learned_tables import StayEstimateRow
from app.forecasting.stays import StayEstimate, YardStay
from app.trips.vocabulary import Direction


def yard_stays(session: Session, *, since: datetime, now: datetime) -> list[YardStay]:
    """Exports that came into yards since a moment, in order; what happened after `now` is not told.

    A truck of no trip is taken for an export. Of several reports that it came, the last before it left counts, as for
    the ledger.
    """
    rows = session.execute(
        text(
            """
            WITH moved AS (
                SELECT m.yard_id, m.vehicle_id, m.kind, m.time,
                       lead(m.kind) OVER truck AS next_kind, lead(m.time) OVER truck AS next_time
                FROM capacity.movement m
                WHERE m.time > :since AND m.vehicle_id IS NOT NULL
                WINDOW truck AS (PARTITION BY m.yard_id, m.vehicle_id ORDER BY m.time, m.movement_id)
            )
            SELECT y.gate_id, m.time, CASE WHEN m.next_time <= :now THEN m.next_time END, coalesce(t.perishable, false)
            FROM moved m JOIN capacity.yard y ON y.yard_id = m.yard_id AND y.kind = 'yard'
            LEFT JOIN LATERAL (
                SELECT t.direction, t.perishable FROM app.trip t
                WHERE t.vehicle_id = m.vehicle_id AND t.created_at <= m.time
                ORDER BY t.created_at DESC LIMIT 1) t ON true
            WHERE m.kind = 'enter' AND m.time <= :now AND m.next_kind IS DISTINCT FROM 'enter'
                AND coalesce(t.direction, :export) = :export
                AND (m.next_kind = 'leave' OR EXISTS (
                    SELECT FROM capacity.presence p
                    WHERE p.yard_id = m.yard_id AND p.vehicle_id = m.vehicle_id AND p.left_at IS NULL))
            ORDER BY m.time, m.vehicle_id
            """
        ),
        {"since": since, "now": now, "export": Direction.EXPORT},
    )
    return [YardStay(*row) for row in rows]


def save_estimates(session: Session, found: dict[str, StayEstimate], now: datetime) -> None:
    """Keep what was learned, in place of what was before."""
    for estimate in found.values():
        values = {name: getattr(estimate, name) for name in StayEstimate.__dataclass_fields__} | {"learned_at": now}
        values |= {"factors": list(estimate.factors), "group_trucks": list(estimate.group_trucks)}
        statement = insert(StayEstimateRow).values(values)
        session.execute(statement.on_conflict_do_update(index_elements=["gate_id"], set_=values))


def estimates(session: Session) -> dict[str, StayEstimate]:
    """What was learned last of each gate."""
    return {
        row.gate_id: StayEstimate(
            row.gate_id,
            row.mean_s,
            row.low_s,
            row.high_s,
            row.cv,
            row.trucks,
            row.unfinished,
            tuple(row.factors),
            tuple(row.group_trucks),
        )
        for row in session.scalars(select(StayEstimateRow).execution_options(populate_existing=True))
    }


def learned_at(session: Session) -> datetime | None:
    """When it was learned last, if ever."""
    return session.scalar(select(StayEstimateRow.learned_at).order_by(StayEstimateRow.learned_at.desc()).limit(1))
