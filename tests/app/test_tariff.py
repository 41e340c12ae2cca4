"""The tariff: known points, questions instead of guesses, and properties over thousands of tariffs and loads."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.fees.assessment import Fee, Question, assess, round_half_up
from app.fees.tariff import LANGUAGES, Condition, Factor, Load, Rate, Tariff, in_force
from app.fees.tariff_definition import read_tariff
from app.fees.tariffs import SHIPPED_DIR
from app.gates.vocabulary import GoodsClass
from geo.errors import InvalidInputError, NotFoundError
from tests.drawing import Drawn, cases
from tests.profiles import examples

FILE = SHIPPED_DIR / "lang-son-1.yaml"
DEFINITION: dict[str, Any] = yaml.safe_load(FILE.read_text())
SHIPPED = read_tariff(DEFINITION)
LABEL = dict.fromkeys(LANGUAGES, "x")

FEWER = examples(1_000)


def load(*goods: str, **facts: Any) -> Load:
    given = {"regime": "export", "direction": "export", "service": "standard", **facts}
    known = {name: value for name, value in given.items() if value is not None}
    return Load(known, tuple({"goods_class": goods_class} for goods_class in goods))


def fee(tariff: Tariff, cargo: Load) -> Fee:
    answer = assess(tariff, cargo)
    assert isinstance(answer, Fee), answer
    return answer


def question(tariff: Tariff, cargo: Load) -> Question:
    answer = assess(tariff, cargo)
    assert isinstance(answer, Question), answer
    return answer


def with_base(amount_vnd: int, **changes: Any) -> Tariff:
    """The shipped tariff with one rate for everything, as the whole table would have."""
    return replace(SHIPPED, rates=(Rate("base", LABEL, amount_vnd, Condition({}, {})),), **changes)


# The known points


def test_fresh_export_under_two_tonnes_pays_100_000() -> None:
    answer = fee(SHIPPED, load("fresh_fruit", payload_kg=1999))
    assert answer.amount_vnd == 100_000
    assert [(line.kind, line.rule, line.amount_vnd) for line in answer.derivation] == [
        ("rate", "fresh_export_under_2t", 100_000)
    ]


def test_two_tonnes_are_not_under_two_tonnes() -> None:
    assert question(SHIPPED, load("fresh_fruit", payload_kg=2000)).kind == "no_rate"


def test_a_40_foot_refrigerated_re_export_pays_4_000_000() -> None:
    container = load("seafood", regime="temporary_import_reexport", container="40", refrigerated=True)
    assert fee(SHIPPED, container).amount_vnd == 4_000_000


def test_the_highest_class_is_5_000_000_and_never_applied_by_itself() -> None:
    highest = max(SHIPPED.rates, key=lambda rate: rate.amount_vnd)
    assert (highest.amount_vnd, highest.when) == (5_000_000, None)


def test_ore_pays_five_times() -> None:
    answer = fee(with_base(200_000), load("ore"))
    assert answer.amount_vnd == 1_000_000
    assert [line.amount_vnd for line in answer.derivation] == [200_000, 800_000]


def test_inland_delivery_pays_130_percent() -> None:
    answer = fee(with_base(200_000), load("textiles", service="inland_delivery"))
    assert (answer.amount_vnd, answer.derivation[1].share) == (260_000, "13/10")


def test_wharf_only_pays_30_percent() -> None:
    assert fee(with_base(200_000), load("textiles", service="wharf_only")).amount_vnd == 60_000


def test_a_mixed_load_pays_its_highest_class() -> None:
    answer = fee(with_base(200_000), load("textiles", "ore", "timber"))
    assert answer.amount_vnd == 1_000_000
    compared = [(line.goods_class, line.amount_vnd, line.subtotal_vnd) for line in answer.derivation[2:]]
    assert compared == [("textiles", 0, 200_000), ("timber", 0, 200_000)]


def test_the_shipped_tariff_says_that_it_is_incomplete() -> None:
    assert not SHIPPED.complete
    assert "incomplete" in SHIPPED.source.lower()
    assert SHIPPED.valid_from == date(2025, 5, 8)


def test_the_shipped_tariff_knows_only_goods_classes_that_exist() -> None:
    named = {
        str(value)
        for rule in (*SHIPPED.rates, *SHIPPED.factors)
        if rule.when is not None
        for value in rule.when.values.get("goods_class", ())
    }
    assert named <= set(GoodsClass)


# Questions instead of guesses


def test_an_unknown_payload_is_asked() -> None:
    asked = question(SHIPPED, load("fresh_fruit"))
    assert (asked.kind, asked.facts) == ("missing_fact", ("payload_kg",))


def test_a_load_that_no_rate_covers_is_asked() -> None:
    asked = question(SHIPPED, load("textiles"))
    assert asked.kind == "no_rate"
    assert "goods_class = textiles" in asked.message.format(**asked.values)


def test_no_goods_at_all_are_asked() -> None:
    assert question(SHIPPED, load()).facts == ("goods_class",)


def test_one_unknown_part_makes_the_whole_load_a_question() -> None:
    assert question(SHIPPED, load("fresh_fruit", "textiles", payload_kg=1500)).kind == "no_rate"


def test_two_shares_at_once_are_asked_where_the_tariff_does_not_say() -> None:
    asked = question(with_base(200_000), load("ore", service="wharf_only"))
    assert (asked.kind, asked.rules) == ("two_factors", ("ore", "wharf_only"))
    assert fee(with_base(200_000, combine_factors=True), load("ore", service="wharf_only")).amount_vnd == 300_000


def test_two_rates_that_differ_are_asked_and_two_that_agree_are_not() -> None:
    def rates(second_vnd: int) -> Tariff:
        always = Condition({}, {})
        return replace(SHIPPED, rates=(Rate("a", LABEL, 10, always), Rate("b", LABEL, second_vnd, always)))

    assert question(rates(11), load("textiles")).rules == ("a", "b")
    assert fee(rates(10), load("textiles")).amount_vnd == 10


# Effect, routing, reading


def test_the_tariff_of_a_day_is_the_one_in_force() -> None:
    old = replace(SHIPPED, version=1, valid_from=date(2024, 1, 1), valid_to=date(2025, 5, 8))
    new = replace(SHIPPED, version=2)
    assert in_force([new, old], date(2025, 5, 7)) is old
    assert in_force([new, old], date(2025, 5, 8)) is new
    with pytest.raises(NotFoundError):
        in_force([new, old], date(2023, 12, 31))


def test_the_collector_is_chosen_by_data() -> None:
    assert SHIPPED.collector(load("textiles")) == "gate_management"
    assert SHIPPED.collector(load("textiles", regime="transit")) == "tax"
    assert SHIPPED.collector(load("textiles", regime=None)) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rounding_unit_vnd": 0}, "rounding_unit_vnd"),
        ({"complete": "yes"}, "complete"),
        ({"valid_from": "soon"}, "valid_from"),
        ({"valid_to": "2025-05-08"}, "valid_to"),
        ({"rates": [{**DEFINITION["rates"][0], "amount_vnd": 100000.5}]}, "rates.0.amount_vnd"),
        ({"rates": [{**DEFINITION["rates"][0], "when": {"colour": ["red"]}}]}, "rates.0.when"),
        ({"rates": [{**DEFINITION["rates"][0], "when": {"regime": "export"}}]}, "rates.0.when.regime"),
        ({"rates": [{**DEFINITION["rates"][0], "when": {"regime": {"below": 3}}}]}, "rates.0.when.regime"),
        ({"rates": [{**DEFINITION["rates"][0], "label": {"vi": "x"}}]}, "rates.0.label.en"),
        ({"rates": [DEFINITION["rates"][0]] * 2}, "rates"),
        ({"factors": [{**DEFINITION["factors"][0], "denominator": 0}]}, "factors.0.denominator"),
        ({"routing": [{"collector": "me"}]}, "routing.0.collector"),
    ],
)
def test_a_fault_in_a_tariff_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_tariff({**DEFINITION, **changes})
    assert caught.value.field == field


# Properties

CLASSES = ("fresh_fruit", "ore", "textiles", "timber")
SERVICES = ("standard", "inland_delivery", "wharf_only")


def make_tariff(
    limits: tuple[int, ...], amounts: tuple[int, ...], given_shares: tuple[Fraction, ...], unit: int
) -> Tariff:
    """A whole table: a rate for each class below and above a size, shares by class and service that multiply."""
    rates: list[Rate] = []
    for i, goods_class in enumerate(CLASSES):
        for j, span in enumerate(((None, limits[i]), (limits[i], None))):
            when = Condition({"goods_class": (goods_class,)}, {"payload_kg": span})
            rates.append(Rate(f"{goods_class}_{j}", LABEL, amounts[2 * i + j], when))
    factors = (
        Factor("ore", LABEL, given_shares[0], Condition({"goods_class": ("ore",)}, {})),
        Factor("inland", LABEL, given_shares[1], Condition({"service": ("inland_delivery",)}, {})),
        Factor("wharf", LABEL, given_shares[2], Condition({"service": ("wharf_only",)}, {})),
    )
    return replace(SHIPPED, rates=tuple(rates), factors=factors, combine_factors=True, rounding_unit_vnd=unit)


def tariff_of(read: Drawn) -> Tariff:
    return make_tariff(
        tuple(1 + read.number(40_000) for _ in range(4)),
        tuple(1 + read.number(10**9) for _ in range(8)),
        tuple(Fraction(1 + read.number(1000), 1 + read.number(1000)) for _ in range(3)),
        read.choice((1, 500, 1000)),
    )


def load_of(read: Drawn) -> Load:
    goods = [read.choice(CLASSES) for _ in range(1 + read.number(4))]
    return load(*goods, payload_kg=1 + read.number(60_000), service=read.choice(SERVICES))


@cases(10_500, 90)
def test_the_amount_is_exact_monotonic_and_that_of_the_highest_class(raw: bytes) -> None:
    read = Drawn(raw)
    base, more, raised_vnd, tariff = load_of(read), read.choice(CLASSES), read.number(10**6 + 1), tariff_of(read)
    answer = fee(tariff, base)
    check_exact(tariff, base, answer)

    alone = [fee(tariff, replace(base, parts=(part,))).amount_vnd for part in base.parts]
    assert answer.amount_vnd == max(alone)
    assert fee(tariff, replace(base, parts=base.parts[::-1])).amount_vnd == max(alone)

    fuller = replace(base, parts=(*base.parts, {"goods_class": more}))
    assert fee(tariff, fuller).amount_vnd >= answer.amount_vnd
    dearer = [replace(rate, amount_vnd=rate.amount_vnd + raised_vnd) for rate in tariff.rates]
    assert fee(replace(tariff, rates=tuple(dearer)), base).amount_vnd >= answer.amount_vnd


def check_exact(tariff: Tariff, cargo: Load, answer: Fee) -> None:
    assert answer.amount_vnd == sum(line.amount_vnd for line in answer.derivation)
    assert type(answer.amount_vnd) is int
    assert answer.amount_vnd % tariff.rounding_unit_vnd == 0
    # the same by another way: the exact value of each part, the highest of them, one rounding
    by_service = {"inland_delivery": tariff.factors[1].share, "wharf_only": tariff.factors[2].share}
    values = []
    for part in cargo.parts:
        (rate,) = [rate for rate in tariff.rates if rate.when and rate.when.holds({**cargo.facts, **part})]
        ore = tariff.factors[0].share if part["goods_class"] == "ore" else Fraction(1)
        values.append(rate.amount_vnd * ore * by_service.get(str(cargo.facts["service"]), Fraction(1)))
    exact = max(values)
    assert 2 * abs(exact - answer.amount_vnd) <= tariff.rounding_unit_vnd


facts_or_not = st.fixed_dictionaries(
    {},
    optional={
        "regime": st.sampled_from(("export", "import", "temporary_import_reexport", "transit")),
        "payload_kg": st.integers(0, 60_000),
        "container": st.sampled_from(("none", "20", "40")),
        "refrigerated": st.booleans(),
        "service": st.sampled_from(SERVICES),
    },
)


@FEWER
@given(facts_or_not, st.lists(st.sampled_from(sorted(GoodsClass)), max_size=3))
def test_the_shipped_tariff_gives_a_known_amount_or_a_question(facts: dict[str, Any], goods: list[str]) -> None:
    answer = assess(SHIPPED, Load(facts, tuple({"goods_class": goods_class} for goods_class in goods)))
    if isinstance(answer, Question):
        assert answer.message.format(**answer.values)
        assert answer.facts or answer.rules or answer.kind == "no_rate"
    else:
        shares = {"standard": 1, "inland_delivery": Fraction(13, 10), "wharf_only": Fraction(3, 10)}
        share = shares[facts["service"]]
        assert answer.amount_vnd in {100_000 * share, 4_000_000 * share}


@FEWER
@given(facts_or_not, st.sampled_from(sorted(GoodsClass)), st.data())
def test_knowing_less_never_gives_another_amount(facts: dict[str, Any], goods: str, data: st.DataObject) -> None:
    known = data.draw(st.sets(st.sampled_from(sorted(facts)))) if facts else set()
    part = ({"goods_class": goods},)
    less = assess(SHIPPED, Load({name: facts[name] for name in known}, part))
    if isinstance(less, Fee):
        assert assess(SHIPPED, Load(facts, part)) == less


@FEWER
@given(st.builds(Fraction, st.integers(0, 10**15), st.integers(1, 10**6)), st.sampled_from((1, 100, 1000)))
def test_rounding_is_half_up_to_the_unit(value: Fraction, unit: int) -> None:
    rounded = round_half_up(value, unit)
    assert rounded % unit == 0
    assert -unit < 2 * (rounded - value) <= unit
