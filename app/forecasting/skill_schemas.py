"""What is answered of the skill of forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from app.forecasting.skill import Fallback, GateSkill
from app.forecasting.skill_wording import SkillWording


class ScoreOut(BaseModel):
    """How a source fared, in the quantity's unit."""

    model_config = ConfigDict(from_attributes=True)

    source: str
    n: int
    mae: float
    bias: float
    pinball: float
    crps: float
    coverage80: float
    below: float
    above: float


class LeadSkillOut(BaseModel):
    """The scores of a quantity at a gate or yard so far ahead; `hour` of the day in local time, or null for all.

    `published` is the source that is published now, `is_lost` whether that is not the model, `gain` by which share the
    error of what was published is below that of the best rival.
    """

    model_config = ConfigDict(from_attributes=True)

    quantity: str
    place_id: str
    lead_s: int
    hour: int | None
    published: str
    since: datetime | None
    is_lost: bool
    gain: float | None
    scores: dict[str, ScoreOut]


@dataclass(frozen=True)
class FallbackOut:
    """Where the model has lost its skill: `source` is published in its place; `message` says so to the reader."""

    quantity: str
    place_id: str
    leads_s: tuple[int, ...]
    source: str
    since: datetime | None
    model_error: float
    source_error: float
    message: str

    @classmethod
    def of(cls, lost: Fallback, wording: SkillWording) -> FallbackOut:
        """A fallback with its message."""
        return cls(
            lost.quantity,
            lost.place_id,
            lost.leads_s,
            lost.source,
            lost.since,
            round(lost.model_error, 2),
            round(lost.source_error, 2),
            wording.fallback(lost),
        )


class SkillOut(BaseModel):
    """How good the forecasts of a gate, its yards and its trucks have been over the last `days`."""

    gate: str
    days: int
    since: datetime
    headline: str
    horizons: list[LeadSkillOut]
    hours: list[LeadSkillOut]
    fallbacks: list[FallbackOut]

    @classmethod
    def of(cls, skill: GateSkill, wording: SkillWording) -> SkillOut:
        """Skill with its sentences."""
        return cls(
            gate=skill.gate_id,
            days=skill.days,
            since=skill.since,
            headline=wording.headline(skill),
            horizons=[LeadSkillOut.model_validate(lead) for lead in skill.leads],
            hours=[LeadSkillOut.model_validate(hour) for hour in skill.hours],
            fallbacks=[FallbackOut.of(fallback, wording) for fallback in skill.fallbacks],
        )
