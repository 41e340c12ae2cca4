"""What an enterprise may change of a trip or take back, in which state of sheet and presence: one table. Pure.

Every door asks here before it writes: `PATCH` and cancelling of trips, declarations by API, form and file, declaring
again after a return, an order that diverts, and a gate that takes over a truck which came to it. What an agency vouched
for is never changed behind its back: the change is refused with a reason, or the steps that vouched are open again and
their agencies are told. docs/changes.md draws the table; a test holds the two together.

Where a truck is comes in as one flag (`Situation.is_on_site`), so that whoever judges presence says it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from app.platform.labels import N_, Vocabulary
from app.procedures.procedure import Refusal
from app.trips.vocabulary import Stage


class SheetState(Vocabulary):
    """How far the agencies are with a trip, for what may be changed."""

    ENTERED = "entered", "Nothing handed in"
    DECLARED = "declared", "Declared, no agency has acted"
    HANDLED = "handled", "An agency has acted"
    RETURNED = "returned", "Returned to be declared again"


class Whereabouts(Vocabulary):
    """Where the truck is, for what may be changed."""

    AWAY = "away", "Planned or on the road"
    QUEUED = "queued", "In the queue"
    ON_SITE = "on_site", "At the gate or in the yard"


class Change(Vocabulary):
    """What can be asked to be changed; `fields` are the names it has on a trip and in a declaration."""

    fields: frozenset[str]

    def __init__(self, _name: str, label: str, *fields: str) -> None:
        super().__init__(_name, label)
        self.fields = frozenset(fields)

    TRUCK = "truck", "Truck", "plate", "payload_kg", "inspection_expires"
    TRAILER = "trailer", "Trailer", "trailer_plate"
    CONTAINER = "container", "Container", "container", "container_number", "seals", "refrigerated"
    DRIVER = "driver", "Driver"
    GOODS = "goods", "Goods", "goods", "goods_class", "perishable"
    CUSTOMS = "customs", "Customs declaration", "customs_number", "service"
    REGIME = "regime", "Regime and direction", "regime", "direction"
    GATE = "gate", "Gate", "gate_id"
    ARRIVAL = "arrival", "Planned arrival", "planned_arrival"
    CANCEL = "cancel", "Cancelling"
    DIVERT = "divert", "Another gate, by order of the police"
    TAKE_OVER = "take_over", "Another gate, where the truck has come to"

    @classmethod
    def of_field(cls, name: str) -> Change:
        """The change that a field of a trip or declaration belongs to; lines of goods are `lines.2.quantity`."""
        if name.startswith("lines"):
            return cls.GOODS
        if name.startswith(("driver", "health")):
            return cls.DRIVER
        return next((change for change in cls if name in change.fields), cls.CUSTOMS)


class Rule(Vocabulary):
    """What becomes of a change that is asked for; `reason` is said where it is refused, and names what to do."""

    reason: str

    def __init__(self, _name: str, label: str, reason: str = "") -> None:
        super().__init__(_name, label)
        self.reason = reason

    FREE = "free", "allowed"
    REOPENS = "reopens", "allowed; steps that vouched for it are open again, their agencies are told"
    RESTARTS = "restarts", "allowed; every step is open again, agencies that had acted are told"
    IN_QUEUE = (
        "in_queue",
        "refused: in the queue",
        N_(
            "The trip {code} stands in the queue of its gate; this can be changed or cancelled only before it reaches "
            "the queue. Ask the traffic police, or an officer at the gate."
        ),
    )
    ASK_RETURN = (
        "ask_return",
        "refused: ask for a return",
        N_("An agency has begun with the trip {code}; ask it to return the sheet, then declare again."),
    )
    AT_GATE = (
        "at_gate",
        "refused: the truck is at the gate",
        N_(
            "The truck of the trip {code} stands at its gate; this can no longer be changed or cancelled from outside. "
            "Ask an officer there."
        ),
    )
    BEGUN_THERE = (
        "begun_there",
        "refused: its gate has begun",
        N_("The gate of the trip {code} has begun with it; it ends there, or its officers return the sheet first."),
    )

    @property
    def is_refusal(self) -> bool:
        """Whether the change is not made."""
        return bool(self.reason)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a trip when a change is asked for.

    `is_declared`: something was handed in for it; `is_returned`: its declaration was sent back; `decided`: the steps
    that agencies have confirmed; `is_on_site`: its truck stands in the gate area.
    """

    stage: str
    is_on_site: bool
    is_declared: bool
    is_returned: bool = False
    decided: frozenset[str] = frozenset()

    @property
    def sheet(self) -> SheetState:
        """How far the agencies are."""
        if self.is_returned:
            return SheetState.RETURNED
        if self.decided:
            return SheetState.HANDLED
        return SheetState.DECLARED if self.is_declared else SheetState.ENTERED

    @property
    def whereabouts(self) -> Whereabouts:
        """Where the truck is; what stands in the yard is on site whatever else is known."""
        if self.is_on_site or self.stage == Stage.IN_THE_YARD:
            return Whereabouts.ON_SITE
        return Whereabouts.QUEUED if self.stage == Stage.QUEUED else Whereabouts.AWAY


