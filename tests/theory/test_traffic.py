"""The engine's roads against kinematic wave theory; conservation; reproducibility."""

from __future__ import annotations

import numpy as np
import pytest

from geo.corridor import Corridor
from routing.arrays import ARRIVED
from routing.gates import Server, ServiceTime, default_setting, plain_day
from routing.graph import GatePlace, Link, assemble, build_network
from routing.simulation import Closure, ensemble, gate_arrays, link_arrays, simulate
from routing.trucks import TruckBatch, sample_fleet
from tests.theory.bench_network import NOTHING, gate, road_to_gate, run_gate, trucks_at
from tests.theory.queueing import queued_density, shock_speed

FREE = Server(64, NOTHING)


def bottleneck(length_m: float = 10_000.0, narrow_veh_per_h: float = 300.0) -> list[Link]:
    """A road for 1,200 trucks an hour, 100 standing trucks a kilometre, into one for 300."""
    return [
        Link("wide", "start", "narrow", length_m, 15.0, 1200.0, round(length_m / 10.0), 11.0, 1.0),
        Link("narrow", "narrow", "end", 1_000.0, 15.0, narrow_veh_per_h, 100, 1.0, 0.0),
    ]


def test_free_trucks_take_the_free_time() -> None:
    network = road_to_gate(bottleneck())
    times = np.arange(50) * 60.0
    result = run_gate(network, gate(64, NOTHING), trucks_at(network, times))
    np.testing.assert_allclose(result.entrance_start_s - times, 11_000.0 / 15.0)


def test_a_bottleneck_lets_out_its_capacity() -> None:
    network = road_to_gate(bottleneck())
    result = run_gate(network, gate(64, NOTHING), trucks_at(network, np.arange(200) * 4.0))
    np.testing.assert_allclose(np.diff(result.entrance_start_s[5:]), 12.0, atol=1e-6)


def test_the_queue_grows_back_at_the_speed_of_the_shock() -> None:
    """Inflow 600/h meets a gate of 240/h: the tail runs upstream at the Rankine-Hugoniot speed."""
    link = Link("road", "start", "end", 20_000.0, 15.0, 1200.0, 2000, 20.0, 0.0)
    network = road_to_gate([link])
    inflow, outflow = 600 / 3600, 240 / 3600
    service = ServiceTime(1 / outflow, 0.0, "deterministic")
    result = run_gate(
        network, gate(1, service), trucks_at(network, np.arange(3000) / inflow), horizon_s=14400.0, step_s=600.0
    )
    jam = 0.1
    wave = (1200 / 3600) / (jam - (1200 / 3600) / 15.0)
    speed = shock_speed(inflow, inflow / 15.0, outflow, queued_density(outflow, jam, wave))
    assert speed < 0
    began = 20_000.0 / 15.0
    at = np.arange(result.tail_km.shape[1]) * 600.0
    expected_km = -speed * np.maximum(at - began, 0.0) / 1000.0
    late = at > began + 1800.0
    np.testing.assert_allclose(result.tail_km[0, late], expected_km[late], rtol=0.02)


def test_a_full_link_holds_back_the_one_before_it() -> None:
    """Spillback: the short link before the gate fills, then its inflow falls to the gate's rate."""
    links = [
        Link("far", "start", "middle", 5_000.0, 15.0, 1200.0, 500, 6.0, 1.0),
        Link("near", "middle", "end", 1_000.0, 15.0, 1200.0, 100, 1.0, 0.0),
    ]
    network = road_to_gate(links)
    service = ServiceTime(30.0, 0.0, "deterministic")
    result = run_gate(
        network, gate(1, service), trucks_at(network, np.arange(600) * 10.0), horizon_s=5400.0, step_s=300.0
    )
    # Arrivals 360/h, gate 120/h: 240 an hour are left over; the near link holds 100.
    queue = result.queue_veh[0]
    assert queue.max() > 150
    assert result.tail_km[0].max() > 1.3
    # The tail's distance and the number of trucks agree through the density of a queue that moves on.
    wave = (1200 / 3600) / (0.1 - (1200 / 3600) / 15.0)
    density = queued_density(1 / 30.0, 0.1, wave)
    grown = result.tail_km[0] > 0.3
    np.testing.assert_allclose(queue[grown], result.tail_km[0, grown] * 1000.0 * density, rtol=0.06, atol=3.0)


