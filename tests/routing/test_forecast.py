"""State → ensemble → quantiles, on the shipped corridor; and the queue measured from positions."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from geo.opening_hours import OpeningHours
from routing.demand import CorridorState, DemandModel, arrival_posterior
from routing.forecast import forecast
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import Network, build_network
from routing.measure import distance_to_gate, measure_queues, queued_roads
from routing.series import rank_quantiles, reached_quantiles
from routing.simulation import Closure

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""10:00 in Lạng Sơn."""
FAST = {"runs": 24, "seed": 11}


@pytest.fixture(scope="module")
def network(corridor: Corridor) -> Network:
    return build_network(corridor)


def on_the_road(network: Network, n: int, seed: int = 0, *, km: tuple[float, float] = (10.0, 110.0)) -> dict:
    """n trucks driving toward Hữu Nghị between two kilometres."""
    rng = np.random.default_rng(seed)
    path = network.path(network.origins[0], 0)
    roads = np.array([r for i in path for r in network.links[i].roads])
    km_to = np.array([network.road_place[r][1] for r in roads])
    roads = roads[(km_to >= km[0]) & (km_to <= km[1])]
    road = rng.choice(roads, n)
    return {
        "road_id": road,
        "offset_m": rng.uniform(0, 1, n) * network.road_length_m[road],
        "speed_mps": np.full(n, 14.0),
        "gate": np.zeros(n, np.int64),
        "age_s": np.full(n, 20.0),
    }


def standing(network: Network, n: int, spacing_m: float = 15.0) -> dict:
    """n trucks standing one behind the other before Hữu Nghị."""
    path = network.path(network.origins[0], 0)
    roads = [r for i in path for r in network.links[i].roads][::-1]
    ends = np.concatenate(([0.0], np.cumsum(network.road_length_m[roads])))
    back = 5.0 + np.arange(n) * spacing_m
    at = np.searchsorted(ends, back, side="right") - 1
    road = np.array(roads)[at]
    return {
        "road_id": road,
        "offset_m": network.road_length_m[road] - (back - ends[at]),
        "speed_mps": np.zeros(n),
        "gate": np.zeros(n, np.int64),
    }


def both(a: dict, b: dict) -> dict:
    return {k: np.concatenate([a[k], b[k]]) for k in a.keys() & b.keys()}


def slow_gate(mean_s: float = 120.0) -> tuple[GateSetting, ...]:
    """A gate whose entrance is the bottleneck: one truck in `mean_s`."""
    return (GateSetting("huu-nghi", "export", Server(8, ServiceTime(10.0, 0.2)), Server(1, ServiceTime(mean_s, 0.3))),)


def test_shape_order_and_record(network: Network) -> None:
    found = forecast(network, CorridorState(made_at=NOW, **on_the_road(network, 300)), **FAST)
    assert found.queue_veh.shape == found.wait_s.shape == found.tail_km.shape == (3, 2, 73)
    assert found.occupancy_veh.shape == (3, 2, 73)
    assert found.truck_entrance_s.shape == (3, 300)
    for values in (found.queue_veh, found.wait_s, found.tail_km, found.occupancy_veh):
        assert np.isfinite(values).all()
        assert (np.diff(values, axis=0) >= 0).all()
    assert (found.truck_entrance_s[0] <= found.truck_entrance_s[2]).all()
    record = json.loads(json.dumps(found.to_record(), allow_nan=False))
    assert len(record["gates"]["huu-nghi"]["wait_s"][1]) == 73
    assert record["seed"] == 11


