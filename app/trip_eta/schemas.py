"""What lies ahead of a trip, as it is answered."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


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
    """The place a trip gets, with the reason as a sentence in the reader's language."""

    yard_id: str | None
    arrive_at: datetime
    place_free_at: datetime
    reason: str


class TripOutlook(BaseModel):
    """One trip and what is known ahead of it; quantiles 0.1, 0.5, 0.9 in lists."""

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
