"""What a trip's sheet says of where its truck is, and of a position that is overdue by the regulation."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.trips import place_store
from app.trips.gps_silence import due_at
from app.trips.service import Trip
from app.trips.vocabulary import PlaceKind
from geo.motion import STANDING_MPS


class PlaceOnSheet(BaseModel):
    """Where a trip's truck is counted since when, its last GPS position, and when the next is due by the regulation.

    `gps_due_at` is `null` where none is wanted. That it is past says nothing of why, and is no disobedience.
    """

    place: PlaceKind
    gate_id: str | None
    site_id: str | None
    since: datetime
    shown_by: str | None
    gps_heard_at: datetime | None
    gps_due_at: datetime | None


def show(session: Session, _principal: Principal, trip: Trip) -> PlaceOnSheet | None:
    """For whoever may see the sheet; `None` of a trip whose truck is counted nowhere."""
    found = place_store.find_present(session, trip.trip_id)
    if found is None:
        return None
    place = PlaceKind.get(found.kind)
    due = None
    if found.under_way_since is not None:
        was_moving = None if found.speed_mps is None else found.speed_mps >= STANDING_MPS
        due = due_at(place, heard_at=found.heard_at, required_since=found.under_way_since, was_moving=was_moving)
    return PlaceOnSheet(
        place=place,
        gate_id=found.gate_id,
        site_id=found.site_id,
        since=found.began_at,
        shown_by=found.source,
        gps_heard_at=found.heard_at,
        gps_due_at=due,
    )