def test_behind_the_barrier_trucks_drive_on_to_where_they_are_served(network: Network) -> None:
    """A place nearer the border than the network ends is reached so much later; the wait stays the same."""
    trucks = on_the_road(network, 40, km=(30.0, 110.0)) | {"gate": np.arange(40) % 2}
    last = int(network.gate_feeder[network.gate_feeder_start[0]])
    served_km = np.array([network.tail_km[0, last] - 0.3, np.nan])
    at_end = forecast(network, CorridorState(made_at=NOW, **trucks), **FAST)
    later = forecast(network, CorridorState(made_at=NOW, served_km=served_km, **trucks), **FAST)
    more_s = np.where(trucks["gate"] == 0, 300.0 / network.free_speed_mps[last], 0.0)
    assert np.isfinite(at_end.truck_entrance_s).all()
    np.testing.assert_allclose(later.truck_entrance_s - at_end.truck_entrance_s - more_s, 0.0, atol=0.02)
    np.testing.assert_allclose(later.truck_free_s - at_end.truck_free_s - more_s, 0.0, atol=0.02)


def test_whom_the_measured_queue_does_not_count_the_forecast_does_not_count(network: Network) -> None:
    """Behind the barrier four lanes check a truck in four minutes each: those in them do not wait, and are there."""
    gate = (GateSetting("huu-nghi", "export", Server(8, ServiceTime(1.0)), Server(4, ServiceTime(240.0, 0.0))),)
    last = int(network.gate_feeder[network.gate_feeder_start[0]])
    beyond_km = np.array([network.tail_km[0, last] - 0.04, np.nan])
    model = {"model": DemandModel(undeclared_factor=0.0, service_strength_veh=1e9)}
    long = CorridorState(made_at=NOW, **standing(network, 80), gate_settings=gate, served_km=beyond_km)
    found = forecast(network, long, **FAST, **model, horizon_s=3600.0)
    # Sixty trucks an hour go in from the first minute on, and not four at once.
    expected = 80.0 - np.arange(13) * 5.0
    np.testing.assert_allclose(found.queue_veh[1, 0], expected, atol=1.5)
    at_end = forecast(network, replace(long, served_km=None), **FAST, **model, horizon_s=3600.0)
    assert at_end.queue_veh[1, 0, 1] == 76, "where the queue counts its first trucks while they are checked"
    # Thirty an hour keep two of the four lanes busy, and nobody waits.
    few = CorridorState(
        made_at=NOW, declared_s=600.0 + np.arange(40) * 120.0, declared_gate=np.zeros(40, np.int64), gate_settings=gate
    )
    model = {"model": DemandModel(undeclared_factor=0.0, service_strength_veh=1e9, lateness_sd_s=1.0, show_up=1.0)}
    nobody = forecast(network, replace(few, served_km=beyond_km), **FAST, **model, horizon_s=5400.0)
    in_lanes = forecast(network, few, **FAST, **model, horizon_s=5400.0)
    assert nobody.queue_veh[2, 0].max() == 0
    assert in_lanes.queue_veh[1, 0].max() >= 2


def test_a_lane_that_is_busy_when_its_gate_has_stopped_loses_nobody(network: Network) -> None:
    gate = (GateSetting("huu-nghi", "export", Server(8, ServiceTime(1.0)), Server(4, ServiceTime(1e7, 0.0))),)
    last = int(network.gate_feeder[network.gate_feeder_start[0]])
    state = CorridorState(
        made_at=NOW,
        **standing(network, 30),
        gate_settings=gate,
        served_km=np.array([network.tail_km[0, last] - 0.04, np.nan]),
    )
    model = DemandModel(undeclared_factor=0.0, service_strength_veh=1e9)
    found = forecast(network, state, **FAST, model=model, horizon_s=3600.0)
    assert (found.queue_veh[1, 0] == 30).all()


def test_an_empty_corridor_is_a_forecast_too(network: Network) -> None:
    found = forecast(network, CorridorState(made_at=NOW), **FAST)
    assert (found.queue_veh[:, :, 0] == 0).all()
    assert found.truck_entrance_s.shape == (3, 0)


