"""Why a truck gets the yard it gets, as a sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from app.dispatch.texts import format_until
from app.dispatch.wording import Gettext
from app.gates.vocabulary import KIND_NAMES
from app.platform.labels import N_
from app.trip_eta.turns import Turn
from app.trips.places import Places
from app.web.i18n import say_duration
from capacity.reason_texts import explains_wait, say_reason
from capacity.vocabulary import ZoneKind

THERE_AT: Final = N_("A place is free when the truck comes, at about {time}")
THERE_LATER: Final = N_("A place is free when the truck comes, later than the forecast reaches")
FREE_FROM: Final = N_("The place is free from {time} on")
FREE_AFTER: Final = N_("The place is free from {time} on; the truck is expected through the entrance at about {enter}")
WAIT_AT: Final = N_("Wait at {site} until then.")
ZONE: Final = N_("The place is in zone {zone} ({kind}).")
NEED: Final = N_("Needed: {kind}.")
OTHER_GATE: Final = N_(
    "This yard is at {gate}. It is a suggestion: the gate is changed only by order of the police or when the "
    "enterprise declares the trip for it."
)
OTHER: Final = N_("{yard} would be {time} later.")


class PlannedPlace(Protocol):
    """A place as a plan gives it."""

    @property
    def yard_id(self) -> str | None: ...
    @property
    def zone_id(self) -> str | None: ...
    @property
    def place_kind(self) -> str | None: ...
    @property
    def reason(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Wording:
    """How sentences are put for one reader."""

    gettext: Gettext
    locale: str
    places: Places
    now: datetime

    def is_of_another_gate(self, place: PlannedPlace, gate_id: str) -> bool:
        """Whether a place in the plan is in a yard of another gate than the declared one."""
        return place.yard_id is not None and self.places.yard_gates.get(place.yard_id, gate_id) != gate_id

    def turn(self, turn: Turn) -> str:
        """When a truck has its place, and if that is not when it comes, when that is."""
        if turn.in_place_at is None:
            return self.gettext(THERE_LATER)
        time = format_until(turn.in_place_at, self.now, self.locale)
        if not turn.waits_for_place:
            return self.gettext(THERE_AT).format(time=time)
        if turn.enter_at is None:
            return self.gettext(FREE_FROM).format(time=time)
        return self.gettext(FREE_AFTER).format(time=time, enter=format_until(turn.enter_at, self.now, self.locale))

    def reason(self, place: PlannedPlace, gate_id: str, turn: Turn | None = None, *, is_in_line: bool = False) -> str:
        """The sentences of a place in the plan for a trip that is declared for a gate: whether it is at another, its
        zone, and its reason's code and numbers in words.

        Why it waits for the place is not told where by its `turn` it does not, nor how much later another yard would be
        where it comes later than the plan has it; of who stands in the line of the gate (`is_in_line`) its number there
        says how many go before it.
        """
        reason = place.reason
        until = self._time(reason.get("until"))
        is_met = turn is not None and place.yard_id is not None and not turn.waits_for_place
        if is_met and explains_wait(reason["code"]):
            sentences, reason = [], {name: value for name, value in reason.items() if name != "staging_id"}
        else:
            told = {name: value for name, value in reason.items() if not (is_in_line and name == "before_veh")}
            sentences = [say_reason(reason["code"], told, until, self.gettext)]
        if place.zone_id is not None and place.place_kind is not None:
            kind = self._kind(place.place_kind)
            sentences.insert(0, self.gettext(ZONE).format(zone=place.zone_id, kind=kind))
        if place.yard_id is not None and self.is_of_another_gate(place, gate_id):
            gate = self.places.name(self.places.yard_gates[place.yard_id], self.locale)
            sentences.insert(0, self.gettext(OTHER_GATE).format(gate=gate))
        if reason.get("need"):
            sentences.append(self.gettext(NEED).format(kind=self._kind(reason["need"])))
        is_as_planned = turn is None or turn.in_place_at == turn.free_at
        if is_as_planned and reason.get("other_yard") and (reason.get("other_later_s") or 0) >= 60:
            later = say_duration(reason["other_later_s"], self.gettext)
            yard = self.places.name(reason["other_yard"], self.locale)
            sentences.append(self.gettext(OTHER).format(yard=yard, time=later))
        if reason.get("staging_id"):
            sentences.append(self.gettext(WAIT_AT).format(site=self.places.name(reason["staging_id"], self.locale)))
        return " ".join(sentences)

    def _kind(self, kind: str) -> str:
        return self.gettext(KIND_NAMES[ZoneKind(kind)])

    def _time(self, written: str | None) -> str:
        return "" if written is None else format_until(datetime.fromisoformat(written), self.now, self.locale)
