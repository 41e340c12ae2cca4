"""What a gate is: hours, lanes and times of each direction, the regimes and goods it takes, who collects there.

A `GateProfile` is the one home of these values; declarations, forecast, yard plan, advice, orders, fees and pages ask
it. Pure: no database, no web. Each value has a `Source`, so that nobody takes an assumption for a measurement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from app.gates.hazards import HazardClass
from app.gates.notice import GateNotice, find_ban, show_moment
from app.gates.priority import PriorityLanes
from app.gates.vocabulary import Collector, GoodsClass, Regime
from app.platform.labels import N_
from geo.corridor import Corridor, Site
from geo.errors import InvalidInputError
from geo.opening_hours import DAY_S, Interval, OpeningHours, format_intervals
from routing.gates import Direction, GateSetting, Server, ServiceTime, assumed_settings, default_setting

VALUES: Final = ("regimes", "goods", "hazards", "collectors", "priority", "served_km")
"""What a profile says of a gate beside its directions."""
DIRECTIONS: Final[tuple[Direction, ...]] = ("export", "import")
MAX_HOURS_CHARACTERS: Final = 200
MAX_HOLIDAYS: Final = 400
MAX_SERVED_KM: Final = 50.0


class Source(StrEnum):
    """Where a value of a profile comes from."""

    SHIPPED = "shipped"
    """From the corridor's file, where it is surveyed or derived."""
    ASSUMED = "assumed"
    SIMULATED = "simulated"
    """As the gates of the recorded demo day work."""
    SET = "set"
    """A person of this installation set it."""


def _members_of(known: tuple[str, ...], name: str) -> AfterValidator:
    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if value not in known:
                refused = InvalidInputError(
                    "{value} is not one of {known}.", field=name, value=value, known=", ".join(known)
                )
                raise ValueError(str(refused)) from refused
        return tuple(value for value in known if value in values)

    return AfterValidator(check)


class Hours(BaseModel):
    """Opening hours as people write them; `geo.opening_hours` says what they mean.

    Arguments: `intervals` and `breaks` like "07:00–11:30, 13:00–19:00" (local time; nothing: closed); `holidays`,
    ISO date → intervals in place of the regular ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intervals: str = Field("", max_length=MAX_HOURS_CHARACTERS)
    breaks: str = Field("", max_length=MAX_HOURS_CHARACTERS)
    holidays: dict[str, Annotated[str, Field(max_length=MAX_HOURS_CHARACTERS)]] = Field(
        default_factory=dict, max_length=MAX_HOLIDAYS
    )

    def model_post_init(self, _context: Any, /) -> None:
        """Write the values in the one form that equal hours share."""
        try:
            record = self.opening_hours.to_record()
        except InvalidInputError as error:
            raise ValueError(str(error)) from error
        for name, value in record.items():
            object.__setattr__(self, name, value)

    @cached_property
    def opening_hours(self) -> OpeningHours:
        """The hours that can be asked."""
        return OpeningHours.parse(self.intervals, breaks=self.breaks, holidays=self.holidays)

    @classmethod
    def of(cls, hours: OpeningHours) -> Self:
        """The written form of opening hours."""
        return cls(**hours.to_record())


class DirectionProfile(BaseModel):
    """How one direction of a gate works: crossing, entrance (barrier 1 for exports) and stay in the yards between."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    hours: Hours
    lanes: int = Field(title=N_("Lanes"), ge=1, le=64)
    service_mean_s: float = Field(title=N_("Service time, mean"), gt=0, le=86_400)
    service_cv: float = Field(title=N_("Service time, variation"), ge=0, le=5)
    entrance_lanes: int = Field(title=N_("Lanes at the entrance"), ge=1, le=64)
    entrance_service_mean_s: float = Field(title=N_("Check at the entrance, mean"), ge=0, le=86_400)
    entrance_service_cv: float = Field(title=N_("Check at the entrance, variation"), ge=0, le=5)
    dwell_mean_s: float = Field(title=N_("Stay in the yard, mean"), ge=0, le=30 * 86_400)
    dwell_cv: float = Field(title=N_("Stay in the yard, variation"), ge=0, le=5)

    @property
    def opening_hours(self) -> OpeningHours:
        """When the crossing works."""
        return self.hours.opening_hours

    @property
    def open_from(self) -> time:
        """When the first interval of a regular day begins; midnight where there is none."""
        intervals = self.opening_hours.intervals
        return _to_time(intervals[0].opens_s if intervals else 0)

    @property
    def open_to(self) -> time:
        """When the last interval of a regular day ends; equal to `open_from` round the clock."""
        intervals = self.opening_hours.intervals
        return _to_time(intervals[-1].closes_s if intervals else 0)

    def compile(self, gate_id: str, direction: Direction, served_km: float | None = None) -> GateSetting:
        """As the engine takes it. Yards take trucks in round the clock; only the crossing keeps hours."""
        return GateSetting(
            gate_id=gate_id,
            direction=direction,
            crossing=Server(self.lanes, ServiceTime(self.service_mean_s, self.service_cv), self.opening_hours),
            entrance=Server(self.entrance_lanes, ServiceTime(self.entrance_service_mean_s, self.entrance_service_cv)),
            dwell=ServiceTime(self.dwell_mean_s, self.dwell_cv),
            served_km=served_km,
        )

    @classmethod
    def of(cls, setting: GateSetting) -> Self:
        """The profile that compiles to a setting."""
        return cls(
            hours=Hours.of(setting.crossing.hours),
            lanes=setting.crossing.lanes,
            service_mean_s=setting.crossing.service.mean_s,
            service_cv=setting.crossing.service.cv,
            entrance_lanes=setting.entrance.lanes,
            entrance_service_mean_s=setting.entrance.service.mean_s,
            entrance_service_cv=setting.entrance.service.cv,
            dwell_mean_s=setting.dwell.mean_s,
            dwell_cv=setting.dwell.cv,
        )


