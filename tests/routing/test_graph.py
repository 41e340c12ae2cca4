"""The corridor as a graph, its compiled form, paths and ETA."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import networkx as nx
import numpy as np
import pytest

from geo.corridor import Corridor
from geo.errors import InvalidInputError, NotFoundError
from routing.demand import CorridorState
from routing.forecast import Forecast, forecast
from routing.graph import GatePlace, Link, Network, assemble, build_graph, build_network
from routing.routes import eta, find_paths, travel_times

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def network(corridor: Corridor) -> Network:
    return build_network(corridor)


def test_the_graph_has_every_road_and_leads_from_bac_giang_to_both_gates(corridor: Corridor) -> None:
    graph = build_graph(corridor)
    assert graph.number_of_edges() == len(corridor.roads)
    for node in ("huu-nghi-barrier-1", "tan-thanh-barrier-1"):
        assert nx.has_path(graph, "bac-giang", node)
        assert nx.has_path(graph, node, "bac-giang")


def test_roads_closed_to_trucks_are_left_out(corridor: Corridor) -> None:
    roads = list(corridor.roads)
    roads[10] = replace(roads[10], hgv="no")
    closed = Corridor(roads=tuple(roads), sites=corridor.sites)
    assert build_graph(closed).number_of_edges() == len(roads) - 1
    assert build_graph(corridor, closed={3, 4}).number_of_edges() == len(roads) - 2


def test_the_network_keeps_lengths_storage_and_kilometres(corridor: Corridor, network: Network) -> None:
    path = network.path(network.origins[0], network.gate_number("huu-nghi"))
    first, last = network.links[path[0]], network.links[path[-1]]
    assert first.km_from > 100
    assert last.km_to == pytest.approx(1.05, abs=0.01)
    assert network.length_m[path].sum() == pytest.approx((first.km_from - last.km_to) * 1000.0, rel=0.01)
    road_ids = [r for i in path for r in network.links[i].roads]
    assert sum(corridor.roads[r].storage_veh for r in road_ids) == pytest.approx(network.storage_veh[path].sum())


def test_a_position_has_the_same_kilometre_in_both_forms(corridor: Corridor, network: Network) -> None:
    for road_id in range(0, len(corridor.roads), 7):
        link = network.road_link[road_id]
        road = corridor.roads[road_id]
        if link < 0 or road.direction != "to_border":
            continue
        gate = 0 if network.next_hop[link, 0] != -1 else 1
        if road.road == "QL1A" and gate == 0:
            km = network.tail_km[0, link] + network.road_rest_m[road_id] * network.km_per_m[link]
            assert km == pytest.approx(road.km_to, abs=0.05)


def test_a_tail_beyond_the_fork_counts_on_along_the_road(network: Network) -> None:
    tan_thanh = network.gate_number("tan-thanh")
    stem = network.path(network.origins[0], tan_thanh)[-2]
    # QL4A is 13.1 km long from its border to Đồng Đăng, where the stem ends.
    assert network.tail_km[tan_thanh, stem] == pytest.approx(13.14, abs=0.05)


def test_imports_come_from_abroad_and_drive_inland(network: Network) -> None:
    gate = network.gate_number("huu-nghi", "import")
    onward = int(network.onward_link[gate])
    assert network.path(onward, network.way_out)[-1] >= 0
    assert network.links[onward].km_from < network.links[onward].km_to


def test_staging_areas_end_links(network: Network) -> None:
    assert set(network.staging_link) == {"staging-huu-lung", "staging-chi-lang", "staging-lang-son"}


def test_what_cannot_be_compiled_is_named() -> None:
    with pytest.raises(InvalidInputError, match="length_m 0"):
        assemble([Link("x", "a", "b", 0.0, 10.0, 100.0, 10)], [])
    with pytest.raises(InvalidInputError, match="No road leads to gate g"):
        assemble([Link("x", "a", "b", 10.0, 10.0, 100.0, 10)], [GatePlace("g", "export", "nowhere")])
    with pytest.raises(InvalidInputError, match="no export gate y"):
        assemble([Link("x", "a", "b", 10.0, 10.0, 100.0, 10)], [GatePlace("g", "export", "b")]).gate_number("y")


def test_the_fastest_way_and_an_alternative_around_a_closure(corridor: Corridor) -> None:
    best = find_paths(corridor, "bac-giang", "huu-nghi-barrier-1")[0]
    assert best.length_m == pytest.approx(116_250, rel=0.01)
    assert best.nodes[0] == "bac-giang"
    assert best.time_s == pytest.approx(travel_times(corridor)[list(best.road_ids)].sum())
    assert find_paths(corridor, "bac-giang", "huu-nghi-barrier-1", closed={best.road_ids[3]}) == []
    with pytest.raises(NotFoundError, match="nowhere"):
        find_paths(corridor, "bac-giang", "nowhere")


def test_live_speeds_slow_the_way(corridor: Corridor) -> None:
    speed = np.full(len(corridor.roads), np.nan)
    speed[:20] = 3.0
    free, live = travel_times(corridor), travel_times(corridor, speed)
    assert (live[:20] > free[:20]).all()
    np.testing.assert_array_equal(live[20:], free[20:])


@pytest.fixture(scope="module")
def predicted(network: Network) -> Forecast:
    return forecast(network, CorridorState(made_at=NOW), runs=8, seed=1)


def test_eta_is_an_ordered_range_that_adds_the_wait(network: Network, predicted: Forecast) -> None:
    road = np.flatnonzero(network.road_to_border & (network.road_link >= 0))[[0, 30, 60]]
    offset, gate = np.zeros(3), np.zeros(3, np.int64)
    waits = predicted.wait_s.copy()
    waits[:, 0] = np.array([600.0, 1200.0, 2400.0])[:, None]
    found = eta(network, replace(predicted, wait_s=waits), road, offset, gate)
    assert (np.diff(found.arrive_s, axis=0) > 0).all()
    assert (np.diff(found.entrance_s, axis=0) > 0).all()
    np.testing.assert_allclose(found.entrance_s[1] - found.arrive_s[1], 1200.0)
    assert (np.diff(found.arrive_s[1]) < 0).all(), "who is nearer arrives sooner"


def test_eta_knows_holds_missing_ways_and_thousands(network: Network, predicted: Forecast) -> None:
    n = 5000
    rng = np.random.default_rng(1)
    road = rng.integers(0, network.road_link.size, n)
    gate = rng.integers(-1, 2, n)
    hold = np.where(rng.uniform(size=n) < 0.1, 7200.0, np.nan)
    found = eta(network, predicted, road, rng.uniform(0, 1000, n), gate, hold_until_s=hold)
    assert np.isinf(found.entrance_s[:, gate < 0]).all()
    inland = ~network.road_to_border[road]
    assert np.isinf(found.entrance_s[:, inland]).all()
    held = np.isfinite(hold) & np.isfinite(found.arrive_s[0])
    assert (found.arrive_s[0, held] >= 7200.0).all()
