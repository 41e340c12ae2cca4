"""Queries of events that planners know to change who comes. Nothing here commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.forecasting.demand_events import DemandEvent
from app.forecasting.event_tables import DemandEventRow


def list_events(session: Session, *, since: datetime) -> list[DemandEvent]:
    """Events that nobody withdrew and that end after a moment, by their beginning."""
    query = (
        select(DemandEventRow)
        .where(DemandEventRow.ends_at > since, DemandEventRow.withdrawn_at.is_(None))
        .order_by(DemandEventRow.starts_at, DemandEventRow.event_id)
        .execution_options(populate_existing=True)
    )
    return [_event(row) for row in session.scalars(query)]


def insert_event(session: Session, event: DemandEvent, *, created_by: int | None, now: datetime) -> int:
    """Keep a new event; its id."""
    row = DemandEventRow(
        gate_id=event.gate_id,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        factor=event.factor,
        cause=event.cause,
        created_by=created_by,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row.event_id


def withdraw_event(session: Session, event_id: int, now: datetime) -> DemandEvent | None:
    """Take an event back; the event, or None if there is none, or none any more."""
    query = select(DemandEventRow).where(DemandEventRow.event_id == event_id, DemandEventRow.withdrawn_at.is_(None))
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None:
        return None
    row.withdrawn_at = now
    session.flush()
    return _event(row)


def _event(row: DemandEventRow) -> DemandEvent:
    return DemandEvent(row.gate_id, row.starts_at, row.ends_at, row.factor, row.cause, row.event_id)
