"""Our map matching beside Valhalla's and Leuven's, on drives of a SUMO day of which the true road is known.

All three get the same positions and times, without heading or speed, one whole trace of each truck, on the same lines:
noise of 5, 15 and 30 m, a fix every 10, 30 and 120 s, and every 10 s with tunnels of five minutes without any. A fix is
right if its road is and its kilometre within 100 m. Throughput is fixes by CPU seconds of one core, what a matcher
needs to read and answer included. Leuven's takes so long that it gets the traces of a few trucks; all shares that are
compared with it are of those.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.days import drives as days
from bench.peers.leuven_matching import LeuvenMatcher
from bench.peers.valhalla_matching import ValhallaMatcher
from geo.corridor import Corridor
from geo.matching import Fixes, Matcher

Floats = NDArray[np.float64]
Matched = tuple[NDArray[np.int32], Floats]
"""Road and kilometre of each fix."""

SCENARIOS = [
    *((noise_m, gap_s, False) for noise_m in (5.0, 15.0, 30.0) for gap_s in (10.0, 30.0, 120.0)),
    *((noise_m, 10.0, True) for noise_m in (5.0, 15.0, 30.0)),
]
RIGHT_KM = 0.1
FEW_TRUCKS = 4
FEW_GAP_S = 30.0
"""Leuven's traces are of this gap or more."""


def compare(corridor: Corridor, *, seed: int = 1) -> dict[str, float]:
    """Shares of fixes placed right, at the fork too, errors of the kilometre, and how many times the throughput."""
    with tempfile.TemporaryDirectory(prefix="cuakhau-matching-") as name:
        folder = Path(name)
        days.record(seed, folder / "day.npz")
        drives = days.read(corridor, folder / "day.npz")
        return _compare(corridor, drives, ValhallaMatcher(corridor, folder), LeuvenMatcher(corridor))


def _compare(
    corridor: Corridor, drives: days.Drives, valhalla: ValhallaMatcher, leuven: LeuvenMatcher
) -> dict[str, float]:
    matcher = Matcher(corridor)
    matcher.prepare()
    names = np.array([*(road.road for road in corridor.roads), ""])
    fork = days.near_fork(corridor, drives)
    few = np.unique(drives.truck)[:: max(1, len(np.unique(drives.truck)) // FEW_TRUCKS)][:FEW_TRUCKS]
    right: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in ("ours", "valhalla", "ours_few", "leuven")}
    at_fork: dict[str, list[NDArray[np.bool_]]] = {"ours": [], "valhalla": []}
    errors_m: dict[str, list[Floats]] = {"ours": [], "valhalla": []}
    figures: dict[str, float] = {}
    seconds, fixes, leuven_fixes = 0.0, 0, 0
    for noise_m, gap_s, silent in SCENARIOS:
        seen = days.see(drives, noise_m=noise_m, gap_s=gap_s, silent=silent, seed=1)
        row = seen.row

        def judge(matched: Matched, rows: NDArray[np.intp]) -> tuple[NDArray[np.bool_], Floats]:
            road = names[matched[0]] == drives.road[rows]
            error_m = np.abs(matched[1] - drives.km[rows]) * 1000.0
            return road & (error_m < RIGHT_KM * 1000.0), error_m[road]

        accuracy_m = np.full(len(row), noise_m)
        began = time.process_time()
        places = matcher.match(
            Fixes.of(drives.truck[row], drives.time_s[row], seen.lon, seen.lat, accuracy_m=accuracy_m)
        )
        seconds += time.process_time() - began
        fixes += len(row)
        ours, error_m = judge((places.road_id, places.km), row)
        theirs, their_error_m = judge(
            _by_truck(corridor, drives, seen, lambda t, x, y, m=noise_m: valhalla.match(t, x, y, m)), row
        )
        right["ours"].append(ours)
        right["valhalla"].append(theirs)
        errors_m["ours"].append(error_m)
        errors_m["valhalla"].append(their_error_m)
        at_fork["ours"].append(ours[fork[row]])
        at_fork["valhalla"].append(theirs[fork[row]])
        case = f"{noise_m:.0f}m_{gap_s:.0f}s{'_tunnels' if silent else ''}"
        figures[f"accuracy_{case}"], figures[f"accuracy_valhalla_{case}"] = float(ours.mean()), float(theirs.mean())
        if gap_s >= FEW_GAP_S:
            own = np.isin(drives.truck[row], few)
            part = days.Seen(row[own], seen.lon[own], seen.lat[own])
            matched = _by_truck(corridor, drives, part, lambda _, x, y, m=noise_m: leuven.match(x, y, m))
            right["leuven"].append(judge(matched, part.row)[0])
            right["ours_few"].append(ours[own])
            leuven_fixes += len(part.row)
    per_s = {"": fixes / seconds, "_valhalla": fixes / valhalla.seconds, "_leuven": leuven_fixes / leuven.seconds}
    share = {name: float(np.concatenate(parts).mean()) for name, parts in right.items()}
    return figures | {
        "accuracy": share["ours"],
        "accuracy_valhalla": share["valhalla"],
        "accuracy_leuven": share["leuven"],
        "accuracy_beside_leuven": share["ours_few"],
        "accuracy_at_fork": float(np.concatenate(at_fork["ours"]).mean()),
        "accuracy_at_fork_valhalla": float(np.concatenate(at_fork["valhalla"]).mean()),
        "km_error_p95_m": float(np.percentile(np.concatenate(errors_m["ours"]), 95)),
        "km_error_p95_m_valhalla": float(np.nanpercentile(np.concatenate(errors_m["valhalla"]), 95)),
        **{f"trace_fixes_per_s{name}": value for name, value in per_s.items()},
        "throughput_ratio": per_s[""] / max(per_s["_valhalla"], per_s["_leuven"]),
    }


def _by_truck(
    corridor: Corridor,
    drives: days.Drives,
    seen: days.Seen,
    match: Callable[[Floats, Floats, Floats], tuple[NDArray[np.int32], Floats, Floats]],
) -> Matched:
    """The traces of all trucks one by one; matched points become kilometres on their roads."""
    road, km = np.full(len(seen.row), -1, np.int32), np.full(len(seen.row), np.nan)
    truck = drives.truck[seen.row]
    for number in np.unique(truck):
        own = np.flatnonzero(truck == number)
        if len(own) < 2:
            continue
        found, lon, lat = match(drives.time_s[seen.row[own]], seen.lon[own], seen.lat[own])
        road[own] = found
        on = found >= 0
        km[own[on]] = corridor.km_of(found[on], _offsets(corridor, found[on], lon[on], lat[on]))
    return road, km


def _offsets(corridor: Corridor, road: NDArray[np.int32], lon: Floats, lat: Floats) -> Floats:
    """How far along their road pieces matched points lie, m."""
    import shapely

    from geo.projection import geometry_to_metres, to_metres

    lines = geometry_to_metres(np.array([piece.geometry for piece in corridor.roads], object))
    points = np.asarray(shapely.points(*to_metres(lon, lat)), object)
    share = shapely.line_locate_point(lines[road], points, normalized=True)
    offsets: Floats = share * np.array([piece.length_m for piece in corridor.roads])[road]
    return offsets
