"""Warning of four hours of driving without a break: five minutes ahead, once, the driver and the enterprise."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.outbox import Audience
from app.registers.claims import EVENT, holders_of
from app.tracking import driving_store
from app.tracking.driving_hours import MAX_DRIVING, Driving
from geo.clock import LOCAL_ZONE


def warn(session: Session, now: datetime) -> int:
    """Keep driving times up with the last positions and warn where the limit is near; how many warnings."""
    driving_store.keep_drivings(session, now)
    due = driving_store.take_due(session, now)
    for found in due:
        organisations = {
            *holders_of(session, found.vehicle_id),
            *driving_store.organisations_of_trips(session, found.vehicle_id),
        }
        until = found.driving.since + MAX_DRIVING
        data = {
            "kind": "driving_hours",
            "vehicle_id": found.vehicle_id,
            "plate": found.plate,
            "at": found.driving.since.isoformat(),
            "until": until.astimezone(LOCAL_ZONE).strftime("%H:%M"),
        }
        audience = Audience(organisations=tuple(sorted(organisations)), vehicles=(found.vehicle_id,))
        outbox.publish_event(session, EVENT, audience, data, at=now)
    return len(due)


def find_driving(session: Session, vehicle_id: int, now: datetime) -> Driving | None:
    """The driving of a truck without a break by now; `None` if its driver rests."""
    found = driving_store.find_driving(session, vehicle_id)
    return None if found is None or found.is_over(now) else found
