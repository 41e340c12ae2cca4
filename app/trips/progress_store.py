"""Queries for the trips to settle beside those of which something came in. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.trips.tables import IS_OPEN
from app.trips.vocabulary import PlaceKind, Stage


def displaced_trips(session: Session, vehicle_id: int | None = None) -> list[int]:
    """Trips under way whose truck is on another trip of the same enterprise, because an officer handled that one.

    Arguments: `vehicle_id`, one truck; left out, all.
    """
    of_truck = "" if vehicle_id is None else "AND c.vehicle_id = :vehicle_id"
    query = text(
        f"""
        SELECT t.trip_id FROM app.current_trip c JOIN app.trip n ON n.trip_id = c.trip_id
        JOIN app.trip t ON t.vehicle_id = c.vehicle_id AND t.trip_id <> c.trip_id AND t.{IS_OPEN}
        WHERE t.stage <> :planned AND t.organisation_id = n.organisation_id {of_truck}
        ORDER BY t.trip_id
        """  # noqa: S608 - constants of this package
    )
    named = {} if vehicle_id is None else {"vehicle_id": vehicle_id}
    return list(session.scalars(query, {"planned": Stage.PLANNED, **named}))


def fallen_silent(session: Session, windows: Mapping[str, tuple[datetime | None, datetime]]) -> list[int]:
    """Open trips whose last position passed an age since the last look, by the kind of place that silence ends.

    Arguments: for each kind of place (`PlaceKind`), the span of last positions, `None`: from ever.
    """
    found: list[int] = []
    for kind, (since, until) in windows.items():
        query = text(
            f"""
            SELECT t.trip_id FROM app.trip_place w JOIN app.trip t USING (trip_id)
            LEFT JOIN ingest.last_position p ON p.vehicle_id = t.vehicle_id
            WHERE w.ended_at IS NULL AND w.kind = :kind AND t.{IS_OPEN}
                AND greatest(p.time, w.began_at) <= :until
                AND (CAST(:since AS timestamptz) IS NULL OR greatest(p.time, w.began_at) > :since)
            ORDER BY t.trip_id
            """  # noqa: S608 - IS_OPEN is a constant of this package
        )
        found += session.scalars(query, {"kind": kind, "since": since, "until": until})
    return found


def unconfirmed(session: Session, known_since: datetime) -> list[int]:
    """Open trips whose GPS stands in a yard since lately, but which are not counted there.

    What says how they came may reach us after that: phones and trackers empty their buffers in any order.
    """
    query = text(
        f"""
        SELECT t.trip_id FROM app.trip t
        JOIN app.trip_place w ON w.trip_id = t.trip_id AND w.ended_at IS NULL AND NOT w.kind = ANY(:inside)
        CROSS JOIN LATERAL (SELECT s.place_kind, s.known_at FROM app.trip_sight s WHERE s.trip_id = t.trip_id
                            ORDER BY s.time DESC, s.sight_id DESC LIMIT 1) s
        WHERE t.{IS_OPEN} AND s.place_kind = :yard AND s.known_at > :known_since
        ORDER BY t.trip_id
        """  # noqa: S608 - IS_OPEN is a constant of this package
    )
    inside = [kind.value for kind in PlaceKind.inside()]
    return list(session.scalars(query, {"inside": inside, "yard": PlaceKind.YARD.value, "known_since": known_since}))
