"""A day in Eclipse SUMO, truck by truck: ``python -m bench.days.drive KIND SEED FILE.npz``.

In a process of its own: libsumo brings an Arrow library that must not meet the one of pyarrow. The corridor, the
trucks and the metered barriers are those of the demo day (`app.demo.data.sumo_day`).
"""

from __future__ import annotations

import argparse
import tempfile
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from app.demo.data.sumo_day import (
    GATES,
    make_barriers,
    queue_at,
    read_corridor,
    vehicle_xml,
    write_network,
    write_routes,
)
from bench.days.acts import HOLDS_KM, read_changes
from bench.days.kinds import ALL, DAY_S, Day, draw_day

CORRIDOR = Path(__file__).parents[2] / "geo" / "data" / "corridor.geojson"
SAMPLE_S, TRUTH_S = 10, 300


def drive(day: Day, out: Path) -> None:
    """Run the day and write samples of the drives, stays, checks and the true queues."""
    import libsumo as api

    network = read_corridor(CORRIDOR)
    with tempfile.TemporaryDirectory(prefix="cuakhau-day-") as name:
        folder = Path(name)
        net = write_network(network, folder)
        vehicles = (vehicle_xml(network, plan, HOLDS_KM, str(plan.truck), plan.depart_s) for plan in day.plans)
        routes = write_routes(vehicles, folder)
        options = {"--seed": str(day.seed), "--step-length": "1", "--time-to-teleport": "-1", "--no-step-log": "true"}
        more = {"--no-warnings": "true", "--max-depart-delay": "-1", "-n": str(net), "-r": str(routes)}
        api.start(["sumo", *(word for pair in (options | more).items() for word in pair)])
        arrays = _run(api, day, network)
        api.close()
    np.savez(out, **arrays)


def _run(api: Any, day: Day, network: Any) -> dict[str, Any]:
    barriers = make_barriers(api, network, day.seed)
    changes = sorted(day.lane_changes, key=lambda change: change.at_s)
    plans = {str(plan.truck): plan for plan in day.plans}
    bound = {g.gate_id: {name for name, plan in plans.items() if plan.gate == g.gate_id} for g in GATES}
    toward = [e for e in network.edges.values() if e.direction == "to_border"]
    upstream = {g.gate_id: [e for e in toward if e.road == g.road and e.km_low > g.barrier_km - 0.05] for g in GATES}
    behind = {barrier.behind for barrier in barriers}
    yards = {f"{gate.yard_id}-within": gate.yard_id for gate in GATES}
    samples = {name: array("d") for name in ("truck", "t", "x", "y", "speed", "heading", "km")}
    parked: dict[str, tuple[str, float]] = {}
    stays: list[tuple[int, str, float, float]] = []
    ends: list[tuple[int, float]] = []
    truth: list[tuple[float, ...]] = []
    now = 0.0
    while now < DAY_S:
        api.simulationStep()
        now = float(api.simulation.getTime())
        while changes and changes[0].at_s <= now:
            change = changes.pop(0)
            for barrier in barriers:
                if barrier.model.gate_id == change.gate_id:
                    barrier.model = replace(barrier.model, lanes=change.lanes)
        for barrier in barriers:
            barrier.model = replace(barrier.model, service_mean_s=day.service_s(barrier.model.gate_id, now))
            barrier.step(api, now)
        ends += [(int(name), now) for name in api.simulation.getArrivedIDList()]
        for name in api.simulation.getParkingStartingVehiclesIDList():
            edge = api.vehicle.getRoadID(name)
            site = yards.get(edge) or ("barrier" if edge in behind else plans[name].rest_site or "?")
            parked[name] = (site, now)
        for name in api.simulation.getParkingEndingVehiclesIDList():
            site, since = parked.pop(name)
            stays.append((int(name), site, since, now))
        if now % SAMPLE_S:
            continue
        states: dict[str, list[tuple[float, float, str]]] = {}
        for name in api.vehicle.getIDList():
            if name in parked:
                continue
            speed, (x, y) = api.vehicle.getSpeed(name), api.vehicle.getPosition(name)
            edge = network.edges.get(api.vehicle.getRoadID(name))
            km = float("nan")
            if edge is not None:
                share = api.vehicle.getLanePosition(name) / max(1.0, edge.line.length)
                km = edge.km_high - share * (edge.km_high - edge.km_low)
                states.setdefault(edge.edge_id, []).append((km, speed, name))
            row = (float(name), now, x, y, speed, api.vehicle.getAngle(name), km)
            for column, value in zip(samples.values(), row, strict=True):
                column.append(value)
        if now % TRUTH_S == 0:
            queues = [queue_at(upstream[g.gate_id], states, g.barrier_km, bound[g.gate_id]) for g in GATES]
            truth.append((now, *(float(value) for queue in queues for value in queue)))
    stays += [(int(name), site, since, DAY_S) for name, (site, since) in parked.items()]
    starts = [
        (int(name), number, at, service)
        for number, barrier in enumerate(barriers)
        for name, at, service in barrier.starts
    ]
    sites = sorted({site for _, site, _, _ in stays})
    return {name: np.frombuffer(column) for name, column in samples.items()} | {
        "truth": np.array(truth),
        "ends": np.array(ends, float).reshape(-1, 2),
        "stays": np.array([(a, sites.index(s), f, u) for a, s, f, u in stays], float).reshape(-1, 4),
        "sites": np.array(sites),
        "starts": np.array(starts, float).reshape(-1, 4),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=list(ALL))
    parser.add_argument("seed", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--changes", type=Path, help="what an act changes, see bench.days.acts")
    given = parser.parse_args()
    drawn = draw_day(ALL[given.kind], given.seed)
    drive(drawn if given.changes is None else read_changes(drawn, given.changes), given.out)
