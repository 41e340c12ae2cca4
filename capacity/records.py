"""What the schema `capacity` holds, as records: yards, the trucks inside, and what the newest plan says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Yard:
    """A yard as planners edit it."""

    yard_id: str
    gate_id: str
    kind: str
    capacity_veh: int
    version: int
    updated_at: datetime
    updated_by: int | None


@dataclass(frozen=True)
class Inside:
    """A truck inside a yard: since when, and who saw it enter."""

    vehicle_id: int | None
    plate_norm: str | None
    entered_at: datetime
    source: str
    flag: str | None


@dataclass(frozen=True)
class Assignment:
    """What the newest plan says about a trip. `yard_id` is empty if there is no place within the horizon.

    `reason` holds `code` and the numbers the interface's sentence needs.
    """

    plan_id: int
    made_at: datetime
    trip_id: int
    vehicle_id: int
    yard_id: str | None
    arrive_at: datetime
    place_free_at: datetime
    wait_s: int
    reason: dict[str, Any]
