"""The queue as it stands now, from positions: slow trucks, one close behind the other, back from the entrance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from geo.motion import is_queueing
from routing.arrays import BoolArray, FloatArray, IntArray
from routing.demand import CorridorState, beside_each_seen
from routing.network import Network

AT_END_KM = 0.01
"""Trucks that are served within this of the network's end are served at it: receivers err by as much."""
MAX_GAP_M = 400.0
"""A longer stretch without a slow truck ends the queue; not every truck reports its position."""


@dataclass(frozen=True)
class QueueNow:
    """The measured queues; arrays by gate index. `member` [N]: the gate in whose queue a truck stands, or -1."""

    queue_veh: FloatArray
    """Expected trucks, those that nobody saw included."""
    seen_veh: FloatArray
    tail_km: FloatArray
    tail_m: FloatArray
    """Distance from the entrance to the last truck."""
    speed_mps: FloatArray
    """Mean speed of the trucks in it; NaN = empty queue."""
    member: IntArray
    served_offset_km: FloatArray
    """How much farther inland than the network ends the queue begins; negative: nearer the border."""
    bound: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """[N] the gate that a truck counts for, its own or the nearest."""
    way_m: FloatArray = field(default_factory=lambda: np.zeros(0))
    """[N] metres to the entrance of that gate; inf = no way."""
    worth_veh: FloatArray = field(default_factory=lambda: np.zeros(0))
    """[N] for how many trucks each stands: those beside it that nobody saw included."""

    @property
    def serves_beyond(self) -> BoolArray:
        """[G] whether trucks are served nearer the border than the network ends: who is being checked there is behind
        the end of the road, and is not counted in the queue."""
        return np.asarray(self.served_offset_km < -AT_END_KM)

    @property
    def checks_others(self) -> BoolArray:
        """[G] whether each lane of a gate has a truck that is not counted in the queue: while somebody waits."""
        return np.asarray(self.serves_beyond & (self.queue_veh >= 1.0))


def distance_to_gate(network: Network, road_id: IntArray, offset_m: FloatArray, gate: int) -> FloatArray:
    """Metres along the road to the entrance of gate number `gate` (index into `network.gates`); inf = no way."""
    n_links = len(network.links)
    after = np.full(n_links + 1, np.inf)
    for i in range(n_links):
        path = network.path(i, gate)
        if path:
            after[i] = float(network.length_m[path[1:]].sum())
    if network.road_link.size == 0:
        return np.full(road_id.size, np.inf)
    road = np.maximum(road_id, 0)
    link = np.where(road_id >= 0, network.road_link[road], -1)
    rest = np.maximum(network.road_length_m[road] - offset_m, 0.0) + network.road_rest_m[road]
    return np.asarray(after[link] + rest)


def measure_queues(network: Network, state: CorridorState, *, gap_m: float = MAX_GAP_M) -> QueueNow:
    """Each gate's queue from the positions in `state`: how many trucks, and where the last one stands.

    A pure function of the arrays. Trucks without a known gate count for the nearest gate their road leads to.
    """
    n, n_gates = state.n_trucks, len(network.gate_ids)
    offset = np.zeros(n) if state.offset_m is None else np.nan_to_num(state.offset_m)
    speed = np.full(n, np.nan) if state.speed_mps is None else state.speed_mps
    gate = np.full(n, -1, np.int64) if state.gate is None else state.gate
    free = np.ones(n, bool) if state.yard is None else state.yard < 0
    if state.hold_until_s is not None:
        # Held at a staging area: it stands, but not in the gate's queue.
        free = free & ~(np.nan_to_num(state.hold_until_s, nan=-1.0) > 0.0)
    queue, seen = np.zeros((2, n_gates))
    worth = _worth(state)
    offset_km = _served_offset_km(network, state)
    head_m = np.maximum(offset_km, 0.0) * 1000.0
    tail_m = np.zeros(n_gates)
    tail_km = np.zeros(n_gates)
    mean_speed = np.full(n_gates, np.nan)
    member = np.full(n, -1, np.int64)
    bound, way_m = member.copy(), np.full(n, np.inf)
    if n:
        distance = np.array([distance_to_gate(network, state.road_id, offset, g) for g in range(n_gates)])
        nearest = np.argmin(distance, axis=0)
        bound = np.where(gate >= 0, gate, nearest)
        way_m = distance[bound, np.arange(n)]
    for g in range(n_gates):
        feeders = network.gate_feeder[network.gate_feeder_start[g] : network.gate_feeder_start[g + 1]]
        tail_km[g] = network.tail_km[g, feeders[0]] + offset_km[g]
        if n == 0:
            continue
        own = free & np.isfinite(distance[g]) & (bound == g)
        slow = np.flatnonzero(own & is_queueing(speed))
        if slow.size == 0:
            continue
        places = np.sort(distance[g, slow])
        gaps = np.diff(np.concatenate(([head_m[g]], places))) > gap_m
        count = int(np.argmax(gaps)) if gaps.any() else places.size
        if count == 0:
            continue
        tail_m[g] = places[count - 1]
        inside = own & (distance[g] <= tail_m[g])
        member[inside] = g
        seen[g] = float(inside.sum())
        queue[g] = float(worth[inside].sum())
        mean_speed[g] = float(np.nanmean(speed[inside]))
        last = int(slow[np.argmin(np.abs(distance[g, slow] - tail_m[g]))])
        link = int(network.road_link[state.road_id[last]])
        into = network.road_rest_m[state.road_id[last]] + max(
            0.0, float(network.road_length_m[state.road_id[last]] - offset[last])
        )
        tail_km[g] = network.tail_km[g, link] + into * network.km_per_m[link]
    return QueueNow(queue, seen, tail_km, tail_m, mean_speed, member, offset_km, bound, way_m, worth)


def _served_offset_km(network: Network, state: CorridorState) -> FloatArray:
    n_gates = len(network.gate_ids)
    ends = np.array([network.tail_km[g, network.gate_feeder[network.gate_feeder_start[g]]] for g in range(n_gates)])
    known = np.full(n_gates, np.nan) if state.served_km is None else state.served_km
    return np.where(np.isnan(known), 0.0, known - ends)


def _worth(state: CorridorState) -> FloatArray:
    """[N] for how many trucks each stands: an undeclared one also for those beside it that send no position."""
    worth = np.ones(state.n_trucks)
    if state.is_declared is not None:
        worth[~state.is_declared] += beside_each_seen(state.seen_share)
    return worth


def queued_roads(network: Network, queue: QueueNow) -> BoolArray:
    """[R] roads on which a gate's queue stands now: their low speed is the queue's, not the road's."""
    found: BoolArray = np.zeros(network.road_link.size, bool)
    if found.size == 0:
        return found
    road = np.arange(found.size)
    for g in range(queue.queue_veh.size):
        if queue.queue_veh[g] > 0:
            end = distance_to_gate(network, road, network.road_length_m, g)
            found |= end < queue.tail_m[g] + 200.0
    return found


def standing_spacing(network: Network, queue: QueueNow) -> FloatArray:
    """[link] metres of road one standing truck takes: as measured on the way to a gate whose queue has 20 trucks
    or more (within half to two and a half times the assumed value), else the network's."""
    spacing = network.spacing_m.copy()
    for g in range(queue.queue_veh.size):
        if queue.queue_veh[g] < 20 or not network.origins:
            continue
        measured = queue.tail_m[g] / queue.queue_veh[g]
        for i in network.path(network.origins[0], g):
            own = network.spacing_m[i]
            spacing[i] = float(np.clip(measured, 0.5 * own, 2.5 * own))
    return spacing
