"""The traffic engine beside others: Eclipse SUMO (mesoscopic), UXsim, SimPy and Ciw; the cost of an ensemble.

One road of 10 km for 1,200 trucks an hour narrows to one for 300; 700 trucks come at 600 an hour, so that some 350
stand at the end of the rush. Each engine gets the same demand and the same bottleneck. Compared are the queue over
time (trucks that would be through by free speed but are not) and the time of the run alone, without imports,
compilation and set-up. The queue of one gate with three lanes (M/M/3) is compared with SimPy, Ciw and theory.

The ensemble is the forecast of the shipped corridor: 1,000 runs over 6 hours with 2,000 trucks on the road, in a
process of its own, whose peak memory is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.sumo_micro import queue_errors
from geo.corridor import Corridor
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.gates import GateSetting, Server, ServiceTime, default_setting
from routing.graph import GatePlace, Link, Network, assemble, build_network
from routing.simulation import gate_arrays, link_arrays, simulate
from routing.trucks import TruckBatch, sample_fleet
from tests.theory.queueing import mmc

Floats = NDArray[np.float64]

LENGTH_M, SPEED_MPS = 10_000.0, 15.0
WIDE_VEH_PER_H, NARROW_VEH_PER_H, DEMAND_VEH_PER_H = 1200.0, 300.0, 600.0
STORAGE_VEH = 1000
TRUCKS = 700
MANY = 20_000
STEP_S = 60.0
LANES, SERVICE_S, LOAD, CUSTOMERS = 3, 60.0, 0.8, 20_000
NOTHING = ServiceTime(0.0, 0.0, "deterministic")


def bottleneck() -> Network:
    """The wide road and the narrow one."""
    return assemble(
        [
            Link("wide", "start", "narrow", LENGTH_M, SPEED_MPS, WIDE_VEH_PER_H, STORAGE_VEH),
            Link("narrow", "narrow", "end", 1000.0, SPEED_MPS, NARROW_VEH_PER_H, 100),
        ],
        [GatePlace("g", "export", "end")],
    )


def newcomers(times_s: Floats) -> TruckBatch:
    """Trucks that appear at the start of the wide road."""
    return TruckBatch.of(0, 0, times_s, to_come=True)


def own_run(n: int, repeat: int = 20) -> tuple[Floats, float]:
    """Times at which trucks leave the narrow road, and the fastest of the runs (drawing included)."""
    network = bottleneck()
    setting = GateSetting("g", "export", Server(64, NOTHING), Server(64, NOTHING), NOTHING)
    links, gates = link_arrays(network), gate_arrays(network, [setting])
    trucks = newcomers(np.arange(n) * 3600.0 / DEMAND_VEH_PER_H)
    best = np.inf
    for seed in range(repeat):
        began = time.perf_counter()
        fleet = sample_fleet(network, trucks, [setting], np.random.default_rng(seed).spawn(3))
        result = simulate(links, gates, fleet, horizon_s=3.0 * 3600.0, step_s=300.0)
        best = min(best, time.perf_counter() - began)
    return result.entrance_start_s, best


def queue_series(leave_s: Floats, n: int, free_s: float) -> Floats:
    """Trucks that would be through by free speed but are not, every minute of three hours."""
    at = np.arange(0.0, 3.0 * 3600.0, STEP_S)
    due = np.arange(n) * 3600.0 / DEMAND_VEH_PER_H + free_s
    return np.searchsorted(due, at, side="right") - np.searchsorted(np.sort(leave_s), at, side="right").astype(float)


def error(own: Floats, other: Floats) -> float:
    """Mean difference of two queues relative to the other's mean, where there is one."""
    there = other > 5.0
    return float(np.abs(own - other)[there].mean() / other[there].mean())


