"""The corridor as a NetworkX graph, and compiled for the traffic engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from geo.corridor import Corridor, Road, Site
from geo.errors import InvalidInputError
from routing.gates import assumed_demand
from routing.network import GatePlace, Link, Network, assemble

__all__ = ["CLOSED_TO_TRUCKS", "GatePlace", "Link", "Network", "assemble", "build_graph", "build_network"]

CLOSED_TO_TRUCKS = ("no", "delivery", "private", "destination")
"""Values of OpenStreetMap's `hgv` tag that close a road to trucks passing through."""


def build_graph(corridor: Corridor, *, closed: Collection[int] = ()) -> nx.MultiDiGraph[str]:
    """The corridor as a directed multigraph of the roads open to trucks.

    Arguments: `closed`, road_ids to leave out. Nodes are the corridor's node names; edges are keyed by `edge_id`
    and carry `road_id`, `length_m`, `free_time_s`, `lanes`, `capacity_veh_per_h`, `direction`, `road`, `hgv`.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for road_id, road in enumerate(corridor.roads):
        graph.add_nodes_from((road.from_node, road.to_node))
        if road_id in closed or road.hgv in CLOSED_TO_TRUCKS:
            continue
        graph.add_edge(
            road.from_node,
            road.to_node,
            key=road.edge_id,
            road_id=road_id,
            length_m=road.length_m,
            free_time_s=road.length_m / road.free_speed_mps,
            lanes=road.lanes,
            capacity_veh_per_h=road.capacity_veh_per_h,
            direction=road.direction,
            road=road.road,
            hgv=road.hgv,
        )
    return graph


def _merge_roads(roads: Sequence[Road], keep: Iterable[int], break_at: set[str], alone: Collection[int]) -> list[Link]:
    """Chains of roads that are alike and without a branch, each as one link."""
    kept = list(keep)
    out: dict[tuple[str, str], list[int]] = {}
    into: dict[tuple[str, str], int] = {}
    for i in kept:
        out.setdefault((roads[i].direction, roads[i].from_node), []).append(i)
        key = (roads[i].direction, roads[i].to_node)
        into[key] = into.get(key, 0) + 1

    def alike(a: int, b: int) -> bool:
        x, y = roads[a], roads[b]
        return (
            a not in alone
            and b not in alone
            and x.to_node not in break_at
            and into[(x.direction, x.to_node)] == 1
            and len(out[(x.direction, x.to_node)]) == 1
            and (x.road, x.lanes, x.free_speed_mps, x.capacity_veh_per_h)
            == (y.road, y.lanes, y.free_speed_mps, y.capacity_veh_per_h)
        )

    followers = {i: out.get((roads[i].direction, roads[i].to_node), []) for i in kept}
    continues = {i: f[0] for i, f in followers.items() if len(f) == 1 and alike(i, f[0])}
    links = []
    for first in sorted(set(kept) - set(continues.values())):
        chain = [first]
        while chain[-1] in continues:
            chain.append(continues[chain[-1]])
        a, b = roads[chain[0]], roads[chain[-1]]
        links.append(
            Link(
                name=a.edge_id if len(chain) == 1 else f"{a.edge_id}…{b.edge_id}",
                from_node=f"{a.from_node}",
                to_node=f"{b.to_node}",
                length_m=sum(roads[i].length_m for i in chain),
                free_speed_mps=a.free_speed_mps,
                capacity_veh_per_h=a.capacity_veh_per_h,
                storage_veh=max(1, round(sum(roads[i].storage_veh for i in chain))),
                km_from=a.km_from,
                km_to=b.km_to,
                roads=tuple(chain),
            )
        )
    return links


@dataclass(frozen=True)
class _GateEnds:
    """Where a gate's queue ends and where its imports come out; road_ids, and the node of imports."""

    gate_id: str
    last_road: int
    node: str
    import_node: str | None


