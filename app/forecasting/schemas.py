"""What is answered of forecasts. Arrays are [quantile][time]; they go out by orjson, too many numbers for a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Self, TypeAlias

import numpy as np
from pydantic import GetPydanticSchema, WithJsonSchema
from pydantic_core import core_schema

from app.dispatch.policy import AdvicePolicy
from app.dispatch.severity import severities
from app.dispatch.vocabulary import Severity
from app.forecasting.service import FORECAST_WITHIN, MEASURED_WITHIN, OLD_AFTER
from app.forecasting.skill import GateSkill
from app.forecasting.skill_schemas import FallbackOut
from app.forecasting.skill_wording import SkillWording
from routing.arrays import FloatArray
from routing.store import GateForecast, QueueObservation, YardForecast

LEADS_S: Final = (0.0, 1800.0, 3600.0, 7200.0, 10800.0, 21600.0)
"""Lead times of which a kept forecast is told in lists."""


_NUMBER: Final = {"anyOf": [{"type": "number"}, {"type": "null"}]}
Grid: TypeAlias = Annotated[
    FloatArray,
    GetPydanticSchema(lambda _source, _handler: core_schema.any_schema()),
    WithJsonSchema({"type": "array", "items": {"type": "array", "items": _NUMBER}}),
]
"""Numbers by [quantile][time], as they are written without being checked again."""


@dataclass(frozen=True)
class QueueOut:
    """The queue of a gate as it was measured, which is told as the present one until `current_until`."""

    time: datetime
    queue_veh: float
    tail_km: float
    speed_mps: float | None
    current_until: datetime


@dataclass(frozen=True)
class ForecastOut:
    """A gate's forecast as the contract names its fields; `now` is the queue as measured last.

    From `old_from` on it is said to be old, and after `current_until` it says nothing of the present.
    `skill` says in a sentence how good such forecasts were ("" before any was scored), `fallbacks` where the model has
    lost its skill and what is published in its place.
    """

    forecast_id: int
    gate: str
    made_at: str
    step_s: float
    horizon_s: float
    quantiles: tuple[float, ...]
    queue_veh: Grid
    wait_s: Grid
    tail_km: Grid
    seed: int
    runs: int
    code_version: str
    duration_s: float
    made_from: Mapping[str, object]
    now: QueueOut | None
    skill: str
    fallbacks: tuple[FallbackOut, ...]
    severity: list[Severity | None]
    """How bad the median queue is at each sample; null: no notice."""
    old_from: datetime
    current_until: datetime

    @classmethod
    def of(
        cls,
        found: GateForecast,
        queue: QueueObservation | None,
        skill: GateSkill,
        wording: SkillWording,
        policy: AdvicePolicy,
    ) -> Self:
        """A forecast beside the present queue, and how good such forecasts were."""
        return cls(
            forecast_id=found.forecast_id,
            gate=found.gate_id,
            made_at=found.made_at.isoformat(),
            step_s=found.step_s,
            horizon_s=found.horizon_s,
            quantiles=found.quantiles,
            queue_veh=found.queue_veh,
            wait_s=found.wait_s,
            tail_km=found.tail_km,
            seed=found.seed,
            runs=found.runs,
            code_version=found.code_version,
            duration_s=round(found.duration_ms / 1000.0, 3),
            made_from=dict(found.state_summary),
            now=None if queue is None else _measured(queue),
            skill=wording.headline(skill),
            fallbacks=tuple(FallbackOut.of(lost, wording) for lost in skill.fallbacks),
            severity=_severities(found, policy),
            old_from=found.made_at + OLD_AFTER,
            current_until=found.made_at + FORECAST_WITHIN,
        )


def _measured(queue: QueueObservation) -> QueueOut:
    until = queue.time + MEASURED_WITHIN
    return QueueOut(queue.time, queue.queue_veh, queue.tail_km, queue.speed_mps, until)


def _severities(found: GateForecast, policy: AdvicePolicy) -> list[Severity | None]:
    median = min(range(len(found.quantiles)), key=lambda q: abs(found.quantiles[q] - 0.5))
    return severities(found.tail_km[median], found.wait_s[median], found.queue_veh[median], found.step_s, policy)


@dataclass(frozen=True)
class YardForecastOut:
    """A yard's forecast; `fallbacks` as for a gate."""

    yard_id: str
    made_at: str
    step_s: float
    quantiles: tuple[float, ...]
    occupancy_veh: Grid
    fallbacks: tuple[FallbackOut, ...]

    @classmethod
    def of(cls, found: YardForecast, fallbacks: tuple[FallbackOut, ...]) -> Self:
        """The forecast of a yard's occupancy."""
        made_at = found.made_at.isoformat()
        return cls(found.yard_id, made_at, found.step_s, found.quantiles, found.occupancy_veh, fallbacks)


@dataclass(frozen=True)
class YardForecasts:
    """The newest forecast of each yard."""

    items: list[YardForecastOut]


@dataclass(frozen=True)
class KeptForecast:
    """A forecast that was made earlier, at the lead times of `LEADS_S`."""

    forecast_id: int
    made_at: str
    seed: int
    queue_veh: Grid
    wait_s: Grid
    tail_km: Grid
    severity: list[Severity | None]

    @classmethod
    def of(cls, found: GateForecast, policy: AdvicePolicy) -> Self:
        """A forecast at a few of its samples."""
        steps = np.minimum(np.array(LEADS_S) // found.step_s, found.queue_veh.shape[1] - 1).astype(int)
        queue_veh, wait_s, tail_km = (values[:, steps] for values in (found.queue_veh, found.wait_s, found.tail_km))
        severity = _severities(found, policy)
        return cls(
            found.forecast_id,
            found.made_at.isoformat(),
            found.seed,
            queue_veh,
            wait_s,
            tail_km,
            [severity[step] for step in steps],
        )


@dataclass(frozen=True)
class KeptForecasts:
    """Forecasts of a gate, each at the lead times `lead_s`."""

    gate: str
    lead_s: tuple[float, ...]
    items: list[KeptForecast]