def sumo_meso(n: int) -> tuple[Floats, float]:
    """SUMO's mesoscopic engine: four lanes into one, 12 s between trucks of a lane."""
    import sumo

    home = Path(sumo.SUMO_HOME) / "bin"
    # SUMO adds the time in which a truck passes its own length and gap (32 + 8 m).
    headway_s = 3600.0 / NARROW_VEH_PER_H - 40.0 / SPEED_MPS
    with tempfile.TemporaryDirectory(prefix="cuakhau-bench-") as folder:
        at = Path(folder)
        (at / "n.nod.xml").write_text(
            '<nodes><node id="a" x="0" y="0"/><node id="b" x="10000" y="0"/><node id="c" x="11000" y="0"/></nodes>'
        )
        (at / "n.edg.xml").write_text(
            f'<edges><edge id="wide" from="a" to="b" numLanes="4" speed="{SPEED_MPS}"/>'
            f'<edge id="narrow" from="b" to="c" numLanes="1" speed="{SPEED_MPS}"/></edges>'
        )
        trips = "".join(
            f'<vehicle id="{i}" type="t" route="r" depart="{i * 3600.0 / DEMAND_VEH_PER_H:.1f}" departSpeed="max"/>'
            for i in range(n)
        )
        (at / "n.rou.xml").write_text(
            '<routes><vType id="t" length="32" minGap="8" sigma="0" speedDev="0"/>'
            f'<route id="r" edges="wide narrow"/>{trips}</routes>'
        )
        subprocess.run(
            [home / "netconvert", "-n", at / "n.nod.xml", "-e", at / "n.edg.xml", "-o", at / "n.net.xml"],
            check=True,
            capture_output=True,
        )
        command = [
            home / "sumo",
            "-n",
            at / "n.net.xml",
            "-r",
            at / "n.rou.xml",
            "--mesosim",
            "true",
            "--meso-tauff",
            headway_s,
            "--meso-taufj",
            headway_s,
            "--meso-taujf",
            headway_s,
            "--meso-lane-queue",
            "false",
            "--tripinfo-output",
            at / "trips.xml",
            "--no-step-log",
            "true",
            "--duration-log.statistics",
            "true",
            "--time-to-teleport",
            "-1",
            "--seed",
            "1",
        ]
        done = subprocess.run([str(x) for x in command], check=True, capture_output=True, text=True)
        found = re.search(r"Duration: ([0-9.]+)\s*(ms|s)", done.stdout + done.stderr)
        if found is None:
            raise RuntimeError(f"SUMO did not say how long it took: {done.stdout}")
        duration = float(found[1]) / (1000.0 if found[2] == "ms" else 1.0)
        trips_seen = ET.parse(at / "trips.xml").getroot().iter("tripinfo")
        return np.array([float(t.get("arrival", "nan")) for t in trips_seen]), duration


def micro_errors() -> dict[str, float]:
    """The queue before a gate beside SUMO's microscopic model, see `bench.peers.sumo_micro`.

    `queue_error_vs_sumo_micro` is the mean absolute difference of the two queues over all minutes of all kinds of
    hours, relative to SUMO's mean queue; beside it that of each kind.
    """
    kinds = queue_errors()
    mean_veh = sum(queue_veh for _, queue_veh in kinds.values())
    pooled = sum(error * queue_veh for error, queue_veh in kinds.values()) / mean_veh
    each = {f"queue_error_vs_sumo_micro_{kind}": error for kind, (error, _) in kinds.items()}
    return {"queue_error_vs_sumo_micro": pooled, **each}


def uxsim(n: int) -> tuple[Floats, float]:
    """UXsim with one truck a platoon; its reaction time gives the wide road's capacity."""
    import uxsim

    jam = STORAGE_VEH / LENGTH_M
    flow = WIDE_VEH_PER_H / 3600.0
    wave = flow / (jam - flow / SPEED_MPS)
    world = uxsim.World(
        name="",
        deltan=1,
        reaction_time=1.0 / (wave * jam),
        tmax=3.0 * 3600.0,
        print_mode=0,
        save_mode=0,
        show_mode=0,
        random_seed=1,
    )
    for i, name in enumerate("abc"):
        world.addNode(name, i, 0)
    world.addLink("wide", "a", "b", LENGTH_M, SPEED_MPS, jam_density=jam, capacity_out=NARROW_VEH_PER_H / 3600.0)
    world.addLink("narrow", "b", "c", 1000.0, SPEED_MPS, jam_density=jam)
    for i in range(n):
        world.addVehicle("a", "c", i * 3600.0 / DEMAND_VEH_PER_H)
    began = time.perf_counter()
    world.exec_simulation()
    duration = time.perf_counter() - began
    left = np.array([v.arrival_time * world.DELTAT if v.arrival_time >= 0 else np.inf for v in world.VEHICLES.values()])
    return left, duration


def gate_wait() -> tuple[float, float]:
    """Mean wait at a gate with three lanes by the own engine, and the time of the run."""
    network = assemble([Link("r", "s", "e", 1.0, 10.0, 3.6e7, 10_000_000)], [GatePlace("g", "export", "e")])
    setting = GateSetting(
        "g", "export", Server(64, NOTHING), Server(LANES, ServiceTime(SERVICE_S, 1.0, "exponential")), NOTHING
    )
    times = np.cumsum(np.random.default_rng(1).exponential(SERVICE_S / (LANES * LOAD), CUSTOMERS))
    links, gates = link_arrays(network), gate_arrays(network, [setting])
    began = time.perf_counter()
    fleet = sample_fleet(network, newcomers(times), [setting], np.random.default_rng(2).spawn(3))
    result = simulate(links, gates, fleet, horizon_s=300.0, step_s=300.0, limit_s=1e9)
    took = time.perf_counter() - began
    return float((result.entrance_start_s - result.unhindered_s).mean()), took


def simpy_wait() -> tuple[float, float]:
    """The same gate in SimPy with the same arrivals."""
    import simpy

    times = np.cumsum(np.random.default_rng(1).exponential(SERVICE_S / (LANES * LOAD), CUSTOMERS))
    services = np.random.default_rng(3).exponential(SERVICE_S, CUSTOMERS)
    world = simpy.Environment()
    lanes = simpy.Resource(world, LANES)
    waits = np.zeros(CUSTOMERS)

    def truck(i: int) -> Any:
        with lanes.request() as request:
            yield request
            waits[i] = world.now - times[i]
            yield world.timeout(services[i])

    def source() -> Any:
        for i in range(CUSTOMERS):
            yield world.timeout(times[i] - world.now)
            world.process(truck(i))

    began = time.perf_counter()
    world.process(source())
    world.run()
    return float(waits.mean()), time.perf_counter() - began


