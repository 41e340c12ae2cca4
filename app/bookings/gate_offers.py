"""A place at another gate, for a truck whose own gate has none left: looked for, held, taken or given back.

It is a held booking at a gate that the trip is not declared for; `Booking.offered_from` is the gate that it is. Nothing
of the declaration changes by itself: who accepts declares the trip for the other gate, by the way of every declaration
that is changed, and the place is booked when the trip has moved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from app.bookings import store
from app.bookings.acts import apply, lapse
from app.bookings.supply import HourSupply
from app.bookings.tables import Booking
from app.bookings.ways import ways_of
from app.gates.service import profiles
from app.platform.actions import ActionContext
from app.platform.shared_facts import asked_once
from app.procedures.service import has_procedure
from app.sheets.moving import refusals_at
from capacity.slots import SlotAct, SlotRules
from geo.errors import ConflictError

SEEN_WITHIN: Final = timedelta(hours=1)
"""From a place that is older a truck's way is not counted."""
HoursAhead = Callable[[str], Sequence[HourSupply]]


def find_place(action: ActionContext, booking: Booking, hours_ahead: HoursAhead) -> tuple[str, str, HourSupply] | None:
    """Gate, yard and hour of the first place at another gate that takes the trip's regime and goods in that hour.

    The truck must be able to be there: from where it is, else from its own gate, by the corridor's roads.

    Arguments: `hours_ahead`, the hours of a locked gate, in which the place is not taken yet.
    """
    session, now = action.session, action.now
    trip, _ = store.trip_and_plate(session, booking)
    ways, seen = ways_of(session), store.find_place_of_truck(session, trip, now - SEEN_WITHIN)
    found = []
    with asked_once(session):  # of each hour it is asked what gates take
        for gate_id in sorted(profiles(session, now)):
            if gate_id == trip.gate_id or not has_procedure(session, (gate_id, trip.direction, trip.regime), now):
                continue
            way_s = ways.between_gates_s(trip.gate_id, gate_id) if seen is None else ways.to_gate_s(*seen, gate_id)
            if not math.isfinite(way_s):
                continue
            since = max(booking.starts_at, now + timedelta(seconds=way_s))
            for supply in hours_ahead(gate_id):
                yard_id = supply.roomiest(booking.need) if supply.starts_at >= since else None
                if yard_id is not None and not refusals_at(session, now, trip, gate_id, supply.starts_at):
                    found.append((gate_id, yard_id, supply))
                    break
    return min(found, key=lambda place: (place[2].starts_at, place[0]), default=None)


def offer(action: ActionContext, booking: Booking, hours_ahead: HoursAhead, rules: SlotRules, *, reason: str) -> bool:
    """Hold a locked booking whose gate has no place left one at another gate; whether there is any.

    It is held for the time that is set, no longer than until its hour begins, and takes its place in `hours_ahead`.
    """
    place = None if booking.offered_from is not None else find_place(action, booking, hours_ahead)
    if place is None:
        return False
    gate_id, yard_id, supply = place
    supply.take(yard_id, booking.need, is_priority=booking.is_priority)
    told = "gate_offered_closed" if reason else "gate_offered"
    values = {
        "gate_id": gate_id,
        "offered_from": booking.gate_id,
        "yard_id": yard_id,
        "moved_from": booking.yard_id,
        "starts_at": supply.starts_at,
        "until": supply.starts_at + (booking.until - booking.starts_at),
        "held_until": min(action.now + rules.gate_offer, supply.starts_at),
        "called_up_at": None,
        "reason": reason,
        "moved": told,
    }
    apply(action, booking, SlotAct.OFFER_GATE, values, told=told)
    return True


def take(action: ActionContext, booking: Booking) -> None:
    """Book a place that was offered to a locked booking: its trip is declared for that gate now."""
    if booking.held_until is not None and booking.held_until <= action.now:
        lapse(action, booking)
        return
    taken = {"held_until": None, "offered_from": None, "moved": "offer_taken"}
    apply(action, booking, SlotAct.CONFIRM, taken, told="offer_taken")


def check_own_gate(booking: Booking) -> None:
    """That a held place is at the gate that its trip is declared for; raises ConflictError if it is not."""
    if booking.offered_from is not None:
        raise ConflictError(
            "The place is at another gate than the trip is declared for; accept it, and the declaration names that one."
        )
