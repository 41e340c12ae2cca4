"""Where a trip's sheet meets the yards: a trip that goes to another gate gives its place back and gets one there."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.sheets.service import SheetChange, Sheets
from app.trips.yard_ledger import publish_yards
from capacity import place_store
from capacity import store as capacity_store


def follow_trip(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """Move the trip's place to the yard with the most room at its new gate; without room there it waits for the plan.

    The next plan, a minute later, weighs its place against all others.
    """
    gates = change.data.get("before"), change.data.get("after")
    if change.act != "moved" or gates[0] == gates[1]:
        return
    trip, now = change.trip, change.now
    yards = capacity_store.yard_states(session, now, gate_id=trip.gate_id)
    roomy = max(yards, key=lambda yard: yard.free_veh - yard.reserved_veh, default=None)
    room_veh = 0 if roomy is None else roomy.free_veh - roomy.reserved_veh
    if roomy is not None and room_veh > 0:
        is_moved = place_store.move_place(session, trip.trip_id, roomy.yard_id, room_veh)
    else:
        is_moved = place_store.drop_place(session, trip.trip_id)
    if is_moved:
        states = capacity_store.yard_states(session, now)
        publish_yards(session, [state for state in states if state.gate_id in gates], now)
