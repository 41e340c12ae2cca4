"""Queries behind the public page of a trip. Nothing here commits."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.notifications.store import AnyRow
from app.trips.service import Trip
from ingest.tables import Vehicle

# One trip, for the public and on pages


def find_public_trip(session: Session, code: str) -> AnyRow | None:
    """What of a trip may be told to whoever has its code: nothing that names people, goods or places on the way."""
    query = (
        select(
            Trip.code,
            Trip.gate_id,
            Trip.direction,
            Trip.stage,
            Trip.stage_since,
            Trip.simulated,
            func.right(Vehicle.plate_norm, 2).label("plate_end"),
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .where(Trip.code == code)
    )
    return session.execute(query).one_or_none()