RulesByState = tuple[Rule, Rule, Rule, Rule]
"""The rules of one place, in the order of `SheetState`."""
_FREE, _REOPENS, _RESTARTS = Rule.FREE, Rule.REOPENS, Rule.RESTARTS
_QUEUE, _ASK, _GATE, _BEGUN = Rule.IN_QUEUE, Rule.ASK_RETURN, Rule.AT_GATE, Rule.BEGUN_THERE

PAPERS: Final[Mapping[Whereabouts, RulesByState]] = {
    Whereabouts.AWAY: (_FREE, _REOPENS, _ASK, _REOPENS),
    Whereabouts.QUEUED: (_QUEUE, _REOPENS, _ASK, _REOPENS),
    Whereabouts.ON_SITE: (_GATE, _REOPENS, _ASK, _REOPENS),
}
"""What is declared of vehicle, driver and goods; where nothing is, a truck that has come is declared, not changed."""
RULES: Final[Mapping[Change, Mapping[Whereabouts, RulesByState]]] = {
    **dict.fromkeys((Change.TRUCK, Change.TRAILER, Change.CONTAINER, Change.DRIVER, Change.GOODS), PAPERS),
    Change.CUSTOMS: PAPERS,
    Change.REGIME: {
        Whereabouts.AWAY: (_FREE, _RESTARTS, _ASK, _RESTARTS),
        Whereabouts.QUEUED: (_QUEUE, _RESTARTS, _ASK, _RESTARTS),
        Whereabouts.ON_SITE: (_GATE, _RESTARTS, _ASK, _RESTARTS),
    },
    Change.GATE: {
        Whereabouts.AWAY: (_FREE, _RESTARTS, _ASK, _RESTARTS),
        Whereabouts.QUEUED: (_QUEUE, _QUEUE, _ASK, _QUEUE),
        Whereabouts.ON_SITE: (_GATE, _GATE, _GATE, _GATE),
    },
    Change.ARRIVAL: {
        Whereabouts.AWAY: (_FREE, _FREE, _FREE, _FREE),
        Whereabouts.QUEUED: (_QUEUE, _QUEUE, _QUEUE, _FREE),
        Whereabouts.ON_SITE: (_GATE, _GATE, _GATE, _FREE),
    },
    Change.CANCEL: {
        Whereabouts.AWAY: (_FREE, _FREE, _BEGUN, _FREE),
        Whereabouts.QUEUED: (_QUEUE, _QUEUE, _BEGUN, _QUEUE),
        Whereabouts.ON_SITE: (_GATE, _GATE, _GATE, _GATE),
    },
    Change.DIVERT: {
        Whereabouts.AWAY: (_FREE, _RESTARTS, _RESTARTS, _RESTARTS),
        Whereabouts.QUEUED: (_FREE, _RESTARTS, _RESTARTS, _RESTARTS),
        Whereabouts.ON_SITE: (_GATE, _GATE, _GATE, _GATE),
    },
    Change.TAKE_OVER: {
        Whereabouts.AWAY: (_FREE, _RESTARTS, _RESTARTS, _RESTARTS),
        Whereabouts.QUEUED: (_FREE, _RESTARTS, _RESTARTS, _RESTARTS),
        Whereabouts.ON_SITE: (_FREE, _RESTARTS, _BEGUN, _BEGUN),
    },
}
"""The table: what is asked for → where the truck is → rule by state of the sheet."""
OVER: Final = N_("The trip {code} is {stage}; it is over and can no longer be changed. Enter a new one.")


def rule_of(change: Change, situation: Situation) -> Rule:
    """What becomes of a change of a trip that is not over."""
    row = RULES[change][situation.whereabouts]
    return row[list(SheetState).index(situation.sheet)]


def refusal(changes: Collection[Change], situation: Situation, code: str) -> Refusal | None:
    """Why changes of the trip `code` may not be made; `None` if all of them may. The first in the table's order."""
    if situation.stage not in Stage.open():
        return Refusal(OVER, {"code": code, "stage": situation.stage})
    for change in sorted(changes, key=list(Change).index):
        rule = rule_of(change, situation)
        if rule.is_refusal:
            return Refusal(rule.reason, {"code": code, "stage": situation.stage, "change": change.value})
    return None


def restarts(changes: Collection[Change], situation: Situation) -> bool:
    """Whether one of the changes opens every step again."""
    return any(rule_of(change, situation) is Rule.RESTARTS for change in changes)


def draw() -> str:
    """The table as Markdown, one line for each change and place; docs/changes.md holds it."""
    heads = ["What", "Where the truck is", *(state.label for state in SheetState)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for change, places in RULES.items():
        for place, row in places.items():
            cells = [change.label, place.label, *(rule.label for rule in row)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
