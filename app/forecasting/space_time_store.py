"""The query behind the space–time map. Nothing here commits."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.fixes import Status
from ingest.fixes import FLAG_JUMP, FLAG_SECOND


class CellSpeed(NamedTuple):
    """Speeds of the trucks on a piece of road in a span of time: `column` counts time steps since 1970, `cell` from
    kilometre 0 of the road."""

    column: int
    road_id: int
    cell: int
    sum_mps: float
    fixes: int


_SPEEDS = text(
    """
    SELECT floor(extract(epoch FROM time) / :step_s)::int, road_id, floor(km / :cell_km)::int, sum(speed_mps), count(*)
    FROM ingest.fix
    WHERE time >= :since AND time < :until AND km < :reach_km AND direction >= 0
        AND status = :on_road AND speed_mps IS NOT NULL AND flags & :doubted = 0
    GROUP BY 1, 2, 3
    """
)


def cell_speeds(
    session: Session, since: datetime, until: datetime, *, step_s: int, cell_km: float, reach_km: float
) -> list[CellSpeed]:
    """Speeds in [`since`, `until`) of what does not drive away from the border, below the kilometre `reach_km`."""
    asked = {
        "since": since,
        "until": until,
        "step_s": step_s,
        "cell_km": cell_km,
        "reach_km": reach_km,
        "on_road": int(Status.ON_ROAD),
        "doubted": FLAG_JUMP | FLAG_SECOND,
    }
    return [CellSpeed(*row) for row in session.execute(_SPEEDS, asked)]
