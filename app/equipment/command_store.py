"""Queries on commands to barriers beside those of `store`. Nothing here commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.equipment.tables import BarrierCommand, Equipment


def command_since(session: Session, trip_id: int, station: str, since: datetime) -> BarrierCommand | None:
    """The last command for a trip to a barrier of a station at or after a time."""
    query = (
        select(BarrierCommand)
        .join(Equipment, Equipment.equipment_id == BarrierCommand.equipment_id)
        .where(BarrierCommand.trip_id == trip_id, Equipment.station == station, BarrierCommand.requested_at >= since)
        .order_by(BarrierCommand.command_id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()
