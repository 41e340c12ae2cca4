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
OTHER: Final = N_("{yard} would be {time} later.")


class PlannedPlace(Protocol):
    """A place as a plan gives it."""

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

    def reason(self, place: PlannedPlace) -> str:
        """The sentences of a place in the plan: its zone, and its reason's code and numbers in words."""
        reason = place.reason
        until = self._time(reason.get("until"))
        sentences = [say_reason(reason["code"], reason, until, self.gettext)]
        if place.zone_id is not None and place.place_kind is not None:
            kind = self._kind(place.place_kind)
            sentences.insert(0, self.gettext(ZONE).format(zone=place.zone_id, kind=kind))
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
