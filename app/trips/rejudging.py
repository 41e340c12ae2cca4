"""Trips judged again at once when it changes whose a vehicle is, or whether it makes a trip.

What a vehicle shows belongs to the one of its open trips that it is on. A claim that is accepted, a vehicle that is
released or handed on, and a yes or no to a trip can make that another one.
"""

from __future__ import annotations

from collections.abc import Collection

from app.platform import outbox
from app.platform.actions import ActionContext
from app.trips import place_store, presence_store
from app.trips.presence_keeping import PresenceKeeper
from app.trips.presence_reading import new_sight


def rejudge(keeper: PresenceKeeper, action: ActionContext, vehicle_ids: Collection[int]) -> None:
    """Judge the open trips of vehicles in the transaction of the act, and let live streams ask again who sees them.

    The last position counts for the trip that the vehicle is on now, as if it had just come in.
    """
    session = action.session
    session.flush()
    trip_ids = presence_store.open_trips_of_vehicles(session, vehicle_ids)
    geography = keeper.geography(session)
    positions = place_store.moved_positions(session, None, trip_ids)
    sights = [sight for row in positions if (sight := new_sight(row, geography, None)) is not None]
    place_store.insert_sights(session, sights)
    keeper.settle(action.by_platform(), trip_ids)
    outbox.publish_event(session, outbox.SCOPES_CHANGED, outbox.Audience(), {}, at=action.now)
