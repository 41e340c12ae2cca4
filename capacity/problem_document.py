"""A yard problem as a document: what `cuakhau plan-yards` reads. docs/yards.md describes it.

All times are RFC 3339 with an offset; opening hours are local. A value that cannot be meant is named with its place in
the document, all of them at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from capacity.vocabulary import ZoneKind
from geo.errors import InvalidInputError
from geo.opening_hours import OpeningHours

MAX_TOLD_FAULTS = 20
"""How many faults of a document are told at once."""


def _hours(value: object) -> object:
    if isinstance(value, str):
        try:
            OpeningHours.parse(value)
        except InvalidInputError as error:
            raise ValueError(str(error)) from None
    return value


Name = Annotated[str, Field(min_length=1, max_length=80)]
Hours = Annotated[str, BeforeValidator(_hours)]
Count = Annotated[float, Field(ge=0.0, le=100_000.0)]
BySteps = Count | tuple[Count, ...]
"""A number, or one for each step."""
Rate = Annotated[float, Field(gt=0.0, le=10_000.0)]
Seconds = Annotated[float, Field(ge=0.0, le=30 * 86400.0)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Weights(_Document):
    """How the aims weigh, as `capacity.problem.PlanWeights`."""

    ordinary: Annotated[float, Field(ge=0.0)] = 1.0
    perishable: Annotated[float, Field(ge=0.0)] = 4.0
    growth: Annotated[float, Field(ge=0.0)] = 0.1
    detour: Annotated[float, Field(ge=0.0)] = 1.0
    crossing: Annotated[float, Field(ge=0.0)] = 1.0
    stability_s: Annotated[float, Field(ge=0.0)] = 900.0
    unplaced_s: Annotated[float, Field(ge=0.0)] = 14400.0
    overflow: Annotated[float, Field(ge=0.0)] = 100.0


class Gate(_Document):
    """A gate: how fast it works while open, what it takes of other gates' trucks, and the queue forecast before it."""

    gate_id: Name
    crossing_veh_per_h: Rate
    opening_hours: Hours = "00:00–24:00"
    regimes: tuple[Name, ...] | None = None
    goods: tuple[Name, ...] | None = None
    queue_wait_s: Seconds | tuple[Seconds, ...] = 0.0


class Entrance(_Document):
    """What yards share on the way in."""

    entrance_id: Name
    veh_per_h: Rate


class YardSite(_Document):
    """A yard: its gate, hours, entrance, and the staff that serves its docks."""

    yard_id: Name
    gate_id: Name
    opening_hours: Hours = "00:00–24:00"
    entrance_veh_per_h: Rate | None = None
    entrance_id: Name | None = None
    dock_staff: BySteps | None = None


class Closure(_Document):
    """Places that a zone does not have for a time: `capacity` of them are left."""

    since: AwareDatetime
    until: AwareDatetime
    capacity: Count = 0.0

    @model_validator(mode="after")
    def _in_order(self) -> Closure:
        if self.until <= self.since:
            raise ValueError(f"until {self.until.isoformat()} is not after since {self.since.isoformat()}")
        return self


class Contract(_Document):
    """Places kept for an enterprise, and its trucks in them now."""

    enterprise: Name
    places: Count
    inside: Count = 0.0


class Zone(_Document):
    """Places of one kind in a yard; `inside` now, contracts left out."""

    zone_id: Name
    yard_id: Name
    kind: ZoneKind = ZoneKind.STANDARD
    capacity: BySteps
    inside: Count = 0.0
    stay: Name | None = None
    """How long those inside stay; without, the first of `stays`."""
    closures: tuple[Closure, ...] = ()
    contracts: tuple[Contract, ...] = ()


class Stay(_Document):
    """How long a class of trucks stays: mean, and standard deviation over mean (lognormal; none: exponential)."""

    stay_id: Name
    mean_s: Annotated[float, Field(gt=0.0, le=60 * 86400.0)]
    spread: Annotated[float, Field(gt=0.0, le=5.0)] | None = None


class StagingArea(_Document):
    """Where trucks wait on the way to gates."""

    area_id: Name
    capacity: BySteps
    gates: Annotated[tuple[Name, ...], Field(min_length=1)]


class Told(_Document):
    """What the last plan told a truck."""

    zone_id: Name
    place_at: AwareDatetime | None = None


class Truck(_Document):
    """A truck that comes: its own gate first in `arrive_at`, then others it could reach."""

    truck_id: Name
    gate_id: Name
    arrive_at: Annotated[dict[Name, AwareDatetime], Field(min_length=1)]
    kinds: Annotated[tuple[ZoneKind, ...], Field(min_length=1)] = (ZoneKind.STANDARD,)
    perishable: bool = False
    regime: Name = "export"
    goods: Name = "other"
    stay: Name | None = None
    declared_at: AwareDatetime | None = None
    enterprise: Name | None = None
    convoy: Name | None = None
    on_road: bool = True
    drive_s: Seconds | None = None
    """Driving to its own gate that is left; without, until its arrival if it is on the road."""
    driving_left_s: Seconds = 4 * 3600.0
    break_s: Seconds = 900.0
    arrival_spread_s: Seconds | None = None
    """Standard deviation of its arrival; without, that of `scenarios`."""
    no_show: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    told: Told | None = None

    @model_validator(mode="after")
    def _own_gate(self) -> Truck:
        if self.gate_id not in self.arrive_at:
            raise ValueError(f"arrive_at has no time for its own gate {self.gate_id}")
        return self


