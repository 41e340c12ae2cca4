"""Queries behind the public page of a trip. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from app.trips.service import Trip
from ingest.tables import Vehicle


@dataclass(frozen=True)
class PublicTripRow:
    """What of a trip may be told to whoever has its code: nothing that names people, goods or places on the way.

    `plate_end` are the last two characters of the plate.
    """

    trip_id: int
    code: str
    gate_id: str
    direction: str
    stage: str
    stage_since: datetime
    simulated: bool
    plate_end: str


_OF_CODE: Final = (
    select(
        Trip.trip_id,
        Trip.code,
        Trip.gate_id,
        Trip.direction,
        Trip.stage,
        Trip.stage_since,
        Trip.simulated,
        func.right(Vehicle.plate_norm, 2).label("plate_end"),
    )
    .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
    .where(Trip.code == bindparam("code"))
)


def find_public_trip(session: Session, code: str) -> PublicTripRow | None:
    """The trip of a code, as the public may see it."""
    row = session.connection().execute(_OF_CODE, {"code": code}).one_or_none()
    return None if row is None else PublicTripRow(*row)
