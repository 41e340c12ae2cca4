"""A yard's entrance and exit are servers: against Lindley's recursion, which is exact for every truck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import GatePlace, Link, Network, assemble
from routing.simulation import gate_arrays, link_arrays, simulate
from routing.trucks import TruckBatch, sample_fleet
from tests.theory.bench_network import NOTHING, gate, road_to_gate, run_gate, trucks_at

CHECK_S = 20.0
ROAD_S = 1.0


def with_yard(entrance_s: float, exit_s: float) -> Network:
    return replace(road_to_gate(), yard_headway_s=np.array([[entrance_s], [exit_s]]))


def lindley(ready_s: NDArray[np.float64], headway_s: float) -> NDArray[np.float64]:
    """When a server that takes one customer every `headway_s` takes each, in order of coming."""
    taken = np.empty_like(ready_s)
    before = -np.inf
    for i, ready in enumerate(ready_s):
        before = taken[i] = max(ready, before + headway_s)
    return taken


@pytest.mark.parametrize("headway_s", [5.0, 30.0, 61.5])
def test_a_yards_entrance_takes_one_after_the_other(headway_s: float) -> None:
    """More lanes than the entrance can follow: trucks wait in them, and then on the road."""
    network = with_yard(headway_s, 0.0)
    times = np.cumsum(np.random.default_rng(3).exponential(25.0, 200))
    setting = gate(64, ServiceTime(CHECK_S, 0.0, "deterministic"))
    result = run_gate(network, setting, trucks_at(network, times))
    np.testing.assert_allclose(result.yard_in_s, lindley(times + ROAD_S + CHECK_S, headway_s), rtol=0, atol=1e-6)
    assert result.left_veh == 200


def test_who_waits_for_the_entrance_holds_a_lane() -> None:
    network = with_yard(60.0, 0.0)
    result = run_gate(network, gate(1, ServiceTime(CHECK_S, 0.0, "deterministic")), trucks_at(network, np.zeros(50)))
    np.testing.assert_allclose(np.diff(result.yard_in_s), 60.0)
    np.testing.assert_allclose(result.entrance_start_s[1:], result.yard_in_s[:-1])


@pytest.mark.parametrize("headway_s", [10.0, 45.0, 80.0])
def test_a_yards_exit_lets_out_one_after_the_other(headway_s: float) -> None:
    network = with_yard(0.0, headway_s)
    times = np.cumsum(np.random.default_rng(4).exponential(40.0, 300))
    dwell = ServiceTime(600.0, 0.8, "lognormal")
    result = run_gate(network, gate(64, NOTHING, dwell=dwell), trucks_at(network, times), seed=9)
    stays = run_gate(road_to_gate(), gate(64, NOTHING, dwell=dwell), trucks_at(network, times), seed=9).exit_s
    np.testing.assert_allclose(np.sort(result.exit_s), lindley(np.sort(stays), headway_s), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("entrance_s", "exit_s"), [(30.0, 60.0), (60.0, 30.0), (0.0, 60.0), (60.0, 0.0)])
def test_a_small_yard_works_at_the_pace_of_its_slower_side(entrance_s: float, exit_s: float) -> None:
    network = with_yard(entrance_s, exit_s)
    trucks = trucks_at(network, np.arange(120) * 10.0)
    setting = gate(3, ServiceTime(CHECK_S, 0.0, "deterministic"), dwell=ServiceTime(90.0, 0.0, "deterministic"))
    result = run_gate(network, setting, trucks, yard_veh=4, horizon_s=9000.0, step_s=5.0)
    assert result.left_veh == 120
    assert result.occupancy_veh[0].max() <= 4
    assert np.diff(np.sort(result.exit_s))[20:].mean() == pytest.approx(60.0, abs=1.0)


def test_gates_that_share_a_yard_wait_for_its_one_entrance() -> None:
    links = [Link(f"road {g}", f"start {g}", f"end {g}", 10.0, 10.0, 3.6e6, 1_000_000) for g in "ab"]
    places = [GatePlace(g, "export", f"end {g}", ("yard",)) for g in "ab"]
    network = replace(assemble(links, places), yard_headway_s=np.array([[30.0], [0.0]]))
    service = ServiceTime(CHECK_S, 0.0, "deterministic")
    settings = [GateSetting(g, "export", Server(64, NOTHING), Server(2, service), NOTHING) for g in "ab"]
    which = np.arange(100) % 2
    trucks = TruckBatch.of(which, which, np.zeros(100), to_come=True)
    fleet = sample_fleet(network, trucks, settings, np.random.default_rng(1).spawn(3))
    result = simulate(link_arrays(network), gate_arrays(network, settings), fleet, horizon_s=3600.0)
    np.testing.assert_allclose(np.diff(np.sort(result.yard_in_s)), 30.0)
    assert abs(int((result.yard_in_s[which == 0] < 1500.0).sum()) - 25) <= 2
