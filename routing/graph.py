"""The corridor as a NetworkX graph, and as the arrays the traffic engine runs on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from geo.corridor import Corridor, Road
from geo.errors import InvalidInputError
from routing.arrays import ARRIVED, NO_WAY, UNBOUNDED, FloatArray, IntArray

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


@dataclass(frozen=True)
class Link:
    """A stretch of road the engine treats as one: uniform, without a branch inside.

    `storage_veh` is the number of standing trucks it holds, None = unbounded (a place outside the corridor).
    """

    name: str
    from_node: str
    to_node: str
    length_m: float
    free_speed_mps: float
    capacity_veh_per_h: float
    storage_veh: int | None
    km_from: float = 0.0
    km_to: float = 0.0
    roads: tuple[int, ...] = ()


@dataclass(frozen=True)
class GatePlace:
    """Where one direction of a gate stands in the network.

    Trucks queue on the links that end at `node`. After the gate they are out (`onward_node` None) or drive on.
    """

    gate_id: str
    direction: str
    node: str
    yard_id: str | None = None
    onward_node: str | None = None


@dataclass(frozen=True)
class Network:
    """The corridor compiled for the engine. Index order is fixed: `gates` first exports, then imports.

    `gate_ids` are the distinct gates (index = gate index in states and forecasts), `yard_ids` the yards.
    Arrays over roads map a position (road_id, offset) to its link: `road_link` (-1 = no link: beyond the
    entrance, or closed to trucks) and `road_rest_m`, the distance from the end of the road to the end of the link.
    """

    links: tuple[Link, ...]
    gates: tuple[GatePlace, ...]
    gate_ids: tuple[str, ...]
    yard_ids: tuple[str, ...]
    length_m: FloatArray
    free_speed_mps: FloatArray
    free_time_s: FloatArray
    wave_time_s: FloatArray
    spacing_m: FloatArray
    headway_s: FloatArray
    storage_veh: IntArray
    ring_start: IntArray
    priority: FloatArray
    feeder_start: IntArray
    feeder: IntArray
    next_hop: IntArray
    gate_feeder_start: IntArray
    gate_feeder: IntArray
    gate_yard: IntArray
    onward_link: IntArray
    tail_km: FloatArray
    km_per_m: FloatArray
    origins: tuple[int, ...]
    """Links toward the border where trucks come into the corridor, farthest first."""
    staging_link: Mapping[str, int]
    """Staging area -> the link at whose end it lies."""
    road_link: IntArray
    road_rest_m: FloatArray
    road_length_m: FloatArray
    road_free_speed_mps: FloatArray
    road_to_border: NDArray[np.bool_]
    road_beyond: IntArray
    """Gate index of roads between the entrance and the border, else -1."""
    road_place: tuple[tuple[str, float], ...]
    """Road name and kilometre of the downstream end, for people."""

    @property
    def way_out(self) -> int:
        """Destination index of the inland end."""
        return len(self.gates)

    def gate_number(self, gate_id: str, direction: str = "export") -> int:
        """Index into `gates`.

        Raises
        ------
        InvalidInputError
            If the network has no such gate.
        """
        for index, place in enumerate(self.gates):
            if place.gate_id == gate_id and place.direction == direction:
                return index
        raise InvalidInputError(
            "There is no {direction} gate {value}; known gates: {known}.",
            field="gate_id",
            value=gate_id,
            direction=direction,
            known=", ".join(self.gate_ids),
        )

    def path(self, link: int, destination: int) -> list[int]:
        """The links from `link` (included) to a destination; empty if there is no way."""
        found = [link]
        while self.next_hop[found[-1], destination] >= 0:
            found.append(int(self.next_hop[found[-1], destination]))
        return found if self.next_hop[found[-1], destination] == ARRIVED else []


def _next_hops(links: Sequence[Link], ends: Sequence[Collection[int]]) -> IntArray:
    """Fastest next link of every link to every destination; `ends[d]` are the links that arrive at d."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(links)))
    starts: dict[str, list[int]] = {}
    for i, link in enumerate(links):
        starts.setdefault(link.from_node, []).append(i)
    for i, link in enumerate(links):
        for j in starts.get(link.to_node, ()):
            if links[j].to_node != link.from_node:  # no turning round on the road
                graph.add_edge(j, i, weight=links[j].length_m / links[j].free_speed_mps)
    hops = np.full((len(links), len(ends)), NO_WAY, np.int64)
    for d, arriving in enumerate(ends):
        if not arriving:
            continue
        paths = nx.multi_source_dijkstra_path(graph, set(arriving), weight="weight")
        for i, path in paths.items():
            hops[i, d] = ARRIVED if len(path) == 1 else path[-2]
    return hops


