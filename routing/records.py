"""What the schema `routing` holds, as records: forecasts, measured queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from routing.arrays import FloatArray

BAND = (0.1, 0.5, 0.9)
"""The quantiles that people are shown."""


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

    def step_at(self, moment: datetime) -> int:
        """The sample nearest to a moment: the first before the forecast was made, the last after its end."""
        nearest = round((moment - self.made_at).total_seconds() / self.step_s)
        return max(0, min(nearest, int(self.wait_s.shape[1]) - 1))

    def at(self, values: FloatArray, moment: datetime) -> tuple[float, float, float]:
        """The quantiles 0.1, 0.5, 0.9 of `values`, a field of this forecast, at the sample nearest to a moment."""
        step = self.step_at(moment)
        low, middle, high = (float(values[self.row_of(quantile), step]) for quantile in BAND)
        return low, middle, high

    def row_of(self, quantile: float) -> int:
        """The row of the arrays that is nearest to a quantile."""
        return min(range(len(self.quantiles)), key=lambda row: abs(self.quantiles[row] - quantile))


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
