"""Trucks at the wrong gate: found there by their plate or code, sent on to their own gate, or taken over."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import and_, true
from sqlalchemy.orm import Session

from app.platform.actions import ActionContext, Event
from app.platform.permissions import Principal
from app.procedures.changes import Change
from app.sheets.moving import move_trip
from app.sheets.service import Sheets
from app.stations import store
from app.stations.schemas import Elsewhere
from app.stations.store import PlatedTrip
from app.trips import service as trips
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry, audience_of
from app.trips.vocabulary import Stage
from geo.corridor import Corridor
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from ingest.plates import display_plate, find_plate, lookalike_key

REPEAT: Final = timedelta(minutes=10)
"""Sent on a second time within this, a driver is not told again."""
MAX_FOUND: Final = 5


def find_elsewhere(session: Session, principal: Principal, *, code: str | None, signs: str) -> list[Elsewhere]:
    """Open trips of other gates with exactly this code or plate, or one that looks like it; none without a gate.

    Of parts of a plate nothing is said: who stands at another gate is no station's business.
    """
    if principal.gate_id is None:
        return []
    others = and_(Trip.gate_id != principal.gate_id, Trip.stage.in_(Stage.open()))
    if code is not None:
        found = store.find_trips(session, others, code=code)
    else:
        key = lookalike_key(signs)
        trip_ids = store.trips_by_lookalike(session, key, None, limit=MAX_FOUND * 20)
        found = [each for each in store.find_trips(session, others, trip_ids=trip_ids) if _is_meant(each, key)]
    return [_describe(each) for each in found[:MAX_FOUND]]


def send_on(action: ActionContext, trip_id: int, plate: str) -> None:
    """Tell the driver of a truck that stands here, and its enterprise, that its trip is declared for another gate.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError, ForbiddenError
        As `take_over`.
    """
    trip, own_gate = _lock_foreign(action, trip_id, plate)
    last = next((line for line in reversed(trips.events_of(action.session, trip_id)) if line.kind == "sent_on"), None)
    if last is not None and last.data.get("at_gate") == own_gate and action.now - last.at < REPEAT:
        return
    data = {"at_gate": own_gate, "to": trip.gate_id}
    told = audience_of(trip, ("traffic_police",))
    event = Event("trip", told, {**trips.event_row(trip).data, "sent_on_at": action.now.isoformat()})
    timeline = TimelineEntry(trip_id, "sent_on", data)
    action.record("trips.send_on", "trip", trip_id, None, data, event=event, timeline=timeline)


def take_over(action: ActionContext, sheets: Sheets, trip_id: int, plate: str, corridor: Corridor) -> None:
    """Let the trip of a truck that stands here go on at this gate: procedure, fee, collector and yard place come along.

    Taken over already it stays so. Arguments: `plate`, the truck's as it stands before the officer.

    Raises
    ------
    NotFoundError, InvalidInputError, ForbiddenError
        If there is no such open trip, the plate is another's, or the caller stands at no gate.
    ConflictError, RefusedError
        If its own gate has begun with it, or this one takes neither its regime nor its goods.
    """
    trip, own_gate = _lock_foreign(action, trip_id, plate, may_be_here=True)
    said = {"taken_over_by": own_gate}
    move_trip(action, sheets, trip.trip_id, own_gate, Change.TAKE_OVER, corridor=corridor, said=said)
    sheets.note_arrival(action, trip.trip_id)


def _lock_foreign(action: ActionContext, trip_id: int, plate: str, *, may_be_here: bool = False) -> tuple[Trip, str]:
    """An open trip of another gate whose truck stands at the caller's, and that gate."""
    action.actor.require("trips.take_over")
    own_gate = action.actor.gate_id
    if own_gate is None:
        raise ForbiddenError("Your account is bound to no gate; ask an administrator to give it one.")
    trip = trips.lock_trip(action.session, true(), trip_id)
    if trip is None or trip.stage not in Stage.open():
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    named = trips.find_trip(action.session, true(), trip_id)
    if named is None or find_plate(plate) != find_plate(named.plate):
        raise InvalidInputError(
            "{plate} is not the plate of this trip's truck; read it from the truck.", field="plate", plate=plate
        )
    if trip.gate_id == own_gate and not may_be_here:
        raise ConflictError("The trip {code} is declared for your own gate.", code=trip.code)
    return trip, own_gate


def _is_meant(found: PlatedTrip, key: str) -> bool:
    own = [found.plate_norm, *([found.trip.trailer_plate] if found.trip.trailer_plate else [])]
    return any(lookalike_key(plate) == key for plate in own)


def _describe(found: PlatedTrip) -> Elsewhere:
    trip = found.trip
    return Elsewhere(
        trip_id=trip.trip_id,
        code=trip.code,
        plate=found.plate,
        trailer_plate=display_plate(trip.trailer_plate) if trip.trailer_plate else None,
        gate_id=trip.gate_id,
        stage=trip.stage,
        is_declared=trip.procedure_id is not None,
    )
