"""The traffic engine beside SUMO's microscopic model: the queue before a gate at the end of a road, truck by truck.

The road: 12 km of two lanes at 60 km/h, 300 m of one lane, three check lanes. Trucks follow one another (Krauss, 16.5 m
and a gap of 3.5 m, accelerating at 0.7 m/s²), change lanes, brake and move up; where all check lanes are taken the next
waits on the road. In SUMO the lanes are places of a parking area beside the road, each taken for as long as the check
lasts. Four kinds of six hours: load 0.85, 1.1 and 1.4 of what the gate serves, over the first three hours, little
afterwards; and, at load 1.0, two of three lanes closed for an hour and a half, by trucks that stay in them.

Both get the same trucks: when each sets out, how fast it likes to drive, how long its check lasts. What no data say is
how long a truck takes to move up into a lane, brake and stop: of that the engine is told what the platform would learn,
`routing.parameters`, from the passages of six other hours in SUMO. Nothing is fitted to any queue, and the engine runs
as it does in a forecast.

Compared is the queue as the platform counts it, once a minute: trucks in the lanes, and those on the road that are slow
(`geo.motion`), back from the gate until a gap of more than `routing.measure.MAX_GAP_M`. In SUMO from positions and
speeds of all trucks, in the engine its `queue_veh`. The error of a kind is the mean absolute difference over the six
hours relative to SUMO's mean queue.
"""

from __future__ import annotations

import subprocess
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geo.motion import QUEUEING_MPS
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import GatePlace, Link, assemble
from routing.measure import MAX_GAP_M
from routing.parameters import Quantity, service
from routing.recordings import Passages
from routing.simulation import gate_arrays, link_arrays, simulate
from routing.trucks import TruckBatch, sample_fleet

Floats = NDArray[np.float64]

APPROACH_M: Final = 12_000.0
ACCESS_M: Final = 300.0
FREE_MPS: Final = 60.0 / 3.6
TRUCK_M: Final = 16.5
GAP_M: Final = 3.5
PLACE_M: Final = TRUCK_M + GAP_M
ACCELERATION_MPS2: Final = 0.7
LANE_VEH_PER_H: Final = 900.0
"""Trucks an hour and lane, as in the corridor's data."""
CHECK_LANES: Final = 3
CHECK_MEAN_S: Final = 170.0
CHECK_CV: Final = 0.4
CHECKS_M: Final = ACCESS_M - CHECK_LANES * PLACE_M - 5.0
"""Where the check lanes begin, from the start of the one-lane road."""
HOURS: Final = 6.0
RUSH_S: Final = 3.0 * 3600.0
STEP_S: Final = 60.0
CLOSED_S: Final = 1.5 * 3600.0
CLOSED_FROM_S: Final = 1.0 * 3600.0
SPEED_CV: Final = 0.05
NOTHING: Final = ServiceTime(0.0, 0.0, "deterministic")
KINDS: Final = (("load_085", 0.85, 0), ("load_110", 1.1, 0), ("load_140", 1.4, 0), ("lanes_closed", 1.0, 2))
"""Name, load, closed lanes."""


@dataclass(frozen=True)
class Demand:
    """The trucks of six hours, one element a truck: when it sets out, its speed relative to the road's, its check."""

    depart_s: Floats
    speed_factor: Floats
    check_s: Floats


def draw_demand(load: float, rng: np.random.Generator, *, closed_lanes: int = 0) -> Demand:
    """Trucks of a rush of `load` times what the gate serves and a fifth of that afterwards.

    The first `closed_lanes` trucks after an hour stay in their lanes for an hour and a half.
    """
    served_veh_per_s = CHECK_LANES / CHECK_MEAN_S
    times = []
    now_s = 0.0
    while True:
        rate = served_veh_per_s * load * (1.0 if now_s < RUSH_S else 0.2)
        now_s += rng.exponential(1.0 / rate)
        if now_s >= HOURS * 3600.0:
            break
        times.append(now_s)
    depart_s = np.array(times)
    shape = 1.0 / CHECK_CV**2
    check_s = rng.gamma(shape, CHECK_MEAN_S / shape, depart_s.size)
    check_s[np.flatnonzero(depart_s >= CLOSED_FROM_S)[:closed_lanes]] = CLOSED_S
    return Demand(depart_s, rng.normal(1.0, SPEED_CV, depart_s.size).clip(0.8, 1.2), check_s)