@dataclass(frozen=True)
class DeclaredLanes:
    """From `at` on, a gate's lanes for exports let in `factor` times as many trucks as before, by its profile."""

    gate_id: str
    at: datetime
    factor: float


def lanes_factor(before: DirectionProfile, after: DirectionProfile) -> float:
    """How many times as many trucks the lanes of one profile let in as those of another, checks as long as before."""

    def rate(lanes: int, entrance_lanes: int) -> float:
        crossing = lanes / before.service_mean_s
        if before.entrance_service_mean_s <= 0.0:
            return crossing
        return min(crossing, entrance_lanes / before.entrance_service_mean_s)

    return rate(after.lanes, after.entrance_lanes) / rate(before.lanes, before.entrance_lanes)


class GateValues(BaseModel):
    """The values of a profile as people edit them, without where they come from.

    Arguments: `regimes`, `goods` and `hazards`, the regimes and classes of goods that the gate takes, and of goods that
    are dangerous which UN classes; `collectors`, who collects
    fees there; `priority`, who may use which lanes first, left out: as before, or none; `served_km`, the kilometre of
    the gate's road where exports are served, left out: as learned from where trucks stood last, else at the barrier.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    _bans: tuple[GateNotice, ...] = PrivateAttr(default=())
    _read_at: datetime | None = PrivateAttr(default=None)

    exports: DirectionProfile
    imports: DirectionProfile
    regimes: Annotated[tuple[str, ...], _members_of(tuple(Regime), "regimes")] = tuple(Regime)
    goods: Annotated[tuple[str, ...], _members_of(tuple(GoodsClass), "classes of goods")] = tuple(GoodsClass)
    hazards: Annotated[tuple[str, ...], _members_of(tuple(HazardClass), "classes of dangerous goods")] = tuple(
        HazardClass
    )
    collectors: Annotated[tuple[str, ...], _members_of(tuple(Collector), "collectors")] = tuple(Collector)
    priority: PriorityLanes | None = None
    served_km: float | None = Field(None, ge=0, le=MAX_SERVED_KM, allow_inf_nan=False)

    def of(self, direction: str) -> DirectionProfile:
        """How a direction works."""
        return self.imports if direction == "import" else self.exports

    def takes_regime(self, regime: str | None) -> bool:
        """Whether goods under a regime may cross here; a regime nobody has named yet may."""
        return not regime or regime in self.regimes

    def takes_goods(self, goods_class: str | None) -> bool:
        """Whether goods of a class may cross here; a class nobody has named yet may."""
        return not goods_class or goods_class in self.goods

    def takes(
        self, regime: str | None, goods_class: str | None, at: datetime | None = None, *, hazards: Collection[str] = ()
    ) -> bool:
        """Whether a truck may be sent here with what it carries: the gate takes it, and no ban stands then.

        Arguments: `at`, when it comes; left out: when the profile was read; `hazards`, the classes of the dangerous
        goods that it carries.
        """
        goods = () if goods_class is None else (goods_class,)
        is_taken = self.takes_regime(regime) and self.takes_goods(goods_class) and set(hazards) <= set(self.hazards)
        return is_taken and self.find_ban(regime, goods, at) is None

    def find_ban(self, regime: str | None, goods: Collection[str], at: datetime | None = None) -> GateNotice | None:
        """The intake ban that keeps a truck with goods of some classes out, at a moment as of `takes`."""
        moment = at or self._read_at
        return None if moment is None else find_ban(self._bans, regime, goods, moment)

    @property
    def bans(self) -> tuple[GateNotice, ...]:
        """The intake bans of the gate that are not over; they are no part of the profile's versions."""
        return self._bans

    def with_bans(self, bans: Iterable[GateNotice], read_at: datetime) -> Self:
        """The same gate with its intake bans, as read at a moment."""
        found = self.model_copy()
        found._bans, found._read_at = tuple(bans), read_at
        return found

    def refusals(
        self,
        gate_id: str,
        regime: str | None,
        goods: Mapping[str, str | None],
        hazards: Mapping[str, HazardClass | None] | None = None,
    ) -> Iterator[InvalidInputError]:
        """What of a truck's regime (`field` is `regime`) and goods this gate, `gate_id`, does not take, each an error.

        Arguments: `goods`, the name of the field that says it → class of goods; `hazards`, likewise of dangerous goods.
        """
        if not self.takes_regime(regime):
            yield InvalidInputError(
                "{gate} does not take the regime {regime}, only {regimes}; choose another gate.",
                field="regime",
                gate=gate_id,
                regime=regime,
                regimes=", ".join(self.regimes) or "–",
            )
        for field, goods_class in goods.items():
            if not self.takes_goods(goods_class):
                yield InvalidInputError(
                    "{gate} does not take goods of the class {goods_class}, only {goods_classes}; choose another gate.",
                    field=field,
                    gate=gate_id,
                    goods_class=goods_class,
                    goods_classes=", ".join(self.goods) or "–",
                )

        for field, hazard in (hazards or {}).items():
            if hazard is not None and hazard not in self.hazards:
                yield InvalidInputError(
                    "{gate} takes no dangerous goods of class {hazard}, only {taken}; choose another gate.",
                    field=field,
                    gate=gate_id,
                    hazard=str(hazard),
                    taken=", ".join(self.hazards) or "–",
                )

    def ban_refusal(
        self, gate_id: str, regime: str | None, goods_class: str, at: datetime, *, goods_field: str = "goods_class"
    ) -> InvalidInputError | None:
        """The intake ban that stands when a truck comes at `at`, as an error at what it is about; `None` if none does.

        Arguments: `goods_field`, the field that says the class of goods.
        """
        ban = self.find_ban(regime, {goods_class}, at)
        if ban is None:
            return None
        field = goods_field if ban.goods else "regime" if ban.regimes else "planned_arrival"
        known = {"gate": gate_id, "since": show_moment(ban.starts_at), "cause": ban.cause}
        if ban.end is None:
            return InvalidInputError(
                "{gate} does not take this from {since} until further notice ({cause}); choose another gate.",
                field=field,
                **known,
            )
        return InvalidInputError(
            "{gate} does not take this from {since} until {until} ({cause}); choose another time or gate.",
            field=field,
            until=show_moment(ban.end),
            **known,
        )

    def settings(self, gate_id: str) -> tuple[GateSetting, GateSetting]:
        """Both directions as the engine takes them, exports first."""
        return self.exports.compile(gate_id, "export", self.served_km), self.imports.compile(gate_id, "import")

    def leaves(self) -> Iterator[tuple[str, Any]]:
        """Each value with its name, such as `exports.lanes`."""
        for name in ("exports", "imports"):
            part = getattr(self, name)
            yield from ((f"{name}.{field}", getattr(part, field)) for field in DirectionProfile.model_fields)
        yield from ((name, getattr(self, name)) for name in VALUES)


