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
from capacity.reason_texts import say_reason

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
        until = self._time(reason.get("until"))
        sentences = [say_reason(reason["code"], reason, until, self.gettext)]
        if reason.get("other_yard") and (reason.get("other_later_s") or 0) >= 60:
            minutes = round(reason["other_later_s"] / 60)
            yard = self.places.name(reason["other_yard"], self.locale)
            sentences.append(self.gettext(OTHER).format(yard=yard, minutes=minutes))
        if reason.get("staging_id"):
            sentences.append(self.gettext(WAIT_AT).format(site=self.places.name(reason["staging_id"], self.locale)))
        return " ".join(sentences)

    def _time(self, written: str | None) -> str:
        return "" if written is None else format_until(datetime.fromisoformat(written), self.now, self.locale)
