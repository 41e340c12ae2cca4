"""Silence of GPS where the regulation wants a position, as a fact. Pure.

It is shown to police and to the next checkpoint. It moves no truck, and is never taken for disobedience.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.trips.presence import Presence
from app.trips.vocabulary import PlaceKind

MAX_MOVING_REPORT: Final = timedelta(seconds=30)
MAX_STANDING_REPORT: Final = timedelta(minutes=15)
MAX_RELAY: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class GpsSilence:
    """A position that is overdue by the regulation: last heard at (`None`: never), due at, overdue for seconds.

    A fact for police and the next checkpoint. It says nothing of why: hills, an empty battery, a fault at the relay.
    """

    heard_at: datetime | None
    due_at: datetime
    overdue_s: float


def gps_silence(
    presence: Presence, *, required_since: datetime, was_moving: bool | None = None, has_duty: bool = True
) -> GpsSilence | None:
    """How long a truck on its way is silent beyond what the law allows; `None` if it is not, or need not report.

    Arguments: `required_since`, when the duty began (the trip's departure); `was_moving`, its motion at the last
    position, of which an unknown one is read in its favour; `has_duty` false for vehicles that need no tracker.

    Source: TT 09/2015, article 4: a report every 30 s moving and every 15 min standing, relayed within 2 min.
    """
    if not has_duty:
        return None
    return silence_at(
        presence.place.kind,
        heard_at=presence.heard_at,
        required_since=required_since,
        was_moving=was_moving,
        as_of=presence.as_of,
    )


def silence_at(
    place: PlaceKind, *, heard_at: datetime | None, required_since: datetime, was_moving: bool | None, as_of: datetime
) -> GpsSilence | None:
    """As `gps_silence`, of a truck whose place is known already."""
    due = due_at(place, heard_at=heard_at, required_since=required_since, was_moving=was_moving)
    if due is None or as_of <= due:
        return None
    return GpsSilence(heard_at, due, (as_of - due).total_seconds())


def due_at(
    place: PlaceKind, *, heard_at: datetime | None, required_since: datetime, was_moving: bool | None
) -> datetime | None:
    """When the next position is due; `None` where the regulation wants none."""
    if place not in PlaceKind.on_the_way():
        return None
    last = required_since if heard_at is None else max(heard_at, required_since)
    is_moving = was_moving is True and heard_at is not None and heard_at >= required_since
    return last + (MAX_MOVING_REPORT if is_moving else MAX_STANDING_REPORT) + MAX_RELAY
