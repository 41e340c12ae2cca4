"""Small networks whose behaviour is known: a road to a gate, a bottleneck, a merge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import GatePlace, Link, Network, assemble
from routing.simulation import RunResult, gate_arrays, link_arrays, simulate
from routing.trucks import TruckBatch, sample_fleet

NOTHING = ServiceTime(0.0, 0.0, "deterministic")


def road_to_gate(links: list[Link] | None = None) -> Network:
    """One gate, "g", at node "end"; by default behind one short road without limits of its own."""
    links = links or [Link("road", "start", "end", 10.0, 10.0, 3.6e6, 1_000_000)]
    return assemble(links, [GatePlace("g", "export", "end", ("yard",))])


def gate(
    lanes: int, service: ServiceTime, *, crossing: Server | None = None, dwell: ServiceTime = NOTHING
) -> GateSetting:
    """A gate whose entrance is the server under test."""
    return GateSetting("g", "export", crossing or Server(64, NOTHING), Server(lanes, service), dwell)


def trucks_at(network: Network, times_s: NDArray[np.float64], link: int | NDArray[np.int64] = 0) -> TruckBatch:
    """Trucks that appear at these times at the start of a link, bound for the gate, all equally fast."""
    return TruckBatch.of(0, link, times_s, to_come=True)


def run_gate(
    network: Network,
    setting: GateSetting,
    trucks: TruckBatch,
    *,
    seed: int = 1,
    horizon_s: float = 3600.0,
    step_s: float = 300.0,
    yard_veh: float | None = None,
    limit_s: float = 1e9,
) -> RunResult:
    """One run of trucks through the gate."""
    fleet = sample_fleet(network, trucks, [setting], np.random.default_rng(seed).spawn(3))
    gates = gate_arrays(network, [setting], yard_capacity_veh=None if yard_veh is None else [yard_veh])
    return simulate(link_arrays(network), gates, fleet, horizon_s=horizon_s, step_s=step_s, limit_s=limit_s)


def stay(result: RunResult) -> NDArray[np.float64]:
    """Waiting time of each truck before the entrance."""
    return np.asarray(result.entrance_start_s - result.unhindered_s)
