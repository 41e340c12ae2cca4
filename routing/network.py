"""The network the traffic engine runs on: links, gates with their yards, and the arrays compiled from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from geo.corridor import Road
from geo.errors import InvalidInputError
from routing.arrays import ARRIVED, NO_WAY, UNBOUNDED, BoolArray, FloatArray, IntArray
from routing.gates import Direction, GateDemand


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

    Trucks queue on the links that end at `node` and stay in one of the yards (none: in a place that never fills).
    After the gate they are out (`onward_node` None) or drive on.
    """

    gate_id: str
    direction: Direction
    node: str
    yard_ids: tuple[str, ...] = ()
    onward_node: str | None = None


@dataclass(frozen=True)
class Network:
    """The corridor compiled for the engine. Index order is fixed: `gates` first exports, then imports.

    `gate_ids` are the distinct gates (index = gate index in states and forecasts), `yard_ids` all their yards,
    `gate_demand` who usually comes to each gate.
    Arrays over roads map a position (road_id, offset) to its link: `road_link` (-1 = no link: beyond the
    entrance, or closed to trucks) and `road_rest_m`, the distance from the end of the road to the end of the link.
    """

    links: tuple[Link, ...]
    gates: tuple[GatePlace, ...]
    gate_ids: tuple[str, ...]
    yard_ids: tuple[str, ...]
    gate_demand: tuple[GateDemand, ...]
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
    gate_yard_start: IntArray
    gate_yard: IntArray
    """Yards of gate number g: gate_yard[gate_yard_start[g]:gate_yard_start[g + 1]]; from len(yard_ids) on unnamed."""
    yard_gate: IntArray
    """[yard] gate index (into `gate_ids`) of each of `yard_ids`; of a shared yard, the first."""
    yard_headway_s: FloatArray
    """[2, yard] least time between two trucks through the entrance and the exit of each of `yard_ids`; 0 = none."""
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
    road_to_border: BoolArray
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

    def yards_of(self, gate: int) -> list[int]:
        """Indices into `yard_ids` of the yards of gate number `gate`; empty if it has none with a name."""
        own = self.gate_yard[self.gate_yard_start[gate] : self.gate_yard_start[gate + 1]]
        return [int(yard) for yard in own if yard < len(self.yard_ids)]

    def entry(self, gate: int) -> int:
        """The link on which trucks for a gate come into the corridor, the farthest; -1 if no way leads there."""
        return next((link for link in self.origins if self.path(link, gate)), -1)

    def imports(self) -> list[tuple[int, int, int]]:
        """(number, gate index, link on which its trucks come) of each gate's import direction."""
        return [
            (number, self.gate_ids.index(place.gate_id), int(self.gate_feeder[self.gate_feeder_start[number]]))
            for number, place in enumerate(self.gates)
            if place.direction == "import"
        ]

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


def _starts(lists: Sequence[Sequence[int]]) -> IntArray:
    """Where each list begins in `_flat`, and where the last one ends."""
    return np.concatenate(([0], np.cumsum([len(each) for each in lists], dtype=np.int64))).astype(np.int64)


def _flat(lists: Sequence[Sequence[int]]) -> IntArray:
    return np.array([value for each in lists for value in each], np.int64)


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
    demand: Mapping[str, GateDemand] | None = None,
) -> Network:
    """Compile links and gates into a network.

    Arguments: `roads`, what the links' road indices refer to; `stagings`, staging area -> node; `beyond`,
    road_id -> gate index of roads past the entrance; `demand`, gate_id -> who comes there (None: assumed).

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
    yard_ids = tuple(dict.fromkeys(yard_id for g in gates for yard_id in g.yard_ids))
    # The other side of the border is a place of its own, so that imports queue somewhere.
    for index, gate in enumerate(gates):
        if gate.direction == "import":
            name = f"abroad-{gate.gate_id}"
            gates[index] = replace(gate, node=name)
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
    gate_yards = [[yard_ids.index(y) for y in g.yard_ids] or [len(yard_ids) + i] for i, g in enumerate(gates)]
    yard_gate = [next(gate_ids.index(g.gate_id) for g in gates if yard_id in g.yard_ids) for yard_id in yard_ids]
    return Network(
        links=tuple(links),
        gates=tuple(gates),
        gate_ids=gate_ids,
        yard_ids=yard_ids,
        gate_demand=tuple((demand or {}).get(gate_id) or GateDemand(gate_id) for gate_id in gate_ids),
        length_m=length,
        free_speed_mps=speed,
        free_time_s=length / speed,
        wave_time_s=wave_times(length, speed, headway, storage),
        spacing_m=np.where(storage < UNBOUNDED, length / storage, 0.0),
        headway_s=headway,
        storage_veh=storage,
        ring_start=ring.astype(np.int64),
        priority=np.concatenate((capacity, 0.5 * capacity)),
        feeder_start=_starts(feeders_of),
        feeder=_flat(feeders_of),
        next_hop=hops,
        gate_feeder_start=_starts(gate_feeders),
        gate_feeder=_flat(gate_feeders),
        gate_yard_start=_starts(gate_yards),
        gate_yard=_flat(gate_yards),
        yard_gate=np.array(yard_gate, np.int64),
        yard_headway_s=np.zeros((2, len(yard_ids))),
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
