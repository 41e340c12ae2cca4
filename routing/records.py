"""What the schema `routing` holds, as records: forecasts, measured queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from routing.arrays import FloatArray


@dataclass(frozen=True)
class GateForecast:
    """A stored forecast for one gate: arrays [quantile][T] sampled every `step_s` from `made_at` on."""

    forecast_id: int
    gate_id: str
    made_at: datetime
    seed: int
    code_version: str
    runs: int
    horizon_s: float
    step_s: float
    quantiles: tuple[float, ...]
    queue_veh: FloatArray
    wait_s: FloatArray
    tail_km: FloatArray
    duration_ms: float
    state_summary: Mapping[str, object]


@dataclass(frozen=True)
class YardForecast:
    """A stored forecast for one yard."""

    forecast_id: int
    yard_id: str
    made_at: datetime
    step_s: float
    quantiles: tuple[float, ...]
    occupancy_veh: FloatArray


@dataclass(frozen=True)
class QueueObservation:
    """A measured queue."""

    gate_id: str
    time: datetime
    queue_veh: float
    tail_km: float
    speed_mps: float | None