def wave_times(
    length_m: FloatArray, free_speed_mps: FloatArray, headway_s: FloatArray, storage_veh: IntArray
) -> FloatArray:
    """How long a gap takes up each link: w = q / (k_jam - q / v) of the triangular diagram; 0 on unbounded links.

    Source: G. F. Newell, Transportation Research B 27 (1993), part II.
    """
    flow = 1.0 / np.maximum(headway_s, 1e-12)
    wave = flow / np.maximum(storage_veh / length_m - flow / free_speed_mps, 1e-9)
    return np.where(storage_veh < UNBOUNDED, length_m / np.maximum(wave, 1e-9), 0.0)


def assemble(
    links: Sequence[Link],
    gates: Sequence[GatePlace],
    *,
    roads: Sequence[Road] = (),
    stagings: Mapping[str, str] | None = None,
    beyond: Mapping[int, int] | None = None,
) -> Network:
    """Compile links and gates into a network.

    Arguments: `roads`, what the links' road indices refer to; `stagings`, staging area -> node; `beyond`,
    road_id -> gate index of roads past the entrance.

    Raises
    ------
    InvalidInputError
        If a link has no length, speed, capacity or storage, or a gate no road that leads to it.
    """
    links = list(links)
    for link in links:
        for name in ("length_m", "free_speed_mps", "capacity_veh_per_h"):
            if not getattr(link, name) > 0.0:
                raise InvalidInputError(
                    "Link {link} has {name} {value}; it must be above 0.",
                    field=name,
                    link=link.name,
                    name=name,
                    value=getattr(link, name),
                )
        if link.storage_veh is not None and link.storage_veh < 1:
            raise InvalidInputError(
                "Link {link} has room for {value} trucks; it must hold at least 1.",
                field="storage_veh",
                link=link.name,
                value=link.storage_veh,
            )
    gates = sorted(gates, key=lambda g: g.direction != "export")
    gate_ids = tuple(dict.fromkeys(g.gate_id for g in gates))
    yard_ids = tuple(dict.fromkeys(g.yard_id for g in gates if g.yard_id is not None))
    # The other side of the border is a place of its own, so that imports queue somewhere.
    for index, gate in enumerate(gates):
        if gate.direction == "import":
            name = f"abroad-{gate.gate_id}"
            gates[index] = GatePlace(gate.gate_id, "import", name, gate.yard_id, gate.onward_node)
            links.append(Link(name, f"{name}-start", name, 1.0, 1.0, 3.6e6, None))
    n = len(links)
    length = np.array([link.length_m for link in links])
    speed = np.array([link.free_speed_mps for link in links])
    capacity = np.array([link.capacity_veh_per_h for link in links]) / 3600.0
    storage = np.array([UNBOUNDED if x.storage_veh is None else x.storage_veh for x in links], np.int64)
    headway = np.where(storage < UNBOUNDED, 1.0 / capacity, 0.0)
    ring = np.concatenate(([0], np.cumsum(np.where(storage < UNBOUNDED, storage, 0))))
    gate_feeders = [[i for i, link in enumerate(links) if link.to_node == g.node] for g in gates]
    for gate, feeders in zip(gates, gate_feeders, strict=True):
        if not feeders:
            raise InvalidInputError(
                "No road leads to gate {value} at node {node}.", field="gate", value=gate.gate_id, node=gate.node
            )
    queue_nodes = {g.node for g in gates}
    from_nodes = {link.from_node for link in links}
    inland = [i for i, x in enumerate(links) if x.to_node not in from_nodes and x.to_node not in queue_nodes]
    hops = _next_hops(links, [*gate_feeders, inland])
    feeders_of: list[list[int]] = [[n + j] for j in range(n)]
    for i in range(n):
        for j in {int(j) for j in hops[i] if j >= 0}:
            feeders_of[j].append(i)
    onward = [
        next((i for i, x in enumerate(links) if gate.onward_node is not None and x.from_node == gate.onward_node), -1)
        for gate in gates
    ]
    km_per_m = np.array([(x.km_from - x.km_to) / x.length_m for x in links])
    tail_km = np.array([[x.km_to for x in links] for _ in gates], dtype=float).reshape(len(gates), n)
    for g in range(len(gates)):
        for i in range(n):
            walk = [i]
            while hops[walk[-1], g] >= 0:
                walk.append(int(hops[walk[-1], g]))
            if hops[walk[-1], g] == ARRIVED:
                ahead = sum(links[j].length_m * km_per_m[j] for j in walk[1:])
                tail_km[g, i] = links[walk[-1]].km_to + ahead
    to_node = {x.to_node for x in links}
    origins = [
        i
        for i, x in enumerate(links)
        if x.from_node not in to_node and x.storage_veh is not None and (hops[i, : len(gates)] != NO_WAY).any()
    ]
    origins.sort(key=lambda i: -links[i].km_from)
    road_link = np.full(len(roads), -1, np.int64)
    road_rest = np.zeros(len(roads))
    for i, link in enumerate(links):
        rest = 0.0
        for road_id in reversed(link.roads):
            road_link[road_id], road_rest[road_id] = i, rest
            rest += roads[road_id].length_m
    road_beyond = np.full(len(roads), -1, np.int64)
    for road_id, gate_index in (beyond or {}).items():
        road_beyond[road_id] = gate_index
    # A yard of its own, never full, for gates without one.
    gate_yard = [yard_ids.index(g.yard_id) if g.yard_id else len(yard_ids) + i for i, g in enumerate(gates)]
    return Network(
        links=tuple(links),
        gates=tuple(gates),
        gate_ids=gate_ids,
        yard_ids=yard_ids,
        length_m=length,
        free_speed_mps=speed,
        free_time_s=length / speed,
        wave_time_s=wave_times(length, speed, headway, storage),
        spacing_m=np.where(storage < UNBOUNDED, length / storage, 0.0),
        headway_s=headway,
        storage_veh=storage,
        ring_start=ring.astype(np.int64),
        priority=np.concatenate((capacity, 0.5 * capacity)),
        feeder_start=np.concatenate(([0], np.cumsum([len(x) for x in feeders_of]))).astype(np.int64),
        feeder=np.array([s for x in feeders_of for s in x], np.int64),
        next_hop=hops,
        gate_feeder_start=np.concatenate(([0], np.cumsum([len(x) for x in gate_feeders]))).astype(np.int64),
        gate_feeder=np.array([s for x in gate_feeders for s in x], np.int64),
        gate_yard=np.array(gate_yard, np.int64),
        onward_link=np.array(onward, np.int64),
        tail_km=tail_km,
        km_per_m=km_per_m,
        origins=tuple(origins),
        staging_link={
            name: i
            for name, node in (stagings or {}).items()
            for i, x in enumerate(links)
            if x.to_node == node and x.km_from > x.km_to and (hops[i, : len(gates)] >= 0).any()
        },
        road_link=road_link,
        road_rest_m=road_rest,
        road_length_m=np.array([r.length_m for r in roads], dtype=float),
        road_free_speed_mps=np.array([r.free_speed_mps for r in roads], dtype=float),
        road_to_border=np.array([r.direction == "to_border" for r in roads], dtype=bool),
        road_beyond=road_beyond,
        road_place=tuple((r.road, r.km_to) for r in roads),
    )


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


