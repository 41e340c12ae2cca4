"""What a trip and its declaration can be: stages, places, parties, with what belongs to each.

Regimes, directions, channels and collectors are the gates' (`app.gates.vocabulary`), published here as what a trip has
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from app.gates.vocabulary import Channel as Channel
from app.gates.vocabulary import Collector as Collector
from app.gates.vocabulary import Direction as Direction
from app.gates.vocabulary import Regime as Regime
from app.platform.labels import N_, Vocabulary

_PARTY_READS = frozenset({"trips.read", "sheets.read"})
_PAPER_READS = frozenset({"declarations.read", "fees.read"})
"""What only those read who answer for the goods: a carrier needs neither their value nor what is paid for them."""


class Stage(Vocabulary):
    """How far a truck has come; in the order of the way."""

    PLANNED = "planned", N_("Planned"), "calendar"
    ON_THE_ROAD = "on_the_road", N_("On the road"), "road"
    QUEUED = "queued", N_("Queued"), "hourglass"
    IN_THE_YARD = "in_the_yard", N_("In the yard"), "parking"
    OUT = "out", N_("Out"), "flag-check"
    CANCELLED = "cancelled", N_("Cancelled"), "ban"
    EXPIRED = "expired", N_("Expired: never came"), "calendar-off"

    @classmethod
    def open(cls) -> tuple[Stage, ...]:
        """The stages of a trip that is not over."""
        return (cls.PLANNED, cls.ON_THE_ROAD, cls.QUEUED, cls.IN_THE_YARD)

    @classmethod
    def without_crossing(cls) -> tuple[Stage, ...]:
        """The stages of a trip that was ended by a person or a rule: nothing that is seen of a truck is of it."""
        return (cls.CANCELLED, cls.EXPIRED)

    @classmethod
    def before_queue(cls) -> tuple[Stage, ...]:
        """The stages in which the enterprise can still change a trip or take it back."""
        return (cls.PLANNED, cls.ON_THE_ROAD)

    @classmethod
    def before_yard(cls) -> tuple[Stage, ...]:
        """The stages in which a truck has not been let into the gate area."""
        return (*cls.before_queue(), cls.QUEUED)

    @classmethod
    def at_gate(cls) -> tuple[Stage, ...]:
        """The stages in which a truck takes room at the gate."""
        return (cls.QUEUED, cls.IN_THE_YARD)

    @classmethod
    def by_urgency(cls) -> tuple[Stage, ...]:
        """What is stuck first, then what comes, what stands in the yard, what is planned, what is over."""
        return (cls.QUEUED, cls.ON_THE_ROAD, cls.IN_THE_YARD, cls.PLANNED, cls.OUT, cls.CANCELLED, cls.EXPIRED)

    @classmethod
    def groups(cls) -> dict[str, Sequence[Stage]]:
        """`by_urgency`, `before_yard` and `open`."""
        return {"by_urgency": cls.by_urgency(), "before_yard": cls.before_yard(), "open": cls.open()}

    @classmethod
    def way(cls, direction: str) -> tuple[Stage, ...]:
        """The stages that a trip of a direction passes; an import sets out inside the gate area."""
        if Direction.get(direction) is Direction.EXPORT:
            return (*cls.open(), cls.OUT)
        return (cls.PLANNED, cls.IN_THE_YARD, cls.OUT)


class PlaceKind(Vocabulary):
    """Where a truck can be; `stage` is how far its trip has come there."""

    stage: Stage

    def __init__(self, _name: str, label: str, icon: str, stage: Stage) -> None:
        super().__init__(_name, label, icon)
        self.stage = stage

    PLANNED = "planned", N_("Planned"), "calendar", Stage.PLANNED
    ON_THE_ROAD = "on_the_road", N_("On the road"), "road", Stage.ON_THE_ROAD
    UNKNOWN = "unknown", N_("Not seen for a day"), "question-mark", Stage.ON_THE_ROAD
    QUEUED = "queued", N_("Queued"), "hourglass", Stage.QUEUED
    TEMPORARY_YARD = "temporary_yard", N_("In the temporary yard"), "parking-circle", Stage.QUEUED
    GATE_AREA = "gate_area", N_("In the gate area"), "barrier-block", Stage.IN_THE_YARD
    YARD = "yard", N_("In the yard"), "parking", Stage.IN_THE_YARD
    OVER_THE_BORDER = "over_the_border", N_("Over the border"), "flag-check", Stage.OUT
    INLAND = "inland", N_("Left for the inland"), "flag-check", Stage.OUT
    TURNED_BACK = "turned_back", N_("Turned back"), "arrow-back-up", Stage.OUT

    @classmethod
    def inside(cls) -> tuple[PlaceKind, ...]:
        """Between the barriers of a gate."""
        return (cls.GATE_AREA, cls.YARD)

    @classmethod
    def before_barrier(cls) -> tuple[PlaceKind, ...]:
        """At a gate, not let in yet."""
        return (cls.QUEUED, cls.TEMPORARY_YARD)

    @classmethod
    def at_gate(cls) -> tuple[PlaceKind, ...]:
        """At a gate, before its barriers or between them."""
        return (*cls.before_barrier(), *cls.inside())

    @classmethod
    def on_the_way(cls) -> tuple[PlaceKind, ...]:
        """Under way to the gate or before it: where the regulation wants a tracker to report."""
        return (cls.ON_THE_ROAD, cls.UNKNOWN, cls.QUEUED)

    @classmethod
    def over(cls) -> tuple[PlaceKind, ...]:
        """Where a trip has ended."""
        return (cls.OVER_THE_BORDER, cls.INLAND, cls.TURNED_BACK)


class StepPlace(StrEnum):
    """Where an officer stands who confirms a step, and so where the truck is."""

    NOWHERE = "nowhere"
    """At a desk: the act says nothing of where the truck is."""
    ENTRANCE = "entrance"
    BARRIER = "barrier"
    YARD = "yard"
    GATE_AREA = "gate_area"


class PartyRole(Vocabulary):
    """What part an organisation has in a trip; `reads` are the acts of reading that the part opens for that trip."""

    reads: frozenset[str]

    def __init__(self, _name: str, label: str, icon: str, reads: frozenset[str]) -> None:
        super().__init__(_name, label, icon)
        self.reads = reads

    CONSIGNOR = "consignor", N_("Consignor"), "package-export", _PARTY_READS | _PAPER_READS
    CARRIER = "carrier", N_("Carrier"), "truck", _PARTY_READS
    CUSTOMS_AGENT = "customs_agent", N_("Customs agent"), "file-certificate", _PARTY_READS | _PAPER_READS


class DeclarationStatus(Vocabulary):
    """How a revision of the declaration of a trip stands."""

    DRAFT = "draft", N_("Draft"), "pencil"
    SUBMITTED = "submitted", N_("Submitted"), "check"
    RETURNED = "returned", N_("Returned"), "arrow-back-up"
    SUPERSEDED = "superseded", N_("Superseded"), "history"

    @classmethod
    def declared(cls) -> tuple[DeclarationStatus, ...]:
        """In these a revision is what stands behind its trip."""
        return (cls.SUBMITTED, cls.RETURNED)