class GateProfile(GateValues):
    """A gate with the source of each of its values, by the names of `leaves`."""

    sources: dict[str, Source] = Field(default_factory=dict)

    def values(self) -> GateValues:
        """The values alone."""
        return GateValues.model_validate(self.model_dump(exclude={"sources"}))

    def edited(self, values: GateValues, source: Source = Source.SET) -> GateProfile:
        """The profile with new values; what differs from before comes from `source`."""
        if values.priority is None:
            values = values.model_copy(update={"priority": self.priority})
        before = dict(self.leaves())
        changed = {name: source for name, value in values.leaves() if before[name] != value}
        return GateProfile(**values.model_dump(), sources={**self.sources, **changed})

    def with_direction(self, direction: str, changes: Mapping[str, object]) -> GateValues:
        """The values with one direction changed.

        Arguments: `changes`, fields of `DirectionProfile`; `open_from` and `open_to` (`datetime.time`) stand for one
        interval in place of the regular ones, unless they are what these begin and end with.
        """
        part = self.of(direction)
        plain = part.model_dump() | {name: value for name, value in changes.items() if not name.startswith("open_")}
        if any(changes.get(name, getattr(part, name)) != getattr(part, name) for name in ("open_from", "open_to")):
            opens_s, closes_s = (_of_day(changes.get(name, getattr(part, name))) for name in ("open_from", "open_to"))
            interval = Interval(opens_s, closes_s or DAY_S)
            plain["hours"] = {**plain["hours"], "intervals": format_intervals([interval])}
        name = "imports" if direction == "import" else "exports"
        return GateValues.model_validate({**self.values().model_dump(), name: plain})