def own_queue(demand: Demand, move_up_s: float) -> Floats:
    """[T] the engine's queue every minute, where moving up into a lane takes `move_up_s`."""
    network = assemble(
        [
            Link(
                "approach", "start", "access", APPROACH_M, FREE_MPS, 2 * LANE_VEH_PER_H, int(2 * APPROACH_M / PLACE_M)
            ),
            Link("access", "access", "gate", ACCESS_M, FREE_MPS, LANE_VEH_PER_H, int(ACCESS_M / PLACE_M)),
        ],
        [GatePlace("g", "export", "gate")],
    )
    setting = GateSetting("g", "export", Server(64, NOTHING), Server(CHECK_LANES, NOTHING), NOTHING)
    trucks = TruckBatch.of(0, 0, demand.depart_s, to_come=True, slowness=1.0 / demand.speed_factor)
    fleet = sample_fleet(network, trucks, [setting], np.random.default_rng(0).spawn(3))
    fleet = fleet._replace(entrance_s=demand.check_s + move_up_s)
    result = simulate(
        link_arrays(network), gate_arrays(network, [setting]), fleet, horizon_s=HOURS * 3600.0, step_s=STEP_S
    )
    return np.asarray(result.queue_veh[0])


def learn_move_up(seed: int) -> float:
    """Seconds between the end of a check and the next start in its lane, learned from passages of six busy hours."""
    demand = draw_demand(1.2, np.random.default_rng([seed, len(KINDS)]))
    _, start_s = sumo_queue(demand, seed + 1)
    seen = np.isfinite(start_s)
    arrived_s = demand.depart_s + (APPROACH_M + ACCESS_M) / (FREE_MPS * demand.speed_factor)
    setting = GateSetting("g", "export", Server(64, NOTHING), Server(CHECK_LANES, NOTHING), NOTHING)
    learned = service(Passages.of(start_s[seen], arrived_s[seen]), setting)
    mean_s = next(each.value for each in learned if each.quantity == Quantity.SERVICE_MEAN_S)
    return float(mean_s - demand.check_s[seen].mean())


