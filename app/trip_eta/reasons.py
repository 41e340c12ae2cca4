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
from app.trips.places import Places
from app.web.i18n import say_duration
from capacity.reason_texts import say_reason
from capacity.vocabulary import ZoneKind

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

    def reason(self, place: PlannedPlace, gate_id: str) -> str:
        """The sentences of a place in the plan for a trip that is declared for a gate: whether it is at another, its
        zone, and its reason's code and numbers in words."""
        reason = place.reason
        until = self._time(reason.get("until"))
        sentences = [say_reason(reason["code"], reason, until, self.gettext)]
        if place.zone_id is not None and place.place_kind is not None:
            kind = self._kind(place.place_kind)
            sentences.insert(0, self.gettext(ZONE).format(zone=place.zone_id, kind=kind))
        if place.yard_id is not None and self.is_of_another_gate(place, gate_id):
            gate = self.places.name(self.places.yard_gates[place.yard_id], self.locale)
            sentences.insert(0, self.gettext(OTHER_GATE).format(gate=gate))
        if reason.get("need"):
            sentences.append(self.gettext(NEED).format(kind=self._kind(reason["need"])))
        if reason.get("other_yard") and (reason.get("other_later_s") or 0) >= 60:
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