def default_profiles(corridor: Corridor) -> dict[str, GateProfile]:
    """The profile of each gate as its site in the corridor describes it; what the site does not say is assumed.

    Attributes of a site that are read: `lanes`, `opens`, `closes`, `cleared_veh_per_day` (see
    `routing.gates.assumed_settings`), `regimes_closed`, `goods_closed`, `hazards_closed`, `collectors`,
    `served_km`.
    """
    settings = {(setting.gate_id, setting.direction): setting for setting in assumed_settings(corridor)}
    found = {}
    for site in corridor.gates():
        gate_id = site.site_id
        parts = [settings.get((gate_id, direction)) or default_setting(gate_id, direction) for direction in DIRECTIONS]
        closed = {
            "regimes": set(site.attributes.get("regimes_closed", ())),
            "goods": set(site.attributes.get("goods_closed", ())),
            "hazards": set(site.attributes.get("hazards_closed", ())),
        }
        values = GateValues(
            exports=DirectionProfile.of(parts[0]),
            imports=DirectionProfile.of(parts[1]),
            regimes=tuple(name for name in Regime if name not in closed["regimes"]),
            goods=tuple(name for name in GoodsClass if name not in closed["goods"]),
            hazards=tuple(name for name in HazardClass if name not in closed["hazards"]),
            collectors=tuple(site.attributes.get("collectors", Collector)),
            served_km=site.attributes.get("served_km"),
        )
        sources = {name: _source(site, name.rpartition(".")[2]) for name, _ in values.leaves()}
        found[gate_id] = GateProfile(**values.model_dump(), sources=sources)
    return found


def _source(site: Site, name: str) -> Source:
    """What the corridor says of a value: shipped if it was surveyed or derived, else assumed."""
    attribute = {
        "hours": "opens",
        "regimes": "regimes_closed",
        "goods": "goods_closed",
        "hazards": "hazards_closed",
    }.get(name, name)
    known = site.provenance.get(attribute)
    return Source.SHIPPED if known in {"surveyed", "derived"} else Source.ASSUMED


def _of_day(moment: object) -> int:
    assert isinstance(moment, time)
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _to_time(of_day_s: int) -> time:
    minutes, seconds = divmod(of_day_s % DAY_S, 60)
    return time(minutes // 60, minutes % 60, seconds)
