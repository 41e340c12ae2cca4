"""Advice in the reader's language: messages by their code, filled with names, times and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from app.dispatch.texts import format_until
from app.platform.labels import N_
from app.trips.places import Places

Gettext = Callable[[str], str]


MESSAGES: Final[Mapping[str, str]] = {
    "queue_will_reach": N_("Queue at {gate} will reach km {km} by {by} ({probability} %)"),
    "queue_stands": N_("Queue at {gate} stands beyond km {km} until about {until} ({probability} %)"),
    "yard_will_fill": N_("{yard} will be {share} % full by {by} ({probability} %)"),
    "left_at_closing": N_("{veh} trucks will still wait at {gate} when it closes at {closes_at} ({probability} %)"),
    "road_is_clear": N_("Road to {gate} stays clear: {veh} trucks held at {site} can go ({probability} %)"),
    "gate_is_closed": N_("{gate} is closed and opens at {opens_at}."),
    "gate_closes": N_("{gate} closes at {closes_at}."),
    "arrivals_exceed_service": N_("{arrivals} trucks an hour arrive; {lanes} lanes clear {service}."),
    "few_places": N_("{yard} has only {free} free places left then."),
    "hold_at": N_("Hold {veh} trucks at {site} until {until}"),
    "divert_to": N_("Send {veh} trucks with goods that keep to {gate}: {shorter} min less to wait"),
    "release_slowly": N_("Let the {veh} trucks at {site} go, {group} each half hour"),
}
"""Every message of the advice; the values in braces are those of `advice.Message`, made readable."""

_TIMES = ("by", "until", "closes_at", "opens_at")
_PLACES = {"gate_id": "gate", "yard_id": "yard", "site_id": "site"}


def render(code: str, values: Mapping[str, Any], gettext: Gettext, places: Places, locale: str, now: datetime) -> str:
    """A message in a language; times in local time, shares and probabilities in per cent."""
    filled: dict[str, Any] = dict(values)
    for name, shown in _PLACES.items():
        if name in values:
            filled[shown] = places.name(str(values[name]), locale)
    for name in _TIMES:
        if name in values:
            filled[name] = format_until(datetime.fromisoformat(str(values[name])), now, locale)
    for name in ("probability", "share"):
        if name in values:
            filled[name] = round(100 * float(values[name]))
    if "km" in values:
        filled["km"] = f"{float(values['km']):g}"
    if "shorter_s" in values:
        filled["shorter"] = round(float(values["shorter_s"]) / 60)
    return gettext(MESSAGES[code]).format(**filled)
