"""Ways through the corridor and when one arrives: shortest and alternative paths, ETA as a range."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice, pairwise

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from geo.corridor import Corridor
from geo.errors import NotFoundError
from routing.arrays import ARRIVED, FloatArray, IntArray
from routing.forecast import Forecast
from routing.graph import Network, build_graph
from routing.measure import distance_to_gate
from routing.simulation import road_times


@dataclass(frozen=True)
class Path:
    """A way through the corridor: its roads in order, length and free travel time at the speeds given."""

    road_ids: tuple[int, ...]
    nodes: tuple[str, ...]
    length_m: float
    time_s: float


def travel_times(corridor: Corridor, speed_mps: NDArray[np.float64] | None = None) -> FloatArray:
    """Travel time of each road in seconds from live speeds [R] (NaN or None: free flow; never above it)."""
    free = np.array([r.free_speed_mps for r in corridor.roads])
    length = np.array([r.length_m for r in corridor.roads])
    if speed_mps is None:
        return np.asarray(length / free)
    known = np.isfinite(speed_mps) & (speed_mps > 0.0)
    return np.asarray(length / np.where(known, np.clip(np.where(known, speed_mps, free), 0.5, free), free))


def find_paths(
    corridor: Corridor,
    from_node: str,
    to_node: str,
    *,
    alternatives: int = 1,
    speed_mps: NDArray[np.float64] | None = None,
    closed: Collection[int] = (),
) -> list[Path]:
    """The fastest ways between two nodes, best first, at most `alternatives`; empty if there is none.

    Arguments: `speed_mps`, live speed by road [R]; `closed`, road_ids not to be used. Roads closed to trucks are
    never used. Alternatives are loopless (J. Y. Yen, Management Science 17, 1971, as in NetworkX).

    Raises
    ------
    NotFoundError
        If the corridor has no such node.
    """
    multigraph = build_graph(corridor, closed=closed)
    for node in (from_node, to_node):
        if node not in multigraph:
            raise NotFoundError("The corridor has no node {value}.", value=node)
    times = travel_times(corridor, speed_mps)
    # Of parallel roads between two nodes the fastest counts.
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(multigraph)
    for u, v, values in multigraph.edges(data=True):
        road_id = values["road_id"]
        if not graph.has_edge(u, v) or times[road_id] < graph[u][v]["time_s"]:
            graph.add_edge(u, v, time_s=float(times[road_id]), road_id=int(road_id))
    try:
        found = list(islice(nx.shortest_simple_paths(graph, from_node, to_node, weight="time_s"), alternatives))
    except nx.NetworkXNoPath:
        return []
    paths = []
    for nodes in found:
        roads = tuple(graph[u][v]["road_id"] for u, v in pairwise(nodes))
        length = sum(corridor.roads[r].length_m for r in roads)
        paths.append(Path(roads, tuple(nodes), length, float(times[list(roads)].sum())))
    return paths


@dataclass(frozen=True)
class Arrival:
    """When trucks reach their gate's queue and when they are taken at its entrance.

    [3, N] quantiles 0.1, 0.5, 0.9 in seconds from now; inf = not within what is known. `wait_s` is the median wait
    at the gate for the median arrival.
    """

    arrive_s: FloatArray
    entrance_s: FloatArray
    wait_s: FloatArray


SPEED_SPREAD = 0.13
"""80 % of travel times lie within this share of the median: coefficient of variation 10 %, normal."""


def eta(
    network: Network,
    forecast: Forecast,
    road_id: IntArray,
    offset_m: FloatArray,
    gate: IntArray,
    *,
    speed_mps: NDArray[np.float64] | None = None,
    elapsed_s: float = 0.0,
    hold_until_s: FloatArray | None = None,
) -> Arrival:
    """When trucks will be at their gate, as ranges, for thousands at once.

    Arguments: `road_id` [N], `offset_m` [N] positions; `gate` [N] index into `network.gate_ids`; `speed_mps` [R] live
    speed by road; `elapsed_s` time since the forecast was made; `hold_until_s` [N] seconds from now a truck is
    held (NaN: not). Travel time is the live links' with a spread; the wait is the forecast's at that arrival: early
    arrival with the low wait, late arrival with the high one, so that the range errs on the wide side. Who arrives
    later is never taken earlier (first come, first served).
    """
    n = road_id.size
    times = road_times(network, speed_mps)
    road = np.maximum(road_id, 0)
    share_left = np.clip(1.0 - offset_m / network.road_length_m[road], 0.0, 1.0)
    rest = np.zeros(network.road_link.size)
    link_time = np.zeros(len(network.links))
    for i, link in enumerate(network.links):
        total = 0.0
        for r in reversed(link.roads):
            rest[r] = total
            total += times[r]
        link_time[i] = total if link.roads else float(network.free_time_s[i])
    held = np.zeros(n) if hold_until_s is None else np.maximum(np.nan_to_num(hold_until_s, nan=0.0), 0.0)
    arrive = np.full((3, n), np.inf)
    entrance = np.full((3, n), np.inf)
    wait = np.full(n, np.inf)
    for g in range(len(network.gate_ids)):
        own = np.flatnonzero((gate == g) & (road_id >= 0))
        if own.size == 0:
            continue
        after = np.full(len(network.links) + 1, np.inf)
        for i in range(len(network.links)):
            path = network.path(i, g)
            if path and network.next_hop[path[-1], g] == ARRIVED:
                after[i] = float(link_time[path[1:]].sum())
        travel = share_left[own] * times[road[own]] + rest[road[own]] + after[network.road_link[road[own]]]
        for q, factor in enumerate((1.0 - SPEED_SPREAD, 1.0, 1.0 + SPEED_SPREAD)):
            arrive[q, own] = held[own] + travel * factor
            known = np.isfinite(arrive[q, own])
            at = np.where(known, arrive[q, own], 0.0) + elapsed_s
            grid = np.arange(forecast.wait_s.shape[2]) * forecast.step_s
            taken = np.maximum.accumulate(grid + forecast.wait_s[q, g])
            gate_wait = np.maximum(np.interp(at, grid, taken) - np.minimum(at, grid[-1]), 0.0)
            entrance[q, own] = np.where(known, arrive[q, own] + gate_wait, np.inf)
            if q == 1:
                wait[own] = np.where(known, gate_wait, np.inf)
    return Arrival(np.sort(arrive, axis=0), np.sort(entrance, axis=0), wait)


def distance_to_gate_m(network: Network, road_id: IntArray, offset_m: FloatArray, gate: IntArray) -> FloatArray:
    """[N] metres along the road from each truck to its gate's entrance; inf where there is no way or no gate."""
    found = np.full(road_id.size, np.inf)
    for g in range(len(network.gate_ids)):
        own = np.flatnonzero(gate == g)
        found[own] = distance_to_gate(network, road_id[own], offset_m[own], g)
    return found