class Scenarios(_Document):
    """Days to draw, on which the plan is played and by which it is hedged."""

    count: Annotated[int, Field(ge=1, le=200)] = 20
    seed: Annotated[int, Field(ge=0)] = 1
    arrival_spread_s: Seconds = 1200.0
    no_show: Annotated[float, Field(ge=0.0, le=1.0)] = 0.03


class YardDocument(_Document):
    """A yard problem: `steps` of `step_s` from `start` on."""

    start: AwareDatetime
    step_s: Annotated[float, Field(ge=60.0, le=86400.0)] = 1800.0
    steps: Annotated[int, Field(ge=1, le=336)] = 48
    change_of_gate_s: Seconds = 3600.0
    weights: Weights = Weights()
    gates: Annotated[tuple[Gate, ...], Field(min_length=1)]
    entrances: tuple[Entrance, ...] = ()
    yards: Annotated[tuple[YardSite, ...], Field(min_length=1)]
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=500)]
    stays: Annotated[tuple[Stay, ...], Field(min_length=1)]
    staging: tuple[StagingArea, ...] = ()
    scenarios: Scenarios | None = None
    trucks: Annotated[tuple[Truck, ...], Field(max_length=20_000)]

    @model_validator(mode="after")
    def _agrees(self) -> YardDocument:
        faults = [*self._twice(), *self._unknown(), *self._lengths()]
        if faults:
            raise ValueError(_listing(faults))
        return self

    def _twice(self) -> list[str]:
        named = {
            "gates.gate_id": [gate.gate_id for gate in self.gates],
            "entrances.entrance_id": [entrance.entrance_id for entrance in self.entrances],
            "yards.yard_id": [yard.yard_id for yard in self.yards],
            "zones.zone_id": [zone.zone_id for zone in self.zones],
            "stays.stay_id": [stay.stay_id for stay in self.stays],
            "staging.area_id": [area.area_id for area in self.staging],
            "trucks.truck_id": [truck.truck_id for truck in self.trucks],
        }
        return [
            f"{place}: {name} is there {count} times"
            for place, names in named.items()
            for name, count in Counter(names).items()
            if count > 1
        ]

    def _unknown(self) -> list[str]:
        gates = {gate.gate_id for gate in self.gates}
        entrances = {entrance.entrance_id for entrance in self.entrances}
        yards = {yard.yard_id for yard in self.yards}
        zones = {zone.zone_id for zone in self.zones}
        stays = {stay.stay_id for stay in self.stays}
        faults: list[str] = []

        def look(place: str, name: str | None, known: set[str]) -> None:
            if name is not None and name not in known:
                faults.append(f"{place}: {name} is not one of {', '.join(sorted(known)) or 'none'}")

        for n, yard in enumerate(self.yards):
            look(f"yards.{n}.gate_id", yard.gate_id, gates)
            look(f"yards.{n}.entrance_id", yard.entrance_id, entrances)
        for n, zone in enumerate(self.zones):
            look(f"zones.{n}.yard_id", zone.yard_id, yards)
            look(f"zones.{n}.stay", zone.stay, stays)
        for n, area in enumerate(self.staging):
            for gate_id in area.gates:
                look(f"staging.{n}.gates", gate_id, gates)
        for n, truck in enumerate(self.trucks):
            for gate_id in truck.arrive_at:
                look(f"trucks.{n}.arrive_at", gate_id, gates)
            look(f"trucks.{n}.stay", truck.stay, stays)
            look(f"trucks.{n}.told.zone_id", truck.told.zone_id if truck.told else None, zones)
        return faults

    def _lengths(self) -> list[str]:
        by_steps: list[tuple[str, object]] = [
            *((f"gates.{n}.queue_wait_s", gate.queue_wait_s) for n, gate in enumerate(self.gates)),
            *((f"yards.{n}.dock_staff", yard.dock_staff) for n, yard in enumerate(self.yards)),
            *((f"zones.{n}.capacity", zone.capacity) for n, zone in enumerate(self.zones)),
            *((f"staging.{n}.capacity", area.capacity) for n, area in enumerate(self.staging)),
        ]
        return [
            f"{place}: {len(values)} values for {self.steps} steps"
            for place, values in by_steps
            if isinstance(values, tuple) and len(values) != self.steps
        ]

    def seconds(self, moment: datetime) -> float:
        """A moment in seconds from the start."""
        return (moment - self.start).total_seconds()


def read_document(path: Path) -> YardDocument:
    """The problem in a JSON file.

    Raises
    ------
    InvalidInputError
        Naming each value that cannot be meant, and where it stands.
    """
    try:
        return YardDocument.model_validate_json(path.read_bytes())
    except ValidationError as error:
        faults = [_said(fault["loc"], fault["msg"], fault.get("input")) for fault in error.errors(include_url=False)]
        raise InvalidInputError("{file}: {faults}", file=str(path), faults=_listing(faults)) from None


def _said(place: Iterable[int | str], message: str, value: object) -> str:
    where = ".".join(str(part) for part in place)
    text = message.removeprefix("Value error, ")
    if isinstance(value, dict | list | tuple | BaseModel) or not where:
        return f"{where}: {text}" if where else text
    return f"{where}: {value!r}: {text}"


def _listing(faults: list[str]) -> str:
    more = len(faults) - MAX_TOLD_FAULTS
    return "; ".join(faults[:MAX_TOLD_FAULTS]) + (f"; and {more} more" if more > 0 else "")
