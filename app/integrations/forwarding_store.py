"""Queries for positions that are forwarded. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from app.integrations.tables import OutMessageRow
from app.integrations.vocabulary import OutStatus


@dataclass(frozen=True)
class UnsentFix:
    """A position that was not put down to be sent; `subject` names vehicle and moment."""

    subject: str
    vehicle_id: int
    time: datetime
    lat: float
    lon: float
    speed_mps: float | None
    heading_deg: float | None
    accuracy_m: float | None


def unsent_fixes(session: Session, neighbour: str, begins: Mapping[int, datetime], limit: int) -> list[UnsentFix]:
    """Positions of vehicles, of each since its own time, that are not in the outbox of a neighbour; oldest first."""
    rows = session.execute(
        text(
            """
            SELECT s.subject, f.vehicle_id, f.time, ST_Y(f.geom), ST_X(f.geom), f.speed_mps, f.heading_deg, f.accuracy_m
            FROM unnest(CAST(:vehicle_ids AS integer[]), CAST(:begins AS timestamptz[])) AS wanted (vehicle_id, begin)
            JOIN ingest.fix f ON f.vehicle_id = wanted.vehicle_id AND f.time >= wanted.begin
                AND f.time >= CAST(:earliest AS timestamptz)
            CROSS JOIN LATERAL (
                SELECT f.vehicle_id || '@' || to_char(f.time AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSMS')) AS s (subject)
            WHERE NOT EXISTS (
                SELECT FROM app.neighbour_outbox o WHERE o.neighbour = :neighbour AND o.subject = s.subject)
            ORDER BY f.time LIMIT :limit
            """
        ),
        {
            "neighbour": neighbour,
            "vehicle_ids": list(begins),
            "begins": list(begins.values()),
            "earliest": min(begins.values()),
            "limit": limit,
        },
    )
    return [UnsentFix(*row) for row in rows]


def refused(session: Session, neighbour: str) -> set[str]:
    """What messages that a neighbour refused, and nobody has mended yet, are about."""
    found = session.scalars(
        select(OutMessageRow.about)
        .where(OutMessageRow.neighbour == neighbour, OutMessageRow.status == OutStatus.DEAD)
        .distinct()
    )
    return set(found)


def drop_waiting(session: Session, neighbour: str, about: Collection[str], now: datetime) -> None:
    """Let go of what waits or was given up of a neighbour and is about anything else than these."""
    session.execute(
        update(OutMessageRow)
        .where(
            OutMessageRow.neighbour == neighbour,
            OutMessageRow.status.in_((OutStatus.WAITING, OutStatus.DEAD)),
            OutMessageRow.about.not_in(about),
        )
        .values(status=OutStatus.DROPPED, mended_at=now)
    )
