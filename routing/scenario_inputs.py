"""What a planner may vary, checked: a world (who comes, how gates work) and a change to it; and the library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from geo.errors import InvalidInputError, NotFoundError
from routing.gates import day_seconds
from routing.scenario_records import ScenarioRecord

HOURS = 24
MAX_VARIANTS = 50
DAY_SHAPE = (
    0.2,
    0.2,
    0.3,
    0.6,
    1.0,
    1.6,
    2.2,
    2.4,
    2.2,
    1.9,
    1.6,
    1.3,
    1.1,
    1.2,
    1.3,
    1.2,
    1.0,
    0.8,
    0.6,
    0.5,
    0.4,
    0.3,
    0.3,
    0.2,
)
"""Assumed spread of a day's arrivals over its hours, most in the morning; relative values."""


def _day_time(value: Any) -> Any:
    # YAML reads 19:00 without quotes as the number 1140 (base 60).
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        return f"{value // 60:02d}:{value % 60:02d}"
    if isinstance(value, str):
        try:
            day_seconds(value)
        except InvalidInputError as error:
            raise ValueError(str(error)) from None
    return value


DayTime = Annotated[str, BeforeValidator(_day_time)]
Rate = Annotated[float, Field(ge=0.0, le=5000.0)]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GateChange(_Checked):
    """How a gate's exports work, where it differs from its setting; hours are local."""

    lanes: Annotated[int, Field(ge=1, le=64)] | None = None
    reversed_lanes: Annotated[int, Field(ge=0, le=63)] = 0
    """Lanes that its imports give to its exports, through entrance and crossing."""
    opens: DayTime | None = None
    closes: DayTime | None = None
    service_mean_s: Annotated[float, Field(gt=0.0, le=86400.0)] | None = None
    service_cv: Annotated[float, Field(ge=0.0, le=5.0)] | None = None
    cleared_exports_veh_per_day: Annotated[float, Field(gt=0.0, le=20000.0)] | None = None
    """In place of a service time: what it clears a day at full work."""
    entrance_lanes: Annotated[int, Field(ge=1, le=64)] | None = None
    entrance_service_mean_s: Annotated[float, Field(ge=0.0, le=86400.0)] | None = None
    entrance_service_cv: Annotated[float, Field(ge=0.0, le=5.0)] | None = None
    dwell_mean_s: Annotated[float, Field(ge=0.0, le=30 * 86400.0)] | None = None
    dwell_cv: Annotated[float, Field(ge=0.0, le=5.0)] | None = None

    @model_validator(mode="after")
    def _one_rate(self) -> GateChange:
        if self.service_mean_s is not None and self.cleared_exports_veh_per_day is not None:
            raise ValueError("give service_mean_s or cleared_exports_veh_per_day, not both")
        return self


class GateWorld(GateChange):
    """A gate in the base: its demand, and what stands there at the start."""

    exports_veh_per_day: Annotated[float, Field(ge=0.0, le=50000.0)] | None = None
    exports_veh_per_h: Annotated[tuple[Rate, ...], Field(min_length=HOURS, max_length=HOURS)] | None = None
    """By local hour of the day, in place of a day's total."""
    imports_veh_per_day: Annotated[float, Field(ge=0.0, le=50000.0)] = 0.0
    standing_veh: Annotated[int, Field(ge=0, le=20000)] = 0
    """Exports at the gate at the start: the yard is filled first, the rest stands on the road."""

    @model_validator(mode="after")
    def _one_demand(self) -> GateWorld:
        if self.exports_veh_per_day is not None and self.exports_veh_per_h is not None:
            raise ValueError("give exports_veh_per_day or exports_veh_per_h, not both")
        return self

    def hourly(self) -> tuple[float, ...]:
        """Exports an hour that enter the corridor for this gate, by local hour."""
        if self.exports_veh_per_h is not None:
            return self.exports_veh_per_h
        total = sum(DAY_SHAPE)
        return tuple((self.exports_veh_per_day or 0.0) * share / total for share in DAY_SHAPE)


class World(_Checked):
    """The base: who comes and how gates work.

    `begins` "now": with the trucks, the demand and the goods of the live forecast, of which nothing is given here.
    """

    begins: Literal["described", "now"] = "described"
    gates: dict[str, GateWorld] = Field(default_factory=dict, validate_default=True)
    perishable_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.6
    free_speed_mps: dict[str, Annotated[float, Field(gt=0.5, le=45.0)]] = Field(default_factory=dict)
    """By edge: how fast the middle truck drives when nothing hinders it, where that differs from the corridor's."""

    @field_validator("gates")
    @classmethod
    def _one_source(cls, gates: dict[str, GateWorld], info: ValidationInfo) -> dict[str, GateWorld]:
        begins_now = info.data.get("begins") == "now"
        if not begins_now and not gates:
            raise ValueError("describe at least one gate")
        demand = {"exports_veh_per_day", "exports_veh_per_h", "imports_veh_per_day", "standing_veh"}
        if begins_now and any(demand & gate.model_fields_set for gate in gates.values()):
            raise ValueError("a base that begins now has the trucks of the live forecast; give no demand for its gates")
        return gates


