"""Places in the queues: made each minute, read by who may read the trip."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import true
from sqlalchemy.orm import Session

from app.checkpoints.turns import marks
from app.forecasting.service import MEASURED_WITHIN
from app.forecasting.waiting import Waiting
from app.gates.service import declared_lanes
from app.platform.permissions import Principal
from app.trip_eta import queue_store
from app.trip_eta.queue_places import Facts, follow
from app.trip_eta.queue_wording import describe
from app.trip_eta.reasons import Wording
from app.trip_eta.schemas import QueuePlaceOut
from app.trip_eta.service import enter_times
from app.trips.scope import visible_trips
from geo.errors import NotFoundError


def keep_places(session: Session, waiting: Waiting, now: datetime) -> int:
    """Make the places of this minute out of those of the last; how many trucks wait.

    The expected time is the one of the newest forecast that the trip's arrival and wait are told from.
    """
    previous = queue_store.list_places(session)
    since = max((place.made_at for place in previous), default=now)
    trips = [truck.trip_id for truck in waiting.trucks if truck.trip_id is not None]
    first = frozenset(trip_id for trip_id, mark in marks(session, trips, now).items() if mark.priority.first)
    enter_at = enter_times(session, trips, now)
    facts = Facts(first, enter_at, declared_lanes(session, since=since, until=now))
    places = follow(previous, waiting, facts, now)
    queue_store.replace_places(session, places)
    return len(places)


def find_place(session: Session, trip_id: int, wording: Wording) -> QueuePlaceOut | None:
    """The place of a trip's truck, `None` if it does not wait; for callers that were let see the trip."""
    place = queue_store.find_place(session, true(), trip_id, since=wording.now - MEASURED_WITHIN)
    return None if place is None else describe(place, wording)


def get_place(session: Session, principal: Principal, trip_id: int, wording: Wording) -> QueuePlaceOut:
    """The place of a trip's truck.

    Raises
    ------
    NotFoundError
        If the caller may not read the trip, or its truck waits in no queue.
    """
    visible = visible_trips(principal, "trips.read")
    place = queue_store.find_place(session, visible, trip_id, since=wording.now - MEASURED_WITHIN)
    if place is None:
        raise NotFoundError("The truck of trip {trip_id} waits in no queue.", trip_id=trip_id)
    return describe(place, wording)
