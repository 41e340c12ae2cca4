"""What the tariff is asked with: the facts of a trip, its declaration, and what the collector added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeGuard

from app.fees.records import Fact, LoadRecord
from app.fees.store import TripFacts
from app.fees.tariff import LOAD_FACTS, Load
from app.trips.goods import GoodsClass
from app.trips.vocabulary import Direction, Regime
from geo.errors import InvalidInputError

SERVICES: Final = ("standard", "inland_delivery", "wharf_only")
CONTAINERS: Final = ("none", "20", "40", "45")
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "regime": tuple(Regime),
    "direction": tuple(Direction),
    "service": SERVICES,
    "container": CONTAINERS,
    "vehicle": ("truck", "tractor", "new_vehicle"),
}
"""The values of facts that are names."""
ANSWERABLE: Final = ("payload_kg", "weight_kg", "container", "refrigerated", "vehicle", "service")
"""Facts a collector may add; regime and gate are the trip's own and are declared again, not answered."""
MAX_MASS_KG: Final = 200_000


def load_of(trip: TripFacts, answers: Mapping[str, Fact]) -> Load:
    """The load of a trip; later sources win: the declaration, then the collector's answers.

    Of what the trip declared, `payload_kg`, `container`, `refrigerated`, `service` and the `goods_class` of each of the
    `lines` count. What cannot be read as its fact is as good as not declared.
    """
    declared = trip.declared or {}
    facts: dict[str, Fact] = {"service": "standard"}
    facts |= _known_facts(declared)
    facts |= _known_facts(answers)
    facts |= {"regime": trip.regime, "direction": trip.direction, "gate_id": trip.gate_id}
    lines = declared.get("lines")
    classes = [
        str(line["goods_class"])
        for line in (lines if isinstance(lines, list) else ())
        if isinstance(line, Mapping) and GoodsClass.lookup(line.get("goods_class")) is not None
    ]
    parts = dict.fromkeys(classes or [trip.goods_class])
    return Load(facts, tuple({"goods_class": goods_class} for goods_class in parts))


def to_record(load: Load) -> LoadRecord:
    """A load as plain JSON values."""
    return {"facts": dict(load.facts), "parts": [dict(part) for part in load.parts]}


def check_answers(answers: Mapping[str, object]) -> dict[str, Fact]:
    """The facts that a collector adds, if each is one that can be added.

    Raises
    ------
    InvalidInputError
        If there is none, or one is unknown or has another type; `field` names it.
    """
    if not answers:
        raise InvalidInputError("Give at least one fact.", field="facts")
    for name, value in answers.items():
        if name not in ANSWERABLE:
            raise InvalidInputError(
                "{name} cannot be answered here; use one of {known}.",
                field="facts",
                name=name,
                known=", ".join(ANSWERABLE),
            )
        if not _fits(value, name):
            wanted = ", ".join(CHOICES.get(name, ())) or {int: "a whole number", bool: "true or false"}.get(
                LOAD_FACTS[name], "text"
            )
            raise InvalidInputError(
                "{name} is {value}; it must be {wanted}.", field=name, name=name, value=str(value)[:40], wanted=wanted
            )
    return _known_facts(answers)


def _known_facts(given: Mapping[str, object]) -> dict[str, Fact]:
    values = ((name, given.get(name)) for name in ANSWERABLE)
    return {name: value for name, value in values if _fits(value, name)}


def _fits(value: object, name: str) -> TypeGuard[Fact]:
    if type(value) is not LOAD_FACTS[name]:
        return False
    if name in CHOICES:
        return value in CHOICES[name]
    return not isinstance(value, int) or isinstance(value, bool) or 0 <= value <= MAX_MASS_KG
