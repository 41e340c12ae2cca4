"""What is told of a booking: numbers and names of its sentences, the same for bell, push message and pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from app.bookings.store import NamedBooking
from app.bookings.tables import Booking
from app.notifications.texts import text_of
from app.platform.json import JsonObject
from routing.ways import Ways

Names = Mapping[str, Mapping[str, str]]
"""Sites with their names by language."""
SayMoved: TypeAlias = Callable[[NamedBooking], str]


@dataclass(frozen=True)
class SayBooking:
    """A booking in the words of the reader's language: how it stands, where to and why it was moved."""

    state: SayMoved
    moved: SayMoved


def sites_of(booking: Booking) -> set[str]:
    """The sites that are named when something of a booking is told."""
    named = (booking.yard_id, booking.moved_from, booking.gate_id, booking.offered_from)
    return {site_id for site_id in named if site_id is not None}


def news_of(booking: Booking, plate: str, names: Names, ways: Ways | None) -> JsonObject:
    """What the sentences about a booking are made of (`app.notifications.texts`).

    `way_s`: by road from the gate of the trip to the one at which a place is offered; `ways` is needed for that only.
    """
    way_s = None
    if ways is not None and booking.offered_from is not None:
        way_s = ways.between_gates_s(booking.offered_from, booking.gate_id)
    return {
        "booking_id": booking.booking_id,
        "plate": plate,
        "starts_at": booking.starts_at.isoformat(),
        "until": booking.until.isoformat(),
        "reason": booking.reason,
        "yard": _name(booking.yard_id, names),
        "from_yard": _name(booking.moved_from, names),
        "gate": _name(booking.gate_id, names),
        "from_gate": _name(booking.offered_from, names),
        "held_until": None if booking.held_until is None else booking.held_until.isoformat(),
        "way_s": None if way_s is None or not math.isfinite(way_s) else round(way_s),
    }


def moved_text(
    booking: Booking, plate: str, names: Names, ways: Ways, gettext: Callable[[str], str], language: str
) -> str:
    """Where to and why the platform moved a booking last, as it was told then; empty if it never did."""
    if not booking.moved:
        return ""
    return text_of(f"booking.{booking.moved}", news_of(booking, plate, names, ways), gettext, language)


def _name(yard_id: str | None, names: Names) -> dict[str, str] | None:
    found = names.get(yard_id or "")
    return None if found is None else dict(found)
