"""What is answered of acts and of effects."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.dispatch.vocabulary import MeasureKind
from app.platform.json import JsonObject


class RangeOut(BaseModel):
    """A difference against doing nothing in the same runs: mean, and between what it lies in eight of ten."""

    model_config = ConfigDict(from_attributes=True)

    mean: float
    low: float
    high: float


class TriedOut(BaseModel):
    """An act and what it brings.

    `saved_h` are truck-hours on the corridor, those of perishable goods weighted, `perishable_h` theirs alone and
    `queue_h` those less in the gate's queue; `is_sure`, all of `saved_h` lies above 0; `peak_veh` the longest queue and
    `exceeded_h` the hours beyond what is advised of, without and with it; `draft` is a body for `POST /api/v1/orders`.
    """

    kind: MeasureKind
    text: str
    is_of_gate: bool
    is_sure: bool
    saved_h: RangeOut
    perishable_h: RangeOut
    queue_h: RangeOut
    peak_veh: list[float]
    exceeded_h: list[float]
    draft: JsonObject


class ImpossibleOut(BaseModel):
    """An act that is not offered, and why."""

    kind: MeasureKind
    text: str


class MeasuresOut(BaseModel):
    """The acts tried against a risk, the best first, in `runs` runs of the forecast's ensemble.

    `weight`: how many times an hour of perishable goods counts.
    """

    advisory_id: int
    made_at: datetime
    took_s: float
    runs: int
    weight: float
    items: list[TriedOut]
    impossible: list[ImpossibleOut]


class MeasuresPage(BaseModel):
    """What was tried against the risks that stand; `record`, what orders of the last 30 days brought."""

    items: list[MeasuresOut]
    record: str


class CurvesOut(BaseModel):
    """A gate without and with an order: quantiles 10, 50, 90 % every `step_s` from `made_at` on; `null`: beyond it.

    `peak_veh` and `peak_wait_s` are the greatest medians, without and with it.
    """

    gate_id: str
    name: str
    queue_veh: dict[Literal["without", "with"], list[list[float]]]
    wait_s: dict[Literal["without", "with"], list[list[float | None]]]
    peak_veh: list[float]
    peak_wait_s: list[float | None]


class RoomOut(BaseModel):
    """Places at the staging area where trucks are held: how many are left when it is fullest; negative: too few."""

    site_id: str
    name: str
    capacity: int
    left: int


class EffectOut(BaseModel):
    """What an order would bring. `missing` says why it is not known, null if it is; `text` says it in words.

    `reached` of `recipients` can still do what it says.
    """

    missing: Literal["no_forecast", "forecast_old", "not_modelled", "nobody"] | None = None
    text: str
    made_at: datetime | None = None
    step_s: float = 300.0
    runs: int = 0
    recipients: int = 0
    reached: int = 0
    weight: float = 1.0
    saved_h: RangeOut | None = None
    gates: list[CurvesOut] = []
    room: RoomOut | None = None


class RealisedOut(BaseModel):
    """What an order brought at a gate: truck-hours less in its queue than the forecast made without it, an estimate.

    `expected_h` was told when it was sent; `realised_h` is null until `until`, and where too little was measured.
    """

    order_id: int
    gate_id: str
    made_at: datetime
    until: datetime
    expected_h: RangeOut
    realised_h: RangeOut | None
    scored_at: datetime | None
    text: str


class RealisedPage(BaseModel):
    """Effects of orders."""

    items: list[RealisedOut]


class AreaPlanOut(BaseModel):
    """Trucks to let go from a staging area in each slot, and the order that does it."""

    site_id: str
    name: str
    held: int
    release_veh: list[int]
    draft: JsonObject


class MeteringOut(BaseModel):
    """A release plan for the trucks held for a gate; `missing` says why there is none, null if there is.

    `queue_veh` are quantiles 10, 50, 90 % every `step_s` from `made_at` on with the plan, `limit_veh` the queue that
    reaches `limit_km`; `idle_share`, of the gate's time in the median run while trucks are held; `beyond_h` mean hours
    beyond the limit with the plan and with all let go at once.
    """

    missing: Literal["no_forecast", "forecast_old", "nobody_held"] | None = None
    text: str
    made_at: datetime | None = None
    step_s: float = 300.0
    slot_s: float = 900.0
    runs: int = 0
    areas: list[AreaPlanOut] = []
    queue_veh: list[list[float]] = []
    limit_km: float = 0.0
    limit_veh: float = 0.0
    idle_share: float = 0.0
    beyond_h: list[float] = []
