"""Since when each truck has driven without a break, kept up from last positions. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.tracking.driving_hours import MAX_DRIVING, MIN_BREAK, WARN_BEFORE, Driving
from app.trips.service import Trip, is_current
from geo.motion import MOVING_MPS


@dataclass(frozen=True, slots=True)
class DueDriving:
    """A truck whose driver is to be warned."""

    vehicle_id: int
    plate: str
    driving: Driving


def keep_drivings(session: Session, now: datetime) -> int:
    """Take account of last positions since the last call; how many trucks drove."""
    result = session.execute(
        text(
            """
            INSERT INTO app.driving_spell AS known (vehicle_id, since, moved_at)
            SELECT vehicle_id, time, time FROM ingest.last_position
            WHERE device_id > 0 AND speed_mps >= :moving_mps AND time > CAST(:now AS timestamptz) - :pause
            ON CONFLICT (vehicle_id) DO UPDATE SET
                since = CASE WHEN excluded.moved_at - known.moved_at >= :pause THEN excluded.since ELSE known.since END,
                warned_at = CASE WHEN excluded.moved_at - known.moved_at >= :pause THEN NULL ELSE known.warned_at END,
                moved_at = excluded.moved_at
            WHERE excluded.moved_at > known.moved_at
            """
        ),
        {"moving_mps": MOVING_MPS, "now": now, "pause": MIN_BREAK},
    )
    return int(getattr(result, "rowcount", 0))


def take_due(session: Session, now: datetime) -> list[DueDriving]:
    """Trucks near or beyond the limit of which nobody was warned yet; they are warned of by this."""
    rows = session.execute(
        text(
            """
            UPDATE app.driving_spell s SET warned_at = :now FROM ingest.vehicle v
            WHERE v.vehicle_id = s.vehicle_id AND s.warned_at IS NULL
                AND CAST(:now AS timestamptz) - s.since >= :limit AND CAST(:now AS timestamptz) - s.moved_at < :pause
            RETURNING s.vehicle_id, v.plate, s.since, s.moved_at
            """
        ),
        {"now": now, "limit": MAX_DRIVING - WARN_BEFORE, "pause": MIN_BREAK},
    )
    return [DueDriving(row[0], row[1], Driving(row[2], row[3])) for row in rows]


def organisations_of_trips(session: Session, vehicle_id: int) -> list[int]:
    """The organisations whose trip a truck is on."""
    query = select(Trip.organisation_id).where(Trip.vehicle_id == vehicle_id, is_current())
    return [organisation_id for organisation_id in session.scalars(query) if organisation_id is not None]


def find_driving(session: Session, vehicle_id: int) -> Driving | None:
    """The last time of driving of a truck."""
    row = session.execute(
        text("SELECT since, moved_at FROM app.driving_spell WHERE vehicle_id = :vehicle_id"), {"vehicle_id": vehicle_id}
    ).first()
    return None if row is None else Driving(*row)
