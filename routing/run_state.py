"""What changes during a run of the engine: the stations' next events, who stands where, who waits for what.

The next event of all stations is kept in a winner tree (D. E. Knuth, The Art of Computer Programming 3, 5.4.1), what
waits for its time in binary heaps over arrays. Times are seconds since the start, `NEVER` where nothing is planned.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.arrays import N_BALANCE, NEVER, FleetArrays, FloatArray, GateArrays, IntArray, LinkArrays, NumberArray
from routing.compiling import rule


class State(NamedTuple):
    """What changes during a run."""

    key: FloatArray
    key_bits: IntArray
    """`key` as integers, in the same memory: the bits of numbers that are not negative are ordered as they are
    (IEEE 754), and integers are compared in a quarter of the time."""
    tree: NumberArray
    following: NumberArray
    """[truck, then link and source] the truck behind each, and after the last the number of its line, which is that of
    its station after all trucks: circular lists (D. E. Knuth, The Art of Computer Programming 1, 2.2.5)."""
    preceding: NumberArray
    """The truck ahead of each, and before the first its line."""
    waiting: IntArray
    entered: IntArray
    left: IntArray
    entered_place: NumberArray
    """[link] `entered` modulo its storage, where its ring holds when the truck left that makes place for the next."""
    left_place: NumberArray
    """[link] `left` modulo its storage, where its ring takes when the next truck leaves."""
    due_until_s: FloatArray
    """[link] the time of the last sample at which its trucks were counted that were due at its end."""
    due_last: NumberArray
    """[link] the last of those that are still there; the link's line: none is."""
    due_veh: IntArray
    """[link] how many of them are still there."""
    due_bound_veh: IntArray
    """[link, destination] how many of them go where."""
    last_entry_s: FloatArray
    last_exit_s: FloatArray
    ring_s: FloatArray
    ready_s: FloatArray
    """[truck, then link and source] of a truck, when it would reach the end freely; of a line before all trucks."""
    tag: FloatArray
    virtual: FloatArray
    destination: NumberArray
    hold_link: NDArray[np.int32]
    lane_truck: IntArray
    lane_end_s: FloatArray
    lane_blocked: IntArray
    blocked_lanes: IntArray
    """[1] how many entrance lanes are blocked, all gates together."""
    idle: IntArray
    occupancy: IntArray
    yard_places_veh: IntArray
    """[yard] how many places it has now."""
    yard_changes: IntArray
    """[1] how many changes of places have come."""
    truck_yard: IntArray
    yard_entered_s: FloatArray
    """[yard] when its entrance let in the last truck."""
    yard_exit_free_s: FloatArray
    """[yard] when its exit can take the next truck."""
    has_exit_turn: IntArray
    """[truck] 1 = it waits at its yard's exit for the time that it was given; one element where no exit is a server."""
    stay_key: FloatArray
    stay_truck: IntArray
    stay_count: IntArray
    crossing_free_s: FloatArray
    later_key: FloatArray
    later_truck: IntArray
    later_link: IntArray
    later_count: IntArray
    balance: IntArray
    """[5] by `Balance`."""
    stack: IntArray


@rule
def line_of(state: State, station: int) -> int:
    """The number of a link's or source's line, which stands before its first truck and behind its last."""
    return np.uint32(state.destination.size + station)  # type: ignore[return-value]


@rule
def first(state: State, station: int) -> int:
    """The first truck of a link or source; where nobody is, no truck's number but a line's."""
    truck: int = state.following[line_of(state, station)]
    return truck


@rule
def set_key(state: State, station: int, time_s: float) -> None:
    """Give `station` its next event time and play its matches in the winner tree again."""
    key, tree = state.key, state.tree
    if key[station] == time_s:
        return
    key[station] = time_s + 0.0  # never minus zero, whose bits come before all others
    bits, node, winner = state.key_bits, tree.size // 2 + station, station
    first = bits[station]
    # All the way up without a branch that depends on times: processors guess those wrong every other time, which costs
    # more than the matches that an early end would save. Of equal times the left one wins.
    while node > 1:
        other = tree[node ^ 1]
        other_first = bits[other]
        loses = other_first < first + (node & 1)
        winner = other if loses else winner
        first = other_first if loses else first
        node >>= 1
        tree[node] = winner


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


