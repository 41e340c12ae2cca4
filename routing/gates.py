"""Gates as the engine needs them: servers with lanes, opening hours and service times, and the yard between."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geo.corridor import Corridor
from geo.errors import InvalidInputError

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
        if not (np.isfinite(self.mean_s) and self.mean_s >= 0.0):
            raise InvalidInputError(
                "A mean duration of {value} s is not possible; give 0 or more.", field="mean_s", value=self.mean_s
            )
        if not (np.isfinite(self.cv) and self.cv >= 0.0):
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
        # Mean-preserving: E[exp(sigma Z - sigma^2 / 2)] = 1.
        return self.from_normal(rng.standard_normal(size), rng)

    def from_normal(self, normal: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Durations from standard normal draws, so that equal draws compare equal trucks under two settings.

        Shapes that are no function of a normal draw take new draws from `rng`.
        """
        if self.shape != "lognormal" or self.mean_s == 0.0 or self.cv == 0.0:
            return self.sample(rng, normal.size)
        variance = np.log1p(self.cv**2)
        return np.asarray(np.exp(normal * np.sqrt(variance) + (np.log(self.mean_s) - variance / 2.0)))

    def scaled(self, factor: float) -> ServiceTime:
        """The same shape with the mean multiplied by `factor`."""
        return ServiceTime(self.mean_s * factor, self.cv, self.shape)


@dataclass(frozen=True)
class Server:
    """Parallel lanes with one queue. Opening hours in seconds since local midnight; equal = round the clock.

    Raises
    ------
    InvalidInputError
        If there is no lane, or an hour is outside the day.
    """

    lanes: int
    service: ServiceTime
    open_from_s: float = 0.0
    open_to_s: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= 64:
            raise InvalidInputError("{value} lanes are not possible; give 1 to 64.", field="lanes", value=self.lanes)
        for value in (self.open_from_s, self.open_to_s):
            if not 0.0 <= value <= 86400.0:
                raise InvalidInputError(
                    "An opening time of {value} s is outside the day (0 to 86,400 s).", field="open", value=value
                )

    def rate_veh_per_h(self) -> float:
        """Trucks an hour that it serves while open and busy."""
        return np.inf if self.service.mean_s == 0.0 else self.lanes * 3600.0 / self.service.mean_s


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

    def servers(self) -> tuple[Server, Server]:
        """The first and the second server a truck meets."""
        return (self.entrance, self.crossing) if self.direction == "export" else (self.crossing, self.entrance)


EXPORT_SHARE = 0.6
"""Assumed: of the trucks a gate clears a day, so many can be exports when those queue."""
IMPORT_SHARE = 1.5
"""Assumed: imports a day at full work, relative to what the gate clears in all (they outnumbered exports in 2025)."""


def day_seconds(text: str) -> float:
    """Local time of day such as "07:30" in seconds since midnight.

    Raises
    ------
    InvalidInputError
        If it is no time of day.
    """
    try:
        moment = time.fromisoformat(text)
    except ValueError:
        raise InvalidInputError("{value} is no time of day; write it like 07:30.", field="time", value=text) from None
    return moment.hour * 3600.0 + moment.minute * 60.0 + moment.second


def open_seconds(open_from_s: float, open_to_s: float) -> float:
    """How long a day is worked; equal hours mean round the clock."""
    return (open_to_s - open_from_s) % 86400.0 or 86400.0


def assumed_settings(corridor: Corridor) -> tuple[GateSetting, ...]:
    """Settings of all gates from their site attributes; the rest is assumed.

    The crossing's service time is what lets the gate clear `cleared_veh_per_day` within its hours.
    """
    settings = []
    for site in corridor.gates():
        lanes = int(site.attributes.get("lanes", 4))
        opens = day_seconds(site.attributes.get("opens", "07:00"))
        closes = day_seconds(site.attributes.get("closes", "19:00"))
        cleared = float(site.attributes.get("cleared_veh_per_day", 600))
        directions: tuple[tuple[Direction, float], ...] = (("export", EXPORT_SHARE), ("import", IMPORT_SHARE))
        for direction, share in directions:
            mean_s = round(lanes * open_seconds(opens, closes) / (cleared * share), 1)
            crossing = Server(lanes, ServiceTime(mean_s, 0.6), opens, closes)
            # Yards take trucks in round the clock; only the crossing keeps hours.
            entrance = Server(2, ServiceTime(60.0, 0.5))
            settings.append(GateSetting(site.gate_id or site.site_id, direction, crossing, entrance))
    return tuple(settings)


def default_setting(gate_id: str, direction: Direction) -> GateSetting:
    """An assumed setting for a gate nobody has described: 4 lanes, 07:00 to 19:00, about 450 trucks a day."""
    return GateSetting(gate_id, direction, Server(4, ServiceTime(384.0, 0.6), 25200.0, 68400.0))