def test_equal_seeds_give_equal_bits_with_any_number_of_threads(network: Network) -> None:
    state = CorridorState(
        made_at=NOW, **on_the_road(network, 200), declared_s=np.arange(40) * 600.0, declared_gate=np.tile([0, -1], 20)
    )
    expected = forecast(network, state, runs=12, seed=5, threads=1)
    many = forecast(network, state, runs=12, seed=5, threads=4)
    other = forecast(network, state, runs=12, seed=6)
    for name in ("queue_veh", "wait_s", "tail_km", "occupancy_veh", "truck_entrance_s"):
        assert getattr(expected, name).tobytes() == getattr(many, name).tobytes()
    assert expected.queue_veh.tobytes() != other.queue_veh.tobytes()


def test_three_hundred_trucks_upstream_change_it(network: Network) -> None:
    few = CorridorState(made_at=NOW, **on_the_road(network, 100), gate_settings=slow_gate())
    more = CorridorState(
        made_at=NOW,
        **both(on_the_road(network, 100), on_the_road(network, 300, 1, km=(20.0, 60.0))),
        gate_settings=slow_gate(),
    )
    before, after = forecast(network, few, **FAST), forecast(network, more, **FAST)
    assert after.queue_veh[1, 0].max() > before.queue_veh[1, 0].max() + 150
    assert after.wait_s[1, 0].max() > before.wait_s[1, 0].max() + 3600.0
    assert after.tail_km[1, 0].max() > before.tail_km[1, 0].max() + 1.0


def test_it_starts_from_the_queue_that_stands_there(network: Network) -> None:
    state = CorridorState(made_at=NOW, **standing(network, 80, 10.0), gate_settings=slow_gate())
    found = forecast(network, state, **FAST)
    # In every run, fast or slow, and over the border between two links.
    assert found.queue_veh[:, 0, 0] == pytest.approx([80, 80, 80], abs=1)
    long = forecast(network, CorridorState(made_at=NOW, **standing(network, 300, 12.0)), **FAST)
    assert long.queue_veh[:, 0, 0] == pytest.approx([300, 300, 300], abs=2)
    assert long.tail_km[1, 0, 0] == pytest.approx(1.05 + 3.6, abs=0.15)
    # One truck in two minutes: 80 trucks wait about 160 minutes.
    assert found.wait_s[1, 0, 0] == pytest.approx(80 * 120.0, rel=0.15)
    assert found.wait_s[0, 0, 0] < found.wait_s[1, 0, 0] < found.wait_s[2, 0, 0]


def test_trucks_held_at_a_staging_area_come_later(network: Network) -> None:
    trucks = on_the_road(network, 60, km=(60.0, 80.0))
    free = forecast(network, CorridorState(made_at=NOW, **trucks), **FAST)
    held = forecast(network, CorridorState(made_at=NOW, **trucks, hold_until_s=np.full(60, 14400.0)), **FAST)
    assert (held.truck_entrance_s[0] > 14400.0).all()
    assert (free.truck_entrance_s[2] < 14400.0).all()


def test_a_truck_resting_by_the_road_does_not_hold_up_those_behind(network: Network) -> None:
    trucks = on_the_road(network, 60, km=(40.0, 80.0))
    trucks["speed_mps"][::2] = 0.0
    found = forecast(network, CorridorState(made_at=NOW, **trucks), **FAST)
    moving = forecast(network, CorridorState(made_at=NOW, **on_the_road(network, 60, km=(40.0, 80.0))), **FAST)
    later = found.truck_entrance_s[1] - moving.truck_entrance_s[1]
    assert later[::2].mean() > 500.0
    assert abs(later[1::2].mean()) < 120.0


def test_a_full_yard_backs_up_onto_the_road(network: Network) -> None:
    settings = (GateSetting("huu-nghi", "export", Server(1, ServiceTime(600.0, 0.5)), dwell=ServiceTime(600.0, 0.5)),)
    state = CorridorState(
        made_at=NOW,
        **on_the_road(network, 200, km=(3.0, 60.0)),
        gate_settings=settings,
        yard_inside_veh=np.array([20.0, 0.0]),
        yard_capacity_veh=np.array([25.0, 1000.0]),
    )
    found = forecast(network, state, **FAST)
    assert found.occupancy_veh[1, 0, 0] == 20
    assert found.occupancy_veh[2, 0].max() == 25
    assert found.queue_veh[1, 0].max() > 100


