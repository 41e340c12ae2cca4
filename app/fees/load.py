"""What the tariff is asked with: the facts of a trip, its declaration, and what the collector added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.fees.tariff import LOAD_FACTS, Fact, Load
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
MAX_KG: Final = 200_000


def load_of(trip: Mapping[str, Any], declared: Mapping[str, Any] | None, answers: Mapping[str, Any]) -> Load:
    """The load of a trip; later sources win: the declaration, then the collector's answers.

    Arguments: `trip` with `regime direction gate_id goods_class`; `declared`, the data of its declaration, of which
    `payload_kg`, `container`, `refrigerated`, `service` and the `goods_class` of each of the `lines` count. What
    cannot be read as its fact is as good as not declared.
    """
    declared = declared or {}
    facts: dict[str, Fact] = {"service": "standard"}
    facts |= {name: declared[name] for name in ANSWERABLE if _fits(name, declared.get(name))}
    facts |= {name: answers[name] for name in ANSWERABLE if _fits(name, answers.get(name))}
    facts |= {name: str(trip[name]) for name in ("regime", "direction", "gate_id")}
    listed = declared.get("lines")
    classes = [
        str(part["goods_class"])
        for part in (listed if isinstance(listed, list) else ())
        if isinstance(part, Mapping) and GoodsClass.lookup(part.get("goods_class")) is not None
    ]
    return Load(facts, tuple({"goods_class": one} for one in dict.fromkeys(classes or [str(trip["goods_class"])])))


def to_record(load: Load) -> dict[str, Any]:
    """A load as plain JSON values."""
    return {"facts": dict(load.facts), "parts": [dict(part) for part in load.parts]}


def check_answers(answers: Mapping[str, Any]) -> dict[str, Any]:
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
        if not _fits(name, value):
            wanted = ", ".join(CHOICES.get(name, ())) or {int: "a whole number", bool: "true or false"}.get(
                LOAD_FACTS[name], "text"
            )
            raise InvalidInputError(
                "{name} is {value}; it must be {wanted}.", field=name, name=name, value=str(value)[:40], wanted=wanted
            )
    return dict(answers)


def _fits(name: str, value: Any) -> bool:
    if type(value) is not LOAD_FACTS[name]:
        return False
    if name in CHOICES:
        return value in CHOICES[name]
    return not isinstance(value, int) or isinstance(value, bool) or 0 <= value <= MAX_KG
