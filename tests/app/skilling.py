"""Forecasts and what came of them, without running the traffic engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import numpy as np

from app.forecasting.state import CorridorNow
from capacity.ledger import YardState
from routing.demand import CorridorState
from routing.forecast import Forecast
from routing.measure import QueueNow

GATE, YARD = "huu-nghi", "xuan-cuong"
STEP_S = 300.0
SAMPLES = 73


def corridor_now(now: datetime, queue_veh: float, inside_veh: int = 40, trips: Sequence[int] = ()) -> CorridorNow:
    """A corridor with one gate, one yard and a row for each trip."""
    n = len(trips)
    state = CorridorState(
        made_at=now,
        road_id=np.zeros(n, np.int64),
        offset_m=np.zeros(n),
        speed_mps=np.full(n, 10.0),
        gate=np.zeros(n, np.int64),
    )
    queue = QueueNow(
        queue_veh=np.array([queue_veh]),
        seen_veh=np.array([queue_veh]),
        tail_km=np.array([1.0 + queue_veh / 50]),
        tail_m=np.zeros(1),
        speed_mps=np.ones(1),
        member=np.full(n, -1, np.int64),
        served_offset_km=np.zeros(1),
    )
    yard = YardState(YARD, GATE, "yard", 400, inside_veh, 0, 400 - inside_veh, inside_veh, 0, now)
    return CorridorNow(state, (), dict(enumerate(trips)), (yard,), (GATE,), queue)


def forecast_of(
    now: datetime,
    queue_veh: Sequence[float] | float,
    *,
    spread: float = 5.0,
    wait_s: float = 1800.0,
    inside_veh: float = 40.0,
    entrance_s: Sequence[float] = (),
    free_s: Sequence[float] = (),
) -> Forecast:
    """A forecast whose median queue is as given, everything else constant."""
    median = np.broadcast_to(np.asarray(queue_veh, float), (SAMPLES,))
    most = np.maximum.accumulate(median)

    def band(values: Any, width: float) -> np.ndarray:
        values = np.broadcast_to(np.asarray(values, float), (SAMPLES,))
        return np.stack([np.maximum(values - width, 0.0), values, values + width])[:, None]

    def trucks(values: Sequence[float], share: float) -> np.ndarray:
        return np.array([(1 - share) * np.array(values), np.array(values), (1 + share) * np.array(values)]).reshape(
            3, -1
        )

    return Forecast(
        made_at=now,
        seed=1,
        runs=10,
        horizon_s=(SAMPLES - 1) * STEP_S,
        step_s=STEP_S,
        duration_s=0.1,
        code_version="test",
        quantiles=(0.1, 0.5, 0.9),
        gate_ids=(GATE,),
        yard_ids=(YARD,),
        queue_veh=band(median, spread),
        wait_s=band(wait_s, 300.0),
        tail_km=band(1.0 + median / 50, 0.2),
        occupancy_veh=band(inside_veh, 3.0),
        queue_reached_veh=band(most, spread),
        tail_reached_km=band(1.0 + most / 50, 0.2),
        truck_entrance_s=trucks(entrance_s, 0.2),
        truck_free_s=trucks(free_s, 0.0),
        summary={},
    )


def measured(queue_veh: float, tail_km: float) -> Any:
    """What `routing.store.save_queue_observations` takes, of one gate."""
    return SimpleNamespace(queue_veh=np.array([queue_veh]), tail_km=np.array([tail_km]), speed_mps=np.array([np.nan]))
