"""What a crossing costs: a tariff as data, its rates, share factors and collectors. Pure, exact, whole đồng.

A tariff holds rates (what a load of some kind pays), share factors (×5, 130 %, 30 %) and a rule of rounding. Each
condition is answered yes, no, or "not known". `app.fees.assessment` applies a tariff, `app.fees.tariff_definition`
reads one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from app.fees.records import Fact
from geo.errors import NotFoundError

LOAD_FACTS: Final = {
    "regime": str,
    "direction": str,
    "gate_id": str,
    "vehicle": str,
    "payload_kg": int,
    "container": str,
    "refrigerated": bool,
    "weight_kg": int,
    "service": str,
    "storage_h": int,
}
"""Facts of the whole load and their types; a condition may ask for these and for those of a part."""
PART_FACTS: Final = {"goods_class": str}
FACTS: Final = LOAD_FACTS | PART_FACTS
LANGUAGES: Final = ("vi", "en", "zh")
MAX_AMOUNT_VND: Final = 10**12
"""More than any fee; a larger number in a tariff is a slip."""


@dataclass(frozen=True)
class Load:
    """What crosses: facts of vehicle and crossing, and one mapping of facts for each part of the goods.

    A fact that is not known is left out.
    """

    facts: Mapping[str, Fact]
    parts: tuple[Mapping[str, Fact], ...]


@dataclass(frozen=True)
class Condition:
    """When a rule applies: every named fact is one of the values, or lies in `[from, below)`. Empty: always."""

    values: Mapping[str, tuple[Fact, ...]]
    ranges: Mapping[str, tuple[int | None, int | None]]

    def holds(self, facts: Mapping[str, Fact]) -> bool | None:
        """Whether it applies; `None` if a fact that decides it is not known."""
        if any(name in facts and facts[name] not in allowed for name, allowed in self.values.items()):
            return False
        if any(name in facts and not _is_within(facts[name], span) for name, span in self.ranges.items()):
            return False
        return None if self.missing(facts) else True

    def missing(self, facts: Mapping[str, Fact]) -> list[str]:
        """The facts it asks for that are not known."""
        return [name for name in (*self.values, *self.ranges) if name not in facts]

    @property
    def names(self) -> frozenset[str]:
        """The facts it asks for."""
        return frozenset(self.values) | frozenset(self.ranges)


@dataclass(frozen=True)
class Rate:
    """What a class of loads pays. `when` is `None` where the amount is known but not for which loads."""

    rate_id: str
    label: Mapping[str, str]
    amount_vnd: int
    when: Condition | None


@dataclass(frozen=True)
class Factor:
    """A share of the rate, `numerator / denominator`; of a part if its condition asks for a fact of the part."""

    factor_id: str
    label: Mapping[str, str]
    share: Fraction
    when: Condition

    @property
    def is_of_part(self) -> bool:
        """Whether each part of a mixed load has its own answer."""
        return not self.when.names.isdisjoint(PART_FACTS)


@dataclass(frozen=True)
class StorageClock:
    """How the time in the gate area is counted that rates and factors may ask for as `storage_h`.

    Each hour begun after `free_h` counts; while one of the systems of `frozen_by` is out at the gate the clock stands.
    """

    free_h: int
    frozen_by: frozenset[str]


@dataclass(frozen=True)
class Tariff:
    """One version of the tariff: in force from `valid_from` to the day before `valid_to` (`None`: until replaced).

    `complete` is whether every load it covers has a rate. `rounding_unit_vnd`: the fee is rounded once, at the end,
    half up to a multiple of it. `combine_factors` is whether several factors on one load multiply; otherwise it is
    asked. `routing` names the collector: the first that applies. `storage` is how stays are counted, `None` if the
    tariff counts none.
    """

    code: str
    version: int
    valid_from: date
    valid_to: date | None
    complete: bool
    source: str
    rates: tuple[Rate, ...]
    factors: tuple[Factor, ...]
    routing: tuple[tuple[str, Condition], ...]
    rounding_unit_vnd: int = 1
    combine_factors: bool = False
    storage: StorageClock | None = None

    def asks_for(self, fact: str) -> bool:
        """Whether a fact can change what a load pays, or to whom."""
        conditions = [
            *(rate.when for rate in self.rates if rate.when is not None),
            *(factor.when for factor in self.factors),
            *(when for _, when in self.routing),
        ]
        return any(fact in when.names for when in conditions)

    def collector(self, load: Load) -> str | None:
        """Who collects from a load; `None` if no rule of routing surely applies."""
        for collector, when in self.routing:
            answers = [when.holds({**load.facts, **part}) for part in load.parts] or [when.holds(load.facts)]
            if all(answer is True for answer in answers):
                return collector
            if any(answer is None for answer in answers):
                return None
        return None


def _is_within(value: Fact, span: tuple[int | None, int | None]) -> bool:
    low, high = span
    number = int(value)
    return (low is None or number >= low) and (high is None or number < high)


def in_force(tariffs: Iterable[Tariff], day: date) -> Tariff:
    """The tariff of a day (in local time): of those in force the one that began last, then the newest version.

    Raises
    ------
    NotFoundError
        If none is in force.
    """
    found = [
        tariff for tariff in tariffs if tariff.valid_from <= day and (tariff.valid_to is None or day < tariff.valid_to)
    ]
    if not found:
        raise NotFoundError("No tariff is in force on {day}; publish one first.", day=day.isoformat())
    return max(found, key=lambda tariff: (tariff.valid_from, tariff.version))
