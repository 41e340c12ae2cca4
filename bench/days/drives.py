"""Drives of a day in Eclipse SUMO with their true roads, seen through noise, gaps and silence, for map matching."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.corridor import Corridor
from geo.projection import geometry_to_metres, to_degrees

Floats = NDArray[np.float64]

SILENCES = 3
SILENCE_S = 300.0
FORK_M = 1_000.0
_DRIVE = """
import sys
from dataclasses import replace
from pathlib import Path
from bench.days.drive import drive
from bench.days.kinds import KINDS, draw_day
drive(draw_day(replace(KINDS["ordinary"], base_veh_per_h=4.0, rush_veh=20), int(sys.argv[1])), Path(sys.argv[2]))
"""


@dataclass(frozen=True)
class Drives:
    """Samples of driving trucks and the truth, shape (n,), by truck and time."""

    truck: NDArray[np.int64]
    time_s: Floats
    x_m: Floats
    y_m: Floats
    road: NDArray[np.str_]
    km: Floats

    def __len__(self) -> int:
        return len(self.truck)


@dataclass(frozen=True)
class Seen:
    """What a receiver reports of drives: which samples, and where it believes to be, degrees."""

    row: NDArray[np.intp]
    lon: Floats
    lat: Floats


def record(seed: int, path: Path) -> None:
    """Drive a day of some 100 trucks; in a process of its own, see `bench.days.drive`."""
    subprocess.run([sys.executable, "-c", _DRIVE, str(seed), str(path)], cwd=Path(__file__).parents[2], check=True)


def read(corridor: Corridor, path: Path) -> Drives:
    """The samples on the carriageways that move, with their true road."""
    with np.load(path) as driven:
        columns = {name: driven[name] for name in ("truck", "t", "x", "y", "km", "speed")}
    order = np.lexsort((columns["t"], columns["truck"]))
    order = order[np.isfinite(columns["km"][order]) & (columns["speed"][order] > 1.5)]
    truck, time_s, x_m, y_m, km = (columns[name][order] for name in ("truck", "t", "x", "y", "km"))
    road = _true_roads(corridor, x_m, y_m, km)
    known = road != ""
    return Drives(truck[known].astype(np.int64), time_s[known], x_m[known], y_m[known], road[known], km[known])


def _true_roads(corridor: Corridor, x_m: Floats, y_m: Floats, km: Floats) -> NDArray[np.str_]:
    """The road whose own kilometre lies where the truck is: SUMO's lanes follow its line."""
    points = np.asarray(shapely.points(x_m, y_m), object)
    names = sorted({road.road for road in corridor.roads})
    away = np.full((len(names), len(km)), np.inf)
    for number, name in enumerate(names):
        low, high = corridor.km_span(name)
        inside = (km >= low) & (km <= high)
        lon, lat = corridor.position(name, km[inside])
        places = geometry_to_metres(np.asarray(shapely.points(lon, lat), object))
        away[number, inside] = shapely.distance(points[inside], places)
    best = away.argmin(axis=0)
    return np.where(away.min(axis=0) < 150.0, np.array(names)[best], "")


def see(drives: Drives, *, noise_m: float, gap_s: float, silent: bool, seed: int) -> Seen:
    """A fix every `gap_s` with normal noise; with `silent`, some tunnels of five minutes without any."""
    rng = np.random.default_rng([seed, int(noise_m), int(gap_s)])
    keep = drives.time_s % gap_s == 0.0
    if silent:
        for truck in np.unique(drives.truck):
            own = drives.truck == truck
            begins = rng.choice(drives.time_s[own], SILENCES)
            since = drives.time_s[own][:, None] - begins
            keep[own] &= ~((since > 0.0) & (since < SILENCE_S)).any(axis=1)
    row = np.flatnonzero(keep)
    noise = rng.normal(0.0, noise_m, (2, len(row)))
    lon, lat = to_degrees(drives.x_m[row] + noise[0], drives.y_m[row] + noise[1])
    return Seen(row, lon, lat)


def near_fork(corridor: Corridor, drives: Drives) -> NDArray[np.bool_]:
    """Samples 60 m to 1 km from the fork at Đồng Đăng, where the road can be told."""
    main_km = next(road.km_to for road in corridor.roads if road.to_node == "dong-dang" and road.road == "QL1A")
    from_fork_m = np.abs(drives.km - np.where(drives.road == "QL4A", corridor.km_span("QL4A")[1], main_km)) * 1000.0
    near: NDArray[Any] = (from_fork_m > 60.0) & (from_fork_m < FORK_M)
    return near
