"""What the platform does of itself with bookings, each minute: who has come, who has not, who is called up, who is
offered a place, and whose place a closed yard took."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Final

from sqlalchemy.orm import Session

from app.bookings import gate_offers, store
from app.bookings.acts import apply, change, lapse, locked_hours, settle_hour
from app.bookings.gate_offers import HoursAhead
from app.bookings.rules import rules_in_force
from app.bookings.service import cancelling
from app.bookings.store import TripNow
from app.bookings.supply import HourSupply, hours_of_gate, next_hour
from app.bookings.tables import Booking
from app.platform.actions import ActionContext
from app.trips.vocabulary import Stage
from capacity import place_store, slots
from capacity import store as capacity_store
from capacity.slots import HOUR, KEPT, HourLoad, SlotAct, SlotRules, SlotState, YardHour
from capacity.vocabulary import ZoneKind

S = SlotState
EARLY: Final = HOUR
"""Who stands at the gate so long before the own hour has come; who is earlier waits for it like everybody."""


@dataclass(frozen=True)
class Kept:
    """How many bookings each of these happened to."""

    followed: int
    called_up: int
    moved: int


def keep_up(
    session: Session,
    now: datetime,
    queues_veh: Mapping[str, float],
    free_kinds: Mapping[str, Mapping[ZoneKind, int]] | None = None,
) -> Kept:
    """The minute of all bookings; `queues_veh` is the measured queue of each gate, `free_kinds` the places of each kind
    that are free now in yards with zones."""
    action = ActionContext(session, None, now)
    rules = rules_in_force(session)
    gate_ids = sorted(set(capacity_store.gates_of_yards(session).values()))
    store.lock_gates(session, gate_ids)
    followed = _follow_trips(action, rules)
    moved = move_from_full(action, gate_ids)
    for gate_id, starts_at in locked_hours(session, gate_ids):
        settle_hour(action, gate_id, starts_at, rules)
    return Kept(followed, _call_up(action, rules, queues_veh, free_kinds or {}), moved)


def _follow_trips(action: ActionContext, rules: SlotRules) -> int:
    """Note who has come, and end the bookings of trips that are over and of trucks that did not come; how many.

    A booking is of its vehicle: a trip that is declared for another one has lost it, as if it was cancelled. One that
    is declared for another gate takes it along. One whose goods need another kind of place needs it from now on.
    """
    found = 0
    for booking, trip in store.lock_with_trips(action.session):
        act = _what_happened(booking, trip, action.now, rules)
        if act is SlotAct.LAPSE:
            lapse(action, booking)
        elif act is not None:
            apply(action, booking, act)
        elif trip.gate_id not in (booking.gate_id, booking.offered_from):
            go_along(action, booking, trip.gate_id)
        elif booking.offered_from is not None and trip.gate_id == booking.gate_id:
            gate_offers.take(action, booking)
        elif trip.need is not booking.need:
            change(action, booking, "kind", {"place_kind": trip.need}, told="kind_changed")
        else:
            continue
        found += 1
    return found


def _what_happened(booking: Booking, trip: TripNow, now: datetime, rules: SlotRules) -> SlotAct | None:
    state, stage = S(booking.state), trip.stage
    if stage is Stage.CANCELLED or trip.vehicle_id != booking.vehicle_id:
        return cancelling(booking, now, rules)
    if state is S.STANDBY and (now >= booking.starts_at or stage not in Stage.before_queue()):
        return SlotAct.LAPSE
    if state is S.HELD and booking.held_until is not None and booking.held_until <= now:
        return SlotAct.LAPSE
    if state not in KEPT:
        return None
    is_called = booking.called_up_at is not None
    if stage in (*Stage.at_gate(), Stage.OUT):
        has_come = is_called or stage is not Stage.QUEUED or now >= booking.starts_at - EARLY
        return SlotAct.ARRIVE if has_come else None
    if booking.called_up_at is not None and slots.is_missed(booking.until, booking.called_up_at, now, rules):
        return SlotAct.MISS
    return SlotAct.RELEASE if stage is Stage.EXPIRED else None


def _call_up(
    action: ActionContext,
    rules: SlotRules,
    queues_veh: Mapping[str, float],
    free_kinds: Mapping[str, Mapping[ZoneKind, int]],
) -> int:
    """Tell those whose hour is near to come, while the queue is short and their yard has room; how many."""
    session, now = action.session, action.now
    called = store.count_called_up(session)
    waiting = store.lock_bookings(session, Booking.state.in_((S.BOOKED, S.EXTENDED)))
    found = 0
    for yard in capacity_store.yard_states(session, now):
        own = [booking for booking in waiting if booking.yard_id == yard.yard_id]
        coming = called.get(yard.yard_id, {})
        load = HourLoad(max(yard.free_veh, 0), ordinary=sum(coming.values()))
        chosen = slots.to_call_up(
            own,
            queue_veh=queues_veh.get(yard.gate_id, 0.0),
            room=YardHour(load, free_kinds.get(yard.yard_id), coming),
            now=now,
            rules=rules,
        )
        for booking in chosen:
            apply(action, booking, SlotAct.CALL_UP, {"called_up_at": now})
        found += len(chosen)
    return found


def go_along(action: ActionContext, booking: Booking, gate_id: str) -> None:
    """Give a locked booking the same hour at another locked gate, or the next that has a place; standing by ends."""
    if booking.state == S.STANDBY:
        apply(action, booking, SlotAct.RELEASE)
        return
    if booking.offered_from is not None:
        change(action, booking, "refuse_offer", {"offered_from": None}, told="")
    seat(action, booking, gate_id, hours_ahead(action, gate_id), told="gate_moved")


# Places that are lost


def move_from_full(action: ActionContext, gate_ids: Collection[str], reason: str = "") -> int:
    """Give those another place whose yard has fewer places in their hour than are booked; how many.

    Another yard of the gate in the same hour, else the next hour with a place; without any within the time that is
    booked ahead a place at another gate is held and offered, and without that the booking is released, which counts
    against nobody. `reason` is told to them.
    """
    store.lock_gates(action.session, {*gate_ids, *capacity_store.gates_of_yards(action.session).values()})
    ahead = cache(partial(hours_ahead, action))
    return sum(_move_from_full(action, gate_id, reason, ahead) for gate_id in sorted(gate_ids))


def _move_from_full(action: ActionContext, gate_id: str, reason: str, hours: HoursAhead) -> int:
    ahead = hours(gate_id)
    rules = rules_in_force(action.session)
    if not ahead:
        return 0
    kept = store.lock_bookings(
        action.session,
        Booking.gate_id == gate_id,
        Booking.state.in_((*KEPT, S.HELD)),
        Booking.starts_at >= ahead[0].starts_at,
    )
    booked = store.by_yard_and_hour(kept)
    found = 0
    for supply in ahead:
        for yard_id, hour in list(supply.yards.items()):
            own = booked.get((yard_id, supply.starts_at), [])
            for booking in slots.to_move(own, hour):
                told = "yard_closed" if reason else "moved"
                if booking.offered_from is not None:  # still an offer, at another hour of that gate
                    told = booking.moved
                if not take_seat(action, booking, gate_id, ahead, told=told, reason=reason) and not gate_offers.offer(
                    action, booking, hours, rules, reason=reason
                ):
                    release(action, booking, gate_id, reason=reason)
                found += 1
    return found


def hours_ahead(action: ActionContext, gate_id: str) -> list[HourSupply]:
    """The hours of a gate from the present one on, a day further than places are booked."""
    rules = rules_in_force(action.session)
    hours = int(rules.ahead / HOUR) + 24
    return hours_of_gate(action.session, gate_id, next_hour(action.now) - HOUR, hours, action.now)


def seat(
    action: ActionContext,
    booking: Booking,
    gate_id: str,
    ahead: Sequence[HourSupply],
    *,
    told: str,
    reason: str = "",
) -> None:
    """Give a locked booking the first place that a locked gate has from its hour on (`take_seat`); else release it."""
    if not take_seat(action, booking, gate_id, ahead, told=told, reason=reason):
        release(action, booking, gate_id, reason=reason)


def release(action: ActionContext, booking: Booking, gate_id: str, *, reason: str = "") -> None:
    """End a locked booking for which no place is left at all; that counts against nobody."""
    told = "released_closed" if reason else "released"
    values = {"gate_id": gate_id, "reason": reason, "moved_from": booking.yard_id, "moved": told}
    apply(action, booking, SlotAct.RELEASE, values, told=told)


def take_seat(
    action: ActionContext,
    booking: Booking,
    gate_id: str,
    ahead: Sequence[HourSupply],
    *,
    told: str,
    reason: str = "",
) -> bool:
    """Give a locked booking the first place that a locked gate has from its hour on; whether there was one.

    It may use the places of those without booking too: it was promised one. What the newest plan says of the truck
    follows at once. Arguments: `ahead`, the hours of the gate, in which the place is then taken; `told`, what is said
    of it, with the `reason` if somebody gave one.
    """
    values = {"gate_id": gate_id, "reason": reason, "moved_from": booking.yard_id}
    length = booking.until - booking.starts_at
    for supply in ahead:
        yard_id = supply.roomiest(booking.need)
        if supply.starts_at < booking.starts_at or yard_id is None:
            continue
        supply.take(yard_id, booking.need, is_priority=booking.is_priority)
        place = {"yard_id": yard_id, "starts_at": supply.starts_at, "until": supply.starts_at + length}
        change(action, booking, "move", {**values, **place, "moved": told}, told=told)
        if booking.offered_from is None:
            place_store.rebook(action.session, booking.trip_id, yard_id, supply.starts_at)
        return True
    return False
