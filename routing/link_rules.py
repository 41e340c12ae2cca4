"""The compiled rules of links: when a truck may leave one for the next, whose turn it is, who was blocked.

See `routing.engine` for the model and its sources.
"""

from __future__ import annotations

import numpy as np

from routing.arrays import (
    ARRIVED,
    NEVER,
    NO_WAY,
    UNBOUNDED,
    FleetArrays,
    FloatArray,
    GateArrays,
    IntArray,
    LinkArrays,
    NumberArray,
)
from routing.compiling import rule
from routing.run_state import State, first, line_of, set_key


@rule
def next_open(open_s: FloatArray, time_s: float) -> float:
    """The first moment at or after `time_s` within spans [span, 2] in order and apart; NEVER after the last one."""
    if time_s == NEVER:
        return time_s
    low, high = 0, open_s.shape[0]
    # Mostly it is round the clock, or the day has not ended since the start.
    if high > 0 and open_s[0, 0] <= time_s < open_s[0, 1]:
        return time_s
    while low < high:
        middle = (low + high) // 2
        if open_s[middle, 1] <= time_s:
            low = middle + 1
        else:
            high = middle
    return float(max(time_s, open_s[low, 0])) if low < open_s.shape[0] else NEVER


@rule
def _entry_time(links: LinkArrays, state: State, j: int) -> float:
    """When link j can take the next truck, as far as known; NEVER while its gap has not yet formed."""
    at = state.last_entry_s[j] + links.headway_s[j]
    behind = state.entered[j] - links.storage_veh[j]
    if behind >= 0:
        if behind >= state.left[j]:
            return NEVER
        gap = state.ring_s[links.ring_start[j] + state.entered_place[j]] + links.wave_time_s[j]
        at = max(at, gap)
    if links.closed_from_s[j] <= at < links.closed_to_s[j]:
        at = links.closed_to_s[j]
    return float(at)


@rule
def departure(links: LinkArrays, gates: GateArrays, state: State, station: int, now_s: float) -> float:
    """When the first truck of a link or source can go on; NEVER while it is blocked or nobody is there."""
    truck = first(state, station)
    if truck >= state.destination.size:
        return NEVER
    n_links = links.length_m.size
    at = max(state.ready_s[truck], now_s)
    if station >= n_links:
        j = station - n_links
    else:
        at = max(at, state.last_exit_s[station] + links.headway_s[station])
        if state.hold_link[truck] == station:
            return float(at)
        j = links.next_hop[station, state.destination[truck]]
        if j < 0:
            if j == NO_WAY:
                return NEVER
            gate = state.destination[truck]
            if gate < state.idle.size:
                if state.idle[gate] == 0:
                    return NEVER
                at = next_open(gates.entrance_open_s[gate], at)
            return float(at)
    if links.closed_from_s[j] <= at < links.closed_to_s[j]:
        at = links.closed_to_s[j]
    return float(max(at, _entry_time(links, state, j)))


@rule
def append(state: State, station: int, truck: int | np.uint32) -> bool:
    """Put a truck into a station's line by when it would reach the end; tells whether it is the first there.

    On the open road a faster truck passes slower ones; who stands keeps its place, for its time has come before.
    """
    state.waiting[station] += 1
    ready = state.ready_s[truck]
    ahead = state.preceding[line_of(state, station)]
    while state.ready_s[ahead] > ready:
        ahead = state.preceding[ahead]
    behind = state.following[ahead]
    state.preceding[truck], state.following[truck] = ahead, behind
    state.preceding[behind] = state.following[ahead] = truck
    return bool(ahead >= state.destination.size)


@rule
def count_entry(links: LinkArrays, state: State, j: int) -> None:
    """One truck more has driven onto link j."""
    state.entered[j] += 1
    place = state.entered_place[j] + 1
    state.entered_place[j] = place if place < links.storage_veh[j] else 0


@rule
def wake(links: LinkArrays, gates: GateArrays, state: State, feeders: IntArray | NumberArray, now_s: float) -> None:
    """Look again at stations that were blocked."""
    for station in feeders:
        if state.key[station] == NEVER and first(state, station) < state.destination.size:
            set_key(state, station, departure(links, gates, state, station, now_s))


@rule
def take_first(links: LinkArrays, state: State, station: int, now_s: float) -> int:
    """Remove the first truck of a link or source; the gap it leaves starts its way upstream."""
    line = line_of(state, station)
    truck: int = state.following[line]
    behind = state.following[truck]
    state.following[line], state.preceding[behind] = behind, line
    state.waiting[station] -= 1
    if station < links.length_m.size:
        storage = links.storage_veh[station]
        if storage < UNBOUNDED:
            place = state.left_place[station]
            state.ring_s[links.ring_start[station] + place] = now_s
            state.left_place[station] = place + 1 if place + 1 < storage else 0
        state.left[station] += 1
        state.last_exit_s[station] = now_s
        if state.ready_s[truck] <= state.due_until_s[station]:
            state.due_veh[station] -= 1
            state.due_bound_veh[station, state.destination[truck]] -= 1
            if state.due_last[station] == truck:
                state.due_last[station] = line
    return truck


@rule
def after_leaving(links: LinkArrays, gates: GateArrays, state: State, station: int, now_s: float) -> None:
    """Plan the next truck of a station that has just let one go, and those it had blocked."""
    set_key(state, station, departure(links, gates, state, station, now_s))
    if station < links.length_m.size and state.waiting[station] == links.storage_veh[station] - 1:
        feeders = links.feeder[links.feeder_start[station] : links.feeder_start[station + 1]]
        wake(links, gates, state, feeders, now_s)


@rule
def fairest(links: LinkArrays, state: State, station: int, j: int, now_s: float) -> int:
    """Of the stations whose first truck could enter link j now, the one whose turn it is."""
    best = station
    n_links = links.length_m.size
    best_tag = max(state.tag[station], state.virtual[j])
    for other in links.feeder[links.feeder_start[j] : links.feeder_start[j + 1]]:
        if other == station or state.key[other] > now_s:
            continue
        truck = first(state, other)
        if truck >= state.destination.size or (
            other < n_links
            and (state.hold_link[truck] == other or links.next_hop[other, state.destination[truck]] != j)
        ):
            continue
        tag = max(state.tag[other], state.virtual[j])
        if tag < best_tag:
            best, best_tag = other, tag
    state.virtual[j] = best_tag
    state.tag[best] = best_tag + 1.0 / links.priority[best]
    return int(best)


@rule
def free_rest(links: LinkArrays, fleet: FleetArrays, truck: int | np.uint32, destination: int, at: float) -> float:
    """When a truck that reaches the end of its link at `at` would be at its destination with nobody before it
    (holds included)."""
    link = fleet.link[truck]
    while True:
        if fleet.hold_link[truck] == link:
            at = max(at, fleet.hold_until_s[truck])
        link = links.next_hop[link, destination]
        if link < 0:
            return float(at) if link == ARRIVED else NEVER
        at += links.free_time_s[link] * fleet.slowness[truck]
