"""Whose a booking is, as SQL conditions on `Booking` joined with `Trip`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, true

from app.bookings.tables import Booking
from app.platform.permissions import Principal, Scope
from app.trips.scope import visible_trips


def visible_bookings(principal: Principal, act: str) -> ColumnElement[bool]:
    """Those that `principal` may do `act` with: an enterprise with its own, a driver with those of the own trips, a
    gate with those of that gate, those that are over included."""
    scope = principal.scope(act)
    if scope is Scope.ALL:
        return true()
    if scope is Scope.OWN_ORGANISATION and principal.organisation_ids:
        return Booking.organisation_id.in_(principal.organisation_ids)
    if scope is Scope.OWN_GATE and principal.gate_id is not None:
        return Booking.gate_id == principal.gate_id
    if scope is Scope.OWN:
        return visible_trips(principal, act)
    return false()
