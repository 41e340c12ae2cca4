"""What the schema `capacity` holds, as records: yards, the trucks inside, and what the newest plan says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict

from capacity.vocabulary import ZoneKind


@dataclass(frozen=True)
class Yard:
    """A yard as planners edit it; `opening_hours` as `geo.opening_hours` writes them, empty: round the clock."""

    yard_id: str
    gate_id: str
    kind: str
    capacity_veh: int
    opening_hours: str
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


class ReasonValues(TypedDict, total=False):
    """The numbers in why a truck got its place; `other_later_s` is `None` where the other yard has none at all."""

    other_yard: str
    other_later_s: float | None
    leaving_veh: int
    perishable_veh: int
    before_veh: int
    free_veh: int
    held_veh: int
    until_s: float


class _Code(TypedDict):
    code: str
    wait_s: int


class ReasonRecord(_Code, total=False):
    """Why a truck got its place, as it is kept: a code, the numbers in its sentence, and where to wait until then."""

    other_yard: str
    other_later_s: float | None
    leaving_veh: int
    perishable_veh: int
    before_veh: int
    free_veh: int
    held_veh: int
    until: str
    need: ZoneKind
    staging_id: str | None


class YardOccupancy(TypedDict):
    """Trucks expected in a yard at each step, and how many more could get a place then (not in plans of before)."""

    occupancy_veh: list[float]
    free_veh: NotRequired[list[int]]
    has_room: NotRequired[list[bool]]


class PlanSummary(TypedDict):
    """What a plan says in sum; `waiting` are the trucks that wait longer than a step."""

    trucks: int
    placed: int
    waiting: int
    yards: dict[str, YardOccupancy]
    step_s: float


@dataclass(frozen=True)
class PlanInSum:
    """A plan and what it says in sum."""

    made_at: datetime
    summary: PlanSummary


@dataclass(frozen=True)
class Assignment:
    """What the newest plan says about a trip. `yard_id` is empty if there is no place within the horizon.

    `reason` holds `code` and the numbers the interface's sentence needs; `zone_id` and `place_kind`, in which zone of
    the yard its place is and of what kind, where the yard has zones.
    """

    plan_id: int
    made_at: datetime
    trip_id: int
    vehicle_id: int
    yard_id: str | None
    arrive_at: datetime
    place_free_at: datetime
    wait_s: int
    reason: ReasonRecord
    zone_id: str | None = None
    place_kind: ZoneKind | None = None
