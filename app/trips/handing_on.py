"""A truck that is free goes to the driver of its next trip, which was declared ahead."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.registers.claims import holders_of
from app.trips import store


def hand_to_next(session: Session, vehicle_id: int) -> None:
    """The driver of the trip that a truck is on now drives it, unless another truck's trip keeps them.

    As when a trip is entered, only of a truck that the trip's enterprise has proven.
    """
    trip = store.find_open_trip(session, vehicle_id)
    if trip is None or trip.driver_id is None or trip.organisation_id not in holders_of(session, vehicle_id):
        return
    if all(each.vehicle_id == vehicle_id for each in store.open_trips_of_driver(session, trip.driver_id)):
        store.bind_driver(session, trip.driver_id, vehicle_id)
