"""Gates as the engine needs them: servers with lanes, opening hours and service times, and the yards between.

A gate is data: its site's attributes and its setting. Nothing here knows how many there are or what they are called.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor, Site
from geo.errors import InvalidInputError
from geo.opening_hours import OpeningHours, parse_time

Direction = Literal["export", "import"]
Shape = Literal["deterministic", "exponential", "gamma", "lognormal"]


@dataclass(frozen=True)
class ServiceTime:
    """A distribution of durations given by mean (s), coefficient of variation and shape.

    Lognormal is the default: service times at land borders are right-skewed. `deterministic` and
    `exponential` fix the coefficient of variation at 0 and 1.

    Raises
    ------
    InvalidInputError
        If the mean or the coefficient of variation is negative or not finite.
    """

    mean_s: float
    cv: float = 0.5
    shape: Shape = "lognormal"

    def __post_init__(self) -> None:
        if not 0.0 <= self.mean_s < math.inf:
            raise InvalidInputError(
                "A mean duration of {value} s is not possible; give 0 or more.", field="mean_s", value=self.mean_s
            )
        if not 0.0 <= self.cv < math.inf:
            raise InvalidInputError(
                "A coefficient of variation of {value} is not possible; give 0 or more.", field="cv", value=self.cv
            )

    def sample(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """`size` durations in seconds."""
        if self.shape == "deterministic" or self.mean_s == 0.0 or (self.cv == 0.0 and self.shape != "exponential"):
            return np.full(size, self.mean_s)
        if self.shape == "exponential":
            return rng.standard_exponential(size) * self.mean_s
        if self.shape == "gamma":
            k = 1.0 / self.cv**2
            return np.asarray(rng.standard_gamma(k, size) * (self.mean_s / k))
        return self.from_normal(rng.standard_normal(size), rng)

    def from_normal(self, normal: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Durations from standard normal draws, so that equal draws compare equal trucks under two settings.

        Shapes that are no function of a normal draw take new draws from `rng`.
        """
        parameters = self.log_parameters()
        if parameters is None:
            return self.sample(rng, normal.size)
        mean, sd = parameters
        return np.asarray(np.exp(normal * sd + mean))

    def log_parameters(self) -> tuple[float, float] | None:
        """Mean and standard deviation of the logarithm of a duration in seconds; None where it is not lognormal."""
        if self.shape != "lognormal" or self.mean_s == 0.0 or self.cv == 0.0:
            return None
        # Mean-preserving: E[exp(sigma Z - sigma^2 / 2)] = 1.
        variance = math.log1p(self.cv**2)
        return math.log(self.mean_s) - variance / 2.0, math.sqrt(variance)

    def scaled(self, factor: float) -> ServiceTime:
        """The same shape with the mean multiplied by `factor`."""
        return ServiceTime(self.mean_s * factor, self.cv, self.shape)


