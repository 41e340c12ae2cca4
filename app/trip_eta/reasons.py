"""Why a truck gets the yard it gets, as a sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.dispatch.texts import format_until
from app.dispatch.wording import Gettext
from app.platform.labels import N_
from app.trips.places import Places

MESSAGES: Final[Mapping[str, str]] = {
    "free_on_arrival": N_("{free} places are free when you arrive."),
    "kept": N_("As told before: a place is kept for you."),
    "other_yard_sooner": N_("Its place is free sooner than at a nearer yard."),
    "wait_for_place": N_("It is full until then; about {leaving} trucks leave before you."),
    "wait_for_entry": N_("There are places, but its entrance takes only so many trucks at a time."),
    "perishable_first": N_("It is full until then, and {perishable} trucks with perishable goods go first."),
    "no_yard": N_("No yard can be reached from here."),
    "no_place": N_("No place in any yard until {until}."),
}
WAIT_AT: Final = N_("Wait at {site} until then.")
OTHER: Final = N_("{yard} would be {minutes} min later.")


@dataclass(frozen=True)
class Wording:
    """How sentences are put for one reader."""

    gettext: Gettext
    locale: str
    places: Places
    now: datetime

    def reason(self, reason: Mapping[str, Any]) -> str:
        """The sentences of an assignment's `reason`, as `capacity.plan` gives it with its code and numbers."""
        values = {
            "free": reason.get("free_veh"),
            "leaving": reason.get("leaving_veh"),
            "perishable": reason.get("perishable_veh"),
            "until": self._time(reason.get("until")),
        }
        template = MESSAGES[reason["code"]]
        sentences = [self.gettext(template).format(**values)]
        if reason.get("other_yard") and (reason.get("other_later_s") or 0) >= 60:
            minutes = round(reason["other_later_s"] / 60)
            yard = self.places.name(reason["other_yard"], self.locale)
            sentences.append(self.gettext(OTHER).format(yard=yard, minutes=minutes))
        if reason.get("staging_id"):
            sentences.append(self.gettext(WAIT_AT).format(site=self.places.name(reason["staging_id"], self.locale)))
        return " ".join(sentences)

    def _time(self, written: str | None) -> str:
        return "" if written is None else format_until(datetime.fromisoformat(written), self.now, self.locale)
