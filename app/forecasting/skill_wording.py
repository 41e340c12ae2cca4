"""How good forecasts are, in words that an officer understands in five seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

from app.forecasting.skill import Fallback, GateSkill, LeadSkill, Score
from app.forecasting.skill_vocabulary import Quantity, Source
from app.platform.labels import N_
from app.web.i18n import format_number

Gettext = Callable[[str], str]
HOUR_S: Final = 3600
FEW: Final = 10
"""Below this a number that is not whole is said with one decimal."""

HEADLINES: Final[Mapping[Quantity, str]] = {
    Quantity.QUEUE: N_("In the last {days} days the forecast of the queue for {lead} ahead was on average {error} off"),
    Quantity.WAIT: N_("In the last {days} days the forecast of the wait for {lead} ahead was on average {error} off"),
    Quantity.TAIL: N_("In the last {days} days the forecast of the queue's end for {lead} ahead was {error} off"),
    Quantity.YARD: N_("In the last {days} days the forecast of the yard for {lead} ahead was on average {error} off"),
    Quantity.ENTRY: N_("In the last {days} days the entry of trucks expected within {lead} was on average {error} off"),
    Quantity.TRUCK_WAIT: N_("In the last {days} days the wait of trucks expected within {lead} was {error} off"),
}
RIVAL: Final[Mapping[Source, str]] = {
    Source.PERSISTENCE: N_("“it stays as it is”: {error}"),
    Source.AGE_OF_HEAD: N_("“as long as the first in the queue has stood”: {error}"),
    Source.QUEUE_OVER_THROUGHPUT: N_("“queue ÷ trucks of the last hour”: {error}"),
}
BETWEEN: Final = N_("{first}; {second}")
END: Final = N_("{sentence}.")
INSIDE: Final = N_("{inside} of 100 were inside the band")
SHOWN_INSTEAD: Final[Mapping[Source, str]] = {
    Source.PERSISTENCE: N_(
        "{quantity}, {leads} ahead: of late the model was {model} off, “it stays as it is” only {rival}. "
        "What is now is shown as the forecast until the model is better again."
    ),
    Source.AGE_OF_HEAD: N_(
        "{quantity}, {leads} ahead: of late the model was {model} off, the time that the first in the queue has stood "
        "only {rival}. That is shown until the model is better again."
    ),
    Source.QUEUE_OVER_THROUGHPUT: N_(
        "{quantity}, {leads} ahead: of late the model was {model} off, queue ÷ trucks of the last hour only {rival}. "
        "That is shown until the model is better again."
    ),
}
UNITS: Final[Mapping[Quantity, str]] = {
    Quantity.QUEUE: N_("{count} trucks"),
    Quantity.YARD: N_("{count} trucks"),
    Quantity.TAIL: N_("{count} km"),
}


@dataclass(frozen=True)
class SkillWording:
    """Puts skill into a reader's language."""

    gettext: Gettext
    language: str

    def error(self, quantity: Quantity, value: float) -> str:
        """An error with its unit."""
        if quantity not in UNITS:
            return self.gettext("{minutes} min").format(minutes=self._count(value / 60.0))
        return self.gettext(UNITS[quantity]).format(count=self._count(value))

    def lead(self, lead_s: int) -> str:
        """A horizon: hours, or minutes below one."""
        if lead_s < HOUR_S:
            return self.gettext("{minutes} min").format(minutes=lead_s // 60)
        return self.gettext("{hours} h").format(hours=lead_s // HOUR_S)

    def headline(self, skill: GateSkill, quantity: Quantity = Quantity.QUEUE) -> str:
        """How good forecasts of a quantity were, in one sentence; "" before anything was scored."""
        found = skill.headline(quantity)
        return "" if found is None else self.sentence(found, skill.days)

    def sentence(self, found: LeadSkill, days: int) -> str:
        """How good forecasts of a horizon were."""
        error = self.error(found.quantity, found.issued.mae)
        words = HEADLINES[found.quantity]
        parts = [self.gettext(words).format(days=days, lead=self.lead(found.lead_s), error=error)]
        rival = found.best_rival
        if rival is not None:
            parts.append(self.rival(found.quantity, rival))
        if found.is_judged:
            parts.append(self.gettext(INSIDE).format(inside=round(100 * found.issued.coverage80)))
        joined = reduce(lambda first, second: self.gettext(BETWEEN).format(first=first, second=second), parts)
        return self.gettext(END).format(sentence=joined)

    def rival(self, quantity: Quantity, score: Score) -> str:
        """What a rival's error was."""
        return self.gettext(RIVAL[score.source]).format(error=self.error(quantity, score.mae))

    def fallback(self, lost: Fallback) -> str:
        """That the model has lost its skill, and what is shown instead."""
        return self.gettext(SHOWN_INSTEAD[lost.source]).format(
            quantity=self.gettext(lost.quantity.label),
            leads=", ".join(self.lead(lead_s) for lead_s in lost.leads_s),
            model=self.error(lost.quantity, lost.model_error),
            rival=self.error(lost.quantity, lost.source_error),
        )

    def _count(self, value: float) -> str:
        rounded = round(value, 1)
        return format_number(rounded, self.language, 1 if abs(rounded) < FEW and rounded % 1 else 0)
