"""Map matching: fixes a second on one core, and how often it is right, on drives of which the truth is known.

The drives are synthetic: trucks on the packaged corridor, both directions, a third of them through the fork at Đồng
Đăng within the drive, a fix every 15 s with 8 m of noise, half of them without heading or speed. They arrive as they
would live: one fix of each truck a batch, with its last place. The limit is a bare nearest-line query of the same
points: it finds a line, but no direction, no path, no geofence.

Beside other matchers: see `bench.peers.matching`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from geo.corridor import Corridor
from geo.matching import Fixes, LastPlaces, Matcher, Places, Status, site_events
from geo.projection import geometry_to_metres, to_degrees, to_metres

INTERVAL_S = 15.0
NOISE_M = 8.0


@dataclass(frozen=True)
class Drives:
    """Noisy fixes of many trucks and the truth, arrays of shape (steps, trucks)."""

    fixes: list[Fixes]
    road: np.ndarray[Any, Any]
    km: np.ndarray[Any, Any]
    direction: np.ndarray[Any, Any]


def make_drives(corridor: Corridor, *, trucks: int, steps: int, seed: int) -> Drives:
    """Drives along Bắc Giang – Hữu Nghị and Bắc Giang – Tân Thanh, there and back."""
    rng = np.random.default_rng(seed)
    fork_km = corridor.km_span("QL4A")[1]
    fork_on_main_km = next(r.km_to for r in corridor.roads if r.to_node == "dong-dang" and r.road == "QL1A")
    branch = rng.random(trucks) < 0.5
    inbound = rng.random(trucks) < 0.6
    speed_mps = rng.uniform(3.0, 17.0, trucks)
    length_km = speed_mps * INTERVAL_S * steps / 1000.0
    # Way from the border end of each truck's route; for the branch its own kilometres, then those of QL1A.
    total_km = np.where(branch, fork_km + corridor.km_span("QL1A")[1] - fork_on_main_km, corridor.km_span("QL1A")[1])
    near_fork = rng.random(trucks) < 1.0 / 3.0
    middle = np.where(branch, fork_km, fork_on_main_km)
    middle = np.where(near_fork, middle, rng.uniform(length_km / 2 + 0.1, total_km - length_km / 2 - 0.1))
    first = np.clip(middle - length_km / 2, 0.05, total_km - length_km - 0.05)
    fixes, roads, kms = [], [], []
    for step in range(steps):
        gone = speed_mps * INTERVAL_S * step / 1000.0
        way_km = np.where(inbound, first + length_km - gone, first + gone)
        on_branch = branch & (way_km < fork_km)
        km = np.where(branch & ~on_branch, way_km - fork_km + fork_on_main_km, way_km)
        road_id, offset_m = np.empty(trucks, np.int32), np.empty(trucks)
        for road, which in (("QL4A", on_branch), ("QL1A", ~on_branch)):
            for way in ("to_border", "from_border"):
                chosen = which & (inbound if way == "to_border" else ~inbound)
                if chosen.any():
                    road_id[chosen], offset_m[chosen] = corridor.place_at(road, km[chosen], way)
        lon, lat = corridor.position_on(road_id, offset_m)
        ahead = corridor.position_on(road_id, np.minimum(offset_m + 5.0, [corridor.roads[i].length_m for i in road_id]))
        x, y = to_metres(lon, lat)
        ax, ay = to_metres(*ahead)
        heading = np.degrees(np.arctan2(ax - x, ay - y)) % 360.0 + rng.normal(0.0, 8.0, trucks)
        silent = (rng.random(trucks) < 0.5) | ((ax == x) & (ay == y))
        x, y = x + rng.normal(0.0, NOISE_M, trucks), y + rng.normal(0.0, NOISE_M, trucks)
        lon, lat = to_degrees(x, y)
        fixes.append(
            Fixes.of(
                np.arange(trucks),
                np.full(trucks, step * INTERVAL_S),
                lon,
                lat,
                speed_mps=np.where(silent, np.nan, speed_mps),
                heading_deg=np.where(silent, np.nan, heading % 360.0),
            )
        )
        roads.append(np.where(on_branch, "QL4A", "QL1A"))
        kms.append(km)
    return Drives(fixes, np.array(roads), np.array(kms), np.where(inbound, 1, -1) * np.ones((steps, 1), int))


def run(*, trucks: int = 2_000, steps: int = 40, seed: int = 1) -> dict[str, float]:
    """Measure; shares are of all fixes, the first of each truck apart for the direction."""
    from bench.peers.matching import compare

    corridor = Corridor.default()
    matcher = Matcher(corridor)
    drives = make_drives(corridor, trucks=trucks, steps=steps, seed=seed)
    matcher.match(drives.fixes[0])  # builds the indexes
    places: list[Places] = []
    last: LastPlaces | None = None
    begun = time.process_time()
    for fixes in drives.fixes:
        placed = matcher.match(fixes, last)
        site_events(fixes, placed, last)
        last = matcher.last_places(fixes, placed)[1]
        places.append(placed)
    live_s = time.process_time() - begun

    lines = geometry_to_metres(np.array([r.geometry for r in corridor.roads if r.direction == "to_border"], object))
    tree = shapely.STRtree(lines)
    begun = time.process_time()
    for fixes in drives.fixes:
        tree.query_nearest(shapely.points(*to_metres(fixes.lon, fixes.lat)), return_distance=True, all_matches=False)
    limit_s = time.process_time() - begun

    # The same fixes in one batch: a backlog that comes in at once.
    together = Fixes(*(np.concatenate([getattr(f, name) for f in drives.fixes]) for name in Fixes.__annotations__))
    begun = time.process_time()
    backlog = matcher.match(together)
    backlog_s = time.process_time() - begun

    names = np.array([road.road for road in corridor.roads] + [""])
    count = trucks * steps

    def shares(placed: Places, prefix: str) -> dict[str, float]:
        road = names[placed.road_id].reshape(steps, trucks) == drives.road
        km = np.abs(placed.km.reshape(steps, trucks) - drives.km) < 0.05
        way = placed.direction.reshape(steps, trucks) == drives.direction
        fork = _near_fork(corridor, drives)
        return {
            f"{prefix}right_road": float(road.mean()),
            f"{prefix}right_km_50m": float((road & km).mean()),
            f"{prefix}right_direction": float(way[1:].mean()),
            f"{prefix}wrong_direction": float((placed.direction.reshape(steps, trucks) == -drives.direction).mean()),
            f"{prefix}right_road_at_fork": float(road[fork].mean()),
            f"{prefix}on_road": float((placed.status == Status.ON_ROAD).mean()),
        }

    live = Places(*(np.concatenate([getattr(p, name) for p in places]) for name in Places.__annotations__))
    return {
        "fixes": float(count),
        "fixes_per_s": count / live_s,
        "backlog_fixes_per_s": count / backlog_s,
        "limit_fixes_per_s": count / limit_s,
        "share_of_limit": limit_s / live_s,
        **shares(live, ""),
        **shares(backlog, "backlog_"),
        **compare(corridor),
    }


def _near_fork(corridor: Corridor, drives: Drives) -> np.ndarray[Any, Any]:
    """Fixes 60 m to 1 km from the fork at Đồng Đăng, where the road can be told, shape (steps, trucks)."""
    branch_km = corridor.km_span("QL4A")[1]
    main_km = next(r.km_to for r in corridor.roads if r.to_node == "dong-dang" and r.road == "QL1A")
    from_fork_km = np.abs(drives.km - np.where(drives.road == "QL4A", branch_km, main_km))
    near: np.ndarray[Any, Any] = (from_fork_km > 0.06) & (from_fork_km < 1.0)
    return near


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    figures = run()
    if parser.parse_args().json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value:,.3f}" if value < 10 else f"{name:28} {value:,.0f}")


if __name__ == "__main__":
    main()
