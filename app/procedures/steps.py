"""The steps that procedures are made of, and all that belongs to each: one row a step. Pure.

Which of them a trip passes, in which order and under which conditions, is the procedure's to say (a definition in
YAML); that a step exists, whose it is and how its station looks is said here and asked for everywhere else. How to add
a step: docs/recipes/add-a-step-of-a-procedure.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from app.gates.vocabulary import System
from app.platform.labels import N_, Vocabulary
from app.platform.permissions import Role
from app.trips.vocabulary import Collector, StepPlace

Part = Literal["vehicle", "driver", "health", "goods", "customs", "fee"]
"""What a station compares with what stands before it: the parts of a declaration, and the fee."""
DeclaredPart = Literal["vehicle", "driver", "health", "goods", "customs"]
"""A part of a declaration; tractor, trailer and container are parts of the vehicle."""


EVERYWHERE: Final = (System.POWER, System.NETWORK, System.PLATFORM)
"""What every step of an agency works with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """What belongs to a step.

    `label` is a key of the translations, `icon` one of Tabler's. `roles` are those who do it; where several are named
    the trip's collector says which, and the first stands for them until then. `shows` are the parts its station shows
    open, the others folded. `vouches` are the parts of the declaration that whoever confirms it has compared with what
    stands there: changed afterwards, the step is open again (a procedure's `checks` add to them). Goods are vouched for
    by those that inspect them; a barrier sees their papers. `has_station` says whether it has a work list,
    `devices_first` whether its station shows what the devices saw above all else, `takes_equipment` whether devices can
    stand at it, `is_barrier` whether confirming it opens a barrier, `is_quarantine` whether it is one of the checks
    that come before goods are transshipped. `place` is where it is done, so that doing it shows where the truck is.
    `needs` are the systems of the gate that the step works with: while one of them is out it is done on paper, or
    waits.
    """

    label: str
    icon: str
    roles: tuple[Role, ...]
    shows: tuple[Part, ...] = ()
    vouches: tuple[DeclaredPart, ...] = ()
    has_station: bool = True
    devices_first: bool = False
    takes_equipment: bool = True
    is_barrier: bool = False
    is_quarantine: bool = False
    place: StepPlace = StepPlace.GATE_AREA
    needs: tuple[System, ...] = EVERYWHERE

    @property
    def has_collectors(self) -> bool:
        """Whether the trip's collector says whose it is."""
        return len(self.roles) > 1


class StepVocabulary(Vocabulary):
    """Steps by name, each a member `NAME = "name", StepSpec(…)`, in the order in which columns and lists show them."""

    spec: StepSpec

    def __init__(self, _name: str, spec: StepSpec) -> None:
        super().__init__(_name, spec.label, spec.icon)
        self.spec = spec

    @classmethod
    def stations(cls) -> tuple[StepVocabulary, ...]:
        """The steps that have a station with a work list."""
        return tuple(step for step in cls if step.spec.has_station)

    @classmethod
    def with_equipment(cls) -> tuple[StepVocabulary, ...]:
        """The steps at which devices can stand."""
        return tuple(step for step in cls if step.spec.takes_equipment)

    @classmethod
    def in_order(cls, names: Iterable[str]) -> list[str]:
        """Names of steps in the order of the vocabulary; raises KeyError if one is not a step."""
        return sorted(map(str, names), key=_places(cls).__getitem__)

    def agency(self, collector: str | None = None) -> Role:
        """The role that has the step before it; `collector` is who takes the trip's fee, if that is known."""
        return Role.get(collector) if collector and self.spec.has_collectors else self.spec.roles[0]


@cache
def _places(steps: type[StepVocabulary]) -> Mapping[str, int]:
    return {step.value: number for number, step in enumerate(steps)}


