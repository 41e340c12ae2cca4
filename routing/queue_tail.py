"""How long a gate's queue is at one moment of a run: who stands on the road before it, and where the last one is."""

from __future__ import annotations

import numpy as np

from routing.arrays import NEVER, UNBOUNDED, GateArrays, LinkArrays, RunOutput, rule
from routing.run_state import State


@rule
def standing_trucks(links: LinkArrays, gates: GateArrays, state: State, gate: int, now_s: float) -> tuple[int, float]:
    """Trucks for `gate` that stand on the road before it, contiguously, and the kilometre of the last one.

    The place of the k-th truck of a link is where Newell's backward wave puts it: k standing trucks and those
    gaps that departures of the last x / w seconds have sent upstream lie between it and the end. It stands when
    driving freely would have brought it beyond that place.
    """
    total = 0
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
        wave = length / links.wave_time_s[link] if links.wave_time_s[link] > 0.0 else NEVER
        place = 0.0
        gaps = 0
        storage = links.storage_veh[link]
        known_gaps = min(state.left[link], storage) if storage < UNBOUNDED else 0
        truck = state.head[link]
        all_stand = True
        moving = -1
        while truck >= 0:
            while gaps < known_gaps:
                left_s = state.ring_s[links.ring_start[link] + (state.left[link] - 1 - gaps) % storage]
                if left_s <= now_s - (place + spacing) / wave:
                    break  # the gap has passed this truck, it has moved up
                gaps += 1
                place += spacing
            if (state.ready_s[truck] - now_s) * speed > place + 1e-6 or (speed == 0.0 and state.ready_s[truck] > now_s):
                all_stand = False
                moving = truck
                break
            if state.destination[truck] == gate:
                total += 1
                tail_km = max(tail_km, gates.tail_km[gate, link] + min(place, length) * gates.km_per_m[link])
            truck = state.following[truck]
            place += spacing
        if state.waiting[link] == 0 or place < 0.75 * length:
            continue
        goes_on = False
        for station in links.feeder[links.feeder_start[link] : links.feeder_start[link + 1]]:
            if station < links.length_m.size:
                first = state.head[station]
                # Within two places of the line: it closes up to the one that just went on.
                near_s = 2.0 * links.spacing_m[station] * links.free_time_s[station] / links.length_m[station]
                if first >= 0 and state.ready_s[first] <= now_s + near_s:
                    stack[depth] = station
                    depth += 1
                    goes_on = True
            elif all_stand:
                # Trucks that want to enter here but find no place: they stand where the road begins.
                truck = state.head[station]
                while truck >= 0:
                    total += state.destination[truck] == gate
                    truck = state.following[truck]
        if goes_on and not all_stand:
            # Those that have just moved up between two standing parts belong to the queue.
            truck = moving
            while truck >= 0:
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
