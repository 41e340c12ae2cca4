"""Run the demo day in Eclipse SUMO: network from the corridor, metered gates, yards, every truck sampled.

Used by `make_demo_day.py` only, in a process of its own: libsumo brings its own Arrow library, which must not
meet the one of pyarrow.
"""

from __future__ import annotations

import importlib
import json
import math
import subprocess
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import LineString, Polygon
from shapely.ops import substring
from shapely.ops import transform as transform_shape

TO_METRES = Transformer.from_crs(4326, 32648, always_xy=True)
SAMPLE_S = 10
TRUTH_S = 300
DAY_S = 86_400
WARM_UP_S = 8 * 3600
"""Simulated before the recorded day begins; its seam lies where the gate has no queue."""

TRUCK_LENGTH_M = 16.5
STANDING_GAP_M = 3.5
"""Together the 20 m of road a standing truck takes in the corridor data."""


@dataclass(frozen=True)
class GateModel:
    """A metered barrier 1: `lanes` checks side by side, gamma-distributed service, no closing time."""

    gate_id: str
    road: str
    barrier_km: float
    yard_id: str
    yard_km_in: float
    yard_km_out: float
    lanes: int
    service_mean_s: float
    service_cv: float


GATES = (
    GateModel("huu-nghi", "QL1A", 1.05, "xuan-cuong", 0.90, 0.76, 4, 345.0, 0.4),
    GateModel("tan-thanh", "QL4A", 1.10, "bao-nguyen", 0.95, 0.81, 3, 300.0, 0.4),
)
PARKING_AT_GATE_M = 45.0
"""Where behind the barrier a truck stands while it is checked."""


@dataclass(frozen=True)
class TruckPlan:
    """One truck of the day: when it sets out, where it goes, how long it stays."""

    truck: int
    gate: str
    direction: str
    depart_s: float
    origin_km: float
    """Where on QL1A an export enters, or an import leaves, the corridor."""
    dwell_s: float
    rest_site: str
    rest_s: float
    speed_factor: float


@dataclass(frozen=True)
class Network:
    """Edges of the SUMO network and how they map to the corridor."""

    edges: dict[str, Edge]
    yards: dict[str, Polygon]

    def route(self, road: str, direction: str, km_from: float, km_to: float) -> list[str]:
        """Edges of a road between two kilometres, in driving order."""
        low, high = min(km_from, km_to), max(km_from, km_to)
        inside = [
            e
            for e in self.edges.values()
            if e.road == road and e.direction == direction and e.km_low >= low - 0.01 and e.km_high <= high + 0.01
        ]
        inside.sort(key=lambda e: e.km_low, reverse=direction == "to_border")
        return [e.edge_id for e in inside]


@dataclass(frozen=True)
class Edge:
    """A directed piece of road between two kilometres."""

    edge_id: str
    road: str
    direction: str
    from_node: str
    to_node: str
    km_low: float
    km_high: float
    lanes: int
    speed_mps: float
    line: LineString
    """In EPSG:32648, in driving order."""


