"""Where a trip's sheet meets its booking: a trip that goes to another gate takes its booking along."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.bookings import gate_offers, store
from app.bookings.keeping import go_along
from app.bookings.tables import Booking
from app.platform.actions import ActionContext
from app.sheets.service import SheetChange, Sheets
from capacity.slots import OPEN


def follow_trip(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """Move the trip's booking to its new gate, in the same transaction; a place that is offered there is taken."""
    gate_id = change.trip.gate_id
    known = store.open_of_trip(session, change.trip.trip_id) if change.act == "moved" else None
    if known is None or (known.gate_id == gate_id and known.offered_from is None):
        return
    store.lock_gates(session, [known.gate_id, gate_id])
    action = ActionContext(session, None, change.now)
    for booking in store.lock_bookings(session, Booking.booking_id == known.booking_id, Booking.state.in_(OPEN)):
        if booking.gate_id != gate_id:
            go_along(action, booking, gate_id)
        elif booking.offered_from is not None:
            gate_offers.take(action, booking)
