"""Which trucks have priority, and what it gives them: an earlier turn, and a gate's priority lanes. Pure.

Priority follows from the declaration, from customs' channel, or from an officer who gives it with a reason; nobody
claims it. A truck of any class that goes first goes before those without; among equals the longer wait counts. The
lanes are a part of the gate profile: they take the classes that the gate names, or goods that it names.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.gates.vocabulary import Channel, GoodsClass, PriorityClass, Regime

MAX_LANES: Final = 64
FORMER_NAMES: Final = {"transit": PriorityClass.SEALED_TRANSIT.value}
"""What classes were called in profiles that were published before."""


@dataclass(frozen=True, slots=True)
class PriorityFacts:
    """What priority is computed from.

    `goods` are the classes of all that is carried, `channel` customs' (`None` until they give one), `by_hand` what a
    person gave.
    """

    goods: Collection[str] = ()
    perishable: bool = False
    regime: str = Regime.EXPORT
    channel: str | None = None
    is_authorised: bool = False
    is_sealed: bool = False
    by_hand: bool = False


def classes_of(facts: PriorityFacts) -> tuple[PriorityClass, ...]:
    """The classes of priority that a truck has, the weightiest first."""
    holds = (
        (PriorityClass.LIVE, GoodsClass.LIVE_ANIMALS in facts.goods),
        (PriorityClass.PERISHABLE, facts.perishable),
        (PriorityClass.OPERATOR, facts.is_authorised),
        (PriorityClass.SEALED_TRANSIT, facts.is_sealed and facts.regime == Regime.TRANSIT),
        (PriorityClass.BY_HAND, facts.by_hand),
        (PriorityClass.GREEN, facts.channel == Channel.GREEN),
        (PriorityClass.EMPTY, set(facts.goods) == {GoodsClass.EMPTY}),
    )
    return tuple(each for each, does_hold in holds if does_hold)


class PriorityLanes(BaseModel):
    """The priority lanes of a gate: how many of its lanes they are, which classes of priority and goods use them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lanes: int = Field(default=0, ge=0, le=MAX_LANES)
    goods: tuple[GoodsClass, ...] = ()
    conditions: tuple[PriorityClass, ...] = Field(default=(), description="The classes of priority that use them.")

    @field_validator("conditions", mode="before")
    @classmethod
    def _by_present_names(cls, given: Any) -> Any:
        if not isinstance(given, list | tuple):
            return given
        return [FORMER_NAMES.get(each, each) if isinstance(each, str) else each for each in given]

    def reason(self, facts: PriorityFacts, classes: Collection[PriorityClass]) -> str | None:
        """Why a truck of some classes may use the lanes, a key of the translations; `None` if it may not."""
        if not self.lanes:
            return None
        for each in classes:
            if each in self.conditions:
                return each.label
        for goods_class in GoodsClass:
            if goods_class in self.goods and goods_class in facts.goods:
                return goods_class.label
        return None


@dataclass(frozen=True, slots=True)
class Priority:
    """What the priority of a truck gives it: `first`, why its turn comes earlier, and `lane`, why it may use the
    priority lanes of its gate, a key of the translations."""

    first: tuple[PriorityClass, ...] = ()
    lane: str | None = None

    @classmethod
    def of(cls, facts: PriorityFacts, lanes: PriorityLanes | None) -> Priority:
        """The priority of a truck at a gate with some lanes."""
        classes = classes_of(facts)
        first = tuple(each for each in classes if each.goes_first)
        return cls(first, None if lanes is None else lanes.reason(facts, classes))
