"""Accepting a place at another gate: the trip is declared for that gate, and the place is booked by that."""

from __future__ import annotations

from app.bookings import service as bookings
from app.bookings.service import NamedBooking
from app.declarations import amending
from app.declarations.service import DeclarationAction
from app.trips import service as trips
from capacity.slots import SlotState
from geo.errors import ConflictError


def accept(action: DeclarationAction, booking_id: int) -> NamedBooking:
    """Declare the trip of a booking for the gate at which a place is held for it; again, nothing changes.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError
        If there is no such booking of the caller, no place is held for it at another gate any more, its declaration
        can no longer be changed as the trip stands, or the gate does not take what is declared.
    """
    named = bookings.get_own(action, booking_id)
    booking = named.booking
    if booking.state == SlotState.BOOKED and booking.moved == "offer_taken":
        return named
    if booking.state != SlotState.HELD or booking.offered_from is None:
        raise _over()
    trip = trips.get_trip(action.session, action.actor, booking.trip_id)
    amending.amend_trip(action, booking.trip_id, trip.version, {"gate_id": booking.gate_id})
    taken = bookings.get_own(action, booking_id)
    if taken.booking.state != SlotState.BOOKED:
        raise _over()
    return taken


def _over() -> ConflictError:
    return ConflictError("No place is held for this booking at another gate any more; book another hour.")
