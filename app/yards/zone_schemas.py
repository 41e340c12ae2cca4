"""Zones and closures of yards as programs write and read them."""

from __future__ import annotations

from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from app.platform.fields import Moment
from capacity.vocabulary import ZoneKind


class ZoneIn(BaseModel):
    """Places of a zone, from a time on; without, from now."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kind": "reefer", "places_veh": 60, "since": None}]}
    )

    kind: ZoneKind = ZoneKind.STANDARD
    places_veh: int = Field(ge=0, le=100_000)
    since: Moment | None = None


class PlacesOut(BaseModel):
    """Places that a zone has from a time on."""

    model_config = ConfigDict(from_attributes=True)

    since: AwareDatetime
    places_veh: int
    entered_at: AwareDatetime
    entered_by: int | None


class ZoneOut(BaseModel):
    """A zone of a yard with all that was set of its places."""

    model_config = ConfigDict(from_attributes=True)

    yard_id: str
    zone_id: str
    kind: ZoneKind
    changes: list[PlacesOut]


class ClosureIn(BaseModel):
    """A closure: of the yard, or of one zone; planned with `since`, sudden without; open-ended without `until`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"places_left_veh": 0, "reason": "Đổ bê tông"}]}
    )

    zone_id: str | None = Field(None, max_length=80)
    since: Moment | None = None
    until: Moment | None = None
    places_left_veh: int = Field(0, ge=0, le=100_000)
    reason: str = Field(min_length=1, max_length=300)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise ValueError("until must be after since")
        return self


class ClosureOut(BaseModel):
    """A closure of a yard or of one zone of it."""

    model_config = ConfigDict(from_attributes=True)

    closure_id: int
    yard_id: str
    zone_id: str | None
    since: AwareDatetime
    until: AwareDatetime | None
    places_left_veh: int
    reason: str
    is_planned: bool
    entered_at: AwareDatetime
    entered_by: int | None


class YardPlaces(BaseModel):
    """The zones of a yard, and closures that hold now or will."""

    zones: list[ZoneOut]
    closures: list[ClosureOut]
