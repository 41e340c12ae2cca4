"""Queries of the stations. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, text
from sqlalchemy.orm import Session

from app.accounts.service import Organisation
from app.trips.scope import station_sees
from app.trips.service import IS_OPEN, Trip
from ingest.tables import LastPosition, Vehicle

_VEHICLE_KEY = "translate(v.plate_norm, 'DOQBISZG', '00081526') COLLATE \"C\""
_TRAILER_KEY = "translate(t.trailer_plate, 'DOQBISZG', '00081526') COLLATE \"C\""
"""`ingest.plates.lookalike_key`, written as in the indexes of migration 0014."""
_AT_GATE = "(CAST(:gate_id AS text) IS NULL OR t.gate_id = :gate_id)"
_LAST_SIGN = "\U0010ffff"


@dataclass(frozen=True)
class PlatedTrip:
    """A trip with the plate of its truck, as written and in normal form, its enterprise, and where the truck is."""

    trip: Trip
    plate: str
    plate_norm: str
    organisation: str
    km: float | None
    site_id: str | None


def trips_by_lookalike(session: Session, key: str, gate_id: str | None, *, limit: int) -> Sequence[int]:
    """Open trips of a gate (`None`: all gates) whose truck's or trailer's lookalike key begins or ends with `key`.

    Ranges rather than LIKE, so that the indexes serve prepared statements too.
    """
    rows = session.execute(
        text(
            f"""
            SELECT t.trip_id FROM ingest.vehicle v JOIN app.trip t ON t.vehicle_id = v.vehicle_id AND t.{IS_OPEN}
            WHERE {_between(_VEHICLE_KEY)} AND {_AT_GATE}
            UNION
            SELECT t.trip_id FROM app.trip t
            WHERE t.trailer_plate IS NOT NULL AND t.{IS_OPEN} AND {_between(_TRAILER_KEY)} AND {_AT_GATE}
            LIMIT :limit
            """  # noqa: S608 - constants of this module
        ),
        {
            "low": key,
            "high": key + _LAST_SIGN,
            "end_low": key[::-1],
            "end_high": key[::-1] + _LAST_SIGN,
            "gate_id": gate_id,
            "limit": limit,
        },
    )
    return list(rows.scalars())


def _between(key: str) -> str:
    return f"(({key} >= :low AND {key} < :high) OR (reverse({key}) >= :end_low AND reverse({key}) < :end_high))"


def find_trips(
    session: Session,
    visible: ColumnElement[bool],
    *,
    trip_ids: Sequence[int] | None = None,
    code: str | None = None,
    limit: int | None = None,
) -> list[PlatedTrip]:
    """Visible trips, of some ids or a code if given."""
    query: Select[*tuple[Any, ...]] = (
        select(  # in the order of the fields of PlatedTrip
            Trip,
            Vehicle.plate,
            Vehicle.plate_norm,
            Organisation.name,
            LastPosition.km,
            LastPosition.site_id,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(LastPosition, and_(LastPosition.vehicle_id == Trip.vehicle_id, station_sees()))
        .where(visible)
    )
    if code is not None:
        query = query.where(Trip.code == code)
    if trip_ids is not None:
        query = query.where(Trip.trip_id.in_(trip_ids))
    return [PlatedTrip(*row) for row in session.execute(query.limit(limit))]
