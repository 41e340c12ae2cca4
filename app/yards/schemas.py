"""Yards and places in them as programs write and read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from app.platform.fields import Moment
from app.platform.json import JsonObject
from app.platform.labels import N_
from capacity.ledger import YardState
from capacity.vocabulary import ZoneKind
from capacity.zones import Closure
from geo.errors import InvalidInputError
from geo.opening_hours import format_intervals, parse_intervals
from routing.store import YardForecast as StoredForecast


def _check_hours(written: str) -> str:
    try:
        return format_intervals(parse_intervals(written, field="opening_hours"))
    except InvalidInputError as error:
        raise ValueError(error.message.format(**error.values)) from error


Hours = Annotated[str, Field(max_length=200), AfterValidator(_check_hours)]
"""Intervals of a day as `geo.opening_hours` reads them."""


class Contradiction(BaseModel):
    """Something in the ledger that cannot be true; beside the code, the numbers it is about."""

    model_config = ConfigDict(extra="allow")

    code: Literal["left_never_entered", "entered_twice", "left_unseen", "count_differs", "below_zero", "over_capacity"]


class YardForecast(BaseModel):
    """Expected occupancy, vehicles [quantile][time]."""

    made_at: str
    step_s: float
    quantiles: list[float]
    occupancy_veh: list[list[float]]

    @classmethod
    def of(cls, forecast: StoredForecast) -> YardForecast:
        """A forecast, rounded to a tenth of a vehicle."""
        return cls(
            made_at=forecast.made_at.isoformat(),
            step_s=forecast.step_s,
            quantiles=list(forecast.quantiles),
            occupancy_veh=np.round(forecast.occupancy_veh, 1).tolist(),
        )


class ClosedNow(BaseModel):
    """What is closed of a yard now, the whole or a zone: why, and until when, if that is known."""

    model_config = ConfigDict(from_attributes=True)

    zone_id: str | None
    reason: str
    until: datetime | None
    places_left_veh: int


class YardOut(BaseModel):
    """A yard as of now. free = capacity − inside; reserved are trucks on their way with a place in the plan."""

    yard_id: str
    gate_id: str
    kind: Literal["yard", "temporary_yard"]
    name: dict[str, str] = Field(default_factory=dict)
    capacity: int
    inside: int
    reserved: int
    free: int
    as_of: AwareDatetime
    version: int
    contradictions: list[Contradiction]
    forecast: YardForecast | None = None
    closures: list[ClosedNow] = Field(default_factory=list)

    @classmethod
    def of(
        cls,
        state: YardState,
        *,
        name: Mapping[str, str] | None = None,
        forecast: YardForecast | None = None,
        closures: Sequence[Closure] = (),
    ) -> Self:
        """The state of a yard, with its names, the forecast of its occupancy, and what is closed."""
        return cls.model_validate(
            {
                "yard_id": state.yard_id,
                "gate_id": state.gate_id,
                "kind": state.kind,
                "name": dict(name or {}),
                "capacity": state.capacity_veh,
                "inside": state.inside_veh,
                "reserved": state.reserved_veh,
                "free": state.free_veh,
                "as_of": state.as_of,
                "version": state.version,
                "contradictions": [{"code": found.code, **found.values} for found in state.contradictions],
                "forecast": forecast,
                "closures": [ClosedNow.model_validate(closure) for closure in closures],
            }
        )


class StopOut(BaseModel):
    """Why a truck at the gate of a yard is to be stopped, in the caller's language."""

    code: Literal["no_trip", "other_gate", "fee_unpaid"]
    text: str


class MovementOut(YardOut):
    """The yard after a truck came or went, and why that truck is to be stopped, if it is."""

    stop: StopOut | None = None


class YardList(BaseModel):
    """All yards."""

    items: list[YardOut]


class MovementIn(BaseModel):
    """A truck that came or went, as somebody saw it. Without a time, now."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"plate": "29C-123.45", "kind": "enter"}]}
    )

    plate: str = Field(min_length=1, max_length=40)
    kind: Literal["enter", "leave"]
    time: Moment | None = None


class CountIn(BaseModel):
    """Vehicles counted inside. Without a time, now. `confirmed`: right although hard to believe."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"inside": 212}]})

    inside: int = Field(ge=0, le=100_000)
    time: Moment | None = None
    confirmed: bool = False


class CountOut(BaseModel):
    """A count that a person made, and what was expected then."""

    model_config = ConfigDict(from_attributes=True)

    count_id: int
    time: AwareDatetime
    inside_veh: int
    expected_veh: int
    counted_by: int | None
    shift: Literal["day", "night"] | None
    confirmed: bool
    undone_at: AwareDatetime | None


class CountList(BaseModel):
    """The last counts of a yard, newest first."""

    items: list[CountOut]


class OccupancyOut(BaseModel):
    """How many are inside by all reads of the last week together: mean, 95 % range, and of them unseen coming in."""

    inside_veh: float
    low_veh: int
    high_veh: int
    unseen_veh: float
    missed_share: float


class CapacityIn(BaseModel):
    """How many vehicles a yard holds, and when it takes them in (left out: as it was; empty: round the clock)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"capacity": 450}]})

    capacity: int = Field(title=N_("Places for trucks"), ge=0, le=100_000)
    opening_hours: Hours | None = Field(
        None, title=N_("Hours"), description=N_("Such as 05:00–22:00; empty: round the clock.")
    )


class AssignmentOut(BaseModel):
    """A trip's place in the newest yard plan. Without a yard there is no place within the horizon; a yard without zones
    has no `zone_id`."""

    trip_id: int
    vehicle_id: int
    yard_id: str | None
    zone_id: str | None
    place_kind: ZoneKind | None
    arrive_at: AwareDatetime
    place_free_at: AwareDatetime
    wait_s: int
    reason: JsonObject
    text: str
    made_at: AwareDatetime


class AssignmentList(BaseModel):
    """Places of the trips the caller may see."""

    items: list[AssignmentOut]
