"""Where a trip's sheet meets its booking: a trip that goes to another gate takes its booking along."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.bookings import store
from app.bookings.acts import apply
from app.bookings.keeping import hours_ahead, seat
from app.bookings.tables import Booking
from app.platform.actions import ActionContext
from app.sheets.service import SheetChange, Sheets
from capacity.slots import OPEN, SlotAct, SlotState


def follow_trip(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """Give a trip's booking the same hour at the new gate, or the next that has a place; standing by ends."""
    left, gate_id = change.data.get("before"), change.data.get("after")
    if change.act != "moved" or left == gate_id or not isinstance(left, str) or not isinstance(gate_id, str):
        return
    store.lock_gates(session, [left, gate_id])
    action = ActionContext(session, None, change.now)
    for booking in store.lock_bookings(session, Booking.trip_id == change.trip.trip_id, Booking.state.in_(OPEN)):
        if booking.state == SlotState.STANDBY:
            apply(action, booking, SlotAct.RELEASE)
        else:
            seat(action, booking, gate_id, hours_ahead(action, gate_id), told="gate_moved")
