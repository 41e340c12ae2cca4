"""Trips that never come end by rule, and free their vehicle."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.labels import N_
from app.platform.policies import Policy
from app.trips import place_store, service, store
from app.trips.handing_on import hand_to_next
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import Stage


class TripExpiry(BaseModel):
    """When a trip that never comes is over.

    Three days, to which the Chinese side raised its declarations in 2025-03 because trucks in the queue expired.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"after_h": 72.0}]})

    after_h: float = Field(
        default=72.0, ge=1.0, le=720.0, title=N_("Expires after"), description=N_("Hours after the planned arrival.")
    )


EXPIRY: Final = Policy("trip_expiry", TripExpiry, "settings.trip_expiry")


def expire_trips(session: Session, now: datetime) -> int:
    """End trips whose truck nobody saw until so long after the planned arrival, and tell their enterprise; how many.

    One that was seen on the road and then by nobody for a day never came either. Called every few seconds.
    """
    overdue = store.lock_overdue(session, now - timedelta(hours=EXPIRY.get(session).value.after_h))
    action = ActionContext(session, None, now)
    for trip in overdue:
        before = service.summary(trip)
        store.update_trip(session, trip.trip_id, {"stage": Stage.EXPIRED, "stage_since": now})
        data = {"before": before["stage"], "after": Stage.EXPIRED, "reason": "never_came"}
        action.record(
            "trips.expire",
            "trip",
            trip.trip_id,
            before,
            service.summary(trip),
            event=service.event_row(trip),
            timeline=TimelineEntry(trip.trip_id, "stage", data),
        )
    place_store.end_places(session, [trip.trip_id for trip in overdue], now)
    for vehicle_id in sorted({trip.vehicle_id for trip in overdue}):
        hand_to_next(session, vehicle_id)
    return len(overdue)
