"""What is answered of time in steps, waits and bulletins."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from app.reporting.vocabulary import StayKind


class StepTimeOut(BaseModel):
    """Time in one stage or step; `hour_*` by local hour of its end; medians are read off classes of length."""

    model_config = ConfigDict(from_attributes=True)

    gate_id: str
    kind: StayKind
    name: str
    agency: str
    trips: int
    mean_s: float | None
    median_s: float | None
    p90_s: float | None
    longest_s: float
    hour_trips: list[int]
    hour_mean_s: list[float | None]


class StepTimes(BaseModel):
    """Time in each stage and step from a local day to a local day."""

    since: date
    until: date
    items: list[StepTimeOut]


class WaitOut(BaseModel):
    """A trip that waits now; `agency` is whom it waits for."""

    model_config = ConfigDict(from_attributes=True)

    trip_id: int
    code: str
    plate: str
    gate_id: str
    kind: StayKind
    name: str
    status: str
    agency: str
    since: datetime
    perishable: bool
    simulated: bool


class Waits(BaseModel):
    """Who waits longest now, longest first."""

    items: list[WaitOut]


class BulletinOut(BaseModel):
    """One gate, one local day; `figures` counts trucks, null where it is not known yet."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    gate_id: str
    figures: dict[str, int | None]
    simulated: bool
    final: bool = Field(validation_alias="is_final")
    made_at: datetime


class Bulletins(BaseModel):
    """Daily bulletins, newest first."""

    items: list[BulletinOut]
