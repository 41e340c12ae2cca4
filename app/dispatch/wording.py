"""Advice in the reader's language: messages by their code, filled with names, times and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from app.dispatch.advice_changes import ChangeRecord
from app.dispatch.texts import format_until
from app.dispatch.vocabulary import Severity
from app.platform.labels import N_
from app.trips.places import Places
from app.web.i18n import say_duration

Gettext = Callable[[str], str]


MESSAGES: Final[Mapping[str, str]] = {
    "queue_will_reach": N_("Queue at {gate} will reach km {km} by {by} ({probability} %)"),
    "queue_stands": N_("Queue at {gate} stands beyond km {km} until about {until} ({probability} %)"),
    "yard_will_fill": N_("{yard} will be {share} % full by {by} ({probability} %)"),
    "left_at_closing": N_("{veh} trucks will still wait at {gate} when it closes at {closes_at} ({probability} %)"),
    "road_is_clear": N_("Road to {gate} stays clear: {veh} trucks held at {site} can go ({probability} %)"),
    "gate_is_closed": N_("{gate} is closed and opens at {opens_at}."),
    "gate_closes": N_("{gate} closes at {closes_at}."),
    "arrivals_exceed_service": N_("{arrivals} trucks an hour arrive; the gate lets in {service}."),
    "few_places": N_("{yard} has only {free} free places left then."),
    "hold_at": N_("Hold {veh} trucks at {site} until {until}"),
    "divert_to": N_("Send {veh} trucks with goods that keep to {gate}: {shorter} min less to wait"),
    "release_slowly": N_("Let the {veh} trucks at {site} go, {group} each half hour"),
}
"""Every message of the advice; the values in braces are those of `advice.Message`, made readable."""
PERHAPS: Final[Mapping[str, str]] = {
    "queue_will_reach": N_("Queue at {gate} may reach km {km} by {by} ({probability} %)"),
    "queue_stands": N_("Queue at {gate} may stand beyond km {km} until about {until} ({probability} %)"),
    "yard_will_fill": N_("{yard} may be {share} % full by {by} ({probability} %)"),
    "left_at_closing": N_("{veh} trucks may still wait at {gate} when it closes at {closes_at} ({probability} %)"),
}
"""The same of what is told although it is less likely than not."""

_TIMES = ("by", "until", "closes_at", "opens_at")
_PLACES = {"gate_id": "gate", "yard_id": "yard", "site_id": "site"}


def render(
    code: str,
    values: Mapping[str, object],
    gettext: Gettext,
    places: Places,
    locale: str,
    now: datetime,
    *,
    messages: Mapping[str, str] = MESSAGES,
) -> str:
    """A message in a language; times in local time, shares and probabilities in per cent.

    Raises
    ------
    KeyError
        If `messages` has no such code.
    """
    filled = dict(values)
    for name, shown in _PLACES.items():
        if name in values:
            filled[shown] = places.name(str(values[name]), locale)
    for name in _TIMES:
        if name in values:
            filled[name] = format_until(datetime.fromisoformat(str(values[name])), now, locale)
    for name in ("probability", "share"):
        if name in values:
            filled[name] = round(100 * float(str(values[name])))
    if "km" in values:
        filled["km"] = f"{float(str(values['km'])):g}"
    if "shorter_s" in values:
        filled["shorter"] = round(float(str(values["shorter_s"])) / 60)
    is_doubtful = "probability" in values and float(str(values["probability"])) < 0.5
    message = PERHAPS.get(code, messages[code]) if is_doubtful else messages[code]
    return gettext(message).format(**filled)


HIT_RATE: Final = N_("Advice of this kind in the last {days} days: {right} of {judged} came as told")


def say_hit_rate(right: int, judged: int, days: int, gettext: Gettext) -> str:
    """How often advice of a kind came as told."""
    return gettext(HIT_RATE).format(right=right, judged=judged, days=days)


SINCE: Final = N_("Changed at {time}: {changes}")
SEVERITY_CHANGED: Final = N_("{before} → {after}")
KM_CHANGED: Final = N_("km {before} → km {after}")
COMES_SOONER: Final = N_("{time} sooner")
COMES_LATER: Final = N_("{time} later")
SURE_CHANGED: Final = N_("sure to {before} → {after} %")


def say_change(
    change: ChangeRecord | None, changed_at: datetime | None, gettext: Gettext, locale: str, now: datetime
) -> str:
    """What has changed in an advice since it told something else; empty if nothing has."""
    if change is None or changed_at is None:
        return ""
    parts = []
    if "severity" in change:
        before, after = (gettext(Severity.get(name).label) for name in change["severity"])
        parts.append(gettext(SEVERITY_CHANGED).format(before=before, after=after))
    if "km" in change:
        was_km, is_km = (f"{km:g}" for km in change["km"])
        parts.append(gettext(KM_CHANGED).format(before=was_km, after=is_km))
    if "by" in change:
        first, last = (datetime.fromisoformat(time) for time in change["by"])
        later_s = (last - first).total_seconds()
        moved = say_duration(abs(later_s), gettext)
        parts.append(gettext(COMES_LATER if later_s > 0 else COMES_SOONER).format(time=moved))
    if "probability" in change:
        was, is_now = (round(100 * share) for share in change["probability"])
        parts.append(gettext(SURE_CHANGED).format(before=was, after=is_now))
    return gettext(SINCE).format(time=format_until(changed_at, now, locale), changes=", ".join(parts))
