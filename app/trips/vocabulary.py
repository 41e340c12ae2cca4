"""What a trip and its declaration can be: stages, regimes, directions, channels, with what belongs to each."""

from __future__ import annotations

from enum import StrEnum

from app.platform.labels import N_, Vocabulary
from app.platform.permissions import Role


class Stage(Vocabulary):
    """How far a truck has come; in the order of the way."""

    PLANNED = "planned", N_("Planned"), "calendar"
    ON_THE_ROAD = "on_the_road", N_("On the road"), "road"
    QUEUED = "queued", N_("Queued"), "hourglass"
    IN_THE_YARD = "in_the_yard", N_("In the yard"), "parking"
    OUT = "out", N_("Out"), "flag-check"
    CANCELLED = "cancelled", N_("Cancelled"), "ban"

    @classmethod
    def open(cls) -> tuple[Stage, ...]:
        """The stages of a trip that is not over."""
        return (cls.PLANNED, cls.ON_THE_ROAD, cls.QUEUED, cls.IN_THE_YARD)

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
    def way(cls, direction: str) -> tuple[Stage, ...]:
        """The stages that a trip of a direction passes; an import sets out inside the gate area."""
        if Direction.get(direction) is Direction.EXPORT:
            return (*cls.open(), cls.OUT)
        return (cls.PLANNED, cls.IN_THE_YARD, cls.OUT)


class Direction(Vocabulary):
    """Which way a truck crosses; `phrase` is its label inside a sentence."""

    phrase: str

    def __init__(self, _name: str, label: str, phrase: str) -> None:
        super().__init__(_name, label)
        self.phrase = phrase

    EXPORT = "export", N_("To China"), N_("to China")
    IMPORT = "import", N_("To Viet Nam"), N_("to Viet Nam")


class Regime(Vocabulary):
    """The customs regime of a crossing; `direction` if it has only one, `None` if it goes both ways."""

    direction: Direction | None

    def __init__(self, _name: str, label: str, direction: Direction | None = None) -> None:
        super().__init__(_name, label)
        self.direction = direction

    EXPORT = "export", N_("Export"), Direction.EXPORT
    IMPORT = "import", N_("Import"), Direction.IMPORT
    TEMPORARY_IMPORT_REEXPORT = "temporary_import_reexport", N_("Temporary import for re-export")
    TEMPORARY_EXPORT_REIMPORT = "temporary_export_reimport", N_("Temporary export for re-import")
    BORDER_TRANSFER = "border_transfer", N_("Border transfer")
    TRANSIT = "transit", N_("Transit")

    def directions(self) -> tuple[Direction, ...]:
        """The directions that a crossing under the regime can have."""
        return tuple(Direction) if self.direction is None else (self.direction,)


class Channel(Vocabulary):
    """What customs want to see of a trip; `meaning` says it, a key of the translations."""

    meaning: str

    def __init__(self, _name: str, label: str, icon: str, meaning: str) -> None:
        super().__init__(_name, label, icon)
        self.meaning = meaning

    GREEN = "green", N_("Green"), "circle-check", N_("releases at once")
    YELLOW = "yellow", N_("Yellow"), "file-search", N_("papers")
    RED = "red", N_("Red"), "package", N_("papers and goods")


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


class Collector(StrEnum):
    """Who can take a trip's fee; also the roles of their people."""

    GATE_MANAGEMENT = Role.GATE_MANAGEMENT.value
    TAX = Role.TAX.value
