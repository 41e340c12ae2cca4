"""What people do with bookings: hold a place, confirm, extend, cancel; and what others read of them.

Published for other features: `kept_places`, `count_expected`, `find_of_trip`, `list_of_yard`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.bookings import gate_offers, store
from app.bookings.acts import apply, lapse, lock_visible, no_booking, settle_hour, summary, tell
from app.bookings.rules import rules_in_force as rules_in_force
from app.bookings.scope import visible_bookings
from app.bookings.store import KeptPlace as KeptPlace
from app.bookings.store import NamedBooking as NamedBooking
from app.bookings.store import count_expected as count_expected
from app.bookings.store import kept_places as kept_places
from app.bookings.supply import HourSupply, hours_of_gate, pace_of_gate
from app.bookings.tables import IS_SHOWN, Booking
from app.checkpoints.turns import priority_of
from app.forecasting.pace_learning import UsualPace
from app.gates.notice import show_moment
from app.gates.service import profiles
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.registers.service import chassis_number_of
from app.trips.place_need import need_of
from app.trips.scope import visible_trips
from app.trips.service import Trip, lock_trip
from app.trips.vocabulary import Direction, Stage
from capacity import slots
from capacity.slots import HOUR, OPEN, SlotAct, SlotRules, SlotState
from capacity.vocabulary import ZoneKind
from geo.errors import ConflictError, InvalidInputError, NotFoundError

MAX_LISTED: Final = 500
CALENDAR_HOURS: Final = 7 * 24
S = SlotState


# Acts of the enterprise


def hold(action: ActionContext, trip_id: int, starts_at: datetime, *, stand_by: bool = False) -> Booking:
    """Hold a place in an hour at the trip's gate for some minutes, until it is confirmed.

    The same trip and hour again is the same booking; another hour takes the place of one that was only held. With
    `stand_by`, a full hour is waited for.

    Raises
    ------
    NotFoundError
        If there is no such trip of the caller.
    ConflictError
        If the trip is not one that a place is booked for, its vehicle has no chassis number on file, has another open
        booking or is blocked, the enterprise has as many bookings as it may, or the hour is full.
    InvalidInputError
        If the hour cannot be booked.
    """
    session, now = action.session, action.now
    rules = rules_in_force(session)
    trip = lock_trip(session, visible_trips(action.actor, "bookings.write"), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    _check_trip(action, trip, starts_at, rules)
    chassis_number = _identify(session, trip)
    store.lock_enterprise(session, trip.organisation_id)
    store.lock_gates(session, [trip.gate_id])
    same = _make_way(action, trip, chassis_number, starts_at)
    if same is not None:
        return same
    _check_block(session, chassis_number, now, rules)
    slots.check_limits(*store.count_of_enterprise(session, trip.organisation_id, trip.gate_id, starts_at), rules)
    supply = settle_hour(action, trip.gate_id, starts_at, rules)
    is_priority = bool(priority_of(session, trip_id, now).first)
    need = need_of(trip.goods_class, trip.facts)
    yard_id = supply.roomiest(need) if supply.free(rules, need, is_priority=is_priority) else None
    if supply.yards and not supply.has_kind(need):
        raise ConflictError(
            "No yard of the gate has places of the kind that the truck needs in the hour of {time}.",
            field="starts_at",
            time=show_moment(starts_at),
        )
    if yard_id is None and not (stand_by and supply.yards):
        raise ConflictError(
            "No place is free in the hour of {time}; choose another hour, or stand by for it.",
            field="starts_at",
            time=show_moment(starts_at),
        )
    values = {
        "trip_id": trip_id,
        "organisation_id": trip.organisation_id,
        "vehicle_id": trip.vehicle_id,
        "chassis_number": chassis_number,
        "is_priority": is_priority,
        "gate_id": trip.gate_id,
        "place_kind": need,
        "yard_id": yard_id,
        "starts_at": starts_at,
        "until": starts_at + HOUR,
        "state": S.STANDBY if yard_id is None else S.HELD,
        "state_since": now,
        "held_until": None if yard_id is None else min(now + rules.hold, starts_at),
        "created_at": now,
        "created_by": action.actor_id,
    }
    booking = store.insert_booking(session, values)
    if booking is None:
        raise _is_booked(trip)
    action.record("bookings.create", "booking", booking.booking_id, None, summary(booking))
    tell(action, booking, booking.state)
    return booking


def confirm(action: ActionContext, booking_id: int) -> Booking:
    """Make a held place a booked one; again, it stays so.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such booking of the caller, or it is not held any more.
    """
    booking = lock_visible(action, booking_id, "bookings.write")
    if booking.state == S.BOOKED:
        return booking
    gate_offers.check_own_gate(booking)
    ran_out = booking.state == S.HELD and booking.held_until is not None and booking.held_until <= action.now
    if ran_out or booking.state == S.LAPSED:
        raise ConflictError("The place was held until {time}; take it again.", time=_written(booking.held_until))
    apply(action, booking, SlotAct.CONFIRM, {"held_until": None})
    return booking


def extend(action: ActionContext, booking_id: int, hours: int) -> Booking:
    """Let a booked truck come up to `hours` later, once; again by the same, nothing changes.

    It takes a place in each of these hours then.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError
        If there is no such booking of the caller, it was extended already or called up, an hour has no place left, or
        the length is none of those that are set.
    """
    booking = _lock_with_gate(action, booking_id)
    rules = rules_in_force(action.session)
    if hours not in rules.extensions_h:
        raise InvalidInputError(
            "A booking is extended by {lengths} h, not by {value}.",
            field="hours",
            lengths=", ".join(map(str, rules.extensions_h)),
            value=hours,
        )
    until = booking.starts_at + HOUR + timedelta(hours=hours)
    if booking.state == S.EXTENDED and booking.until == until:
        return booking
    if booking.state == S.EXTENDED:
        raise ConflictError("The booking was extended already; that can be done once.")
    if booking.state == S.CALLED_UP:
        raise ConflictError("The truck is called up; it is too late to extend the booking.")
    _check_later_hours(action, booking, until)
    apply(action, booking, SlotAct.EXTEND, {"until": until})
    return booking


def _check_later_hours(action: ActionContext, booking: Booking, until: datetime) -> None:
    """That others do not fill the yard of a booking in the hours after its own, up to `until`; in hours without places,
    such as those in which the gate is closed, nobody takes one from anybody."""
    hours = round((until - booking.until) / HOUR)
    for supply in hours_of_gate(action.session, booking.gate_id, booking.until, hours, action.now):
        yard = supply.yards.get(booking.yard_id or "")
        if yard is not None and yard.empty().room(booking.need) and not yard.room(booking.need):
            raise ConflictError(
                "No place is left in the hour of {time}; extend by less, or cancel and book another hour.",
                field="hours",
                time=show_moment(supply.starts_at),
            )


def cancel(action: ActionContext, booking_id: int) -> Booking:
    """Give a place back; near its hour that counts against the vehicle. Again, nothing changes. Who stands by is
    offered the place.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such booking of the caller, or its truck has come or did not come.
    """
    booking = _lock_with_gate(action, booking_id)
    if booking.state in (S.CANCELLED_IN_TIME, S.CANCELLED_LATE):
        return booking
    rules = rules_in_force(action.session)
    apply(action, booking, cancelling(booking, action.now, rules))
    for n in range(round((booking.until - booking.starts_at) / HOUR)):
        settle_hour(action, booking.gate_id, booking.starts_at + n * HOUR, rules)
    return booking


def cancelling(booking: Booking, now: datetime, rules: SlotRules) -> SlotAct:
    """Which act it is to give a booking back now: late, or in time."""
    relied_on = booking.state in slots.KEPT
    is_late = slots.is_late(booking.starts_at, now, rules) or booking.state == S.CALLED_UP
    return SlotAct.CANCEL_LATE if relied_on and is_late else SlotAct.CANCEL


# Reading


@dataclass(frozen=True)
class Calendar:
    """The hours ahead at a gate, the rules by which their places can be booked, the pace that they are counted by."""

    gate_id: str
    hours: Sequence[HourSupply]
    rules: SlotRules
    pace: UsualPace

    def free(self, supply: HourSupply, need: ZoneKind, *, is_priority: bool) -> int:
        """Places of an hour that can be booked by who needs a kind of place."""
        return supply.free(self.rules, need, is_priority=is_priority)


def read_calendar(session: Session, gate_id: str, start: datetime, now: datetime) -> Calendar:
    """A week of a gate from a whole hour on; raises NotFoundError if there is no such gate."""
    hours, pace = hours_of_gate(session, gate_id, start, CALENDAR_HOURS, now), pace_of_gate(session, gate_id, now)
    if not hours or pace is None:
        raise NotFoundError("There is no gate {gate_id}.", field="gate_id", gate_id=gate_id)
    return Calendar(gate_id, hours, rules_in_force(session), pace)


def list_bookings(
    session: Session, principal: Principal, *, open_only: bool = False, trip_id: int | None = None
) -> list[NamedBooking]:
    """The caller's bookings, the newest first, at most `MAX_LISTED`."""
    conditions: list[ColumnElement[bool]] = [Booking.state.in_(OPEN)] if open_only else []
    if trip_id is not None:
        conditions.append(Booking.trip_id == trip_id)
    visible = visible_bookings(principal, "bookings.read")
    return store.list_bookings(session, visible, *conditions, limit=MAX_LISTED)


