"""The one function that applies a tariff to a load: the fee with its derivation, or what must be asked first.

Wherever the answer of a condition is not known, no rate fits, or two rates disagree, the result is a `Question` to the
collector, never a guess. A mixed load pays its highest class. Pure, exact, whole đồng.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from app.fees.records import Fact, LineRecord, QuestionRecord
from app.fees.tariff import FACTS, LANGUAGES, Factor, Load, Rate, Tariff


@dataclass(frozen=True)
class Line:
    """One line of a derivation. The `amount_vnd` of all lines add up to the fee.

    `kind`: `rate`, `factor`, `compared` (another part of a mixed load, that pays less: adds nothing), `rounding`.
    `subtotal_vnd` is what the fee is after the line (of a compared part: what it would be alone).
    """

    kind: str
    rule: str
    label: Mapping[str, str]
    amount_vnd: int
    subtotal_vnd: int
    goods_class: str | None = None
    share: str | None = None

    def to_record(self) -> LineRecord:
        """As plain JSON values."""
        return {
            "kind": self.kind,
            "rule": self.rule,
            "label": dict(self.label),
            "amount_vnd": self.amount_vnd,
            "subtotal_vnd": self.subtotal_vnd,
            "goods_class": self.goods_class,
            "share": self.share,
        }


@dataclass(frozen=True)
class Fee:
    """What is to be paid, and how it came about."""

    amount_vnd: int
    derivation: tuple[Line, ...]


@dataclass(frozen=True)
class Question:
    """What a collector must say before there is a fee.

    `kind`: `missing_fact` (say `facts`), `no_rate` (nothing in the tariff fits), `two_rates` and `two_factors` (`rules`
    fit at once and the tariff does not say what holds). `message` is a gettext template filled by `values`; `given` is
    the load that nothing fits, by fact.
    """

    kind: str
    message: str
    values: Mapping[str, str]
    facts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    given: Mapping[str, Fact] = field(default_factory=dict)

    def to_record(self) -> QuestionRecord:
        """As plain JSON values."""
        return {
            "kind": self.kind,
            "message": self.message,
            "values": dict(self.values),
            "facts": list(self.facts),
            "rules": list(self.rules),
            "given": dict(self.given),
        }


def assess(tariff: Tariff, load: Load) -> Fee | Question:
    """The fee of a load, with its derivation, or what must be answered first."""
    if not load.parts:
        return _missing(("goods_class",))
    parts = []
    for part in load.parts:
        priced = _price_part(tariff, {**load.facts, **part})
        if isinstance(priced, Question):
            return priced
        parts.append(priced)
    highest = max(range(len(parts)), key=lambda index: (parts[index].value, -index))
    factors = _applying(tariff, load.facts, of_part=False)
    if isinstance(factors, Question):
        return factors
    chosen = parts[highest]
    if len(chosen.factors) + len(factors) > 1 and not tariff.combine_factors:
        return _two("two_factors", [*chosen.factors, *factors])
    compared = [part for index, part in enumerate(parts) if index != highest]
    return _derive(tariff, chosen, factors, compared)


@dataclass(frozen=True)
class _Part:
    """A part of the load with its rate."""

    goods_class: str | None
    rate: Rate
    factors: tuple[Factor, ...]

    @property
    def value(self) -> Fraction:
        value = Fraction(self.rate.amount_vnd)
        for factor in self.factors:
            value *= factor.share
        return value


def _price_part(tariff: Tariff, facts: Mapping[str, Fact]) -> _Part | Question:
    answers = [(rate, rate.when.holds(facts)) for rate in tariff.rates if rate.when is not None]
    fitting = [rate for rate, answer in answers if answer is True]
    open_ = [rate for rate, answer in answers if answer is None]
    if open_:
        asked = {name for rate in open_ if rate.when for name in rate.when.missing(facts)}
        return _missing(tuple(name for name in FACTS if name in asked))
    if not fitting:
        return Question(
            "no_rate",
            "The tariff has no rate for this load ({facts}). Look it up in the decision and enter the amount.",
            {"facts": ", ".join(f"{name} = {facts[name]}" for name in FACTS if name in facts)},
            given={name: facts[name] for name in FACTS if name in facts},
        )
    if len({rate.amount_vnd for rate in fitting}) > 1:
        return _two("two_rates", fitting)
    factors = _applying(tariff, facts, of_part=True)
    if isinstance(factors, Question):
        return factors
    if len(factors) > 1 and not tariff.combine_factors:
        return _two("two_factors", factors)
    goods_class = facts.get("goods_class")
    return _Part(None if goods_class is None else str(goods_class), fitting[0], tuple(factors))


def _applying(tariff: Tariff, facts: Mapping[str, Fact], *, of_part: bool) -> list[Factor] | Question:
    answers = [(factor, factor.when.holds(facts)) for factor in tariff.factors if factor.is_of_part is of_part]
    asked = {name for factor, answer in answers if answer is None for name in factor.when.missing(facts)}
    if asked:
        return _missing(tuple(name for name in FACTS if name in asked))
    return [factor for factor, answer in answers if answer]


def _derive(tariff: Tariff, chosen: _Part, factors: Sequence[Factor], compared: Sequence[_Part]) -> Fee:
    value = Fraction(chosen.rate.amount_vnd)
    lines = [
        Line(
            "rate",
            chosen.rate.rate_id,
            chosen.rate.label,
            chosen.rate.amount_vnd,
            chosen.rate.amount_vnd,
            chosen.goods_class,
        )
    ]
    for factor in (*chosen.factors, *factors):
        before, value = value, value * factor.share
        step = round_half_up(value, 1) - round_half_up(before, 1)
        lines.append(
            Line(
                "factor",
                factor.factor_id,
                factor.label,
                step,
                round_half_up(value, 1),
                chosen.goods_class if factor.is_of_part else None,
                str(factor.share),
            )
        )
    amount_vnd = round_half_up(value, tariff.rounding_unit_vnd)
    rounding = amount_vnd - round_half_up(value, 1)
    if rounding:
        label = dict.fromkeys(LANGUAGES, "")
        lines.append(Line("rounding", str(tariff.rounding_unit_vnd), label, rounding, amount_vnd))
    whole = Fraction(1)
    for factor in factors:
        whole *= factor.share
    for part in compared:
        alone = round_half_up(part.value * whole, tariff.rounding_unit_vnd)
        lines.append(Line("compared", part.rate.rate_id, part.rate.label, 0, alone, part.goods_class))
    return Fee(amount_vnd, tuple(lines))


def round_half_up(value: Fraction, unit: int) -> int:
    """A non-negative value rounded to a multiple of `unit`, halves up. Exact."""
    return (2 * value.numerator + unit * value.denominator) // (2 * unit * value.denominator) * unit


def _missing(names: tuple[str, ...]) -> Question:
    return Question(
        "missing_fact",
        "The tariff asks for {facts}, which the declaration does not say. Look and enter it.",
        {"facts": ", ".join(names)},
        facts=names,
    )


def _two(kind: str, rules: Sequence[Rate | Factor]) -> Question:
    names = tuple(rule.rate_id if isinstance(rule, Rate) else rule.factor_id for rule in rules)
    message = {
        "two_rates": "Several rates fit this load ({rules}) and they differ. Decide which one holds.",
        "two_factors": "Several shares apply at once ({rules}) and the tariff does not say how they combine. "
        "Look it up in the decision and enter the amount.",
    }[kind]
    return Question(kind, message, {"rules": ", ".join(names)}, rules=names)
