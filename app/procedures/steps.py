"""The steps that procedures are made of, and all that belongs to each: one row a step. Pure.

Which of them a trip passes, in which order and under which conditions, is the procedure's to say (a definition in
YAML); that a step exists, whose it is and how its station looks is said here and asked for everywhere else. How to add
a step: docs/recipes/add-a-step-of-a-procedure.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from app.platform.labels import N_, Vocabulary
from app.platform.permissions import Role
from app.trips.vocabulary import Collector

Part = Literal["vehicle", "driver", "health", "goods", "customs", "fee"]
"""What a station compares with what stands before it: the parts of a declaration, and the fee."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """What belongs to a step.

    `label` is a key of the translations, `icon` one of Tabler's. `roles` are those who do it; where several are named
    the trip's collector says which, and the first stands for them until then. `shows` are the parts its station shows
    open, the others folded. `has_station` says whether it has a work list, `devices_first` whether its station shows
    what the devices saw above all else, `takes_equipment` whether devices can stand at it, `is_barrier` whether
    confirming it opens a barrier, `is_quarantine` whether it is one of the checks that come before goods are
    transshipped.
    """

    label: str
    icon: str
    roles: tuple[Role, ...]
    shows: tuple[Part, ...] = ()
    has_station: bool = True
    devices_first: bool = False
    takes_equipment: bool = True
    is_barrier: bool = False
    is_quarantine: bool = False

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
        place = {step.value: number for number, step in enumerate(cls)}
        return sorted(map(str, names), key=lambda name: place[name])

    def agency(self, collector: str | None = None) -> Role:
        """The role that has the step before it; `collector` is who takes the trip's fee, if that is known."""
        return Role.get(collector) if collector and self.spec.has_collectors else self.spec.roles[0]


class Step(StepVocabulary):
    """Every step there is."""

    DECLARATION = (
        "declaration",
        StepSpec(
            label=N_("Declaration"),
            icon="file-text",
            roles=(Role.ENTERPRISE,),
            has_station=False,
            takes_equipment=False,
        ),
    )
    HEALTH = (
        "health",
        StepSpec(
            label=N_("Health check"), icon="stethoscope", roles=(Role.HEALTH_QUARANTINE,), shows=("health", "driver")
        ),
    )
    BARRIER_1 = (
        "barrier_1",
        StepSpec(
            label=N_("Barrier 1"),
            icon="barrier-block",
            roles=(Role.BORDER_GUARD,),
            shows=("vehicle", "driver", "goods"),
            devices_first=True,
            is_barrier=True,
        ),
    )
    YARD = (
        "yard",
        StepSpec(
            label=N_("Yard"),
            icon="parking",
            roles=(Role.YARD_OPERATOR,),
            shows=("vehicle", "goods"),
            devices_first=True,
        ),
    )
    QUARANTINE_HEALTH = (
        "quarantine_health",
        StepSpec(
            label=N_("Health quarantine"),
            icon="stethoscope",
            roles=(Role.HEALTH_QUARANTINE,),
            shows=("health", "driver"),
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
            is_quarantine=True,
        ),
    )
    QUARANTINE_PLANT = (
        "quarantine_plant",
        StepSpec(
            label=N_("Plant quarantine"),
            icon="leaf",
            roles=(Role.PLANT_QUARANTINE,),
            shows=("goods",),
            is_quarantine=True,
        ),
    )
    TRANSSHIPMENT = (
        "transshipment",
        StepSpec(label=N_("Transshipment"), icon="transfer", roles=(Role.YARD_OPERATOR,), shows=("goods", "vehicle")),
    )
    CUSTOMS = (
        "customs",
        StepSpec(
            label=N_("Customs inspection"),
            icon="package",
            roles=(Role.CUSTOMS,),
            shows=("goods", "customs", "vehicle"),
            devices_first=True,
        ),
    )
    FEE = (
        "fee",
        StepSpec(
            label=N_("Fee"),
            icon="cash",
            roles=tuple(Role.get(collector) for collector in Collector),
            shows=("fee", "goods", "vehicle"),
            takes_equipment=False,
        ),
    )
    BARRIER_2 = (
        "barrier_2",
        StepSpec(
            label=N_("Barrier 2"),
            icon="barrier-block",
            roles=(Role.BORDER_GUARD,),
            shows=("vehicle", "driver", "fee"),
            devices_first=True,
            is_barrier=True,
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