def get_own(action: ActionContext, booking_id: int) -> NamedBooking:
    """A booking of the caller's own, as it stands; raises NotFoundError if there is none."""
    found = store.find_booking(action.session, visible_bookings(action.actor, "bookings.write"), booking_id)
    if found is None:
        raise no_booking(booking_id)
    return found


def list_trips(session: Session, principal: Principal) -> list[store.TripToBook]:
    """The caller's declared trips that a place can be booked for, the next first."""
    return store.trips_to_book(session, visible_trips(principal, "bookings.write"), MAX_LISTED)


def list_of_yard(session: Session, yard_id: str, since: datetime, until: datetime) -> list[NamedBooking]:
    """Bookings of a yard whose hour begins in [since, until) that take a place, by their time."""
    found = store.list_bookings(
        session,
        store.EVERYTHING,
        Booking.yard_id == yard_id,
        Booking.starts_at >= since,
        Booking.starts_at < until,
        Booking.state.in_([*slots.KEPT, S.ARRIVED, S.NO_SHOW]),
        limit=MAX_LISTED,
    )
    return sorted(found, key=lambda named: (named.booking.starts_at, named.booking.booking_id))


def find_of_trip(session: Session, trip_id: int) -> NamedBooking | None:
    """The newest booking of a trip that somebody relies on, that waits, or whose place was lost; `None` if there is
    none."""
    found = store.list_bookings(session, store.EVERYTHING, Booking.trip_id == trip_id, IS_SHOWN, limit=1)
    return found[0] if found else None