class DemandChange(_Checked):
    """Multiply the exports that set out, of a gate and a class of goods or of all, in some hours or all day."""

    factor: Annotated[float, Field(ge=0.0, le=10.0)]
    gate: str | None = None
    goods: Literal["perishable", "other"] | None = None
    from_hour: Annotated[int, Field(ge=0, le=23)] = 0
    to_hour: Annotated[int, Field(ge=1, le=24)] = 24


class YardChange(_Checked):
    """A yard's capacity in some hours since the start, or to the end."""

    capacity_veh: Annotated[int, Field(ge=0, le=20000)]
    from_h: Annotated[float, Field(ge=0.0)] = 0.0
    to_h: Annotated[float, Field(gt=0.0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> YardChange:
        if self.to_h is not None and self.to_h <= self.from_h:
            raise ValueError(f"the yard's change ends ({self.to_h} h) before it begins ({self.from_h} h)")
        return self


class RoadClosure(_Checked):
    """Roads nobody may drive onto for a time; hours since the start of the scenario."""

    road: str
    km_from: float
    km_to: float
    direction: Literal["to_border", "from_border", "both"] = "to_border"
    from_h: Annotated[float, Field(ge=0.0)] = 0.0
    to_h: Annotated[float, Field(gt=0.0)]

    @model_validator(mode="after")
    def _ordered(self) -> RoadClosure:
        if self.to_h <= self.from_h:
            raise ValueError(f"the closure ends ({self.to_h} h) before it begins ({self.from_h} h)")
        return self


class Diversion(_Checked):
    """A share of the trucks that set out for one gate goes to another."""

    from_gate: str
    to_gate: str
    share: Annotated[float, Field(ge=0.0, le=1.0)]
    goods: Literal["perishable", "other"] | None = None


class Hold(_Checked):
    """Trucks that come by a staging area before `until_h` wait there, then go on, at most so many an hour."""

    staging: str
    until_h: Annotated[float, Field(gt=0.0)]
    share: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    gate: str | None = None
    goods: Literal["perishable", "other"] | None = None
    release_veh_per_h: Annotated[float, Field(gt=0.0, le=5000.0)] | None = None


class Ban(_Checked):
    """A gate takes nobody, or nobody with a class of goods, who would set out for it in these hours since the start.

    They stay where they are; who is under way already goes on.
    """

    gate: str | None = None
    goods: Literal["perishable", "other"] | None = None
    from_h: Annotated[float, Field(ge=0.0)] = 0.0
    to_h: Annotated[float, Field(gt=0.0)] = 168.0

    @model_validator(mode="after")
    def _ordered(self) -> Ban:
        if self.to_h <= self.from_h:
            raise ValueError(f"the ban ends ({self.to_h} h) before it begins ({self.from_h} h)")
        return self


class Change(_Checked):
    """The variant: what differs from the base."""

    demand: tuple[DemandChange, ...] = ()
    gates: dict[str, GateChange] = Field(default_factory=dict)
    yards: dict[str, YardChange] = Field(default_factory=dict)
    closures: tuple[RoadClosure, ...] = ()
    diversions: tuple[Diversion, ...] = ()
    holds: tuple[Hold, ...] = ()
    bans: tuple[Ban, ...] = ()


class Variant(_Checked):
    """One more change to the base, run on the same random numbers."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    title: dict[str, str] = Field(default_factory=dict)
    change: Change


class Costs(_Checked):
    """What time and fruit are worth; the defaults are assumed, for the order of magnitude."""

    truck_hour_vnd: Annotated[int, Field(ge=0, le=100_000_000)] = 150_000
    """A truck with its driver, an hour on the corridor."""
    load_t: Annotated[float, Field(gt=0.0, le=60.0)] = 20.0
    goods_vnd_per_t: Annotated[int, Field(ge=0, le=1_000_000_000)] = 20_000_000
    """Perishable goods."""
    shelf_life_h: Annotated[float, Field(gt=0.0, le=8760.0)] = 240.0
    """Perishable goods lose their worth evenly over so many hours on the corridor."""


class Scenario(_Checked):
    """A world, a change to it, and the time to look at."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    title: dict[str, str] = Field(default_factory=dict)
    description: str = ""
    sources: tuple[str, ...] = ()
    start: DayTime = "06:00"
    """Local time of day."""
    horizon_h: Annotated[float, Field(ge=0.5, le=168.0)] = 12.0
    step_s: Annotated[float, Field(ge=60.0, le=7200.0)] = 300.0
    world: World
    change: Change = Field(default_factory=Change)
    change_title: dict[str, str] = Field(default_factory=dict)
    variants: Annotated[tuple[Variant, ...], Field(max_length=MAX_VARIANTS)] = ()
    """Further changes to the base, each compared with it."""
    costs: Costs = Field(default_factory=Costs)
    additions: tuple[dict[str, JsonValue], ...] = ()
    """GeoJSON features of the corridor's form: new gates, yards and roads that lead to them.

    All worlds have the roads; in the base nobody goes to a new gate and a new yard holds nobody.
    """

    @field_validator("variants")
    @classmethod
    def _named_once(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        names = [variant.name for variant in variants]
        for name in names:
            if names.count(name) > 1 or name in ("base", "variant"):
                raise ValueError(f"the name {name} is given twice; base and variant are taken")
        return variants

    @model_validator(mode="after")
    def _speeds_described(self) -> Scenario:
        if self.world.free_speed_mps and self.world.begins == "now":
            raise ValueError("a base that begins now has the speeds of the live forecast; give no free speeds")
        return self

    @model_validator(mode="after")
    def _additions_described(self) -> Scenario:
        if self.additions and self.world.begins == "now":
            raise ValueError("a base that begins now is the corridor as it is; describe the base to add to it")
        return self

    def compared(self) -> tuple[Variant, ...]:
        """All that is compared with the base: the change, unless it is empty and there are variants, and these."""
        if self.variants and self.change == Change():
            return self.variants
        return (Variant(name="variant", title=self.change_title, change=self.change), *self.variants)

    def to_record(self) -> ScenarioRecord:
        """As plain JSON values; `parse_scenario` reads it back."""
        return cast(ScenarioRecord, self.model_dump(mode="json", exclude_defaults=True))


def parse_scenario(values: object) -> Scenario:
    """A scenario from plain values, such as a form or JSON sends.

    Raises
    ------
    InvalidInputError
        Naming the first value that cannot be accepted, where it stands and why.
    """
    try:
        return Scenario.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "scenario"
        value = first.get("input")
        shown = "" if isinstance(value, dict | list | tuple) else f" (value {value!r})"
        raise InvalidInputError(
            "{where}{shown}: {reason}.", field=where, where=where, shown=shown, reason=first["msg"]
        ) from None


def load_scenario(source: Path | str) -> Scenario:
    """A scenario from a YAML file, or from YAML text.

    Raises
    ------
    InvalidInputError
        If it is no YAML or no scenario.
    NotFoundError
        If the file is not there.
    """
    if isinstance(source, Path):
        try:
            text = source.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotFoundError("There is no scenario file {path}.", path=str(source)) from None
    else:
        text = source
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError("This is no YAML: {reason}.", field="scenario", reason=str(error)) from None
    return parse_scenario(values)


def dump_scenario(scenario: Scenario) -> str:
    """A scenario as YAML text; `load_scenario` reads it back."""
    return yaml.safe_dump(scenario.to_record(), allow_unicode=True, sort_keys=False, width=120)


def library() -> dict[str, Scenario]:
    """The scenarios that come with the platform, by name, each with its sources."""
    found = [load_scenario(path) for path in sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))]
    return {scenario.name: scenario for scenario in found}


def _names_in(
    path: str, change: Change, gate_ids: Sequence[str], yard_ids: Sequence[str], stagings: Sequence[str]
) -> list[tuple[str, str | None, Sequence[str]]]:
    """Where a change names something, what, and what is known of its kind."""
    return [
        *((f"{path}.gates", g, gate_ids) for g in change.gates),
        *((f"{path}.demand.gate", d.gate, gate_ids) for d in change.demand),
        *((f"{path}.diversions.from_gate", d.from_gate, gate_ids) for d in change.diversions),
        *((f"{path}.diversions.to_gate", d.to_gate, gate_ids) for d in change.diversions),
        *((f"{path}.holds.gate", h.gate, gate_ids) for h in change.holds),
        *((f"{path}.holds.staging", h.staging, stagings) for h in change.holds),
        *((f"{path}.yards", y, yard_ids) for y in change.yards),
        *((f"{path}.bans.gate", b.gate, gate_ids) for b in change.bans),
    ]


def check_names(scenario: Scenario, gate_ids: Sequence[str], yard_ids: Sequence[str], stagings: Sequence[str]) -> None:
    """Check that every gate, yard and staging area a scenario names is there.

    Raises
    ------
    InvalidInputError
        Naming the first one that is not.
    """
    wanted: list[tuple[str, str | None, Sequence[str]]] = [
        *(("world.gates", g, gate_ids) for g in scenario.world.gates),
    ]
    changes = {"change": scenario.change}
    changes |= {f"variants.{i}.change": variant.change for i, variant in enumerate(scenario.variants)}
    for path, change in changes.items():
        wanted += _names_in(path, change, gate_ids, yard_ids, stagings)
    for where, name, known in wanted:
        if name is not None and name not in known:
            raise InvalidInputError(
                "{where} names {value}, which the corridor does not have; known: {known}.",
                field=where,
                where=where,
                value=name,
                known=", ".join(known),
            )
