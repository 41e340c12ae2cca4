"""How long a gate's queue is at one moment of a run: who stands on the road before it, and where the last one is."""

from __future__ import annotations

import numpy as np

from routing.arrays import UNBOUNDED, GateArrays, LinkArrays, RunOutput
from routing.compiling import rule
from routing.run_state import State, first


@rule
def _count_due(state: State, link: int, now_s: float) -> None:
    """Go on counting the trucks of a link that would have reached its end by now, from where the last sample ended.

    They come first in its line. Those that have left since were taken off the count by `link_rules.take_first`, and
    whoever came since is not due before now.
    """
    last = state.due_last[link]
    truck = state.following[last]
    while truck < state.destination.size and state.ready_s[truck] <= now_s:
        last = truck
        state.due_veh[link] += 1
        state.due_bound_veh[link, state.destination[truck]] += 1
        truck = state.following[truck]
    state.due_last[link] = last
    state.due_until_s[link] = now_s


@rule
def _gaps(links: LinkArrays, state: State, link: int, ahead: int, gaps: int, now_s: float) -> int:
    """How many gaps lie between the end of a link and the truck that `ahead` others stand before; `gaps` at least.

    Departures send gaps upstream, at the speed of the backward wave; the newest is the nearest.
    """
    storage = links.storage_veh[link]
    if storage >= UNBOUNDED or links.length_m[link] <= 0.0:
        return gaps
    spacing_s = links.spacing_m[link] * (links.wave_time_s[link] / links.length_m[link])
    known = min(state.left[link], storage)
    ring = np.int64(links.ring_start[link])
    newest = ring + (np.int64(state.left_place[link]) - 1 if state.left_place[link] > 0 else storage - 1)
    while gaps < known:
        at = newest - gaps
        left_s = state.ring_s[at if at >= ring else at + storage]
        if left_s <= now_s - (ahead + gaps + 1) * spacing_s:
            break  # the gap has passed this truck, it has moved up
        gaps += 1
    return gaps


@rule
def standing_trucks(links: LinkArrays, gates: GateArrays, state: State, gate: int, now_s: float) -> tuple[int, float]:
    """Trucks for `gate` that stand on the road before it, contiguously, and the kilometre of the last one.

    The place of the k-th truck of a link is where Newell's backward wave puts it: k standing trucks and those
    gaps that departures of the last x / w seconds have sent upstream lie between it and the end. It stands when
    driving freely would have brought it beyond that place.
    """
    total, n_trucks = 0, state.destination.size
    start, end = gates.feeder_start[gate], gates.feeder_start[gate + 1]
    tail_km = gates.tail_km[gate, gates.feeder[start]] if end > start else 0.0
    nearest_km = tail_km
    stack = state.stack
    depth = 0
    for i in range(start, end):
        stack[depth] = gates.feeder[i]
        depth += 1
    while depth > 0:
        depth -= 1
        link = stack[depth]
        length, spacing = links.length_m[link], links.spacing_m[link]
        speed = length / links.free_time_s[link] if links.free_time_s[link] > 0.0 else 0.0
        # Those that are due stand whatever their place: only the last one bound for this gate is looked for.
        _count_due(state, link, now_s)
        ahead, gaps, last_place = state.due_veh[link], int(np.int64(0)), -1.0
        own = state.due_bound_veh[link, gate]
        total += own
        truck = state.due_last[link]
        if own > 0:
            others = int(np.int64(0))
            while state.destination[truck] != gate:
                truck = state.preceding[truck]
                others += 1
            gaps = _gaps(links, state, link, ahead - 1 - others, gaps, now_s)
            last_place = (ahead - 1 - others + gaps) * spacing
        if ahead > 0:
            gaps = _gaps(links, state, link, ahead - 1, gaps, now_s)
        truck = state.following[state.due_last[link]]
        all_stand = True
        moving = truck
        while truck < n_trucks:
            gaps = _gaps(links, state, link, ahead, gaps, now_s)
            place = (ahead + gaps) * spacing
            if (state.ready_s[truck] - now_s) * speed > place + 1e-6 or speed == 0.0:
                all_stand = False
                moving = truck
                break
            if state.destination[truck] == gate:
                total += 1
                last_place = place
            truck = state.following[truck]
            ahead += 1
        place = (ahead + gaps) * spacing
        if last_place >= 0.0:
            tail_km = max(tail_km, gates.tail_km[gate, link] + min(last_place, length) * gates.km_per_m[link])
        if state.waiting[link] == 0 or place < 0.75 * length:
            continue
        goes_on = False
        for station in links.feeder[links.feeder_start[link] : links.feeder_start[link + 1]]:
            if station < links.length_m.size:
                nearest = first(state, station)
                # Within two places of the line: it closes up to the one that just went on.
                near_s = 2.0 * links.spacing_m[station] * links.free_time_s[station] / links.length_m[station]
                if nearest < n_trucks and state.ready_s[nearest] <= now_s + near_s:
                    stack[depth] = station
                    depth += 1
                    goes_on = True
            elif all_stand:
                # Trucks that want to enter here but find no place: they stand where the road begins.
                truck = first(state, station)
                while truck < n_trucks:
                    total += state.destination[truck] == gate
                    truck = state.following[truck]
        if goes_on and not all_stand:
            # Those that have just moved up between two standing parts belong to the queue.
            truck = moving
            while truck < n_trucks:
                total += state.destination[truck] == gate
                truck = state.following[truck]
    return total, max(tail_km, nearest_km)


@rule
def sample(links: LinkArrays, gates: GateArrays, state: State, out: RunOutput, index: int, now_s: float) -> None:
    """Write down queues, tails and occupancies at one moment, and check that no truck was lost or made."""
    for gate in range(state.idle.size):
        standing, tail_km = standing_trucks(links, gates, state, gate, now_s)
        in_lanes = gates.entrance_lanes[gate] - state.idle[gate]
        out.standing[gate, index] = standing
        out.queue_veh[gate, index] = standing + in_lanes
        out.ahead[gate, index] = out.started[gate] + standing
        out.tail_km[gate, index] = tail_km
    for yard in range(state.occupancy.size):
        out.occupancy_veh[yard, index] = state.occupancy[yard]
    out.on_road_veh[index] = np.sum(state.waiting)
