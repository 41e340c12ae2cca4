"""How the aims of the yard plan weigh against each other, as planners set it."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from app.platform.labels import N_
from app.platform.policies import Policy
from capacity.problem import PlanWeights


class YardPlanWeights(BaseModel):
    """The aims in their order: no trucks on the road, perishable goods, everybody's waiting, fairness, way, stability.

    As `capacity.problem.PlanWeights`.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"perishable": 4.0}]})

    overflow: float = Field(
        default=100.0,
        ge=0.0,
        le=10_000.0,
        title=N_("Standing on the road"),
        description=N_("How much a minute counts, beside a minute of waiting in a place."),
    )
    perishable: float = Field(
        default=4.0,
        ge=0.0,
        le=1_000.0,
        title=N_("Waiting of perishable goods"),
        description=N_("How much a minute counts, beside a minute of waiting in a place."),
    )
    ordinary: float = Field(default=1.0, ge=0.0, le=1_000.0, title=N_("Waiting of other goods"))
    growth: float = Field(
        default=0.1,
        ge=0.0,
        le=10.0,
        title=N_("Nobody waits for ever"),
        description=N_("How much more each further hour of waiting counts than the one before."),
    )
    crossing: float = Field(default=1.0, ge=0.0, le=1_000.0, title=N_("Waiting in the yard for the crossing"))
    detour: float = Field(default=1.0, ge=0.0, le=1_000.0, title=N_("The way to another gate"))
    stability_s: float = Field(
        default=900.0,
        ge=0.0,
        le=86_400.0,
        title=N_("Keeping what was told"),
        description=N_("Seconds that another yard has to save before a truck is sent there."),
    )

    def to_plan(self) -> PlanWeights:
        """As the plan takes them."""
        return PlanWeights(**self.model_dump())


WEIGHTS: Final = Policy("yard_plan", YardPlanWeights, "settings.yard_plan")