def test_gaps_travel_upstream_at_finite_speed() -> None:
    """A standing queue starts moving truck by truck, each one wave time later than the one before it."""
    link = Link("road", "start", "end", 2_000.0, 10.0, 1200.0, 200, 2.0, 0.0)
    before = Link("before", "origin", "start", 2_000.0, 10.0, 1200.0, 200, 4.0, 2.0)
    network = road_to_gate([before, link])
    n = 210
    on_link = np.array([1] * 200 + [0] * 10)
    place = np.concatenate((np.arange(200), np.arange(10))) * 10.0
    trucks = TruckBatch.of(0, on_link, place / 10.0)
    service = ServiceTime(20.0, 0.0, "deterministic")
    result = run_gate(network, gate(1, service), trucks, horizon_s=1200.0, step_s=1.0)
    wave = (1200 / 3600) / (0.1 - (1200 / 3600) / 10.0)
    # Trucks of the full link are taken every 20 s; the link behind it can send its first one only
    # when the gap of the first departure has come 2 km upstream.
    standing_behind = result.queue_veh[0]
    assert standing_behind[0] == n
    first_move = 2_000.0 / wave
    entered = result.entrance_start_s[200]
    assert entered == pytest.approx(200 * 20.0, abs=1e-6)
    assert first_move > 200.0


def test_a_merge_shares_by_priority() -> None:
    links = [
        Link("main", "a", "m", 3_000.0, 15.0, 1200.0, 300),
        Link("side", "b", "m", 3_000.0, 15.0, 600.0, 300),
        Link("joint", "m", "end", 3_000.0, 15.0, 600.0, 300),
    ]
    network = road_to_gate(links)
    n = 400
    trucks = trucks_at(network, np.repeat(np.arange(n) * 3.0, 2), np.tile([0, 1], n))
    result = run_gate(network, gate(64, NOTHING), trucks)
    first = np.argsort(result.entrance_start_s)[50:350]
    share = (first % 2 == 0).mean()
    # 600/h leave; the side road's 600/h wish and the main road's 1,200/h share 1 : 2.
    assert share == pytest.approx(2 / 3, abs=0.02)


def test_a_closed_road_holds_and_lets_go() -> None:
    network = road_to_gate(bottleneck())
    setting = gate(64, NOTHING)
    trucks = trucks_at(network, np.arange(50) * 30.0)
    fleet = sample_fleet(network, trucks, [setting], np.random.default_rng(1).spawn(3))
    links = link_arrays(network)
    links.closed_from_s[1], links.closed_to_s[1] = 0.0, 3600.0
    result = simulate(links, gate_arrays(network, [setting]), fleet, horizon_s=7200.0)
    assert result.entrance_start_s.min() == pytest.approx(3600.0 + 1000.0 / 15.0)
    assert result.left_veh == 50


def crowd(network, n: int, seed: int):
    """A mixed crowd on the real corridor: on the road, to come, in yards, held, both directions."""
    rng = np.random.default_rng(seed)
    gates = rng.integers(0, len(network.gates), n)
    origin = network.origins[0]
    link = np.array([origin if g < 2 else network.gate_feeder[network.gate_feeder_start[g]] for g in gates])
    on_road = (gates < 2) & (rng.uniform(size=n) < 0.4)
    for i in np.flatnonzero(on_road):
        link[i] = rng.choice(network.path(origin, int(gates[i])))
    in_yard = (gates < 2) & ~on_road & (rng.uniform(size=n) < 0.2)
    link[in_yard] = -1
    staging = list(network.staging_link.values())
    held = (gates < 2) & (rng.uniform(size=n) < 0.2) & ~in_yard
    hold_link = np.where(held, rng.choice(staging, n), -1)
    trucks = TruckBatch.of(
        gates,
        link,
        rng.uniform(0, 14400, n) * np.where(on_road, 0.1, 1.0),
        to_come=~on_road & ~in_yard,
        slowness=np.exp(rng.normal(0, 0.1, n)),
        hold_link=hold_link,
        hold_until_s=np.where(held, rng.uniform(0, 20000, n), 0.0),
    )
    settings = [default_setting(g.gate_id, g.direction) for g in network.gates]
    return trucks, settings, rng


@pytest.fixture(scope="module")
def network(corridor: Corridor):
    return build_network(corridor)


@pytest.mark.parametrize("seed", range(12))
def test_no_truck_is_lost_or_made(network, seed: int) -> None:
    trucks, settings, rng = crowd(network, 800, seed)
    fleet = sample_fleet(network, trucks, settings, rng.spawn(3))
    gates = gate_arrays(network, settings, yard_capacity_veh=[30, 20], start=plain_day(float(rng.uniform(0, 86400))))
    closure = Closure(int(rng.integers(5, 60)), 1000.0, 9000.0)
    links = link_arrays(network, closures=[closure])
    cut = simulate(links, gates, fleet, horizon_s=7200.0, limit_s=0.0)
    # `simulate` itself raises when the books do not balance; here is what they say in the middle and at the end.
    assert cut.left_veh + cut.inside_veh == cut.appeared_veh <= 800
    whole = simulate(links, gates, fleet, horizon_s=7200.0)
    assert whole.left_veh == whole.appeared_veh == 800
    assert np.isfinite(whole.exit_s).all()
    at_first = np.bincount(trucks.gate[trucks.link < 0], minlength=2)[:2]
    assert (whole.occupancy_veh[:2].max(axis=1) <= np.maximum([30, 20], at_first)).all()
    driving = (trucks.gate < 2) & (trucks.link >= 0)
    assert (whole.entrance_start_s[driving] >= whole.unhindered_s[driving] - 1e-6).all()


