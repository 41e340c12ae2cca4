"""The query of what was recorded of drives over roads. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class RecordedDrive:
    """A vehicle's drive over a road, from its first to its last placed fix there."""

    road_id: int
    begin: datetime
    time_s: float
    length_m: float
    slowest_mps: float | None


def drives(session: Session, *, since: datetime, until: datetime) -> list[RecordedDrive]:
    """All drives of which two fixes or more were placed on the road, in order of time."""
    rows = session.execute(
        text(
            """
            WITH placed AS (
                SELECT vehicle_id, time, road_id, offset_m, speed_mps,
                       lag(road_id) OVER truck IS DISTINCT FROM road_id
                           OR time - lag(time) OVER truck > interval '10 minutes' AS is_new
                FROM ingest.fix
                WHERE time >= :since AND time < :until AND road_id IS NOT NULL AND offset_m IS NOT NULL AND status = 0
                WINDOW truck AS (PARTITION BY vehicle_id ORDER BY time)
            ), numbered AS (
                SELECT *, count(*) FILTER (WHERE is_new) OVER (PARTITION BY vehicle_id ORDER BY time) AS drive
                FROM placed
            )
            SELECT road_id, min(time) AS begin, extract(epoch FROM max(time) - min(time)) AS time_s,
                   (array_agg(offset_m ORDER BY time DESC))[1] - (array_agg(offset_m ORDER BY time))[1] AS length_m,
                   min(speed_mps) AS slowest_mps
            FROM numbered GROUP BY vehicle_id, drive, road_id HAVING count(*) > 1
            ORDER BY begin, vehicle_id
            """
        ),
        {"since": since, "until": until},
    )
    return [
        RecordedDrive(row.road_id, row.begin, float(row.time_s), float(row.length_m), row.slowest_mps) for row in rows
    ]
