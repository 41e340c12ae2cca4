"""What invented GPS receivers report of the trucks SUMO drove: sparse, noisy, late, sometimes silent."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import LineString, Polygon

from app.demo.data.people import Papers, make_papers
from app.demo.data.sumo_day import GATES, TRUTH_S, Network, TruckPlan, read_corridor

TO_DEGREES = Transformer.from_crs(32648, 4326, always_xy=True)
START_S = 20_400
"""The moment of the day at which a first start begins: the queue at Hữu Nghị has formed and grows."""

DEGREE_SCALE, SPEED_SCALE, HEADING_SCALE = 1e-5, 0.2, 1.5
"""Units of the integer columns: degrees of lon and lat (about 1 m), m/s, degrees of heading."""

SILENT_HILLS_KM = ((27.5, 33.0), (41.0, 50.0), (60.0, 64.0))
"""Stretches of QL1A where the imagined mobile network has holes (assumed)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """One truck as SUMO drove it: samples of the drive, and stays aside."""

    t_s: Floats
    x_m: Floats
    y_m: Floats
    speed_mps: Floats
    heading_deg: Floats
    stays: list[tuple[str, float, float]]
    end_s: float


def _schedule(track: Track, interval_s: float, rng: np.random.Generator) -> tuple[Floats, list[int]]:
    """When the receiver reports, and in which stay it then is (-1 on the road)."""
    times: list[float] = []
    where: list[int] = []
    edges = sorted(moment for _, start, end in track.stays for moment in (start, end))
    t = float(track.t_s[0]) + float(rng.uniform(0.0, interval_s))
    last_s = track.end_s - 2.0
    while t < last_s:
        stay = next((i for i, (_, start, end) in enumerate(track.stays) if start <= t < end), -1)
        times.append(t)
        where.append(stay)
        if stay >= 0:
            site = track.stays[stay][0]
            low, high = (400.0, 880.0) if not site.startswith(("barrier", "staging")) else (120.0, 300.0)
            step = float(rng.uniform(low, high))
        else:
            speed = float(np.interp(t, track.t_s, track.speed_mps))
            step = interval_s if speed > 1.4 else float(rng.uniform(120.0, 300.0))
        following = next((edge for edge in edges if edge > t + 1.0), math.inf)
        t = min(t + step, following + float(rng.uniform(2.0, 9.0)))
    times.append(last_s)
    where.append(-1)
    return np.array(times), where


def _spots(track: Track, areas: dict[str, Polygon], rng: np.random.Generator) -> list[tuple[float, float]]:
    """Where the truck stands in each stay: somewhere within the area, or where it stopped."""
    spots = []
    for site, start, _ in track.stays:
        area = areas.get(site)
        if area is None:
            at = max(0, int(np.searchsorted(track.t_s, start)) - 1)
            spots.append((float(track.x_m[at]), float(track.y_m[at])))
            continue
        inner = area.buffer(-12.0)
        low_x, low_y, high_x, high_y = inner.bounds
        while True:
            x, y = rng.uniform(low_x, high_x), rng.uniform(low_y, high_y)
            if inner.contains(shapely.Point(x, y)):
                spots.append((float(x), float(y)))
                break
    return spots


def _noise(times: Floats, sigma_m: float, rng: np.random.Generator) -> Floats:
    """Two coordinates of a first-order Markov error, correlated over about 90 s, as that of real receivers."""
    steps = rng.standard_normal((times.size, 2))
    errors = np.empty_like(steps)
    errors[0] = steps[0]
    for i in range(1, times.size):
        rho = math.exp(-(times[i] - times[i - 1]) / 90.0)
        errors[i] = rho * errors[i - 1] + math.sqrt(1.0 - rho * rho) * steps[i]
    return errors * sigma_m