def read_corridor(path: Path) -> Network:
    """The corridor file as directed edges, cut at the yard entrances and exits, with the yards' areas."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    cut_kms = {"QL1A": (0.90, 0.76), "QL4A": (0.95, 0.81)}
    edges: dict[str, Edge] = {}
    yards: dict[str, Polygon] = {}
    for feature in features:
        properties = feature["properties"]
        geometry: Any = transform_shape(TO_METRES.transform, shapely.geometry.shape(feature["geometry"]))
        if properties["feature"] == "geofence":
            yards[properties["site_id"]] = geometry
        if properties["feature"] != "road":
            continue
        start, end = properties["km_from"], properties["km_to"]
        inside = sorted(km for km in cut_kms[properties["road"]] if min(start, end) < km < max(start, end))
        if start > end:
            inside.reverse()
        kms = [start, *inside, end]
        nodes = [properties["from_node"], *(f"{properties['road']}@{km}" for km in inside), properties["to_node"]]
        for i in range(len(kms) - 1):
            share = [abs(km - start) / abs(end - start) for km in kms[i : i + 2]]
            edge = Edge(
                f"{properties['edge_id']}.{i}",
                properties["road"],
                properties["direction"],
                nodes[i],
                nodes[i + 1],
                min(kms[i : i + 2]),
                max(kms[i : i + 2]),
                properties["lanes"],
                properties["free_speed_mps"],
                LineString(substring(geometry, share[0], share[1], normalized=True).coords),
            )
            edges[edge.edge_id] = edge
    return Network(edges, yards)


def write_network(network: Network, folder: Path) -> Path:
    """Node and edge files, and the network that netconvert makes of them."""
    home = Path(importlib.import_module("sumo").SUMO_HOME)
    points: dict[str, tuple[float, ...]] = {}
    for edge in network.edges.values():
        points[edge.from_node], points[edge.to_node] = edge.line.coords[0], edge.line.coords[-1]
    lines = [
        _edge_xml(e.edge_id, e.from_node, e.to_node, e.line.coords, lanes=e.lanes, speed_mps=e.speed_mps)
        for e in network.edges.values()
    ]
    for gate in GATES:
        area = network.yards[gate.yard_id]
        entrance, way_out = f"{gate.road}@{gate.yard_km_in}", f"{gate.road}@{gate.yard_km_out}"
        inside = []
        for name, node in ((f"{gate.yard_id}-a", entrance), (f"{gate.yard_id}-b", way_out)):
            middle, there = area.centroid, shapely.Point(points[node])
            axis = _long_axis(area)
            along = (there.x - middle.x) * axis[0] + (there.y - middle.y) * axis[1]
            points[name] = (middle.x + along * axis[0], middle.y + along * axis[1])
            inside.append(name)
        for edge_id, a, b in (
            (f"{gate.yard_id}-in", entrance, inside[0]),
            (f"{gate.yard_id}-within", inside[0], inside[1]),
            (f"{gate.yard_id}-out", inside[1], way_out),
        ):
            lines.append(_edge_xml(edge_id, a, b, (points[a], points[b]), lanes=1, speed_mps=5.56))
    barriers = {f"{gate.gate_id}-barrier-1" for gate in GATES}
    kinds = {name: "traffic_light" if name in barriers else "priority" for name in points}
    nodes = [
        f'<node id={quoteattr(name)} x="{p[0]:.2f}" y="{p[1]:.2f}" type="{kinds[name]}"/>' for name, p in points.items()
    ]
    (folder / "day.nod.xml").write_text("<nodes>" + "\n".join(nodes) + "</nodes>", encoding="utf-8")
    (folder / "day.edg.xml").write_text("<edges>" + "\n".join(lines) + "</edges>", encoding="utf-8")
    (folder / "day.con.xml").write_text("<connections>" + _fork_xml(network) + "</connections>", encoding="utf-8")
    net = folder / "day.net.xml"
    subprocess.run(
        [
            str(home / "bin" / "netconvert"),
            "-n",
            folder / "day.nod.xml",
            "-e",
            folder / "day.edg.xml",
            "-x",
            folder / "day.con.xml",
            "-o",
            net,
            "--no-internal-links",
            "true",
            "--no-turnarounds",
            "true",
            "--offset.disable-normalization",
            "true",
            "--no-warnings",
            "true",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return net


def _long_axis(area: Polygon) -> tuple[float, float]:
    rectangle: Any = area.minimum_rotated_rectangle
    corners = list(rectangle.exterior.coords)
    sides = [(corners[i + 1][0] - corners[i][0], corners[i + 1][1] - corners[i][1]) for i in range(2)]
    x, y = max(sides, key=lambda side: math.hypot(*side))
    return x / math.hypot(x, y), y / math.hypot(x, y)


def _edge_xml(
    edge_id: str, a: str, b: str, points: Iterable[tuple[float, ...]], *, lanes: int, speed_mps: float
) -> str:
    shape = " ".join(f"{p[0]:.2f},{p[1]:.2f}" for p in points)
    return (
        f'<edge id="{edge_id}" from={quoteattr(a)} to={quoteattr(b)} numLanes="{lanes}" speed="{speed_mps}" '
        f'priority="{lanes}" shape="{shape}"/>'
    )


def _fork_xml(network: Network) -> str:
    """At the fork both lanes may turn to Tân Thanh: a truck that queues in the wrong one must not stand for ever."""
    edges = network.edges.values()
    into = next(e for e in edges if e.road == "QL1A" and e.direction == "to_border" and e.to_node == "dong-dang")
    ahead = next(e for e in edges if e.road == "QL1A" and e.direction == "to_border" and e.from_node == "dong-dang")
    branch = next(e for e in edges if e.road == "QL4A" and e.direction == "to_border" and e.from_node == "dong-dang")
    rows = [(ahead, 0, 0), (ahead, 1, 1), (branch, 0, 0), (branch, 1, 0)]
    return "".join(
        f'<connection from="{into.edge_id}" to="{to.edge_id}" fromLane="{a}" toLane="{b}"/>' for to, a, b in rows
    )


def write_demand(network: Network, plans: list[TruckPlan], rests_km: dict[str, float], folder: Path) -> Path:
    """Three equal days of trucks: what is left of the one before, the recorded one, the one after."""
    rows: list[tuple[float, str]] = []
    for day in (-1, 0, 1):
        for plan in plans:
            depart = WARM_UP_S + day * DAY_S + plan.depart_s
            if depart < 0 or depart > WARM_UP_S + DAY_S + 20 * 3600:
                continue
            rows.append((depart, vehicle_xml(network, plan, rests_km, f"{day}:{plan.truck}", depart)))
    rows.sort()
    return write_routes([xml for _, xml in rows], folder)


def write_routes(vehicles: Iterable[str], folder: Path) -> Path:
    """The trucks of `vehicle_xml`, in order of departure, as a file of routes."""
    head = (
        f'<vType id="truck" vClass="trailer" length="{TRUCK_LENGTH_M}" minGap="{STANDING_GAP_M}" accel="0.7" '
        'decel="3.5" sigma="0.4" tau="1.6" maxSpeed="25" lcStrategic="1" lcKeepRight="0.4"/>'
    )
    path = folder / "day.rou.xml"
    path.write_text("<routes>" + head + "\n".join(vehicles) + "</routes>", encoding="utf-8")
    return path


def vehicle_xml(network: Network, plan: TruckPlan, rests_km: dict[str, float], name: str, depart_s: float) -> str:
    """One truck as SUMO takes it: its way, its stop in the yard and its rest."""
    gate = next(g for g in GATES if g.gate_id == plan.gate)
    yard = [f"{gate.yard_id}-in", f"{gate.yard_id}-within", f"{gate.yard_id}-out"]
    fork_km = 4.0452
    branch = gate.road == "QL4A"
    if plan.direction == "export":
        edges = network.route("QL1A", "to_border", plan.origin_km, fork_km if branch else gate.yard_km_in)
        if branch:
            edges += network.route("QL4A", "to_border", 99.0, gate.yard_km_in)
        edges += yard + network.route(gate.road, "to_border", gate.yard_km_out, 0.0)
    else:
        edges = network.route(gate.road, "from_border", 0.0, gate.yard_km_in) + yard
        edges += network.route(gate.road, "from_border", gate.yard_km_out, 99.0 if branch else plan.origin_km)
        if branch:
            edges += network.route("QL1A", "from_border", fork_km, plan.origin_km)
    stops = [f'<stop lane="{gate.yard_id}-within_0" endPos="60" parking="true" duration="{plan.dwell_s:.0f}"/>']
    if plan.rest_site:
        km, direction = rests_km[plan.rest_site], "to_border" if plan.direction == "export" else "from_border"
        at = next(
            (
                e
                for e in network.edges.values()
                if e.road == "QL1A"
                and e.direction == direction
                and e.edge_id in edges
                and e.km_low < km - 0.05 <= e.km_high
            ),
            None,
        )
        if at is not None:
            place = "50" if direction == "to_border" else "-50"
            stop = f'<stop lane="{at.edge_id}_0" endPos="{place}" parking="true" duration="{plan.rest_s:.0f}"/>'
            stops = [stop, *stops] if plan.direction == "export" else [*stops, stop]
    return (
        f'<vehicle id="{name}" type="truck" depart="{depart_s:.0f}" departLane="best" departSpeed="desired" '
        f'speedFactor="{plan.speed_factor:.3f}"><route edges="{" ".join(edges)}"/>{"".join(stops)}</vehicle>'
    )


@dataclass
class Barrier:
    """Meters one barrier 1: a truck is let through when one of the checks behind it is free."""

    model: GateModel
    approach: Edge
    links: list[tuple[int, str]]
    """Index in the signal and approach lane."""
    n_links: int
    behind: str
    rng: np.random.Generator
    busy_until_s: list[float] = field(default_factory=list)
    granted: str = ""
    granted_lane: str = ""
    turn: int = 0
    starts: list[tuple[str, float, float]] = field(default_factory=list)

    def step(self, api: Any, now_s: float) -> None:
        """Look whether the granted truck has passed; if a check is free, grant the next."""
        tls = f"{self.model.gate_id}-barrier-1"
        if self.granted:
            edge = api.vehicle.getRoadID(self.granted)
            if edge == self.behind:
                shape, scale = 1.0 / self.model.service_cv**2, self.model.service_mean_s * self.model.service_cv**2
                service = max(40.0, float(self.rng.gamma(shape, scale)))
                lane = api.vehicle.getLaneIndex(self.granted)
                api.vehicle.setStop(self.granted, self.behind, PARKING_AT_GATE_M, lane, service - 12.0, 1)
                self.busy_until_s.append(now_s + service)
                self.starts.append((self.granted, now_s, service))
                self.granted = ""
                self._show(api, tls, "")
            else:  # it may have changed lanes: the first in the lane it is in now goes
                lane_id = api.vehicle.getLaneID(self.granted)
                self.granted = api.lane.getLastStepVehicleIDs(lane_id)[-1]
                if lane_id != self.granted_lane:
                    self.granted_lane = lane_id
                    self._show(api, tls, lane_id)
            return
        self.busy_until_s = [t for t in self.busy_until_s if t > now_s]
        if len(self.busy_until_s) >= self.model.lanes:
            return
        for offset in range(len(self.links)):
            _, lane = self.links[(self.turn + offset) % len(self.links)]
            waiting = api.lane.getLastStepVehicleIDs(lane)
            if not waiting:
                continue
            first = waiting[-1]
            if api.lane.getLength(lane) - api.vehicle.getLanePosition(first) > 60.0:
                continue
            self.granted, self.granted_lane = first, lane
            self.turn = (self.turn + offset + 1) % len(self.links)
            self._show(api, tls, lane)
            return

    def _show(self, api: Any, tls: str, green_lane: str) -> None:
        state = ["G"] * self.n_links
        for index, lane in self.links:
            state[index] = "G" if lane == green_lane else "r"
        api.trafficlight.setRedYellowGreenState(tls, "".join(state))


def make_barriers(api: Any, network: Network, seed: int) -> list[Barrier]:
    """The metered barriers, all showing red to the border."""
    barriers = []
    for number, model in enumerate(GATES):
        node = f"{model.gate_id}-barrier-1"
        toward = [e for e in network.edges.values() if e.direction == "to_border"]
        approach = next(e for e in toward if e.to_node == node)
        behind = next(e for e in toward if e.from_node == node)
        controlled = api.trafficlight.getControlledLinks(node)
        links = [(i, c[0][0]) for i, c in enumerate(controlled) if c and c[0][0].rsplit("_", 1)[0] == approach.edge_id]
        rng = np.random.default_rng([seed, number])
        barrier = Barrier(model, approach, links, len(controlled), behind.edge_id, rng)
        barrier._show(api, node, "")
        barriers.append(barrier)
    return barriers


def queue_at(
    upstream: list[Edge], states: dict[str, list[tuple[float, float, str]]], gate_km: float, bound: set[str]
) -> tuple[int, float]:
    """Trucks bound for a gate that stand before it, and the kilometre of the last one (the gate's if none).

    A truck stands in the queue if it is slower than 4 m/s and nearer than 200 m to the one before it.
    """
    tail_km, count = gate_km, 0
    rows: list[tuple[float, float, str]] = []
    for edge in upstream:
        rows += states.get(edge.edge_id, [])
    rows.sort()
    for km, speed, name in rows:
        if km - tail_km > 0.2:
            break
        if speed > 4.0:
            continue
        tail_km = km
        count += name in bound
    return count, tail_km


def simulate(corridor: Path, plans: list[TruckPlan], rests_km: dict[str, float], seed: int, folder: Path) -> None:
    """Run warm-up, the day and as much of the next as the day's trucks need; writes `day.npz` into `folder`."""
    import libsumo as api  # noqa: PLC0415 - only there when a day is made

    network = read_corridor(corridor)
    net, routes = write_network(network, folder), write_demand(network, plans, rests_km, folder)
    api.start(
        [
            "sumo",
            "-n",
            str(net),
            "-r",
            str(routes),
            "--seed",
            str(seed),
            "--step-length",
            "1",
            "--time-to-teleport",
            "-1",
            "--no-step-log",
            "true",
            "--no-warnings",
            "true",
            "--max-depart-delay",
            "-1",
        ]
    )
    barriers = make_barriers(api, network, seed)
    by_id = {f"{day}:{plan.truck}": plan for day in (-1, 0, 1) for plan in plans}
    export_to = {
        g.gate_id: {n for n, p in by_id.items() if p.gate == g.gate_id and p.direction == "export"} for g in GATES
    }
    toward = [e for e in network.edges.values() if e.direction == "to_border"]
    upstream = {g.gate_id: [e for e in toward if e.road == g.road and e.km_low > g.barrier_km - 0.05] for g in GATES}
    parked: dict[str, str] = {}
    samples = {name: array("d") for name in ("truck", "t", "x", "y", "speed", "heading")}
    yard_stays: list[tuple[int, str, int, float, float]] = []  # truck, site, day, from, to
    left: list[tuple[int, int, float]] = []
    truth: list[tuple[float, ...]] = []
    since: dict[str, float] = {}
    remaining = len(plans)
    now = 0.0
    while remaining > 0 and now < WARM_UP_S + DAY_S + 24 * 3600:
        api.simulationStep()
        now = float(api.simulation.getTime())
        t = now - WARM_UP_S
        for barrier in barriers:
            barrier.step(api, now)
        for name in api.simulation.getArrivedIDList():
            day, truck = (int(part) for part in name.split(":"))
            left.append((truck, day, t))
            remaining -= day == 0
        for name in api.simulation.getParkingStartingVehiclesIDList():
            edge = api.vehicle.getRoadID(name)
            site = by_id[name].rest_site or "?"
            for gate in GATES:
                if edge == f"{gate.yard_id}-within":
                    site = gate.yard_id
            if edge in {b.behind for b in barriers}:
                site = "barrier"
            parked[name], since[name] = site, t
        for name in api.simulation.getParkingEndingVehiclesIDList():
            day, truck = (int(part) for part in name.split(":"))
            yard_stays.append((truck, parked.pop(name), day, since.pop(name), t))
        if t < -600 or now % SAMPLE_S:
            continue
        states: dict[str, list[tuple[float, float, str]]] = {}
        take_truth = t % TRUTH_S == 0
        for name in api.vehicle.getIDList():
            is_ours = name.startswith("0:")
            if not take_truth and (not is_ours or name in parked):
                continue
            speed = api.vehicle.getSpeed(name)
            if is_ours and name not in parked:
                x, y = api.vehicle.getPosition(name)
                row = (int(name[2:]), t, x, y, speed, api.vehicle.getAngle(name))
                for column, value in zip(samples.values(), row, strict=True):
                    column.append(value)
            if take_truth and name not in parked:
                edge_id = api.vehicle.getRoadID(name)
                if edge_id in network.edges:
                    e = network.edges[edge_id]
                    share = api.vehicle.getLanePosition(name) / max(1.0, e.line.length)
                    km = e.km_high - share * (e.km_high - e.km_low)
                    states.setdefault(edge_id, []).append((km, speed, name))
        if take_truth and 0 <= t < DAY_S:
            row_t: list[float] = [t]
            for barrier in barriers:
                gate = barrier.model
                count, tail = queue_at(upstream[gate.gate_id], states, gate.barrier_km, export_to[gate.gate_id])
                inside = sum(site == gate.yard_id for site in parked.values())
                row_t += [count, tail, inside, len(barrier.busy_until_s)]
            truth.append(tuple(row_t))
            if t % 3600 == 0:
                print(
                    f"{t / 3600:5.1f} h  "
                    + "  ".join(f"{value:.2f}" for value in row_t[1:])
                    + f"  on the road {api.vehicle.getIDCount()}",
                    flush=True,
                )
    starts = [
        (*(int(p) for p in name.split(":")), number, at - WARM_UP_S, service)
        for number, barrier in enumerate(barriers)
        for name, at, service in barrier.starts
    ]
    version = str(api.getVersion()[1])
    api.close()
    sites = sorted({stay[1] for stay in yard_stays})
    columns: dict[str, NDArray[Any]] = {name: np.frombuffer(column) for name, column in samples.items()}
    arrays: dict[str, Any] = columns
    np.savez(
        folder / "day.npz",
        **arrays,
        truth=np.array(truth),
        left=np.array(left, dtype=np.float64),
        stays=np.array([(a, sites.index(s), d, f, u) for a, s, d, f, u in yard_stays]),
        sites=np.array(sites),
        starts=np.array(starts, dtype=np.float64),
        version=np.array(version),
    )