def sumo_queue(demand: Demand, seed: int) -> tuple[Floats, Floats]:
    """[T] the queue every minute in SUMO's microscopic model, and [N] when each truck's check began, NaN = never."""
    import sumo

    home = Path(sumo.SUMO_HOME) / "bin"
    end_m = APPROACH_M + ACCESS_M
    with tempfile.TemporaryDirectory(prefix="cuakhau-bench-") as folder:
        at = Path(folder)
        nodes = {"start": 0.0, "access": APPROACH_M, "gate": end_m, "end": end_m + 500.0}
        places = "".join(f'<node id="{name}" x="{x}" y="0"/>' for name, x in nodes.items())
        (at / "n.nod.xml").write_text(f"<nodes>{places}</nodes>")
        edges = (("approach", "start", "access", 2), ("to_gate", "access", "gate", 1), ("out", "gate", "end", 1))
        roads = "".join(
            f'<edge id="{name}" from="{a}" to="{b}" numLanes="{lanes}" speed="{FREE_MPS}"/>'
            for name, a, b, lanes in edges
        )
        (at / "n.edg.xml").write_text(f"<edges>{roads}</edges>")
        (at / "n.add.xml").write_text(
            f'<additional><parkingArea id="checks" lane="to_gate_0" startPos="{CHECKS_M}" '
            f'endPos="{ACCESS_M - 5.0}" roadsideCapacity="{CHECK_LANES}" length="{PLACE_M}"/></additional>'
        )
        vehicles = "".join(
            f'<vehicle id="{i}" type="t" route="r" depart="{demand.depart_s[i]:.1f}" departSpeed="desired" '
            f'departLane="best" speedFactor="{demand.speed_factor[i]:.3f}">'
            f'<stop parkingArea="checks" duration="{demand.check_s[i]:.0f}"/></vehicle>'
            for i in range(demand.depart_s.size)
        )
        (at / "n.rou.xml").write_text(
            f'<routes><vType id="t" vClass="trailer" length="{TRUCK_M}" minGap="{GAP_M}" accel="{ACCELERATION_MPS2}" '
            'decel="3.5" sigma="0.4" tau="1.6" maxSpeed="25"/>'
            f'<route id="r" edges="approach to_gate out"/>{vehicles}</routes>'
        )
        netconvert = [
            home / "netconvert",
            "-n",
            "n.nod.xml",
            "-e",
            "n.edg.xml",
            "-o",
            "n.net.xml",
            "--no-internal-links",
        ]
        run = [home / "sumo", "-n", "n.net.xml", "-r", "n.rou.xml", "-a", "n.add.xml", "--seed", seed]
        run += ["--step-length", 1, "--time-to-teleport", -1, "--end", HOURS * 3600.0 + STEP_S, "--no-step-log"]
        run += ["--fcd-output", "fcd.xml", "--device.fcd.period", STEP_S, "--stop-output", "stops.xml"]
        run += ["--max-depart-delay", -1, "--no-warnings", "--stop-output.write-unfinished"]
        for command in (netconvert, run):
            subprocess.run([str(x) for x in command], check=True, capture_output=True, text=True, cwd=at)
        in_lanes_s = np.full((demand.depart_s.size, 2), np.nan)
        for stop in ET.parse(at / "stops.xml").getroot().iter("stopinfo"):
            in_lanes_s[int(stop.get("id", ""))] = float(stop.get("started", "nan")), float(stop.get("ended", "-1"))
        return _standing(at / "fcd.xml", APPROACH_M + CHECKS_M, in_lanes_s), in_lanes_s[:, 0]


def _standing(path: Path, gate_m: float, in_lanes_s: Floats) -> Floats:
    """[T] trucks in the lanes, [N, 2] from when to when (-1: still there), and those that stand before them."""
    queue = np.zeros(round(HOURS * 3600.0 / STEP_S) + 1)
    for _, moment in ET.iterparse(path, events=("end",)):
        if moment.tag != "timestep":
            continue
        now_s = float(moment.get("time", "nan"))
        index = round(now_s / STEP_S)
        if index >= queue.size or now_s % STEP_S:
            continue
        seen = [(gate_m - float(v.get("x", "nan")), float(v.get("speed", "nan"))) for v in moment.iter("vehicle")]
        distance, speed = np.array(sorted(row for row in seen if row[0] > 0.0)).reshape(-1, 2).T
        slow = distance[speed < QUEUEING_MPS]
        gaps = np.flatnonzero(np.diff(slow, prepend=0.0) > MAX_GAP_M)
        slow = slow[: gaps[0]] if gaps.size else slow
        inside = (in_lanes_s[:, 0] <= now_s) & ((in_lanes_s[:, 1] > now_s) | (in_lanes_s[:, 1] < 0.0))
        queue[index] = inside.sum() + (distance <= slow.max(initial=-1.0)).sum()
        moment.clear()
    return queue


def queue_errors(seed: int = 1) -> dict[str, tuple[float, float]]:
    """By kind of six hours: the engine's error relative to SUMO's mean queue, and that mean queue."""
    move_up_s = learn_move_up(seed)
    found = {}
    for number, (kind, load, closed) in enumerate(KINDS):
        demand = draw_demand(load, np.random.default_rng([seed, number]), closed_lanes=closed)
        theirs, _ = sumo_queue(demand, seed)
        own = own_queue(demand, move_up_s)
        found[kind] = float(np.abs(own - theirs).mean() / theirs.mean()), float(theirs.mean())
    return found