def test_the_night_is_waited_out(network: Network) -> None:
    settings = (
        GateSetting(
            "huu-nghi",
            "export",
            Server(4, ServiceTime(60.0, 0.5)),
            Server(2, ServiceTime(60.0, 0.5), OpeningHours.parse("07:00–19:00")),
        ),
    )
    evening = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)  # 21:00 in Lạng Sơn
    found = forecast(network, CorridorState(made_at=evening, gate_settings=settings), **FAST)
    assert found.wait_s[1, 0, 0] == pytest.approx(10 * 3600.0, abs=120.0)


def test_a_closed_road_lets_nobody_through(network: Network, corridor: Corridor) -> None:
    before_gate = [i for i, r in enumerate(corridor.roads) if r.road == "QL1A" and r.direction == "to_border"]
    closed = min(before_gate, key=lambda i: abs(corridor.roads[i].km_from - 4.0))
    closure = Closure(closed, 0.0, 18000.0)
    state = CorridorState(made_at=NOW, **on_the_road(network, 50, km=(20.0, 60.0)), closures=(closure,))
    found = forecast(network, state, **FAST)
    assert (found.truck_entrance_s[0] > 18000.0).all()


def test_what_was_observed_moves_the_pace_and_narrows_it(network: Network) -> None:
    base = {**standing(network, 60, 10.0)}
    settings = (GateSetting("huu-nghi", "export", Server(1, ServiceTime(300.0, 0.5)), dwell=ServiceTime(0.0, 0.0)),)
    common = {"gate_settings": settings, "yard_capacity_veh": np.array([1.0, 1000.0])}
    prior = forecast(network, CorridorState(made_at=NOW, **base, **common), **FAST)
    learned = forecast(
        network,
        CorridorState(
            made_at=NOW, **base, **common, served_veh={"huu-nghi": 400.0}, busy_lane_s={"huu-nghi": 400 * 150.0}
        ),
        **FAST,
    )
    assert learned.wait_s[1, 0, 0] < 0.7 * prior.wait_s[1, 0, 0]


def test_arrival_rates_shrink_to_the_prior() -> None:
    prior = np.array([6.0])
    rng = np.random.default_rng(1)
    posteriors = [arrival_posterior(recent, prior, 3.0) for recent in (None, np.full((1, 6), 30.0))]
    none, busy = (rng.standard_gamma(shape[0], 4000) / hours[0] for shape, hours in posteriors)
    assert none.mean() == pytest.approx(6.0, rel=0.03)
    assert 15.0 < busy.mean() < 25.0
    assert busy.std() / busy.mean() < none.std() / none.mean()


def test_an_impossible_forecast_is_refused(network: Network) -> None:
    with pytest.raises(InvalidInputError, match="empty"):
        forecast(network, CorridorState(made_at=NOW), runs=0, seed=1)


def test_quantiles_cover_what_then_happens(network: Network) -> None:
    """Runs of the model itself with fresh seeds fall into its 80 % interval about 80 % of the time."""
    state = CorridorState(made_at=NOW, **on_the_road(network, 250), gate_settings=slow_gate())
    found = forecast(network, state, runs=150, seed=1)
    truth = np.stack([forecast(network, state, runs=1, seed=1000 + i).queue_veh[1, 0] for i in range(60)])
    uncertain = found.queue_veh[2, 0] - found.queue_veh[0, 0] > 5
    inside = (truth >= found.queue_veh[0, 0]) & (truth <= found.queue_veh[2, 0])
    assert 0.68 < inside[:, uncertain].mean() < 0.92