class Step(StepVocabulary):
    """Every step there is."""

    DECLARATION = (
        "declaration",
        StepSpec(
            label=N_("Declaration"),
            icon="file-text",
            roles=(Role.ENTERPRISE,),
            needs=(),
            has_station=False,
            takes_equipment=False,
            place=StepPlace.NOWHERE,
        ),
    )
    HEALTH = (
        "health",
        StepSpec(
            label=N_("Health check"),
            icon="stethoscope",
            roles=(Role.HEALTH_QUARANTINE,),
            shows=("health", "driver"),
            place=StepPlace.ENTRANCE,
            vouches=("health", "driver"),
        ),
    )
    BARRIER_1 = (
        "barrier_1",
        StepSpec(
            label=N_("Barrier 1"),
            icon="barrier-block",
            roles=(Role.BORDER_GUARD,),
            shows=("vehicle", "driver", "goods"),
            vouches=("vehicle", "driver"),
            devices_first=True,
            is_barrier=True,
            place=StepPlace.BARRIER,
            needs=(*EVERYWHERE, System.BARRIER, System.CAMERAS, System.SCALE),
        ),
    )
    YARD = (
        "yard",
        StepSpec(
            label=N_("Yard"),
            icon="parking",
            roles=(Role.YARD_OPERATOR,),
            shows=("vehicle", "goods"),
            vouches=("vehicle",),
            devices_first=True,
            place=StepPlace.YARD,
        ),
    )
    QUARANTINE_HEALTH = (
        "quarantine_health",
        StepSpec(
            label=N_("Health quarantine"),
            icon="stethoscope",
            roles=(Role.HEALTH_QUARANTINE,),
            shows=("health", "driver"),
            vouches=("goods", "vehicle"),
            is_quarantine=True,
        ),
    )
    QUARANTINE_ANIMAL = (
        "quarantine_animal",
        StepSpec(
            label=N_("Animal quarantine"),
            icon="paw",
            roles=(Role.ANIMAL_QUARANTINE,),
            shows=("goods",),
            vouches=("goods", "vehicle"),
            is_quarantine=True,
            needs=(*EVERYWHERE, System.SINGLE_WINDOW),
        ),
    )
    QUARANTINE_PLANT = (
        "quarantine_plant",
        StepSpec(
            label=N_("Plant quarantine"),
            icon="leaf",
            roles=(Role.PLANT_QUARANTINE,),
            shows=("goods",),
            vouches=("goods", "vehicle"),
            is_quarantine=True,
            needs=(*EVERYWHERE, System.SINGLE_WINDOW),
        ),
    )
    TRANSSHIPMENT = (
        "transshipment",
        StepSpec(
            label=N_("Transshipment"),
            icon="transfer",
            roles=(Role.YARD_OPERATOR,),
            shows=("goods", "vehicle"),
            vouches=("goods", "vehicle"),
        ),
    )
    CUSTOMS = (
        "customs",
        StepSpec(
            label=N_("Customs inspection"),
            icon="package",
            roles=(Role.CUSTOMS,),
            shows=("goods", "customs", "vehicle"),
            vouches=("goods", "customs", "vehicle"),
            devices_first=True,
            needs=(*EVERYWHERE, System.CUSTOMS_SYSTEM, System.SCANNER),
        ),
    )
    FEE = (
        "fee",
        StepSpec(
            label=N_("Fee"),
            icon="cash",
            roles=tuple(Role.get(collector) for collector in Collector),
            shows=("fee", "goods", "vehicle"),
            needs=(*EVERYWHERE, System.PAYMENT),
            vouches=("goods", "vehicle", "customs"),
            takes_equipment=False,
            place=StepPlace.NOWHERE,
        ),
    )
    BARRIER_2 = (
        "barrier_2",
        StepSpec(
            label=N_("Barrier 2"),
            icon="barrier-block",
            roles=(Role.BORDER_GUARD,),
            shows=("vehicle", "driver", "fee"),
            vouches=("vehicle", "driver"),
            devices_first=True,
            is_barrier=True,
            place=StepPlace.BARRIER,
            needs=(*EVERYWHERE, System.BARRIER, System.CAMERAS),
        ),
    )


class StepStatus(Vocabulary):
    """How a step of a trip stands; `sign` is what the drawing of the procedure marks it with."""

    sign: str

    def __init__(self, _name: str, label: str, icon: str, sign: str) -> None:
        super().__init__(_name, label, icon)
        self.sign = sign

    WAITING = "waiting", N_("Waiting"), "hourglass-empty", "○"
    READY = "ready", N_("To do"), "circle-dot", "●"
    DONE = "done", N_("Done"), "circle-check", "✓"
    RETURNED = "returned", N_("Returned"), "arrow-back-up", "↩"
    NOT_NEEDED = "not_needed", N_("Not needed"), "circle-dashed", "–"

    @classmethod
    def open(cls) -> tuple[StepStatus, ...]:
        """In these its owner can act on a step."""
        return (cls.READY, cls.RETURNED)

    @classmethod
    def to_do(cls) -> tuple[StepStatus, ...]:
        """In these a step is still to be done, now or later."""
        return (cls.WAITING, *cls.open())

    @classmethod
    def over(cls) -> tuple[StepStatus, ...]:
        """In these nothing is left to do at a step."""
        return (cls.DONE, cls.NOT_NEEDED)


class VehicleRole(Vocabulary):
    """What a trip's vehicle is to the goods."""

    CARRIER = "carrier", N_("Carries its own load"), "truck"
    RECEIVER = "receiver", N_("Received its load in a transshipment"), "truck-loading"
    EMPTY_INWARD = "empty_inward", N_("Goes home empty, inland"), "truck-return"
    EMPTY_OUTWARD = "empty_outward", N_("Goes home empty, over the border"), "truck-return"

    @classmethod
    def loaded(cls) -> tuple[VehicleRole, ...]:
        """These take goods over the border and are counted there."""
        return (cls.CARRIER, cls.RECEIVER)

    @classmethod
    def empty(cls) -> tuple[VehicleRole, ...]:
        """These gave all their goods to others and go home, counted over no border."""
        return (cls.EMPTY_INWARD, cls.EMPTY_OUTWARD)