def _coverage(times: Floats, km: Floats, is_phone: bool, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
    """Which fixes survive the holes in the network, and how late each arrives (s)."""
    kept = np.ones(times.size, dtype=bool)
    delay = np.floor(rng.uniform(1.0, 5.0, times.size))
    for low, high in SILENT_HILLS_KM:
        if rng.random() > 0.45:
            continue
        start = rng.uniform(low, high - 1.5)
        hole = (km >= start) & (km <= start + rng.uniform(1.5, 5.0))
        if not hole.any():
            continue
        if rng.random() < (0.6 if is_phone else 0.35):
            again = times[hole].max() + rng.uniform(15.0, 60.0)
            delay[hole] = np.floor(again - times[hole])
        else:
            kept[hole] = False
    if is_phone and rng.random() < 0.10:  # out of battery, or no data left, for a while
        start = rng.uniform(times[0], times[-1])
        hole = (times >= start) & (times <= start + rng.uniform(600.0, 2400.0))
        if hole.any():
            delay[hole] = np.floor(times[hole].max() + 30.0 - times[hole])
    return kept, np.minimum(delay, 65_000.0)


def observe(
    track: Track, papers: Papers, truck: int, *, areas: dict[str, Polygon], axis: LineString, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """The fixes of one truck as integer columns."""
    times, where = _schedule(track, papers.interval_s, rng)
    stays = np.array(where)
    x, y = np.interp(times, track.t_s, track.x_m), np.interp(times, track.t_s, track.y_m)
    speed = np.interp(times, track.t_s, track.speed_mps)
    nearest = np.clip(np.searchsorted(track.t_s, times), 0, track.t_s.size - 1)
    heading = track.heading_deg[nearest]
    for number, (spot_x, spot_y) in enumerate(_spots(track, areas, rng)):
        x[stays == number], y[stays == number], speed[stays == number] = spot_x, spot_y, 0.0
    km = np.asarray(shapely.line_locate_point(axis, shapely.points(x, y))) / 1000.0
    error = _noise(times, papers.sigma_m, rng)
    kept, delay = _coverage(times, km, papers.device_kind == "phone", rng)
    lon, lat = TO_DEGREES.transform(x + error[:, 0], y + error[:, 1])
    moving = speed > 0.7
    speed = np.where(moving, np.maximum(0.0, speed + rng.normal(0.0, 0.25, speed.size)), 0.0)
    heading = (heading + np.where(moving, rng.normal(0.0, 3.0, heading.size), 0.0)) % 360.0
    if papers.heading_fault:
        heading = (heading + 180.0) % 360.0
    accuracy = np.clip(papers.sigma_m * rng.uniform(0.8, 1.7, times.size), 3.0, 90.0)
    columns = {
        "truck": np.full(times.size, truck, dtype=np.int16),
        "t_s": np.round(times).astype(np.int32),
        "lon": np.round(lon / DEGREE_SCALE).astype(np.int32),
        "lat": np.round(lat / DEGREE_SCALE).astype(np.int32),
        "speed": np.minimum(255, np.round(speed / SPEED_SCALE)).astype(np.uint8),
        "heading": (np.round(heading / HEADING_SCALE) % 240).astype(np.uint8),
        "accuracy_m": np.round(accuracy).astype(np.uint8),
        "delay_s": delay.astype(np.uint16),
    }
    kept &= np.concatenate(([True], np.diff(columns["t_s"]) > 0))
    return {name: column[kept] for name, column in columns.items()}


def _tracks(day: Any, plans: list[TruckPlan]) -> list[Track]:
    order = np.lexsort((day["t"], day["truck"]))
    columns = [day[name][order] for name in ("truck", "t", "x", "y", "speed", "heading")]
    bounds = np.searchsorted(columns[0], np.arange(len(plans) + 1))
    sites = [str(site) for site in day["sites"]]
    stays: dict[int, list[tuple[str, float, float]]] = {}
    for truck, site, of_day, start, end in day["stays"]:
        if of_day == 0:
            stays.setdefault(int(truck), []).append((sites[int(site)], float(start), float(end)))
    ends = {int(truck): float(end) for truck, of_day, end in day["left"] if of_day == 0}
    tracks = []
    for i in range(len(plans)):
        t, x, y, speed, heading = (column[bounds[i] : bounds[i + 1]] for column in columns[1:])
        tracks.append(Track(t, x, y, speed, heading, sorted(stays.get(i, []), key=lambda stay: stay[1]), ends[i]))
    return tracks


def main_axis(network: Network) -> LineString:
    """QL1A from the border on, in EPSG:32648."""
    edges = [e for e in network.edges.values() if e.road == "QL1A" and e.direction == "from_border"]
    return LineString([point for e in sorted(edges, key=lambda e: e.km_low) for point in e.line.coords])


def write_recording(day_file: Path, plans: list[TruckPlan], corridor: Path, out: Path, seed: int) -> dict[str, Any]:
    """Write trucks, fixes and truth as Parquet into `out`; figures of what was written."""
    day = np.load(day_file)
    network = read_corridor(corridor)
    tracks, axis = _tracks(day, plans), main_axis(network)
    rng = np.random.default_rng([seed, 2])
    places_km = {i: _km_at(track, axis, START_S) for i, track in enumerate(tracks)}
    papers = make_papers(plans, places_km, rng)
    parts = [observe(track, papers[i], i, areas=network.yards, axis=axis, rng=rng) for i, track in enumerate(tracks)]
    fixes = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    about = _describe(day, plans, papers, seed)
    metadata = {b"simulated": b"true", b"demo_day": json.dumps(about, ensure_ascii=False).encode()}
    simulated = pa.array(np.ones(fixes["truck"].size, dtype=bool))
    table = pa.table({**fixes, "simulated": simulated}).replace_schema_metadata(metadata)
    sizes = {}
    for name, written in (
        ("demo_day_fixes", table),
        ("demo_day_trucks", _trucks_table(plans, papers, tracks).replace_schema_metadata(metadata)),
        ("demo_day_passages", _passages_table(day, plans, tracks).replace_schema_metadata(metadata)),
        ("demo_day_truth", _truth_table(day).replace_schema_metadata(metadata)),
    ):
        path = out / f"{name}.parquet"
        packed = {c: "DELTA_BINARY_PACKED" for c in written.column_names if c in {"truck", "t_s", "lon", "lat"}}
        others = [c for c in written.column_names if c not in packed]
        pq.write_table(
            written,
            path,
            compression="zstd",
            compression_level=19,
            use_dictionary=others,
            column_encoding=packed,
            write_statistics=False,
        )
        sizes[path.name] = path.stat().st_size
    checked = {int(truck) for of_day, truck, *_ in day["starts"] if of_day == 0}
    unchecked = sum(plan.direction == "export" and plan.truck not in checked for plan in plans)
    return about | {"fixes": int(table.num_rows), "exports_unchecked": unchecked, "bytes": sizes}


def _km_at(track: Track, axis: LineString, t_s: float) -> float:
    """Where on QL1A a truck drives freely at a moment; -1 if it does not."""
    if not track.t_s[0] <= t_s <= track.t_s[-1] or any(start <= t_s <= end for _, start, end in track.stays):
        return -1.0
    if np.interp(t_s, track.t_s, track.speed_mps) < 8.0:
        return -1.0
    point = shapely.Point(np.interp(t_s, track.t_s, track.x_m), np.interp(t_s, track.t_s, track.y_m))
    return float(axis.project(point)) / 1000.0


def _describe(day: Any, plans: list[TruckPlan], papers: list[Papers], seed: int) -> dict[str, Any]:
    dwell = {d: [p.dwell_s for p in plans if p.direction == d] for d in ("export", "import")}
    return {
        "simulated": True,
        "generator": str(day["version"]),
        "seed": seed,
        "trucks": len(plans),
        "start_s": START_S,
        "driver_truck": next(i for i, p in enumerate(papers) if p.is_demo_driver),
        "scales": {"lon": DEGREE_SCALE, "lat": DEGREE_SCALE, "speed_mps": SPEED_SCALE, "heading_deg": HEADING_SCALE},
        "gates": {
            g.gate_id: {
                "lanes": g.lanes,
                "service_mean_s": g.service_mean_s,
                "service_cv": g.service_cv,
                "service_shape": "gamma",
                "hours": "round the clock",
            }
            for g in GATES
        },
        "dwell": {
            d: {"mean_s": round(float(np.mean(v))), "cv": round(float(np.std(v) / np.mean(v)), 3)}
            for d, v in dwell.items()
        },
    }


def _trucks_table(plans: list[TruckPlan], papers: list[Papers], tracks: list[Track]) -> pa.Table:
    return pa.table(
        {
            "truck": pa.array(range(len(plans)), pa.int16()),
            "plate": [p.plate for p in papers],
            "gate": [p.gate for p in plans],
            "direction": [p.direction for p in plans],
            "regime": [p.regime for p in papers],
            "goods": [p.goods for p in papers],
            "goods_class": [p.goods_class for p in papers],
            "perishable": [p.perishable for p in papers],
            "enterprise": pa.array([p.enterprise for p in papers], pa.int8()),
            "driver": [p.driver for p in papers],
            "device_kind": [p.device_kind for p in papers],
            "heading_fault": [p.heading_fault for p in papers],
            "dwell_s": pa.array([round(p.dwell_s) for p in plans], pa.int32()),
            "depart_s": pa.array([round(float(t.t_s[0])) for t in tracks], pa.int32()),
            "planned_arrival_s": pa.array([p.planned_arrival_s for p in papers], pa.int32()),
            "end_s": pa.array([round(t.end_s) for t in tracks], pa.int32()),
            "simulated": [True] * len(plans),
        }
    )


def _passages_table(day: Any, plans: list[TruckPlan], tracks: list[Track]) -> pa.Table:
    starts = {int(truck): (at, service) for of_day, truck, _, at, service in day["starts"] if of_day == 0}
    rows = []
    for i, (plan, track) in enumerate(zip(plans, tracks, strict=True)):
        yard = next(g.yard_id for g in GATES if g.gate_id == plan.gate)
        stay = next((s for s in track.stays if s[0] == yard), (yard, math.nan, math.nan))
        at, service = starts.get(i, (math.nan, math.nan))
        rows.append((i, plan.gate, plan.direction, at, service, stay[1], stay[2], track.end_s))
    names = ("truck", "gate", "direction", "barrier_1_s", "service_s", "yard_in_s", "yard_out_s", "end_s")
    return pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


def _truth_table(day: Any) -> pa.Table:
    truth = day["truth"]
    columns: dict[str, Any] = {"t_s": truth[:, 0].astype(np.int32)}
    for number, gate in enumerate(GATES):
        for offset, (name, kind) in enumerate(
            (("queue_veh", np.int32), ("tail_km", np.float32), ("yard_veh", np.int32), ("in_service_veh", np.int32))
        ):
            columns[f"{gate.gate_id}.{name}"] = truth[:, 1 + 4 * number + offset].astype(kind)
    assert np.all(np.diff(columns["t_s"]) == TRUTH_S)
    return pa.table(columns)
