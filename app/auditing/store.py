"""What the audit log's objects are called, and which of them a query names. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.platform.search import matches
from app.trips.codes import find_code
from app.trips.service import Trip
from ingest.tables import Vehicle

MAX_NAMED = 500


@dataclass(frozen=True)
class NamedTrips:
    """Trips and vehicles that a query names by code or plate."""

    trip_ids: frozenset[int]
    vehicle_ids: frozenset[int]


def trips_named(session: Session, query: str) -> NamedTrips:
    """Trips by code, plate of the truck or of the trailer, or a part of these; vehicles by plate."""
    trips = select(Trip.trip_id).join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
    named = or_(
        Trip.code == find_code(query),
        matches(query, Trip.code, Vehicle.plate, Vehicle.plate_norm, Trip.trailer_plate),
    )
    vehicles = select(Vehicle.vehicle_id).where(matches(query, Vehicle.plate, Vehicle.plate_norm))
    return NamedTrips(
        frozenset(session.scalars(trips.where(named).order_by(Trip.trip_id.desc()).limit(MAX_NAMED))),
        frozenset(session.scalars(vehicles.order_by(Vehicle.vehicle_id.desc()).limit(MAX_NAMED))),
    )


def trip_names(session: Session, trip_ids: Collection[int]) -> dict[int, str]:
    """Plate and code of trips."""
    query = select(Trip.trip_id, Vehicle.plate, Trip.code).join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
    rows = session.execute(query.where(Trip.trip_id.in_(trip_ids)))
    return {trip_id: f"{plate} · {code}" for trip_id, plate, code in rows}


def plates(session: Session, vehicle_ids: Collection[int]) -> dict[int, str]:
    """Plates of vehicles."""
    rows = session.execute(select(Vehicle.vehicle_id, Vehicle.plate).where(Vehicle.vehicle_id.in_(vehicle_ids)))
    return {vehicle_id: plate for vehicle_id, plate in rows}
