"""The corridor as a graph, and its compiled form."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import pytest

from geo.corridor import Corridor
from geo.errors import InvalidInputError
from routing.graph import GatePlace, Link, Network, assemble, build_graph, build_network
from routing.ways import Ways


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


def test_the_way_between_two_gates_is_that_of_the_roads(corridor: Corridor) -> None:
    ways = Ways(corridor)
    here, there = corridor.get_site("huu-nghi"), corridor.get_site("tan-thanh")

    def along_s(road: str, km_a: float, km_b: float) -> float:
        """Piece by piece, in one direction of travel."""
        pieces = [piece for piece in corridor.roads if piece.road == road and piece.direction == "to_border"]
        low, high = sorted((km_a, km_b))
        on_way = [(min(high, max(p.km_from, p.km_to)) - max(low, min(p.km_from, p.km_to)), p) for p in pieces]
        return sum(km * 1000.0 / piece.free_speed_mps for km, piece in on_way if km > 0.0)

    fork, fork_there = 4.0452, 13.13801
    expected = along_s("QL1A", here.km, fork) + along_s("QL4A", fork_there, there.km)
    assert ways.between_gates_s("huu-nghi", "tan-thanh") == pytest.approx(expected, rel=0.02)
    assert ways.between_gates_s("tan-thanh", "huu-nghi") == pytest.approx(expected, rel=0.02)
    assert 900.0 < expected < 2400.0
    for gate_id in ("huu-nghi", "tan-thanh"):  # before the fork the road is the same
        shared_s = ways.to_gate_s("QL1A", 40.0, gate_id) - ways.to_gate_s("QL1A", 20.0, gate_id)
        assert shared_s == pytest.approx(along_s("QL1A", 20.0, 40.0), rel=0.02)
    assert ways.to_gate_s("QL1A", 0.55, "huu-nghi") == 0.0
    assert ways.to_gate_s("QL99", 3.0, "huu-nghi") == float("inf")