def sample_by_gate(
    times: Sequence[ServiceTime], gate: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Durations [n] in seconds, each of the distribution of its `gate` [n], an index into `times`; 0 where -1.

    One normal draw each whatever its gate, so that sending a truck elsewhere changes nobody else's luck.
    """
    normal = rng.standard_normal(gate.size)
    parameters = [time.log_parameters() for time in times]
    # The last element is that of index -1: exp(-inf) = 0.
    mean, sd = np.array([own or (-np.inf, 0.0) for own in (*parameters, None)]).T
    durations: NDArray[np.float64] = sd.take(gate)
    durations *= normal
    durations += mean.take(gate)
    np.exp(durations, out=durations)
    for index, (time, own) in enumerate(zip(times, parameters, strict=True)):
        if own is None:
            here = gate == index
            durations[here] = time.from_normal(normal[here], rng)
    return durations


@dataclass(frozen=True)
class Server:
    """Parallel lanes with one queue, and when they work.

    Raises
    ------
    InvalidInputError
        If there is no lane, or too many.
    """

    lanes: int
    service: ServiceTime
    hours: OpeningHours = field(default_factory=OpeningHours.always)

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= 64:
            raise InvalidInputError("{value} lanes are not possible; give 1 to 64.", field="lanes", value=self.lanes)

    def rate_veh_per_h(self) -> float:
        """Trucks an hour that it serves while open and busy."""
        return np.inf if self.service.mean_s == 0.0 else self.lanes * 3600.0 / self.service.mean_s


BLOCK_H: Final = 4
BLOCKS: Final = 24 // BLOCK_H
"""Hours of a day in which trucks come into a yard, in blocks alike for how long they stay."""


@dataclass(frozen=True)
class StayFactors:
    """How long trucks stay relative to the mean, by goods and by the block of the day in which they come in, from
    midnight on."""

    other: tuple[float, ...] = (1.0,) * BLOCKS
    perishable: tuple[float, ...] = (1.0,) * BLOCKS

    @property
    def are_even(self) -> bool:
        """Whether all stay alike long."""
        return self.other == self.perishable == (1.0,) * BLOCKS

    def of(self, perishable: NDArray[np.bool_], entered_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n] of trucks that come in at `entered_s`, seconds since a midnight of local time."""
        block = (np.floor(entered_s / (BLOCK_H * 3600.0)) % BLOCKS).astype(np.int64)
        return np.array([self.other, self.perishable])[perishable.astype(np.int64), block]


@dataclass(frozen=True)
class GateSetting:
    """How one direction of a gate works: entrance (barrier 1 for exports), stay in the yard, crossing.

    For imports the order turns round: crossing first, then the yard, then the barrier; the engine's entrance
    is then the crossing.
    """

    gate_id: str
    direction: Direction
    crossing: Server
    entrance: Server = field(default_factory=lambda: Server(2, ServiceTime(60.0, 0.5)))
    dwell: ServiceTime = field(default_factory=lambda: ServiceTime(5400.0, 0.6))
    served_km: float | None = None
    """Kilometre of the gate's road where its first server stands; None: where the network ends, or as learned."""
    stay_factors: StayFactors = field(default_factory=StayFactors)

    def servers(self) -> tuple[Server, Server]:
        """The first and the second server a truck meets."""
        return (self.entrance, self.crossing) if self.direction == "export" else (self.crossing, self.entrance)


@dataclass(frozen=True)
class GateDemand:
    """Who comes to a gate on an average day, known or not; the defaults are those of a middling gate, assumed."""

    gate_id: str
    exports_veh_per_day: float = 200.0
    imports_veh_per_day: float = 500.0
    undeclared_exports_veh_per_h: float = 4.0
    """Exports an hour that nobody has announced, where none have been counted lately."""


EXPORT_SHARE: Final = 0.6
"""Assumed: of the trucks a gate clears a day, so many can be exports when those queue."""
IMPORT_SHARE: Final = 1.5
"""Assumed: imports a day at full work, relative to what the gate clears in all (they outnumbered exports in 2025)."""
CLEARED_VEH_PER_DAY: Final = 600.0
"""Assumed of a gate whose site does not say how many trucks it clears."""
USUAL_EXPORTS: Final = 0.4
"""Assumed: exports on an average day relative to what a gate clears at full work (407 to 1,050 in 2025 bulletins)."""
USUAL_IMPORTS: Final = 1.0
"""As `USUAL_EXPORTS`, of imports (1,046 to 1,050 in 2025 bulletins)."""
UNDECLARED: Final = 0.5
"""Assumed: share of exports that come undeclared."""
DEFAULT_HOURS: Final = OpeningHours.parse("07:00–19:00")


def plain_day(of_day_s: float) -> datetime:
    """A moment of a day that has no date, for studies: no holiday falls on it (Monday, 1 January 2001, local time)."""
    return datetime(2001, 1, 1, tzinfo=LOCAL_ZONE) + timedelta(seconds=of_day_s)


def day_seconds(text: str) -> float:
    """Local time of day such as "07:30" in seconds since midnight.

    Raises
    ------
    InvalidInputError
        If it is no time of day.
    """
    return float(parse_time(text))


def day_seconds_of(moment: datetime) -> float:
    """Local time of day of an aware moment, seconds since midnight."""
    local = moment.astimezone(LOCAL_ZONE)
    return local.hour * 3600.0 + local.minute * 60.0 + local.second


def _cleared_veh_per_day(site: Site) -> float:
    return float(site.attributes.get("cleared_veh_per_day", CLEARED_VEH_PER_DAY))


def assumed_settings(corridor: Corridor) -> tuple[GateSetting, ...]:
    """Settings of all gates from their site attributes; the rest is assumed.

    The crossing's service time is what lets the gate clear `cleared_veh_per_day` within its hours.
    """
    settings = []
    for site in corridor.gates():
        lanes = int(site.attributes.get("lanes", 4))
        hours = site.opening_hours or DEFAULT_HOURS
        cleared = _cleared_veh_per_day(site)
        directions: tuple[tuple[Direction, float], ...] = (("export", EXPORT_SHARE), ("import", IMPORT_SHARE))
        for direction, share in directions:
            mean_s = round(lanes * hours.daily_open_s / (cleared * share), 1)
            crossing = Server(lanes, ServiceTime(mean_s, 0.6), hours)
            # Yards take trucks in round the clock; only the crossing keeps hours.
            entrance = Server(2, ServiceTime(60.0, 0.5))
            settings.append(GateSetting(site.gate_id or site.site_id, direction, crossing, entrance))
    return tuple(settings)


def default_setting(gate_id: str, direction: Direction) -> GateSetting:
    """An assumed setting for a gate nobody has described: 4 lanes, 07:00 to 19:00, about 450 trucks a day."""
    return GateSetting(gate_id, direction, Server(4, ServiceTime(384.0, 0.6), DEFAULT_HOURS))


def assumed_demand(corridor: Corridor) -> dict[str, GateDemand]:
    """Who comes to each gate, from its site's attributes (`exports_veh_per_day`, `imports_veh_per_day`,
    `undeclared_exports_veh_per_h`); what they do not say follows from what the gate clears."""
    found = {}
    for site in corridor.gates():
        values, cleared = site.attributes, _cleared_veh_per_day(site)
        exports = float(values.get("exports_veh_per_day", cleared * USUAL_EXPORTS))
        gate_id = site.gate_id or site.site_id
        found[gate_id] = GateDemand(
            gate_id,
            exports_veh_per_day=exports,
            imports_veh_per_day=float(values.get("imports_veh_per_day", cleared * USUAL_IMPORTS)),
            undeclared_exports_veh_per_h=float(values.get("undeclared_exports_veh_per_h", exports * UNDECLARED / 24.0)),
        )
    return found
