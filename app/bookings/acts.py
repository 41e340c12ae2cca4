"""What happens to a booking, written down: its new state, the audit log, and the news to those whose it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.bookings import store
from app.bookings.news import news_of, sites_of
from app.bookings.scope import visible_bookings
from app.bookings.supply import HourSupply, hour_of_gate
from app.bookings.tables import Booking
from app.bookings.ways import ways_of
from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.permissions import Role
from app.trips.timeline import audience_of
from capacity.slots import SlotAct, SlotRules, SlotState, after, in_turn
from geo.errors import NotFoundError
from geo.store import find_site_names

EVENT: Final = "booking"
GATE_ROLES: Final = (str(Role.YARD_OPERATOR), str(Role.GATE_MANAGEMENT))


def apply(
    action: ActionContext,
    booking: Booking,
    act: SlotAct,
    values: Mapping[str, object] | None = None,
    *,
    told: str = "",
) -> None:
    """Let an act happen to a locked booking.

    Arguments: `values`, columns that change beside the state; `told`, what people are told has happened, the new state
    if nothing is given.

    Raises
    ------
    ConflictError
        If the act is none of the booking's state.
    """
    state = after(SlotState(booking.state), act)
    change(action, booking, str(act), {"state": state, "state_since": action.now, **(values or {})}, told=told or state)


def change(action: ActionContext, booking: Booking, name: str, values: Mapping[str, object], *, told: str) -> None:
    """Change columns of a locked booking, and tell of it as `told`; of what goes with another change nothing is."""
    before = summary(booking)
    store.update_booking(action.session, booking, values)
    action.record(f"bookings.{name}", "booking", booking.booking_id, before, summary(booking))
    if told:
        tell(action, booking, told)


def lapse(action: ActionContext, booking: Booking) -> None:
    """End a locked booking that nobody confirmed in time; of a place at another gate people are told."""
    if booking.offered_from is None:
        apply(action, booking, SlotAct.LAPSE)
    else:
        apply(action, booking, SlotAct.LAPSE, {"moved": "offer_lapsed"}, told="offer_lapsed")


def tell(action: ActionContext, booking: Booking, told: str) -> None:
    """Let the enterprise, the driver and the gate know."""
    trip, plate = store.trip_and_plate(action.session, booking)
    names = find_site_names(action.session, sites_of(booking))
    data = {
        **news_of(booking, plate, names, None if booking.offered_from is None else ways_of(action.session)),
        "trip_id": booking.trip_id,
        "gate_id": booking.gate_id,
        "yard_id": booking.yard_id,
        "kind": told,
        "at": action.now.isoformat(),
    }
    action.publish_event(Event(EVENT, audience_of(trip, GATE_ROLES, gates=(booking.gate_id,)), data))


def summary(booking: Booking) -> JsonObject:
    """What the audit log keeps of a booking."""
    moments = {name: getattr(booking, name) for name in ("starts_at", "until", "held_until", "called_up_at")}
    kept = (
        "trip_id",
        "gate_id",
        "yard_id",
        "chassis_number",
        "state",
        "is_priority",
        "reason",
        "moved",
        "moved_from",
        "offered_from",
    )
    return {
        **{name: getattr(booking, name) for name in kept},
        **{name: None if moment is None else moment.isoformat() for name, moment in moments.items()},
    }


def settle_hour(action: ActionContext, gate_id: str, starts_at: datetime, rules: SlotRules) -> HourSupply:
    """Take back holds that ran out in an hour of a locked gate, and offer what is free to who stands by; the hour then.

    A place is offered by holding it, so no two are offered the same one. An offer lasts as a hold does; who lets it run
    out is not offered another.
    """
    session, now = action.session, action.now
    in_hour = (Booking.gate_id == gate_id, Booking.starts_at == starts_at)
    ran_out = (Booking.state == SlotState.HELD, Booking.held_until <= now)
    for booking in store.lock_bookings(session, *in_hour, *ran_out):
        lapse(action, booking)
    supply = hour_of_gate(session, gate_id, starts_at, now)
    standing_by = store.lock_bookings(session, *in_hour, Booking.state == SlotState.STANDBY)
    for booking in in_turn(standing_by):
        is_free = supply.free(rules, booking.need, is_priority=booking.is_priority)
        yard_id = supply.roomiest(booking.need) if is_free else None
        if yard_id is None:
            continue
        offered = {"yard_id": yard_id, "held_until": min(now + rules.hold, starts_at)}
        apply(action, booking, SlotAct.OFFER, offered, told="offered")
        supply.take(yard_id, booking.need, is_priority=booking.is_priority)
    return supply


def locked_hours(session: Session, gate_ids: Collection[str]) -> list[tuple[str, datetime]]:
    """The gate and hour of every booking that stands by or is held, of locked gates."""
    waiting = (SlotState.STANDBY, SlotState.HELD)
    found = store.lock_bookings(session, Booking.gate_id.in_(gate_ids), Booking.state.in_(waiting))
    return sorted(store.by_hour(found))


def lock_visible(action: ActionContext, booking_id: int, act: str) -> Booking:
    """A booking on which the caller may do an act, locked; raises NotFoundError."""
    booking = store.lock_booking(action.session, visible_bookings(action.actor, act), booking_id)
    if booking is None:
        raise no_booking(booking_id)
    return booking


def no_booking(booking_id: int) -> NotFoundError:
    """That there is no such booking of the caller."""
    return NotFoundError("There is no booking {booking_id} that you may see.", booking_id=booking_id)
