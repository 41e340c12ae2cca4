"""A closure played through the traffic engine on the corridor now, beside the same worlds without it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from app.forecasting.places_ahead import places_ahead
from app.measures.order_effects import look
from app.trips.places import Places
from app.yards.zone_schemas import BeforeAfter, MaybeBeforeAfter, PlayedClosure
from capacity import store as capacity_store
from capacity.zones import Closure
from geo.corridor import Corridor
from routing.acts import MAX_COUNTED_S, Closed, Laboratory, Trial
from routing.arrays import FloatArray

RUNS: Final = 32
"""As many as rank acts in earnest on a busy state, twice at most: the page waits for them."""
RANGE: Final = (0.1, 0.9)
MAX_WAIT_H: Final = MAX_COUNTED_S / 3600.0
"""Who is not served by then is not counted any further: how long it would wait nobody can tell."""


def play(session: Session, corridor: Corridor, closure: Closure, now: datetime) -> PlayedClosure | None:
    """What becomes of queue and wait at the gate of a yard; `None` if nobody looks at the corridor now."""
    found = look(session, corridor, Places.of(corridor), now)
    if isinstance(found, str) or closure.yard_id not in found.laboratory.network.yard_ids:
        return None
    laboratory = found.laboratory
    begin = laboratory.state.made_at
    places = places_ahead(session, begin, timedelta(seconds=laboratory.horizon_s), beside=[closure])
    end = now + timedelta(seconds=laboratory.horizon_s)
    gate_id = capacity_store.get_yard(session, closure.yard_id).gate_id
    return compare(
        laboratory,
        gate_id,
        Closed(closure.yard_id, places[closure.yard_id]),
        is_whole=closure.since <= now and (closure.until is None or closure.until >= end),
        begins_later=closure.since >= end,
    )


def compare(
    laboratory: Laboratory,
    gate_id: str,
    closed: Closed,
    *,
    is_whole: bool,
    begins_later: bool = False,
    runs: int = RUNS,
) -> PlayedClosure:
    """Both worlds side by side, on the same random numbers."""
    trial = laboratory.run([(), (closed,)], runs)
    gate = trial.gate_ids.index(gate_id)
    more_h = trial.hours[:, 1] - trial.hours[:, 0]
    low, high = np.quantile(more_h, RANGE)
    queues = np.median(trial.queue_veh[:, :, gate], axis=0).max(axis=-1)
    hours = trial.queue_hours[:, :, gate].mean(axis=0)
    return PlayedClosure(
        runs=runs,
        horizon_h=laboratory.horizon_s / 3600.0,
        is_whole=is_whole,
        begins_later=begins_later,
        longest_queue_veh=_rounded(queues),
        longest_wait_h=_waits(trial, gate),
        queue_h=_rounded(hours),
        more_h=round(float(more_h.mean()), 1),
        more_h_low=round(float(low), 1),
        more_h_high=round(float(high), 1),
    )


def _rounded(values: FloatArray) -> BeforeAfter:
    return BeforeAfter(before=round(float(values[0]), 1), after=round(float(values[1]), 1))


def _waits(trial: Trial, gate: int) -> MaybeBeforeAfter:
    longest_h = np.median(trial.wait_s[:, :, gate], axis=0).max(axis=-1) / 3600.0
    before, after = (round(float(hours), 2) if hours <= MAX_WAIT_H else None for hours in longest_h)
    return MaybeBeforeAfter(before=before, after=after)