@cache
def _blank_tree(stations: int) -> NumberArray:
    """The winner tree of stations without an event; leaves beyond them point at one that never has any."""
    leaves = 1 << stations.bit_length()
    tree = np.zeros(2 * leaves, np.uint32)
    tree[leaves:] = np.minimum(np.arange(leaves), stations)
    while leaves > 1:
        leaves //= 2
        tree[leaves : 2 * leaves] = tree[2 * leaves : 4 * leaves : 2]
    return tree


def blank_state(links: LinkArrays, gates: GateArrays, fleet: FleetArrays) -> State:
    """The state of an empty road and empty yards, nothing planned, with places for the trucks of a run."""
    n_links, n_gates, n_trucks = links.length_m.size, gates.entrance_lanes.size, fleet.gate.size
    stations = 2 * n_links + 2 * n_gates + 1
    lanes = int(gates.entrance_lanes.max(initial=1))
    crosses = fleet.gate >= 0
    max_stays = int(np.bincount(fleet.gate[crosses]).max(initial=1))
    later_link = np.full(n_trucks, -1, np.int64)
    following, preceding = np.empty((2, n_trucks + 2 * n_links), np.uint32)
    following[n_trucks:] = preceding[n_trucks:] = np.arange(n_trucks, n_trucks + 2 * n_links)
    ready_s = np.full(n_trucks + 2 * n_links, -NEVER)
    ready_s[:n_trucks] = fleet.ready_s
    waiting = np.zeros(2 * n_links, np.int64)
    entered, left = np.zeros((2, n_links), np.int64)
    entered_place, left_place = np.zeros((2, n_links), np.uint32)
    last_entry_s, last_exit_s = np.full((2, n_links), -NEVER)
    tag, virtual = np.zeros((2, 2 * n_links))
    key = np.full(stations + 1, NEVER)
    # In a lane that is busy at the start stands nobody of the run: a number that no truck has.
    busy = gates.entrance_busy_s > 0.0
    lane_truck, lane_end_s = np.full((n_gates, lanes), -1, np.int64), np.zeros((n_gates, lanes))
    lane_truck[:, : busy.shape[1]][busy] = n_trucks
    return State(
        key=key,
        key_bits=key.view(np.int64),
        tree=_blank_tree(stations).copy(),
        following=following,
        preceding=preceding,
        waiting=waiting,
        entered=entered,
        left=left,
        entered_place=entered_place,
        left_place=left_place,
        due_until_s=np.full(n_links, -NEVER),
        due_last=np.arange(n_trucks, n_trucks + n_links, dtype=np.uint32),
        due_veh=np.zeros(n_links, np.int64),
        due_bound_veh=np.zeros(links.next_hop.shape, np.int64),
        last_entry_s=last_entry_s,
        last_exit_s=last_exit_s,
        ring_s=np.empty(links.ring_start[n_links]),
        ready_s=ready_s,
        tag=tag,
        virtual=virtual[:n_links],
        destination=np.where(crosses, fleet.gate, fleet.way_out).astype(np.uint32),
        hold_link=fleet.hold_link.astype(np.int32),
        lane_truck=lane_truck,
        lane_end_s=lane_end_s,
        lane_blocked=np.zeros((n_gates, lanes), np.int64),
        blocked_lanes=np.zeros(1, np.int64),
        idle=gates.entrance_lanes - busy.sum(axis=1),
        occupancy=np.zeros(gates.yard_capacity_veh.size, np.int64),
        yard_places_veh=gates.yard_capacity_veh.copy(),
        yard_changes=np.zeros(1, np.int64),
        truck_yard=fleet.yard.copy(),
        yard_entered_s=np.full(gates.yard_capacity_veh.size, -NEVER),
        yard_exit_free_s=np.full(gates.yard_capacity_veh.size, -NEVER),
        has_exit_turn=np.zeros(n_trucks if gates.yard_exit_s.any() else 1, np.int64),
        stay_key=np.empty((n_gates, max_stays)),
        stay_truck=np.empty((n_gates, max_stays), np.int64),
        stay_count=np.zeros(n_gates, np.int64),
        crossing_free_s=np.zeros((n_gates, int(gates.crossing_lanes.max(initial=1)))),
        later_key=np.empty(n_trucks + 1),
        later_truck=np.empty(n_trucks + 1, np.int64),
        later_link=later_link,
        later_count=np.zeros(1, np.int64),
        balance=np.zeros(N_BALANCE, np.int64),
        stack=np.empty(n_links + 1, np.int64),
    )
