"""What changes during a run of the engine: the stations' next events, who stands where, who waits for what.

The next event of all stations is kept in a winner tree (D. E. Knuth, The Art of Computer Programming 3, 5.4.1), what
waits for its time in binary heaps over arrays. Times are seconds since the start, `NEVER` where nothing is planned.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from routing.arrays import N_BALANCE, NEVER, FleetArrays, FloatArray, GateArrays, IntArray, LinkArrays, compiled, rule


class State(NamedTuple):
    """What changes during a run."""

    key: FloatArray
    tree: IntArray
    head: IntArray
    tail: IntArray
    following: IntArray
    preceding: IntArray
    waiting: IntArray
    entered: IntArray
    left: IntArray
    last_entry_s: FloatArray
    last_exit_s: FloatArray
    ring_s: FloatArray
    ready_s: FloatArray
    tag: FloatArray
    virtual: FloatArray
    destination: IntArray
    hold_link: IntArray
    lane_truck: IntArray
    lane_end_s: FloatArray
    lane_blocked: IntArray
    idle: IntArray
    occupancy: IntArray
    truck_yard: IntArray
    stay_key: FloatArray
    stay_truck: IntArray
    stay_count: IntArray
    crossing_free_s: FloatArray
    later_key: FloatArray
    later_truck: IntArray
    later_link: IntArray
    later_count: IntArray
    balance: IntArray
    stack: IntArray


@rule
def set_key(state: State, station: int, time_s: float) -> None:
    """Give `station` its next event time and play its matches in the winner tree again."""
    key, tree = state.key, state.tree
    if key[station] == time_s:
        return
    key[station] = time_s
    node = (tree.size // 2 + station) // 2
    while node >= 1:
        a, b = tree[2 * node], tree[2 * node + 1]
        tree[node] = a if key[a] <= key[b] else b
        node //= 2


@rule
def push(keys: FloatArray, items: IntArray, size: int, key: float, item: int) -> None:
    """Add to a binary heap of `size` elements; ties go by item, so that order never depends on history."""
    i = size
    while i > 0:
        parent = (i - 1) // 2
        if keys[parent] < key or (keys[parent] == key and items[parent] <= item):
            break
        keys[i], items[i] = keys[parent], items[parent]
        i = parent
    keys[i], items[i] = key, item


@rule
def pop(keys: FloatArray, items: IntArray, size: int) -> None:
    """Remove the first element of a binary heap of `size` elements."""
    size -= 1
    key, item = keys[size], items[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (keys[other] < keys[child] or (keys[other] == keys[child] and items[other] < items[child])):
            child = other
        if keys[child] > key or (keys[child] == key and items[child] >= item):
            break
        keys[i], items[i] = keys[child], items[child]
        i = child
    keys[i], items[i] = key, item


@compiled
def blank_state(links: LinkArrays, gates: GateArrays, fleet: FleetArrays) -> State:
    """The state of an empty road and empty yards, nothing planned, with places for the trucks of a run."""
    n_links, n_gates, n_trucks = links.length_m.size, gates.entrance_lanes.size, fleet.gate.size
    stations = 2 * n_links + 2 * n_gates
    leaves = 1
    while leaves < stations + 1:
        leaves *= 2
    tree = np.empty(2 * leaves, np.int64)
    # Leaves beyond the stations all point at one that never has an event.
    for i in range(leaves):
        tree[leaves + i] = min(i, stations)
    for i in range(leaves - 1, 0, -1):
        tree[i] = tree[2 * i]
    lanes, crossing_lanes = 1, 1
    for gate in range(n_gates):
        lanes = max(lanes, gates.entrance_lanes[gate])
        crossing_lanes = max(crossing_lanes, gates.crossing_lanes[gate])
    stays = np.zeros(max(1, n_gates), np.int64)
    destination = fleet.way_out.copy()
    for truck in range(n_trucks):
        if fleet.gate[truck] >= 0:
            destination[truck] = fleet.gate[truck]
            stays[fleet.gate[truck]] += 1
    max_stays = 1
    for gate in range(n_gates):
        max_stays = max(max_stays, stays[gate])
    return State(
        np.full(stations + 1, NEVER),
        tree,
        np.full(2 * n_links, -1, np.int64),
        np.full(2 * n_links, -1, np.int64),
        np.full(n_trucks, -1, np.int64),
        np.full(n_trucks, -1, np.int64),
        np.zeros(2 * n_links, np.int64),
        np.zeros(n_links, np.int64),
        np.zeros(n_links, np.int64),
        np.full(n_links, -NEVER),
        np.full(n_links, -NEVER),
        np.empty(links.ring_start[n_links], np.float64),
        fleet.ready_s.copy(),
        np.zeros(2 * n_links, np.float64),
        np.zeros(n_links, np.float64),
        destination,
        fleet.hold_link.copy(),
        np.full((n_gates, lanes), -1, np.int64),
        np.zeros((n_gates, lanes), np.float64),
        np.zeros((n_gates, lanes), np.int64),
        gates.entrance_lanes.copy(),
        np.zeros(gates.yard_capacity_veh.size, np.int64),
        fleet.yard.copy(),
        np.empty((n_gates, max_stays), np.float64),
        np.empty((n_gates, max_stays), np.int64),
        np.zeros(n_gates, np.int64),
        np.zeros((n_gates, crossing_lanes), np.float64),
        np.empty(n_trucks + 1, np.float64),
        np.empty(n_trucks + 1, np.int64),
        np.full(n_trucks, -1, np.int64),
        np.zeros(1, np.int64),
        np.zeros(N_BALANCE, np.int64),
        np.empty(n_links + 1, np.int64),
    )
