"""How each kind of notification is put, and how it looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from app.gates.notice import GateNotice, describe
from app.platform.labels import N_
from app.procedures.steps import Step
from app.registers.vocabulary import DocumentKind

TEXTS: Final = {
    "trip.queued": N_("The truck is in the queue"),
    "trip.in_the_yard": N_("The truck is in the yard"),
    "trip.out": N_("The trip is over: the truck is out"),
    "trip.turned_back": N_("The truck turned back without crossing; the trip is over"),
    "trip.cancelled": N_("The trip was cancelled"),
    "trip.expired": N_("The truck never came: the trip has expired. Enter it again if it still comes."),
    "trip.moved": N_("The trip goes by another gate now; its checks and its fee are there"),
    "trip.sent_on": N_("The truck stands at another gate than declared: go on to the gate of the trip"),
    "step.done": N_("Done: {step}"),
    "step.returned": N_("Returned to be mended: {step}"),
    "fee.due": N_("A fee is to be paid"),
    "fee.paid": N_("The fee is paid"),
    "fee.waived": N_("The fee was waived"),
    "fee.refunded": N_("The fee was paid back"),
    "order.active": N_("The traffic police issued an order"),
    "order.cancelled": N_("The traffic police withdrew an order"),
    "register.expires": N_("{what} of {name} expires on {expires_on}"),
    "register.driving_hours": N_("{plate}: four hours of driving without a break at {until}; stop for 15 minutes"),
    "register.claimed": N_("{organisation} says that the vehicle {plate} is theirs: is it?"),
    "register.disputed": N_("The holder of {plate} says no to your claim; a desk will decide"),
    "register.accepted": N_("Your claim to {plate} was accepted: the vehicle is open to you"),
    "register.refused": N_("Your claim to {plate} was refused: {reason}"),
    "register.handed_on": N_("The vehicle {plate} was handed on to you"),
    "register.ended": N_("You no longer hold the vehicle {plate}"),
    "register.trip_asked": N_("{organisation} declared a trip for your vehicle {plate}: is it yours?"),
    "register.trip_agreed": N_("The vehicle's holder or driver agreed to the trip: you see it while the trip lasts"),
    "register.trip_refused": N_("The vehicle's holder or driver says that it does not make the trip"),
    "device.sos": N_("The driver of {plate} calls for help (SOS)"),
    "device.accident": N_("The tracker of {plate} reports an accident"),
    "device.power_lost": N_("The tracker of {plate} lost its power"),
    "device.low_battery": N_("The battery of the device of {plate} is low"),
    "notice.planned": N_("Announced: {notice}"),
    "notice.begun": N_("Now: {notice}"),
    "notice.changed": N_("Changed: {notice}"),
    "notice.over": N_("Over: {notice}"),
}
URGENT: Final = frozenset(
    {
        "trip.expired",
        "trip.sent_on",
        "step.returned",
        "fee.due",
        "order.active",
        "register.expires",
        "register.driving_hours",
        "register.claimed",
        "register.trip_asked",
        "notice.begun",
        "device.sos",
        "device.accident",
    }
)
"""Kinds that ask for something to be done."""
ICONS: Final = {
    "trip": "truck",
    "step": "clipboard-check",
    "fee": "cash",
    "order": "flag-exclamation",
    "register": "folders",
    "notice": "ban",
    "device": "urgent",
}

MAX_PLATES: Final = 5
"""So many plates are named; the list of shipments has them all."""


def text_of(kind: str, data: Mapping[str, object], gettext: Callable[[str], str]) -> str:
    """A notification in words; `gettext` translates."""
    template = gettext(TEXTS.get(kind, kind))
    if kind.startswith(("register.", "device.")):
        return template.format_map(_Told(data, gettext))
    step, notice = data.get("step"), data.get("notice")
    if isinstance(notice, Mapping):
        return template.format(notice=_notice(notice, data, gettext))
    if step is None:
        return template
    return template.format(step=gettext(Step.get(str(step)).label))


class _Told(dict[str, str]):
    """What the registers tell, as text: the names of documents translated, dates as they are written here."""

    def __init__(self, data: Mapping[str, object], gettext: Callable[[str], str]) -> None:
        super().__init__({name: str(value) for name, value in data.items()})
        document = DocumentKind.lookup(self.get("what"))
        if document is not None:
            self["what"] = gettext(document.label)
        if "expires_on" in self:
            self["expires_on"] = date.fromisoformat(self["expires_on"]).strftime("%d/%m/%Y")

    def __missing__(self, name: str) -> str:
        return "–"


def _notice(notice: Mapping[str, object], data: Mapping[str, object], gettext: Callable[[str], str]) -> str:
    """What is announced of a gate, with the trucks that it is about."""
    plates = data.get("plates")
    text = describe(GateNotice.from_record(notice), str(data.get("gate_name") or notice["gate_id"]), gettext)
    if not isinstance(plates, list) or not plates:
        return text
    named = ", ".join(map(str, plates[:MAX_PLATES]))
    more = f" +{len(plates) - MAX_PLATES}" if len(plates) > MAX_PLATES else ""
    return f"{text} ({named}{more})"
