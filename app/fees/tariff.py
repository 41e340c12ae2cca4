"""What a crossing costs: a tariff as data, and the one function that applies it. Pure, exact, whole đồng.

A tariff holds rates (what a load of some kind pays), share factors (×5, 130 %, 30 %) and a rule of rounding. Each
condition is answered yes, no, or "not known": wherever the answer is not known, no rate fits, or two rates disagree,
the result is a `Question` to the collector, never a guess. A mixed load pays its highest class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final, TypeAlias

from geo.errors import InvalidInputError

Fact: TypeAlias = str | int | bool
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
}
"""Facts of the whole load and their types; a condition may ask for these and for those of a part."""
PART_FACTS: Final = {"goods_class": str}
FACTS: Final = LOAD_FACTS | PART_FACTS
LANGUAGES: Final = ("vi", "en", "zh")
MAX_AMOUNT_VND: Final = 10**12
"""More than any fee; a larger number in a tariff is a slip."""
MAX_FACTOR: Final = 10**6


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
class Tariff:
    """One version of the tariff: in force from `valid_from` to the day before `valid_to` (`None`: until replaced).

    `complete` is whether every load it covers has a rate. `rounding_unit_vnd`: the fee is rounded once, at the end,
    half up to a multiple of it. `combine_factors` is whether several factors on one load multiply; otherwise it is
    asked. `routing` names the collector: the first that applies.
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

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> Tariff:
        """Read a tariff from its data; see `app/fees/tariffs_shipped`.

        Raises
        ------
        InvalidInputError
            If something is missing, unknown, or not a whole amount; `field` names it.
        """
        return _Reader(definition).read()

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


class _Reader:
    """Reads a definition field by field, so that a fault can be named."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.definition = definition

    def read(self) -> Tariff:
        get = self.definition.get
        tariff = Tariff(
            code=self._text(get("code"), "code"),
            version=self._whole(get("version"), "version", 10**6),
            valid_from=self._day(get("valid_from"), "valid_from"),
            valid_to=None if get("valid_to") is None else self._day(get("valid_to"), "valid_to"),
            complete=self._bool(get("complete"), "complete"),
            source=self._text(get("source"), "source"),
            rates=tuple(self._rate(one, f"rates.{i}") for i, one in enumerate(self._list(get("rates"), "rates"))),
            factors=tuple(
                self._factor(one, f"factors.{i}") for i, one in enumerate(self._list(get("factors") or [], "factors"))
            ),
            routing=tuple(
                self._route(one, f"routing.{i}") for i, one in enumerate(self._list(get("routing"), "routing"))
            ),
            rounding_unit_vnd=self._whole(get("rounding_unit_vnd"), "rounding_unit_vnd", 10**6),
            combine_factors=self._bool(get("combine_factors"), "combine_factors"),
        )
        if tariff.valid_to is not None and tariff.valid_to <= tariff.valid_from:
            raise _bad("valid_to", tariff.valid_to, "a day after valid_from")
        names = [rate.rate_id for rate in tariff.rates] + [factor.factor_id for factor in tariff.factors]
        for name in names:
            if names.count(name) > 1:
                raise _bad("rates", name, "a name that is used once")
        return tariff

    def _rate(self, one: Any, at: str) -> Rate:
        one = self._mapping(one, at)
        amount = self._whole(one.get("amount_vnd"), f"{at}.amount_vnd", MAX_AMOUNT_VND)
        when = None if one.get("when") is None else self._condition(one["when"], f"{at}.when")
        return Rate(self._text(one.get("rate"), f"{at}.rate"), self._label(one.get("label"), at), amount, when)

    def _factor(self, one: Any, at: str) -> Factor:
        one = self._mapping(one, at)
        share = Fraction(
            self._whole(one.get("numerator"), f"{at}.numerator", MAX_FACTOR),
            self._whole(one.get("denominator"), f"{at}.denominator", MAX_FACTOR),
        )
        when = self._condition(one.get("when"), f"{at}.when")
        return Factor(self._text(one.get("factor"), f"{at}.factor"), self._label(one.get("label"), at), share, when)

    def _route(self, one: Any, at: str) -> tuple[str, Condition]:
        one = self._mapping(one, at)
        collector = self._text(one.get("collector"), f"{at}.collector")
        if collector not in {"gate_management", "tax"}:
            raise _bad(f"{at}.collector", collector, "gate_management or tax")
        return collector, self._condition(one.get("when") or {}, f"{at}.when")

    def _condition(self, when: Any, at: str) -> Condition:
        values: dict[str, tuple[Fact, ...]] = {}
        ranges: dict[str, tuple[int | None, int | None]] = {}
        for name, wanted in self._mapping(when, at).items():
            if name not in FACTS:
                raise _bad(at, name, f"one of {', '.join(FACTS)}")
            if isinstance(wanted, Mapping):
                if FACTS[name] is not int or not wanted or not set(wanted) <= {"from", "below"}:
                    raise _bad(f"{at}.{name}", dict(wanted), "from and below of a number")
                low, high = (
                    None if wanted.get(end) is None else self._whole(wanted[end], f"{at}.{name}.{end}", 10**9)
                    for end in ("from", "below")
                )
                ranges[name] = (low, high)
                continue
            listed = self._list(wanted, f"{at}.{name}")
            if not all(type(value) is FACTS[name] for value in listed):
                raise _bad(f"{at}.{name}", listed, f"values of type {FACTS[name].__name__}")
            values[name] = tuple(listed)
        return Condition(values, ranges)

    def _label(self, value: Any, at: str) -> dict[str, str]:
        label = self._mapping(value, f"{at}.label")
        return {language: self._text(label.get(language), f"{at}.label.{language}") for language in LANGUAGES}

    @staticmethod
    def _mapping(value: Any, at: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise _bad(at, value, "a mapping")
        return value

    @staticmethod
    def _list(value: Any, at: str) -> list[Any]:
        if not isinstance(value, list):
            raise _bad(at, value, "a list")
        return value

    @staticmethod
    def _text(value: Any, at: str) -> str:
        if not isinstance(value, str) or not value.strip() or "\x00" in value:
            raise _bad(at, value, "a text")
        return value

    @staticmethod
    def _bool(value: Any, at: str) -> bool:
        if not isinstance(value, bool):
            raise _bad(at, value, "true or false")
        return value

    @staticmethod
    def _whole(value: Any, at: str, most: int) -> int:
        if type(value) is not int or not 1 <= value <= most:
            raise _bad(at, value, f"a whole number from 1 to {most}")
        return value

    @staticmethod
    def _day(value: Any, at: str) -> date:
        if type(value) is date:
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise _bad(at, value, "a day such as 2025-05-08") from None


def _bad(field: str, value: Any, wanted: str) -> InvalidInputError:
    return InvalidInputError(
        "The tariff's {name} is {value}; it must be {wanted}.",
        field=field,
        name=field,
        value=str(value)[:80],
        wanted=wanted,
    )
