"""Acts in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.dispatch import wording as dispatch_wording
from app.dispatch.records import MessageRecord
from app.dispatch.texts import format_until
from app.dispatch.wording import Gettext
from app.gates.vocabulary import GoodsClass
from app.measures.records import RangeRecord
from app.platform.labels import N_
from app.trips.places import Places
from app.web.i18n import format_number

MESSAGES: Final[Mapping[str, str]] = {
    "hold_all": N_("Hold {veh} trucks at {site} until {until}"),
    "hold_other": N_("Hold {veh} trucks with goods that keep at {site} until {until}"),
    "divert_all": N_("Send {veh} trucks to {gate}"),
    "divert_other": N_("Send {veh} trucks with goods that keep to {gate}"),
    "divert_perishable": N_("Send {veh} trucks with perishable goods to {gate}"),
    "divert_class": N_("Send the {veh} trucks with {goods} to {gate}"),
    "release_all": N_("Let the {veh} trucks at {site} go at once"),
    "release_slowly": N_("Let the {veh} trucks at {site} go, {group} each half hour"),
    "open_lane": N_("Open one more lane at {gate}: {lanes} of {of}"),
    "open_longer": N_("Keep {gate} open until {until}"),
    "reverse_lane": N_("Give one import lane of {gate} to exports; {left} stay for imports"),
    "ban_all": N_("No new trucks for {gate} before {until}"),
    "ban_other": N_("No new trucks with goods that keep for {gate} before {until}"),
    "no_area_beyond": N_("No staging area lies beyond km {km}, where the queue will end."),
    "area_is_full": N_("{site} is full: {capacity} places."),
    "nobody_before": N_("No truck for this gate is still before {site}."),
    "nobody_before_fork": N_("No truck is still before the road to {gate}."),
    "gate_takes_none": N_("{gate} takes none of what the trucks before the fork carry."),
    "nobody_held": N_("No truck is held at a staging area."),
    "all_lanes_work": N_("All {lanes} lanes of {gate} work."),
    "closes_later": N_("{gate} does not close in the next hours."),
    "no_import_lane": N_("{gate} has no second import lane to give."),
    "nobody_to_come": N_("No declared truck for {gate} has still to set out."),
    "costs_time": N_("Costs more truck-hours than it saves."),
}
"""Every act and every reason against one; the values in braces are those of its message, made readable."""

NO_FORECAST: Final = N_("There is no forecast yet: what the order would bring cannot be computed.")
FORECAST_IS_OLD: Final = N_("The forecast is out of date: what the order would bring cannot be computed.")
NOT_MODELLED: Final = N_("An order of this kind changes no queue that could be computed.")
NOBODY_REACHED: Final = N_("None of these trucks can still do what the order says.")
NOBODY_HELD: Final = N_("No truck is held at a staging area.")
KEEPS_CLEAR: Final = N_(
    "The gate is idle {idle} % of the time; queue beyond km {km} for {with_plan} h, for {at_once} h if all go at once"
)
SAVES: Final = N_("Saves {mean} truck-hours ({low} to {high})")
COSTS: Final = N_("Costs {mean} truck-hours ({low} to {high})")
UNSURE: Final = N_("No sure benefit in truck-hours ({low} to {high})")
EXPECTED: Final = N_("{gate}: {mean} truck-hours less in the queue until {until} expected ({low} to {high})")
REALISED: Final = N_(
    "{gate}: about {mean} truck-hours less in the queue than forecast without it, an estimate ({low} to {high})"
)
NOT_MEASURED: Final = N_("{gate}: too little was measured to say what the order brought.")
RECORD: Final = N_(
    "{count} effects of orders in the last 30 days: about {mean} truck-hours less in queues, an estimate"
)


@dataclass(frozen=True)
class Wording:
    """How things are put for one reader."""

    gettext: Gettext
    locale: str
    places: Places
    now: datetime

    def say(self, message: MessageRecord) -> str:
        """A message as a sentence."""
        values = dict(message["values"])
        if "goods" in values:
            goods = GoodsClass.lookup(str(values["goods"]))
            values["goods"] = self.gettext(goods.label) if goods is not None else values["goods"]
        return dispatch_wording.render(
            message["code"], values, self.gettext, self.places, self.locale, self.now, messages=MESSAGES
        )

    def place(self, site_id: str) -> str:
        """The name of a site."""
        return self.places.name(site_id, self.locale)

    def say_saved(self, mean_h: float, low_h: float, high_h: float) -> str:
        """What is saved, in a sentence; a range that includes zero is no sure benefit."""
        if high_h < 0.0:
            return self.gettext(COSTS).format(
                mean=self._hours(-mean_h), low=self._hours(-high_h), high=self._hours(-low_h)
            )
        text = SAVES if low_h > 0.0 else UNSURE
        return self.gettext(text).format(mean=self._hours(mean_h), low=self._hours(low_h), high=self._hours(high_h))

    def say_realised(
        self,
        gate_id: str,
        expected: RangeRecord,
        realised: RangeRecord | None,
        until: datetime,
        *,
        is_over: bool,
    ) -> str:
        """What an order brought at a gate, or what is expected of it before its hours have come."""
        if is_over and realised is None:
            return self.gettext(NOT_MEASURED).format(gate=self.place(gate_id))
        text, shown = (REALISED, realised) if realised is not None else (EXPECTED, expected)
        return self.gettext(text).format(
            gate=self.place(gate_id),
            until=format_until(until, self.now, self.locale),
            mean=self._hours(shown["mean"]),
            low=self._hours(shown["low"]),
            high=self._hours(shown["high"]),
        )

    def say_metering(self, idle_share: float, limit_km: float, with_plan_h: float, at_once_h: float) -> str:
        """What a release plan keeps: the gate busy and the road clear."""
        return self.gettext(KEEPS_CLEAR).format(
            idle=round(100 * idle_share),
            km=f"{limit_km:g}",
            with_plan=self._hours(with_plan_h, 1),
            at_once=self._hours(at_once_h, 1),
        )

    def say_record(self, mean_h: float, count: int) -> str:
        """What recent orders brought in all."""
        return self.gettext(RECORD).format(count=count, mean=self._hours(mean_h))

    def _hours(self, value: float, digits: int = 0) -> str:
        return format_number(round(value, digits) or 0.0, self.locale, digits)