def ciw_wait() -> tuple[float, float]:
    """The same gate in Ciw with arrivals of its own."""
    import ciw

    rate = LANES * LOAD / SERVICE_S
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=rate)],
        service_distributions=[ciw.dists.Exponential(rate=1.0 / SERVICE_S)],
        number_of_servers=[LANES],
    )
    ciw.seed(1)
    world = ciw.Simulation(network)
    began = time.perf_counter()
    world.simulate_until_max_time(CUSTOMERS / rate)
    took = time.perf_counter() - began
    return float(np.mean([r.waiting_time for r in world.get_all_records()])), took


def growth() -> float:
    """Cost of a truck on the shipped corridor with 20,000 trucks relative to 700 (as many an hour)."""
    network = build_network(Corridor.default())
    settings = [default_setting(g.gate_id, g.direction) for g in network.gates]
    links, gates = link_arrays(network), gate_arrays(network, settings)

    def cost(n: int) -> float:
        rng = np.random.default_rng(1)
        gate = rng.integers(0, 2, n)
        ready_s = rng.uniform(0.0, n / 700.0 * 21600.0, n)
        trucks = TruckBatch.of(gate, network.origins[0], ready_s, to_come=True)
        fleet = sample_fleet(network, trucks, settings, rng.spawn(3))
        best = np.inf
        for _ in range(10):
            began = time.perf_counter()
            simulate(links, gates, fleet, horizon_s=21600.0)
            best = min(best, time.perf_counter() - began)
        return best / n

    cost(100)
    return cost(MANY) / cost(TRUCKS)


def ensemble() -> dict[str, float]:
    """1,000 runs of 6 hours from 2,000 trucks on the road, after a first small one; seconds and peak MB."""
    network = build_network(Corridor.default())
    rng = np.random.default_rng(1)
    roads = np.flatnonzero(network.road_to_border & (network.road_link >= 0))
    road = rng.choice(roads, 2000)
    state = CorridorState(
        made_at=datetime(2026, 3, 2, 3, 0, tzinfo=UTC),
        road_id=road,
        gate=rng.integers(0, 2, 2000),
        offset_m=rng.uniform(0, 1, 2000) * network.road_length_m[road],
        speed_mps=np.full(2000, 14.0),
        yard_capacity_veh=np.array([450.0, 1150.0]),
    )
    forecast(network, state, runs=4, seed=1)
    best = min(forecast(network, state, runs=1000, seed=2).duration_s for _ in range(3))
    return {"seconds": best, "rss_mb": peak_rss_mb()}


def peak_rss_mb() -> float:
    """The most memory that this process has held; what `getrusage` says of one includes the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    if found is None:
        raise RuntimeError("The system does not say how much memory the process has held.")
    return float(found[1]) / 1024.0


def run() -> dict[str, Any]:
    """All measurements; peers that are not installed are left out."""
    free_s = (LENGTH_M + 1000.0) / SPEED_MPS
    left, own_s = own_run(TRUCKS)
    own_queue = queue_series(left, TRUCKS, free_s)
    figures: dict[str, Any] = {"own_run_700_ms": own_s * 1000.0, "own_longest_queue_veh": float(own_queue.max())}
    for name, engine in (("sumo_meso", sumo_meso), ("uxsim", uxsim)):
        if importlib.util.find_spec(name.split("_")[0]) is None:
            continue
        other, other_s = engine(TRUCKS)
        figures[f"speedup_vs_{name}"] = other_s / own_s
        figures[f"queue_error_vs_{name}"] = error(own_queue, queue_series(other, TRUCKS, free_s))
    if importlib.util.find_spec("sumo") is not None:
        figures |= micro_errors()
    theory_s = mmc(LANES * LOAD / SERVICE_S, SERVICE_S, LANES).wait_s
    gate_wait()
    wait_s, gate_s = gate_wait()
    figures["gate_wait_error_vs_theory"] = abs(wait_s / theory_s - 1.0)
    for name, wait in (("simpy", simpy_wait), ("ciw", ciw_wait)):
        if importlib.util.find_spec(name) is not None:
            other_wait_s, other_s = wait()
            figures[f"gate_speedup_vs_{name}"] = other_s / gate_s
            figures[f"gate_wait_error_vs_{name}"] = abs(wait_s / other_wait_s - 1.0)
    figures["growth_700_to_20000"] = growth()
    child = subprocess.run(
        [sys.executable, "-c", "import json; from bench.simulation import ensemble; print(json.dumps(ensemble()))"],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    measured = json.loads(child.stdout.splitlines()[-1])
    figures["ensemble_1000_s"], figures["ensemble_rss_mb"] = measured["seconds"], measured["rss_mb"]
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    as_json = parser.parse_args().json
    outcome = run()
    for key, value in outcome.items():
        print(f"{key:<34} {value:.4g}")
    if as_json:
        print(json.dumps(outcome))