def blocked_until(session: Session, trip_id: int, organisation_id: int, now: datetime) -> datetime | None:
    """Until when the vehicle of a trip books nothing; `None` if it may."""
    trip = session.get(Trip, trip_id)
    number = "" if trip is None else chassis_number_of(session, trip.vehicle_id, organisation_id)
    return _blocked_until(session, number, now, rules_in_force(session)) if number else None


# Pieces


def _check_trip(action: ActionContext, trip: Trip, starts_at: datetime, rules: SlotRules) -> None:
    if trip.direction != Direction.EXPORT or trip.procedure_id is None or trip.stage not in Stage.before_queue():
        raise ConflictError(
            "A place is booked for declared exports whose truck is not at the gate yet; {code} is none.",
            field="trip_id",
            code=trip.code,
        )
    slots.check_hour(starts_at, action.now, rules)
    profile = profiles(action.session, action.now).get(trip.gate_id)
    ban = profile.ban_refusal(trip.gate_id, trip.regime, trip.goods_class, starts_at) if profile else None
    if ban is not None:
        raise ban


def _identify(session: Session, trip: Trip) -> str:
    """The chassis number of a trip's truck: typing a plate into a trip takes no place from whose the truck is."""
    if not store.is_agreed(session, trip.trip_id):
        raise ConflictError(
            "The truck is not proven to be yours: claim it, or let its holder or driver agree to the trip.",
            field="trip_id",
        )
    number = chassis_number_of(session, trip.vehicle_id, trip.organisation_id)
    if not number:
        raise ConflictError(
            "The chassis number of the truck is not on file: enter it there, then book.", field="trip_id"
        )
    return number


def _make_way(action: ActionContext, trip: Trip, chassis_number: str, starts_at: datetime) -> Booking | None:
    """The trip's own booking of the hour, if it has it; one that was only held for another hour is given up."""
    for booking in store.open_of_vehicle(action.session, trip.trip_id, trip.vehicle_id, chassis_number):
        ran_out = booking.held_until is not None and booking.held_until <= action.now
        if booking.state == S.HELD and ran_out:
            lapse(action, booking)
        elif booking.trip_id != trip.trip_id:
            raise _is_booked(trip)
        elif booking.starts_at == starts_at and booking.gate_id == trip.gate_id:
            return booking
        elif booking.state == S.HELD:
            apply(action, booking, SlotAct.CANCEL)
        else:
            raise _is_booked(trip)
    return None


def _check_block(session: Session, chassis_number: str, now: datetime, rules: SlotRules) -> None:
    until = _blocked_until(session, chassis_number, now, rules)
    if until is not None:
        raise ConflictError(
            "The truck did not come or cancelled late too often; it books again from {time}. You can appeal.",
            field="trip_id",
            time=_written(until),
        )


def _blocked_until(session: Session, chassis_number: str, now: datetime, rules: SlotRules) -> datetime | None:
    since = now - rules.block - rules.strikes_within
    until = slots.blocked_until(store.strikes_of(session, chassis_number, since), rules)
    return until if until is not None and until > now else None


def _lock_with_gate(action: ActionContext, booking_id: int) -> Booking:
    """A booking whose places are given away or taken back: its gate is locked first."""
    store.lock_gates(action.session, [get_own(action, booking_id).booking.gate_id])
    return lock_visible(action, booking_id, "bookings.write")


def _is_booked(trip: Trip) -> ConflictError:
    return ConflictError(
        "The truck of {code} has an open booking; cancel that one first. A vehicle has one at a time.",
        field="trip_id",
        code=trip.code,
    )


def _written(moment: datetime | None) -> str:
    return "" if moment is None else show_moment(moment)
