"""A truck's next trips declared ahead: which of them are one and the same, and which it is on. Pure.

A truck may have its next trips declared ahead, such as the import on its way back, or tomorrow's export. It is on one
at a time, `app.current_trip` says on which: whatever is seen of the truck alone belongs to that one until it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from app.trips.vocabulary import Stage

MIN_APART: Final = timedelta(hours=2)
"""Two trips of one truck are planned at least this far apart; nearer they are one, declared twice (assumed)."""
NEAR: Final = timedelta(hours=24)
"""A trip planned this near is what somebody means who names its truck now (assumed)."""


class TripTimes(Protocol):
    """The columns of `Trip` that are asked for."""

    @property
    def trip_id(self) -> int: ...
    @property
    def stage(self) -> str: ...
    @property
    def planned_arrival(self) -> datetime: ...
    @property
    def arrived_at(self) -> datetime | None: ...


T = TypeVar("T", bound=TripTimes)


def is_under_way(trip: TripTimes) -> bool:
    """Whether the truck of an open trip is on it: on its road, at its gate, or handled there."""
    return trip.stage != Stage.PLANNED or trip.arrived_at is not None


def is_same_trip(trip: TripTimes, planned_arrival: datetime, now: datetime) -> bool:
    """Whether a trip planned for a time would be this open one again; one under way lasts until now at least."""
    lasts_to = max(trip.planned_arrival, now) if is_under_way(trip) else trip.planned_arrival
    return trip.planned_arrival - MIN_APART < planned_arrival < lasts_to + MIN_APART


def find_same(trips: Iterable[T], planned_arrival: datetime | None, now: datetime) -> T | None:
    """The open trip that one planned for a time would be again; of one without a time, the first."""
    same = (trip for trip in trips if planned_arrival is None or is_same_trip(trip, planned_arrival, now))
    return next(same, None)


def find_near(trips: Iterable[T], at: datetime) -> T | None:
    """The open trip that a truck is on at a moment, or that is planned nearest to it; `None` if none is near."""
    known = sorted(trips, key=lambda trip: (not is_under_way(trip), abs(trip.planned_arrival - at), trip.trip_id))
    return next((trip for trip in known if is_under_way(trip) or abs(trip.planned_arrival - at) < NEAR), None)
