"""The engine's gate against the closed formulas of queueing theory; seeds fixed."""

from __future__ import annotations

import numpy as np
import pytest

from geo.opening_hours import OpeningHours
from routing.gates import Server, ServiceTime
from tests.theory.bench_network import NOTHING, gate, road_to_gate, run_gate, stay, trucks_at
from tests.theory.queueing import Steady, md1, mg1, mm1, mmc, peak

MEAN_S = 60.0
REPLICATIONS = 30
TRUCKS = 6000
WARM_UP = 1000


def simulated_waits(lanes: int, service: ServiceTime, arrivals_veh_per_s: float) -> np.ndarray:
    """Mean wait of each replication, the start left out."""
    network = road_to_gate()
    means = []
    for seed in range(REPLICATIONS):
        rng = np.random.default_rng(seed)
        times = np.cumsum(rng.exponential(1.0 / arrivals_veh_per_s, TRUCKS))
        result = run_gate(network, gate(lanes, service), trucks_at(network, times), seed=seed + 1000)
        means.append(stay(result)[WARM_UP:].mean())
    return np.array(means)


@pytest.mark.parametrize(
    ("lanes", "service", "load", "theory"),
    [
        (1, ServiceTime(MEAN_S, 1.0, "exponential"), 0.7, lambda a: mm1(a, MEAN_S)),
        (3, ServiceTime(MEAN_S, 1.0, "exponential"), 0.8, lambda a: mmc(a, MEAN_S, 3)),
        (1, ServiceTime(MEAN_S, 0.0, "deterministic"), 0.8, lambda a: md1(a, MEAN_S)),
        (1, ServiceTime(MEAN_S, 0.5, "gamma"), 0.75, lambda a: mg1(a, MEAN_S, 0.5)),
        (1, ServiceTime(MEAN_S, 0.8, "lognormal"), 0.7, lambda a: mg1(a, MEAN_S, 0.8)),
    ],
    ids=["M/M/1", "M/M/3", "M/D/1", "M/G/1 gamma", "M/G/1 lognormal"],
)
def test_mean_wait_lies_within_the_confidence_interval(lanes, service, load, theory) -> None:
    arrivals = load * lanes / MEAN_S
    expected: Steady = theory(arrivals)
    means = simulated_waits(lanes, service, arrivals)
    # 99.9 % interval of the mean of independent replications; and tight enough to mean something.
    half = 3.66 * means.std(ddof=1) / np.sqrt(REPLICATIONS)
    assert abs(means.mean() - expected.wait_s) < half
    assert half < 0.12 * expected.wait_s


def test_a_peak_against_a_constant_gate_is_exact() -> None:
    """D/D/1: 120 trucks an hour for an hour against 60 an hour, then 30 an hour."""
    capacity, rush, after = 1 / 60, 1 / 30, 1 / 120
    times = np.concatenate((np.arange(120) / rush, 3600.0 + np.arange(200) / after))
    network = road_to_gate()
    service = ServiceTime(1 / capacity, 0.0, "deterministic")
    result = run_gate(network, gate(1, service), trucks_at(network, times), horizon_s=14400.0, step_s=60.0)
    start = result.entrance_start_s
    # Lindley's recursion is the exact answer for every single truck.
    expected = np.empty(times.size)
    free_at = 0.0
    for i, t in enumerate(times + 1.0):
        expected[i] = max(t, free_at)
        free_at = expected[i] + 60.0
    np.testing.assert_array_equal(start, expected)
    # And the fluid formula is met within the one truck that a whole number of trucks can differ.
    fluid = peak(rush, after, capacity, 3600.0)
    assert abs(result.queue_veh[0].max() - fluid.longest_veh) <= 1.0
    assert abs(stay(result).max() - fluid.longest_wait_s) <= 60.0
    assert abs(stay(result).sum() - fluid.delay_truck_s) <= 0.03 * fluid.delay_truck_s


def test_the_reported_wait_is_what_a_truck_joining_then_has() -> None:
    capacity, rush = 1 / 60, 1 / 30
    times = np.arange(240) / rush
    network = road_to_gate()
    service = ServiceTime(1 / capacity, 0.0, "deterministic")
    result = run_gate(network, gate(1, service), trucks_at(network, times), horizon_s=7200.0, step_s=600.0)
    for i in range(1, 12):
        joined = np.searchsorted(times + 1.0, i * 600.0)
        real = result.entrance_start_s[joined] - (times[joined] + 1.0)
        assert abs(result.wait_s[0, i] - real) <= 60.0


def test_littles_law_holds_in_a_run() -> None:
    """Time average of trucks before the entrance = arrivals × mean wait, sampled every 20 s."""
    arrivals = 0.8 / MEAN_S
    times = np.cumsum(np.random.default_rng(5).exponential(1.0 / arrivals, TRUCKS))
    network = road_to_gate()
    horizon = float(times[-1])
    result = run_gate(
        network,
        gate(1, ServiceTime(MEAN_S, 1.0, "exponential")),
        trucks_at(network, times),
        horizon_s=horizon - horizon % 20.0,
        step_s=20.0,
    )
    # The queue counts those in service as well.
    seen = result.queue_veh[0].mean()
    spent = np.minimum(result.yard_in_s, horizon) - np.minimum(result.unhindered_s, horizon)
    assert seen == pytest.approx(spent.sum() / horizon, rel=0.01)


def test_two_stations_with_blocking_match_the_markov_chain() -> None:
    """M → ·/M/1 → one place → ·/M/1: the entrance is blocked while the yard's single place is taken.

    Saturated entrance, service rate m at both stations, the truck in the yard's place being served there: the chain
    has states (entrance busy, yard idle), (busy, busy), (blocked, busy), each step at rate m, so the throughput is
    2/3 m (Gross et al. 2008, section 4.2.1, tandem with blocking).
    """
    network = road_to_gate()
    service = ServiceTime(MEAN_S, 1.0, "exponential")
    setting = gate(1, service, crossing=Server(1, NOTHING), dwell=service)
    n = 40_000
    result = run_gate(network, setting, trucks_at(network, np.zeros(n)), seed=3, yard_veh=1.0)
    throughput = n / result.exit_s.max()
    assert throughput * MEAN_S == pytest.approx(2 / 3, rel=0.015)


def test_a_closed_gate_serves_nobody_and_opens_on_time() -> None:
    network = road_to_gate()
    service = ServiceTime(60.0, 0.0, "deterministic")
    hours = Server(1, service, OpeningHours.parse("08:00–09:00"))
    setting = gate(1, service)
    setting = type(setting)("g", "export", setting.crossing, hours, setting.dwell)
    times = np.zeros(100)
    # The run begins at local midnight.
    result = run_gate(network, setting, trucks_at(network, times), horizon_s=86400.0, limit_s=5 * 86400.0)
    start = result.entrance_start_s
    assert start.min() == 8 * 3600.0
    of_day = start % 86400.0
    assert ((of_day >= 8 * 3600.0) & (of_day < 9 * 3600.0)).all()
    assert (start < 86400.0).sum() == 60
    # A truck that joins these hundred after five minutes is the 41st of the second day.
    assert result.wait_s[0, 1] == pytest.approx(86400.0 + 8 * 3600.0 + 40 * 60.0 - 300.0, abs=61.0)
