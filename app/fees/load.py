"""What the tariff is asked with: the facts of a trip, its declaration, and what the collector added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from app.fees.records import Fact, GoodsNote, LoadRecord, ProofRecord
from app.fees.store import TripFacts
from app.fees.tariff import FACTS, Load
from app.gates.vocabulary import GoodsClass
from app.trips.hs_classes import classify
from app.trips.vocabulary import Direction, Regime
from geo.errors import InvalidInputError

STANDARD: Final = "standard"
SERVICES: Final = (STANDARD, "inland_delivery", "wharf_only")
CONTAINERS: Final = ("none", "20", "40", "45")
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "regime": tuple(Regime),
    "direction": tuple(Direction),
    "service": SERVICES,
    "container": CONTAINERS,
    "vehicle": ("truck", "tractor", "new_vehicle"),
    "goods_class": tuple(GoodsClass),
}
"""The values of facts that are names."""
ANSWERABLE: Final = ("payload_kg", "weight_kg", "container", "refrigerated", "vehicle", "service", "goods_class")
"""Facts a collector may add; regime and gate are the trip's own and are declared again, not answered.

`goods_class` answers for the goods whose class neither HS code nor declarant says.
"""
DECLARABLE: Final = ("payload_kg", "weight_kg", "container", "refrigerated", "vehicle", "service")
MAX_MASS_KG: Final = 200_000


@dataclass(frozen=True)
class KnownLoad:
    """What is known of a trip's load: what the tariff is asked with, and what a collector should look at.

    `is_service_answered` says that the collector entered the service.
    """

    load: Load
    goods: tuple[GoodsNote, ...] = ()
    proof: ProofRecord | None = None
    is_service_answered: bool = False

    @property
    def service(self) -> str:
        """The service that the tariff is asked with."""
        return str(self.load.facts["service"])

    def with_ordinary_service(self) -> KnownLoad:
        """The same load if it used the ordinary service."""
        return replace(self, load=replace(self.load, facts={**self.load.facts, "service": STANDARD}))

    def with_weight(self, weight_kg: int) -> KnownLoad:
        """The same load with what its goods weigh."""
        weighed = min(max(weight_kg, 0), MAX_MASS_KG)
        return replace(self, load=replace(self.load, facts={**self.load.facts, "weight_kg": weighed}))

    def with_proof(self, proof: ProofRecord) -> KnownLoad:
        """The same load with what is known of the proof of its service."""
        return replace(self, proof=proof)

    def to_record(self) -> LoadRecord:
        """As plain JSON values."""
        record = LoadRecord(facts=dict(self.load.facts), parts=[dict(part) for part in self.load.parts])
        if self.goods:
            record["goods"] = list(self.goods)
        if self.proof is not None:
            record["proof"] = self.proof
        return record


def load_of(trip: TripFacts, answers: Mapping[str, Fact]) -> KnownLoad:
    """The load of a trip; later sources win: the declaration, then the collector's answers.

    Of what the trip declared, the `DECLARABLE` facts count. The class of each of the `lines` is that of its HS code;
    the declarant's word counts only where the code leaves the class open (`app.trips.hs_classes`), and the
    collector's where neither says. What cannot be read as its fact is as good as not declared.
    """
    declared = trip.declared or {}
    facts: dict[str, Fact] = {"service": STANDARD}
    facts |= _known_facts(declared, DECLARABLE)
    facts |= _known_facts(answers, DECLARABLE)
    facts |= {"regime": trip.regime, "direction": trip.direction, "gate_id": trip.gate_id}
    lines = declared.get("lines")
    parts: dict[str, None] = {}
    notes: list[GoodsNote] = []
    for number, line in enumerate(lines if isinstance(lines, list) else (), 1):
        if not isinstance(line, Mapping):
            continue
        hs_code, word = str(line.get("hs_code") or ""), str(line.get("goods_class") or "")
        known = classify(hs_code, word)
        if known.by_hs and (known.is_contradicted or known.is_open):
            notes.append(
                GoodsNote(
                    line=number,
                    hs_code=hs_code,
                    description=str(line.get("description") or ""),
                    declared=known.declared,
                    by_hs=list(known.by_hs),
                    goods_class=known.goods_class,
                )
            )
        if known.goods_class or known.by_hs:
            parts[known.goods_class or str(answers.get("goods_class", ""))] = None
    classes = parts or {trip.goods_class: None}
    return KnownLoad(
        Load(facts, tuple({"goods_class": goods_class} if goods_class else {} for goods_class in classes)),
        tuple(notes),
        is_service_answered="service" in answers,
    )


def declared_weight_kg(declared: Mapping[str, object] | None) -> int | None:
    """What all goods of a declaration weigh with their packaging; `None` if a line does not say."""
    lines = (declared or {}).get("lines")
    if not isinstance(lines, list) or not lines:
        return None
    weights = [line.get("gross_weight_kg") if isinstance(line, Mapping) else None for line in lines]
    known = [weight for weight in weights if isinstance(weight, int | float) and not isinstance(weight, bool)]
    return round(sum(known)) if len(known) == len(weights) else None


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
                FACTS[name], "text"
            )
            raise InvalidInputError(
                "{name} is {value}; it must be {wanted}.", field=name, name=name, value=str(value)[:40], wanted=wanted
            )
    return _known_facts(answers, ANSWERABLE)


def _known_facts(given: Mapping[str, object], names: tuple[str, ...]) -> dict[str, Fact]:
    values = ((name, given.get(name)) for name in names)
    return {name: value for name, value in values if _fits(value, name)}


def _fits(value: object, name: str) -> TypeGuard[Fact]:
    if type(value) is not FACTS[name]:
        return False
    if name in CHOICES:
        return value in CHOICES[name]
    return not isinstance(value, int) or isinstance(value, bool) or 0 <= value <= MAX_MASS_KG
