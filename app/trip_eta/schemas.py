"""What lies ahead of a trip, as it is answered."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.trip_eta.vocabulary import MoveKind
from capacity.vocabulary import ZoneKind


class PositionOut(BaseModel):
    """The last position of a trip's truck; `site`, if it stands at one."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    time: datetime
    lon: float
    lat: float
    speed_mps: float | None
    heading_deg: float | None
    road: str | None
    km: float | None
    motion: str
    site: str | None = Field(validation_alias="site_id")


class YardPlaceOut(BaseModel):
    """The place a trip gets, with the reason as sentences in the reader's language.

    `in_place_at`: when the truck is expected to have it, which is not before it is through the entrance of its gate;
    null: later than the forecast reaches. `text` says this. `is_of_another_gate`: a suggestion, in a yard of another
    gate than the declared one; `reason` says so first.
    """

    yard_id: str | None
    arrive_at: datetime
    place_free_at: datetime
    in_place_at: datetime | None
    text: str
    reason: str
    zone_id: str | None = None
    place_kind: ZoneKind | None = None
    is_of_another_gate: bool = False


class QueueMoveOut(BaseModel):
    """What moved a place: `count` trucks or events of a kind, by which its number changed by `change`; a sentence."""

    kind: MoveKind
    at: datetime
    count: int
    change: int
    icon: str
    text: str


class QueuePlaceOut(BaseModel):
    """A truck's place in the queue of its gate, with the sentences that every page shows, in the reader's language.

    `enter_at` holds the quantiles 0.1, 0.5, 0.9 of when it is through the entrance; `moves` the newest first.
    """

    trip_id: int
    gate_id: str
    as_of: datetime
    number: int
    ahead: int
    enter_at: list[datetime | None] | None
    held_until: datetime | None
    by_gps: bool
    headline: str
    ahead_text: str
    expected_text: str
    notes: list[str]
    moves: list[QueueMoveOut]


class TripOutlook(BaseModel):
    """One trip and what is known ahead of it; quantiles 0.1, 0.5, 0.9 in lists. `arrive_at`, when it reaches the queue:
    of a trip that stands in it, since when it does."""

    trip_id: int
    code: str
    plate: str
    vehicle_id: int
    gate_id: str
    direction: str
    regime: str
    goods: str
    goods_class: str
    perishable: bool
    simulated: bool
    stage: str
    stage_since: datetime
    planned_arrival: datetime
    position: PositionOut | None
    to_gate_km: float | None
    forecast_at: datetime | None
    arrive_at: list[datetime | None] | None
    enter_at: list[datetime | None] | None
    wait_s: list[float | None] | None
    yard: YardPlaceOut | None


class TripOutlooks(BaseModel):
    """The trips of the caller."""

    items: list[TripOutlook]