def build_network(corridor: Corridor, *, alone: Collection[int] = ()) -> Network:
    """Compile the corridor for the engine.

    Each gate's export queue ends at its barrier 1 (or, without one, at the gate); imports come out there. Its yards
    are all its sites of that kind. Roads alike and unbranched become one link, but for those in `alone` (closed or
    special roads, road_ids).

    Raises
    ------
    InvalidInputError
        If a gate lies on no road.
    """
    roads = corridor.roads
    gate_ids = dict.fromkeys(site.gate_id or site.site_id for site in corridor.gates())
    ends = [_gate_ends(corridor, gate_id) for gate_id in gate_ids]
    beyond = _beyond(roads, ends)
    stagings = {}
    for site in corridor.staging_areas():
        near = [r for r in roads if r.direction == "to_border" and r.road == site.road]
        if near:
            stagings[site.site_id] = min(near, key=lambda r: abs(r.km_to - site.km)).to_node
    break_at = {*stagings.values(), *(node for end in ends for node in (end.node, end.import_node) if node)}
    keep = [i for i, r in enumerate(roads) if i not in beyond and r.hgv not in CLOSED_TO_TRUCKS]
    links = _merge_roads(roads, keep, break_at, alone)
    yards = {end.gate_id: tuple(site.site_id for site in corridor.yards(end.gate_id)) for end in ends}
    places = [GatePlace(end.gate_id, "export", f"{end.node}>", yards[end.gate_id]) for end in ends]
    places += [
        GatePlace(end.gate_id, "import", "", onward_node=f"{end.import_node}<") for end in ends if end.import_node
    ]
    network = assemble(
        _split_directions(links, roads),
        places,
        roads=roads,
        stagings={s: f"{n}>" for s, n in stagings.items()},
        beyond=beyond,
        demand=assumed_demand(corridor),
    )
    own = [corridor.sites[yard_id] for yard_id in network.yard_ids]
    headway_s = np.array([[yard.entrance_headway_s for yard in own], [yard.exit_headway_s for yard in own]])
    return replace(network, yard_headway_s=headway_s)


def _beyond(roads: Sequence[Road], ends: Sequence[_GateEnds]) -> dict[int, int]:
    """Roads between an entrance and the border → index of the gate: past the last of the gates that lie on a road."""
    last: dict[str, int] = {}
    for index, end in enumerate(ends):
        name = roads[end.last_road].road
        if name not in last or roads[end.last_road].km_to < roads[ends[last[name]].last_road].km_to:
            last[name] = index
    return {
        road_id: last[road.road]
        for road_id, road in enumerate(roads)
        if road.road in last and max(road.km_from, road.km_to) <= roads[ends[last[road.road]].last_road].km_to + 1e-6
    }


def _gate_ends(corridor: Corridor, gate_id: str) -> _GateEnds:
    gate: Site = next(s for s in corridor.gates() if (s.gate_id or s.site_id) == gate_id)
    inland = [s for s in corridor.barriers(gate_id) if s.road == gate.road and s.km >= gate.km]
    stop = max(inland, key=lambda s: s.km) if inland else gate
    roads = corridor.roads
    own = [i for i, r in enumerate(roads) if r.road == stop.road]
    ways_in = [i for i in own if roads[i].direction == "to_border"]
    ways_out = [i for i in own if roads[i].direction == "from_border"]
    if not ways_in:
        raise InvalidInputError(
            "Gate {value} lies on road {road}, which has no lane to the border.",
            field="gate",
            value=gate_id,
            road=stop.road,
        )
    last = min(ways_in, key=lambda i: abs(roads[i].km_to - stop.km))
    first = min(ways_out, key=lambda i: abs(roads[i].km_from - stop.km)) if ways_out else None
    return _GateEnds(gate_id, last, roads[last].to_node, None if first is None else roads[first].from_node)


def _split_directions(links: Iterable[Link], roads: Sequence[Road]) -> list[Link]:
    """Give each direction nodes of its own: nobody turns round between them on the open road."""
    marks = {"to_border": ">", "from_border": "<"}
    found = []
    for link in links:
        mark = marks[roads[link.roads[0]].direction]
        found.append(replace(link, from_node=link.from_node + mark, to_node=link.to_node + mark))
    return found
