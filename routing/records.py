"""What the schema `routing` holds, as records: gate settings, forecasts, measured queues."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from geo.errors import InvalidInputError
from geo.opening_hours import DAY_S, Interval, OpeningHours, format_intervals, parse_intervals
from routing.arrays import FloatArray
from routing.gates import Direction, GateSetting, Server, ServiceTime


@dataclass(frozen=True)
class StoredGateSetting:
    """A gate setting as planners edit it; `version` for `If-Match`.

    Hours are local: one interval a day (equal times: round the clock), `breaks` in it like "11:30–13:00", and
    `holidays`, ISO date → intervals of that day ("": closed). Several intervals a day are one with breaks.
    """

    gate_id: str
    direction: Direction
    lanes: int
    open_from: time
    open_to: time
    service_mean_s: float
    service_cv: float
    entrance_lanes: int
    entrance_service_mean_s: float
    entrance_service_cv: float
    dwell_mean_s: float
    dwell_cv: float
    version: int
    updated_at: datetime
    updated_by: int | None
    breaks: str = ""
    holidays: Mapping[str, str] = field(default_factory=dict)

    @property
    def hours(self) -> OpeningHours:
        """When the crossing works.

        Raises
        ------
        InvalidInputError
            If breaks or holidays cannot be read.
        """
        interval = f"{self.open_from.isoformat()}–{self.open_to.isoformat()}"
        return OpeningHours.parse(interval, breaks=self.breaks, holidays=self.holidays)

    def to_setting(self) -> GateSetting:
        """As the engine takes it; the entrance works round the clock, as yards do."""
        return GateSetting(
            gate_id=self.gate_id,
            direction=self.direction,
            crossing=Server(self.lanes, ServiceTime(self.service_mean_s, self.service_cv), self.hours),
            entrance=Server(
                self.entrance_lanes,
                ServiceTime(self.entrance_service_mean_s, self.entrance_service_cv),
            ),
            dwell=ServiceTime(self.dwell_mean_s, self.dwell_cv),
        )


def hours_columns(hours: OpeningHours) -> dict[str, Any]:
    """Opening hours as the columns of a gate setting: the whole day's interval, what is not worked of it as breaks.

    Raises
    ------
    InvalidInputError
        If there is no interval at all.
    """
    worked = parse_intervals(str(hours))
    if not worked:
        raise InvalidInputError("A gate needs an hour at which it is open.", field="open_from")
    gaps = [Interval(a.closes_s % DAY_S, b.opens_s) for a, b in itertools.pairwise(worked) if a.closes_s < b.opens_s]
    return {
        "open_from": _to_time(worked[0].opens_s),
        "open_to": _to_time(worked[-1].closes_s % DAY_S),
        "breaks": format_intervals(gaps),
        "holidays": hours.to_record()["holidays"],
    }


def _to_time(of_day_s: int) -> time:
    return time(of_day_s // 3600, of_day_s // 60 % 60, of_day_s % 60)


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
    state_summary: Mapping[str, Any]


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