def test_the_measured_queue_is_the_contiguous_one(network: Network) -> None:
    trucks = both(standing(network, 60, 20.0), on_the_road(network, 40, km=(20.0, 60.0)))
    # Some way behind the queue stands a truck by the road.
    trucks["speed_mps"][-1] = 0.0
    state = CorridorState(made_at=NOW, **trucks)
    queue = measure_queues(network, state)
    assert queue.queue_veh[0] == 60
    assert queue.queue_veh[1] == 0
    assert queue.tail_km[0] == pytest.approx(1.05 + (5.0 + 59 * 20.0) / 1000.0, abs=0.02)
    assert (queue.member[:60] == 0).all()
    assert (queue.member[60:] == -1).all()
    assert queue.speed_mps[0] == 0.0
    assert np.isnan(queue.speed_mps[1])
    roads = queued_roads(network, queue)
    assert roads[state.road_id[:60]].all()
    assert roads.sum() <= 3


def test_held_trucks_and_yards_are_no_queue(network: Network) -> None:
    trucks = standing(network, 30)
    hold = np.full(30, np.nan)
    hold[10:] = 3600.0
    queue = measure_queues(network, CorridorState(made_at=NOW, **trucks, hold_until_s=hold))
    assert queue.queue_veh[0] == 10
    assert measure_queues(network, CorridorState(made_at=NOW)).queue_veh.tolist() == [0.0, 0.0]


def test_distance_is_infinite_where_no_way_leads(network: Network) -> None:
    inland = np.flatnonzero(~network.road_to_border)[:3]
    assert np.isinf(distance_to_gate(network, inland, np.zeros(3), 0)).all()


def test_two_thousand_trucks_stay_quick(network: Network) -> None:
    state = CorridorState(made_at=NOW, **on_the_road(network, 2000), declared_s=np.zeros(0))
    forecast(network, state, runs=2, seed=1)
    began_s = time.process_time()
    forecast(network, state, runs=200, seed=1)
    # Of processors' time, which a busy machine stretches less than the clock's; alone about 0.4 s.
    assert time.process_time() - began_s < 3.0


def test_live_speed_in_the_queue_is_not_counted_twice(network: Network) -> None:
    trucks = standing(network, 100, 12.0)
    crawl = np.full(network.road_link.size, np.nan)
    crawl[trucks["road_id"]] = 0.5
    state = CorridorState(made_at=NOW, **trucks, gate_settings=slow_gate())
    plain = forecast(network, state, **FAST)
    live = forecast(network, replace(state, road_speed_mps=crawl), **FAST)
    assert live.wait_s[1, 0, 0] == pytest.approx(plain.wait_s[1, 0, 0], rel=0.02)


def test_the_model_is_a_value(network: Network) -> None:
    quiet = DemandModel(undeclared_factor=0.0, import_factor=0.0)
    found = forecast(network, CorridorState(made_at=NOW), model=quiet, **FAST)
    assert found.queue_veh.max() == 0
    assert found.occupancy_veh.max() == 0


def test_that_a_queue_comes_at_all_is_likelier_than_that_it_is_there_at_any_moment() -> None:
    """Three runs of five have their peak of ten trucks, each at another moment: at most one in five at the same."""
    runs = [np.zeros((1, 6)) for _ in range(5)]
    for number in range(3):
        runs[number][0, 1 + number] = 10.0
    middle = 1
    assert rank_quantiles(np.stack(runs))[middle].max() == 0.0
    assert reached_quantiles(runs)[middle, 0].tolist() == [0.0, 0.0, 0.0, 10.0, 10.0, 10.0]


def test_what_is_reached_only_grows_and_is_nowhere_below_the_queue(network: Network) -> None:
    found = forecast(network, CorridorState(made_at=NOW, **on_the_road(network, 200)), horizon_s=7200.0, **FAST)
    for most, each in ((found.queue_reached_veh, found.queue_veh), (found.tail_reached_km, found.tail_km)):
        assert (np.diff(most, axis=-1) >= 0.0).all()
        assert (most >= each).all()