@pytest.mark.parametrize("seed", range(6))
def test_how_often_samples_are_taken_changes_nothing(network, seed: int) -> None:
    """Who stands is counted on from the sample before; a count from the beginning says the same."""
    trucks, settings, rng = crowd(network, 900, seed)
    fleet = sample_fleet(network, trucks, settings, rng.spawn(3))
    links, gates = link_arrays(network), gate_arrays(network, settings, yard_capacity_veh=[30, 20])
    often = simulate(links, gates, fleet, horizon_s=14400.0, step_s=60.0)
    assert often.queue_veh[:2].max() > 100.0
    for every in (5, 60, 240):
        seldom = simulate(links, gates, fleet, horizon_s=14400.0, step_s=60.0 * every)
        np.testing.assert_array_equal(seldom.queue_veh, often.queue_veh[:, ::every])
        np.testing.assert_array_equal(seldom.tail_km, often.tail_km[:, ::every])
        np.testing.assert_array_equal(seldom.wait_s, often.wait_s[:, ::every])


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_ends_with_the_last_start_tells_the_same_of_queues(network, seed: int) -> None:
    trucks, settings, rng = crowd(network, 600, seed)
    fleet = sample_fleet(network, trucks, settings, rng.spawn(3))
    links, gates = link_arrays(network), gate_arrays(network, settings, yard_capacity_veh=[30, 20])
    whole = simulate(links, gates, fleet, horizon_s=7200.0)
    short = simulate(links, gates, fleet, horizon_s=7200.0, until_started=True)
    for name in ("queue_veh", "wait_s", "tail_km", "occupancy_veh", "on_road_veh", "entrance_start_s", "unhindered_s"):
        np.testing.assert_array_equal(getattr(short, name), getattr(whole, name))
    assert short.appeared_veh == whole.appeared_veh == whole.left_veh
    assert short.left_veh < whole.left_veh
    last_s = max(7200.0, float(whole.entrance_start_s[np.isfinite(whole.entrance_start_s)].max()))
    np.testing.assert_array_equal(short.exit_s[whole.exit_s < last_s], whole.exit_s[whole.exit_s < last_s])


def test_equal_seeds_give_equal_bits_with_one_thread_or_many(network) -> None:
    trucks, settings, _ = crowd(network, 500, 3)
    links, gates = link_arrays(network), gate_arrays(network, settings, yard_capacity_veh=[40, 40])

    def one(number: int) -> bytes:
        fleet = sample_fleet(network, trucks, settings, np.random.default_rng([7, number]).spawn(3))
        result = simulate(links, gates, fleet, horizon_s=7200.0)
        return result.exit_s.tobytes() + result.wait_s.tobytes() + result.queue_veh.tobytes()

    alone = ensemble(one, 12, threads=1)
    assert ensemble(one, 12, threads=4) == alone
    assert len(set(alone)) == 12


def test_cost_per_truck_does_not_grow(network) -> None:
    """Ten times the trucks take about ten times the time of the processor."""
    from time import thread_time  # of this thread alone, so that other work on the machine does not count

    settings = [default_setting(g.gate_id, g.direction) for g in network.gates]
    links, gates = link_arrays(network), gate_arrays(network, settings)

    def cost(n: int) -> float:
        trucks, _, rng = crowd(network, n, 1)
        fleet = sample_fleet(network, trucks, settings, rng.spawn(3))
        best = np.inf
        for _ in range(5):
            began = thread_time()
            simulate(links, gates, fleet, horizon_s=3600.0)
            best = min(best, thread_time() - began)
        return best / n

    cost(100)
    assert cost(20_000) < 5.0 * cost(2_000)


def test_alternative_ways_are_known_to_the_engine() -> None:
    links = [
        Link("a", "s", "x", 1000.0, 10.0, 1000.0, 100),
        Link("short", "x", "end", 1000.0, 10.0, 1000.0, 100),
        Link("long", "x", "y", 3000.0, 10.0, 1000.0, 300),
        Link("back", "y", "end", 1000.0, 10.0, 1000.0, 100),
    ]
    network = assemble(links, [GatePlace("g", "export", "end")])
    assert network.next_hop[0, 0] == 1
    assert network.next_hop[1, 0] == ARRIVED
    assert network.path(2, 0) == [2, 3]
