"""Zones, closures and prices of yards as programs write and read them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.platform.fields import Moment, PlainText
from app.yards.schemas import Hours
from capacity.vocabulary import PriceUnit, Shift, ZoneKind

ZoneId = Annotated[str, StringConstraints(pattern=r"^[^/\x00]{1,80}$", strip_whitespace=True)]
"""The name of a zone, as people at the yard call it; it stands in addresses."""


class ZoneIn(BaseModel):
    """Places of a zone, from a time on (without, from now), in some hours of each day (without, in all)."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kind": "reefer", "places_veh": 60, "since": None}]}
    )

    kind: ZoneKind = ZoneKind.STANDARD
    places_veh: int = Field(ge=0, le=100_000)
    since: Moment | None = None
    hours: Hours = ""


class Entered(BaseModel):
    """Who entered something when, in which shift, and who took it back."""

    model_config = ConfigDict(from_attributes=True)

    since: AwareDatetime
    entered_at: AwareDatetime
    entered_by: int | None
    entered_name: str | None = None
    shift: Shift
    undone_at: AwareDatetime | None = None
    undone_name: str | None = None


class PlacesOut(Entered):
    """Places that a zone has from a time on, in `hours` of each day (empty: in all)."""

    change_id: int
    places_veh: int
    hours: str


class ZoneOut(BaseModel):
    """A zone of a yard with its places now, closures left out, and all that was set of them."""

    yard_id: str
    zone_id: str
    kind: ZoneKind
    places_veh: int
    changes: list[PlacesOut]


class ClosureIn(BaseModel):
    """A closure: of the yard, or of one zone; planned with `since`, sudden without; open-ended without `until`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"places_left_veh": 0, "reason": "Đổ bê tông"}]}
    )

    zone_id: PlainText | None = Field(None, max_length=80)
    since: Moment | None = None
    until: Moment | None = None
    places_left_veh: int = Field(0, ge=0, le=100_000)
    reason: PlainText = Field(min_length=1, max_length=300)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise ValueError("until must be after since")
        return self


class ClosureOut(Entered):
    """A closure of a yard or of one zone of it."""

    closure_id: int
    yard_id: str
    zone_id: str | None
    until: AwareDatetime | None
    places_left_veh: int
    reason: str
    is_planned: bool


class BeforeAfter(BaseModel):
    """A figure of the plan without a closure, and with it."""

    before: float
    after: float


class YardInTrial(BaseModel):
    """A yard in a trial: trucks sent there, the most expected inside at a time, its fewest places."""

    yard_id: str
    sent_veh: BeforeAfter
    fullest_veh: BeforeAfter
    least_places_veh: BeforeAfter


class MaybeBeforeAfter(BaseModel):
    """A figure without the closure and with it; `null`: more than a day."""

    before: float | None
    after: float | None


class PlayedClosure(BaseModel):
    """The closure played through the traffic engine on the corridor now from its start to its end, in `runs` runs of
    the forecast's own worlds.

    `is_whole`: it holds all of the `horizon_h` that is looked ahead; `begins_later`: not before that is over.

    At its gate, medians of the runs: the longest queue, the longest wait. `queue_h`, truck-hours in the queue on
    average; `more_h`, truck-hours more on the corridor, with the range of 8 in 10 runs.
    """

    runs: int
    horizon_h: float
    is_whole: bool
    begins_later: bool = False
    longest_queue_veh: BeforeAfter
    longest_wait_h: MaybeBeforeAfter
    queue_h: BeforeAfter
    more_h: float
    more_h_low: float
    more_h_high: float


class ClosureTrial(BaseModel):
    """What a closure would change, of the next day as planned at `made_at`; waits in truck-hours.

    `moved_veh` trucks would go to another yard, `unplaced_veh` have no place within the day. `played`: what becomes of
    the queue, `null` without a forecast of the last minutes.
    """

    made_at: AwareDatetime
    trucks: int
    moved_veh: int
    unplaced_veh: BeforeAfter
    wait_h: BeforeAfter
    perishable_wait_h: BeforeAfter
    longest_wait_h: BeforeAfter
    on_road_h: BeforeAfter
    yards: list[YardInTrial]
    played: PlayedClosure | None = None


class PriceIn(BaseModel):
    """What a place costs from a time on (without, from now), in a zone or in the whole yard; whole đồng."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"unit": "day", "price_vnd": 250_000, "zone_id": None}]}
    )

    zone_id: PlainText | None = Field(None, max_length=80)
    unit: PriceUnit
    price_vnd: int = Field(ge=0, le=1_000_000_000)
    since: Moment | None = None


class PriceOut(Entered):
    """A price as it was set; `in_effect`: whether it is asked now."""

    price_id: int
    zone_id: str | None
    unit: PriceUnit
    price_vnd: int
    in_effect: bool


class YardPlaces(BaseModel):
    """The zones of a yard, closures that hold now or will, prices; `places_veh` now, all things considered."""

    yard_id: str
    opening_hours: str
    places_veh: int
    zones: list[ZoneOut]
    closures: list[ClosureOut]
    prices: list[PriceOut]