def build_network(corridor: Corridor, *, alone: Collection[int] = ()) -> Network:
    """Compile the corridor for the engine.

    Each gate's export queue ends at its barrier 1 (or, without one, at the gate); imports come out there.
    Roads alike and unbranched become one link, but for those in `alone` (closed or special roads, road_ids).

    Raises
    ------
    InvalidInputError
        If a gate lies on no road.
    """
    roads = corridor.roads
    sites = corridor.sites.values()
    export_end: dict[str, tuple[int, str]] = {}
    import_start: dict[str, str] = {}
    yard_of: dict[str, str] = {}
    for site in sites:
        if site.kind == "yard" and site.gate_id is not None:
            yard_of.setdefault(site.gate_id, site.site_id)
    # The gate at the end of the main road first, then in the corridor's order.
    gate_ids = list(dict.fromkeys(s.gate_id or s.site_id for s in sites if s.kind == "gate"))
    for gate_id in gate_ids:
        gate = next(s for s in sites if s.kind == "gate" and (s.gate_id or s.site_id) == gate_id)
        inland = [
            s for s in sites if s.kind == "barrier" and s.gate_id == gate_id and s.road == gate.road and s.km >= gate.km
        ]
        stop = max(inland, key=lambda s: s.km) if inland else gate
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
        end = min(ways_in, key=lambda i: abs(roads[i].km_to - stop.km))
        export_end[gate_id] = (end, roads[end].to_node)
        if ways_out:
            start = min(ways_out, key=lambda i: abs(roads[i].km_from - stop.km))
            import_start[gate_id] = roads[start].from_node
    beyond: dict[int, int] = {}
    for index, gate_id in enumerate(gate_ids):
        end, _ = export_end[gate_id]
        for i, r in enumerate(roads):
            inside = max(r.km_from, r.km_to) <= roads[end].km_to + 1e-6
            if r.road == roads[end].road and inside:
                beyond[i] = index
    stagings = {}
    for site in sites:
        if site.kind == "staging":
            near = [r for r in roads if r.direction == "to_border" and r.road == site.road]
            if near:
                stagings[site.site_id] = min(near, key=lambda r: abs(r.km_to - site.km)).to_node
    break_at = set(stagings.values()) | {node for _, node in export_end.values()} | set(import_start.values())
    keep = [i for i, r in enumerate(roads) if i not in beyond and r.hgv not in CLOSED_TO_TRUCKS]
    links = _merge_roads(roads, keep, break_at, alone)
    places = [GatePlace(g, "export", export_end[g][1], yard_of.get(g)) for g in gate_ids]
    places += [GatePlace(g, "import", "", None, import_start[g]) for g in gate_ids if g in import_start]
    return assemble(
        _split_directions(links, roads),
        _name_exports(places),
        roads=roads,
        stagings={s: f"{n}>" for s, n in stagings.items()},
        beyond=beyond,
    )


def _split_directions(links: Iterable[Link], roads: Sequence[Road]) -> list[Link]:
    """Give each direction nodes of its own: nobody turns round between them on the open road."""

    def mark(link: Link) -> str:
        return ">" if roads[link.roads[0]].direction == "to_border" else "<"

    return [Link(**{**_fields(x), "from_node": x.from_node + mark(x), "to_node": x.to_node + mark(x)}) for x in links]


def _name_exports(places: Iterable[GatePlace]) -> list[GatePlace]:
    return [
        GatePlace(p.gate_id, p.direction, f"{p.node}>", p.yard_id, f"{p.onward_node}<" if p.onward_node else None)
        for p in places
    ]


def _fields(link: Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in link.__dataclass_fields__}
