"""Queries of the stations. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, select, text
from sqlalchemy.orm import Session

from app.accounts.service import Organisation
from app.trips.service import IS_OPEN, Trip
from ingest.tables import LastPosition, Vehicle

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

_VEHICLE_KEY = "translate(v.plate_norm, 'DOQBISZG', '00081526') COLLATE \"C\""
_TRAILER_KEY = "translate(t.trailer_plate, 'DOQBISZG', '00081526') COLLATE \"C\""
"""`ingest.plates.lookalike_key`, written as in the indexes of migration 0014."""
_AT_GATE = "(CAST(:gate_id AS text) IS NULL OR t.gate_id = :gate_id)"
_LAST_SIGN = "\U0010ffff"


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
    session: Session, visible: ColumnElement[bool], *, trip_ids: Sequence[int] = (), code: str | None = None
) -> Sequence[AnyRow]:
    """Visible trips by id or by code, with plate, enterprise and where the truck is."""
    query = (
        select(
            Trip,
            Vehicle.plate,
            Vehicle.plate_norm,
            Organisation.name.label("organisation"),
            LastPosition.time.label("position_time"),
            LastPosition.km,
            LastPosition.site_id,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(LastPosition, LastPosition.vehicle_id == Trip.vehicle_id)
        .where(visible)
    )
    query = query.where(Trip.code == code) if code is not None else query.where(Trip.trip_id.in_(trip_ids))
    return session.execute(query).all()
