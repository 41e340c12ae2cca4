"""Queries on learned paces. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.forecasting.learned_tables import LearnedPaceRow


@dataclass(frozen=True)
class LearnedPace:
    """The usual rate of a gate (exports an hour) with the standard deviation of its logarithm, from `served_veh` trucks
    seen while somebody waited, when `set_veh_per_h` was what its profile let expect."""

    learned_at: datetime
    usual_veh_per_h: float
    log_sd: float
    set_veh_per_h: float
    served_veh: float


def learned_paces(session: Session) -> dict[str, LearnedPace]:
    """What was learned, by gate."""
    return {
        row.gate_id: LearnedPace(row.learned_at, row.usual_veh_per_h, row.log_sd, row.set_veh_per_h, row.served_veh)
        for row in session.scalars(select(LearnedPaceRow))
    }


def save_paces(session: Session, paces: Mapping[str, LearnedPace]) -> None:
    """Keep paces in place of what was known of their gates."""
    if not paces:
        return
    query = insert(LearnedPaceRow).values([{"gate_id": gate_id, **vars(pace)} for gate_id, pace in paces.items()])
    changed = {name: query.excluded[name] for name in vars(next(iter(paces.values())))}
    session.execute(query.on_conflict_do_update(index_elements=["gate_id"], set_=changed))
