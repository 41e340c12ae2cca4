"""How each kind of notification is put, and how it looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Final

from app.gates.notice import GateNotice, describe, show_moment
from app.platform.labels import N_
from app.procedures.return_reasons import ReturnReason
from app.procedures.steps import Step
from app.registers.vocabulary import DocumentKind
from app.web.i18n import say_duration

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
    "booking.booked": N_("{plate}: a place is booked, {starts_at}"),
    "booking.extended": N_("{plate}: the booking was extended, come until {until}"),
    "booking.offered": N_("{plate}: a place became free, {starts_at}; confirm it within minutes"),
    "booking.called_up": N_("{plate} is called up: the way is free, come now"),
    "booking.yard_closed": N_("{plate}: {from_yard} was closed ({reason}); a place is booked in {yard}, {starts_at}"),
    "booking.moved": N_("{plate}: places were lost in {from_yard}; a place is booked in {yard}, {starts_at}"),
    "booking.gate_moved": N_("{plate}: the booking went along to the other gate, {yard}, {starts_at}"),
    "booking.released": N_("{plate}: no place can be kept; the booking is released and counts against nobody"),
    "booking.released_closed": N_(
        "{plate}: {from_yard} was closed ({reason}), and no other place is free; the booking counts against nobody"
    ),
    "booking.gate_offered": N_(
        "{plate}: {from_gate} has no place left; a place at {gate} is held until {held_until}: {yard}, {starts_at}. "
        "The way there from {from_gate} takes about {way} on a free road. "
        "If the enterprise accepts it, the declaration names {gate}"
    ),
    "booking.gate_offered_closed": N_(
        "{plate}: {from_yard} was closed ({reason}) and {from_gate} has no place left; a place at {gate} is held until "
        "{held_until}: {yard}, {starts_at}. The way there from {from_gate} takes about {way} on a free road. "
        "If the enterprise accepts it, the declaration names {gate}"
    ),
    "booking.offer_taken": N_(
        "{plate}: the place at {gate} is booked: {yard}, {starts_at}; the declaration names {gate}"
    ),
    "booking.offer_lapsed": N_(
        "{plate}: nobody accepted the place at {gate} in time; the booking is over and counts against nobody"
    ),
    "booking.no_show": N_("{plate} was called up and did not come; that counts against the vehicle. You can appeal."),
    "booking.cancelled_in_time": N_("{plate}: the booking of {starts_at} was cancelled"),
    "booking.cancelled_late": N_("{plate}: the booking of {starts_at} was cancelled late; it counts. You can appeal."),
    "booking.excused": N_("{plate}: the appeal was accepted; it counts no more"),
    "booking.upheld": N_("{plate}: the appeal was refused"),
    "prefilled.offer": N_("Customs across the border announced goods for you on {plate}: check and declare them"),
    "prefilled.assign": N_("Customs across the border announced goods for you on {plate}: check and declare them"),
    "prefilled.change": N_("Customs across the border changed what they said of {plate}: compare it"),
    "prefilled.withdraw": N_("Customs across the border took back what they said of {plate}"),
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
        "booking.offered",
        "booking.called_up",
        "booking.yard_closed",
        "booking.moved",
        "booking.gate_moved",
        "booking.released",
        "booking.released_closed",
        "booking.gate_offered",
        "booking.gate_offered_closed",
        "booking.offer_taken",
        "booking.offer_lapsed",
        "booking.no_show",
        "notice.begun",
        "prefilled.change",
        "prefilled.withdraw",
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
    "booking": "calendar-clock",
    "notice": "ban",
    "prefilled": "file-import",
    "device": "urgent",
}

SETTLED_BY: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "order.active": (frozenset({"order.cancelled"}), "order_id"),
    "fee.due": (frozenset({"fee.due", "fee.paid", "fee.waived"}), "trip_id"),
    "step.returned": (frozenset({"step.done"}), "step"),
}
"""What asks for something until one of these kinds is told later, of the same trip and with the same field."""

PUSHED: Final = frozenset(kind for kind in URGENT if kind.startswith("booking.")) - {"booking.no_show"}
"""What also reaches a driver whose page is closed: where and when to come is another than was known."""

RETURNED_FOR: Final = N_("Returned to be mended: {step} ({why})")
MAX_PLATES: Final = 5
"""So many plates are named; the list of shipments has them all."""


def text_of(kind: str, data: Mapping[str, object], gettext: Callable[[str], str], language: str) -> str:
    """A notification in words; `gettext` translates into `language`."""
    template = gettext(TEXTS.get(kind, kind))
    if kind.startswith(("register.", "device.", "booking.", "prefilled.")):
        return template.format_map(_Told(data, gettext, language))
    step, notice = data.get("step"), data.get("notice")
    if isinstance(notice, Mapping):
        return template.format(notice=_notice(notice, data, gettext))
    if step is None:
        return template
    label = gettext(Step.get(str(step)).label)
    codes = data.get("reasons")
    known = [ReturnReason.lookup(str(code)) for code in codes] if isinstance(codes, list) else []
    why = ", ".join(gettext(reason.label) for reason in known if reason is not None)
    return gettext(RETURNED_FOR).format(step=label, why=why) if why else template.format(step=label)


class _Told(dict[str, str]):
    """What is told, as text: the names of documents translated, of places in the reader's language, dates and times as
    they are written here."""

    def __init__(self, data: Mapping[str, object], gettext: Callable[[str], str], language: str) -> None:
        super().__init__({name: str(value) for name, value in data.items() if value is not None})
        self.update({name: str(value[language]) for name, value in data.items() if isinstance(value, Mapping)})
        document = DocumentKind.lookup(self.get("what"))
        if document is not None:
            self["what"] = gettext(document.label)
        if "expires_on" in self:
            self["expires_on"] = date.fromisoformat(self["expires_on"]).strftime("%d/%m/%Y")
        if "way_s" in self:
            self["way"] = say_duration(float(self["way_s"]), gettext)
        for name in ("starts_at", "until", "held_until"):
            if "T" in self.get(name, ""):
                self[name] = show_moment(datetime.fromisoformat(self[name]))

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
