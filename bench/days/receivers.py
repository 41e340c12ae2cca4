"""What receivers and cameras report of a driven day: positions as the demo day's receivers send them, plates read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.demo.data.gps import DEGREE_SCALE, HEADING_SCALE, SPEED_SCALE, Track, main_axis, observe
from app.demo.data.people import Papers
from app.demo.data.sumo_day import GATES, read_corridor
from bench.days.drive import CORRIDOR
from bench.days.kinds import DAY_S, Day
from geo.corridor import Corridor

Floats = NDArray[np.float64]

READ_SHARE: Final = 0.9
"""Of the plates that pass a camera, so many are read."""


@dataclass(frozen=True)
class Reports:
    """Fixes in the order in which they come in, and reads in that of their time; seconds since the day's start."""

    truck: NDArray[np.int64]
    time_s: Floats
    received_s: Floats
    lon: Floats
    lat: Floats
    speed_mps: Floats
    heading_deg: Floats
    accuracy_m: Floats
    read_truck: NDArray[np.int64]
    read_s: Floats
    read_at_barrier: NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """The queues as they were: `queue_veh` [T, G] at `time_s` [T], gates as in `GATES`."""

    time_s: Floats
    queue_veh: Floats


def read_day(day: Day, path: Path) -> tuple[Reports, Truth]:
    """The reports and the truth of a day that `bench.days.drive` has driven."""
    with np.load(path) as driven:
        arrays = {name: driven[name] for name in driven.files}
    truth = Truth(arrays["truth"][:, 0], arrays["truth"][:, 1::2])
    return _reports(day, arrays), truth


def _reports(day: Day, arrays: dict[str, Any]) -> Reports:
    network = read_corridor(CORRIDOR)
    axis, cameras = main_axis(network), _cameras_km()
    order = np.lexsort((arrays["t"], arrays["truck"]))
    columns = [arrays[name][order] for name in ("truck", "t", "x", "y", "speed", "heading", "km")]
    bounds = np.searchsorted(columns[0], np.arange(len(day.plans) + 1))
    stays: dict[int, list[tuple[str, float, float]]] = {}
    for truck, site, begin, end in arrays["stays"]:
        stays.setdefault(int(truck), []).append((str(arrays["sites"][int(site)]), float(begin), float(end)))
    ends = {int(truck): float(end) for truck, end in arrays["ends"]}
    rng = np.random.default_rng([day.seed, 3, *day.kind.name.encode()])
    parts, reads = [], []
    for plan in day.plans:
        i = plan.truck
        t, x, y, speed, heading, km = (column[bounds[i] : bounds[i + 1]] for column in columns[1:])
        own = np.random.default_rng(rng.integers(2**63))
        if t.size < 2:
            continue
        if day.kind.cameras:
            inner = {gate.gate_id: gate.barrier_km for gate in GATES}[plan.gate]
            passed = [(camera_km, at) for camera_km, at in _passes(t, km, cameras) if own.random() < READ_SHARE]
            reads += [(i, at, camera_km == inner) for camera_km, at in passed]
        if not day.has_gps[i]:
            continue
        at_rest = sorted(stays.get(i, []), key=lambda stay: stay[1])
        track = Track(t, x, y, speed, heading, at_rest, ends.get(i, DAY_S))
        parts.append(observe(track, _receiver(own), i, areas=network.yards, axis=axis, rng=own))
    fixes = {name: np.concatenate([part[name] for part in parts]).astype(float) for name in parts[0]}
    if day.kind.silent is not None:
        begin_s, end_s, share = day.kind.silent
        is_silent = np.random.default_rng([day.seed, 6]).random(len(day.plans)) < share
        heard = ~is_silent[fixes["truck"].astype(int)] | (fixes["t_s"] < begin_s) | (fixes["t_s"] >= end_s)
        fixes = {name: column[heard] for name, column in fixes.items()}
    received = fixes["t_s"] + fixes["delay_s"]
    by_receipt = np.lexsort((fixes["t_s"], received))
    scaled = {"lon": DEGREE_SCALE, "lat": DEGREE_SCALE, "speed": SPEED_SCALE, "heading": HEADING_SCALE}
    values = {name: (column * scaled.get(name, 1.0))[by_receipt] for name, column in fixes.items()}
    seen = np.array(sorted(reads, key=lambda read: read[1]), float).reshape(-1, 3)
    return Reports(
        truck=values["truck"].astype(np.int64),
        time_s=values["t_s"],
        received_s=received[by_receipt],
        lon=values["lon"],
        lat=values["lat"],
        speed_mps=values["speed"],
        heading_deg=values["heading"],
        accuracy_m=values["accuracy_m"],
        read_truck=seen[:, 0].astype(np.int64),
        read_s=seen[:, 1],
        read_at_barrier=seen[:, 2].astype(bool),
    )


def _cameras_km() -> list[float]:
    """Where cameras read plates: those on QL1A, and at the inner barriers."""
    on_road = [site.km for site in Corridor.default().sites_of("camera") if site.road == "QL1A"]
    return sorted([*on_road, *(gate.barrier_km for gate in GATES)], reverse=True)


def _passes(t: Floats, km: Floats, cameras_km: list[float]) -> list[tuple[float, float]]:
    """When a truck passes each camera first."""
    known = np.isfinite(km)
    t, km = t[known], km[known]
    found = []
    for camera_km in cameras_km:
        passed = np.flatnonzero((km[:-1] > camera_km) & (km[1:] <= camera_km))
        if passed.size:
            found.append((camera_km, float(t[passed[0] + 1])))
    return found


def _receiver(rng: np.random.Generator) -> Papers:
    """A receiver as those of the demo day; its truck's papers do not matter."""
    is_phone = rng.random() < 0.3
    return Papers(
        plate="",
        goods="",
        goods_class="",
        perishable=False,
        regime="export",
        enterprise=0,
        driver="",
        device_kind="phone" if is_phone else "tracker",
        interval_s=10.0 if rng.random() < 0.06 else 30.0,
        sigma_m=15.0 if rng.random() < 0.1 else 6.0,
        heading_fault=is_phone and rng.random() < 0.05,
        planned_arrival_s=0,
    )


def planned_arrival_s(day: Day) -> Floats:
    """[truck] when each declared truck was planned to arrive: as drivers guess, an hour early or late now and then."""
    rng = np.random.default_rng([day.seed, 4])
    return np.array([plan.depart_s + plan.origin_km * 1000.0 / 14.5 for plan in day.plans]) + rng.normal(
        600.0, 1800.0, len(day.plans)
    )
