"""What the API of the stations takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from app.platform.fields import PlainText
from app.stations.closed_store import ClosedTrip
from app.trips.vocabulary import Channel

MatchKind: TypeAlias = Literal["code", "plate", "lookalike", "part", "text"]
"""How well a trip fits what was written; the best first."""


class Found(BaseModel):
    """A trip that what was written may mean; `matched` is the plate or code that fits, `match` how well."""

    trip_id: int
    code: str
    plate: str
    trailer_plate: str | None
    match: MatchKind
    matched: str
    organisation: str
    goods: str
    stage: str
    direction: str
    km: float | None
    site: str | None
    is_declared: bool
    open_steps: list[str]


class Elsewhere(BaseModel):
    """An open trip that is declared for another gate, `gate_id`."""

    trip_id: int
    code: str
    plate: str
    trailer_plate: str | None
    gate_id: str
    stage: str
    is_declared: bool


class FoundList(BaseModel):
    """The likeliest first; `elsewhere` are trips of other gates with exactly this plate or code."""

    items: list[Found]
    elsewhere: list[Elsewhere] = Field(default_factory=list)


class PlateIn(BaseModel):
    """The plate of the truck as it stands before the officer."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"plate": "29C-123.45"}]})

    plate: PlainText = Field(max_length=40)


class LedAsideIn(PlateIn):
    """The plate of a truck that nobody declared, and what the support desk should know."""

    note: PlainText = Field(default="", max_length=500)


class LedAsideOut(BaseModel):
    """Where the truck stands until it is declared: the temporary yard `site_id`, since `arrived_at`."""

    model_config = ConfigDict(from_attributes=True)

    arrival_id: int
    plate: str
    gate_id: str
    site_id: str
    arrived_at: datetime


class ReasonIn(BaseModel):
    """Why an officer does it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Xe quay đầu về nội địa"}]})

    reason: PlainText = Field(max_length=2000)


class ClosedList(BaseModel):
    """Closed trips, newest first."""

    items: list[ClosedTrip]


class ChannelIn(BaseModel):
    """Customs' channel of a trip; `reason` why a red one is lowered."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"channel": "green"}]})

    channel: Channel
    reason: PlainText = Field(default="", max_length=2000)


class ChannelOut(BaseModel):
    """The channel given; `version` is the ETag of the sheet."""

    trip_id: int
    channel: Channel
    version: int = Field(examples=[7])
