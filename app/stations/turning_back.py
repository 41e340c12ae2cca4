"""A truck that stood at its gate goes away without crossing: an officer there ends its trip, with a reason.

From outside nobody cancels a trip whose truck is at the gate; this is how it ends when the truck turns back after all.
The act is a witness of where the truck is: stage, ledger and figures follow from it like from any other.
"""

from __future__ import annotations

from app.platform.actions import ActionContext, Event
from app.platform.outbox import Audience
from app.platform.permissions import Role
from app.sheets import guards, repeats
from app.sheets.corrections import check_reason
from app.sheets.service import Sheets
from app.trips import service as trips
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import PlaceKind, Stage
from geo.versions import check_version


def turn_back(action: ActionContext, sheets: Sheets, trip_id: int, reason: str, *, expected_version: int) -> int:
    """End an open trip of the caller's gate whose truck goes away; its enterprise and every station there are told.

    Done already by the same officer it changes nothing. The trip's version.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such trip at the caller's gate, it was changed since, is over, the reason is missing, or the
        yard is moving its goods.
    """
    said = check_reason(reason)
    action.actor.require("trips.turn_back")
    trip = trips.lock_trip(action.session, guards.at_own_gate(action.actor), trip_id)
    if trip is None:
        raise guards.no_such_trip(trip_id)
    if trip.stage == Stage.OUT and repeats.was_turned_back_by(action.session, trip_id, action.actor):
        return trip.version
    check_version(trip.version, expected_version)
    guards.check_open(action.session, trip)
    sheets.tell_turned_back(action, trip, said)
    before = trips.summary(trip)
    TimelineEntry(trip_id, "turned_back", {"reason": said, "gate_id": trip.gate_id}).write(action)
    sheets.presence.settle(action.by_platform(), [trip_id])
    action.session.refresh(trip)
    action.record("trips.turn_back", "trip", trip_id, before, {**trips.summary(trip), "reason": said})
    roles = tuple(str(role) for role in Role if role.is_at_gate)
    told = {**trips.event_row(trip).data, "place": PlaceKind.TURNED_BACK.value}
    action.publish_event(Event("trip", Audience(roles=roles, gates=(trip.gate_id,)), told))
    return trip.version
