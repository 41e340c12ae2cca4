"""The compiled heart of the traffic engine: one run, every truck an individual, event by event.

Links follow Newell's simplified kinematic wave model, truck by truck. Truck n may leave link i for link j at the
earliest time at which

(a) it has travelled link i freely,
(b) the truck before it left link i at least one outflow headway ago and the last truck entered j one headway ago,
(c) link j has a place: truck n - storage has left j at least one backward-wave travel time ago.

So a full link holds back the one before it and gaps travel upstream at finite speed. No time step: each link, source
and server is a station with at most one next event, kept in a winner tree over the stations, so the cost of an
event depends on the number of stations and not on the number of trucks.

Sources: G. F. Newell, "A simplified theory of kinematic waves in highway traffic", Transportation Research B 27
(1993); I. Yperman, "The link transmission model" (KU Leuven, 2007). Merges by start-time fair queueing
(P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996) with the links' priorities as weights.

Everything random is drawn before; a run is a pure function of its arguments. Times are seconds since the start.
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
    RunOutput,
    compiled,
    rule,
)
from routing.run_state import State, blank_state, pop, push, set_key


@rule
def next_open(open_s: FloatArray, day_second: float, time_s: float) -> float:
    """The first moment at or after `time_s` within daily opening hours [from, to) that may pass midnight."""
    start, end = open_s[0], open_s[1]
    if start == end or time_s == NEVER:
        return time_s
    of_day = (day_second + time_s) % 86400.0
    if start < end:
        if start <= of_day < end:
            return time_s
    elif of_day >= start or of_day < end:
        return time_s
    return float(time_s + (start - of_day) % 86400.0)


@rule
def _entry_time(links: LinkArrays, state: State, j: int) -> float:
    """When link j can take the next truck, as far as known; NEVER while its gap has not yet formed."""
    at = state.last_entry_s[j] + links.headway_s[j]
    behind = state.entered[j] - links.storage_veh[j]
    if behind >= 0:
        if behind >= state.left[j]:
            return NEVER
        start = links.ring_start[j]
        gap = state.ring_s[start + behind % links.storage_veh[j]] + links.wave_time_s[j]
        at = max(at, gap)
    if links.closed_from_s[j] <= at < links.closed_to_s[j]:
        at = links.closed_to_s[j]
    return float(at)


@rule
def _departure(links: LinkArrays, gates: GateArrays, state: State, station: int, now_s: float) -> float:
    """When the first truck of a link or source can go on; NEVER while it is blocked or nobody is there."""
    truck = state.head[station]
    if truck < 0:
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
        if j == NO_WAY:
            return NEVER
        if j == ARRIVED:
            gate = state.destination[truck]
            if gate < state.idle.size:
                if state.idle[gate] == 0:
                    return NEVER
                at = next_open(gates.entrance_open_s[gate], gates.day_second, at)
            return float(at)
    if links.closed_from_s[j] <= at < links.closed_to_s[j]:
        at = links.closed_to_s[j]
    return float(max(at, _entry_time(links, state, j)))


@rule
def _append(state: State, station: int, truck: int) -> bool:
    """Put a truck into a station's line by when it would reach the end; tells whether it is the first there.

    On the open road a faster truck passes slower ones; who stands keeps its place, for its time has come before.
    """
    state.waiting[station] += 1
    ahead = state.tail[station]
    ready = state.ready_s[truck]
    while ahead >= 0 and state.ready_s[ahead] > ready:
        ahead = state.preceding[ahead]
    behind = state.following[ahead] if ahead >= 0 else state.head[station]
    state.preceding[truck], state.following[truck] = ahead, behind
    if behind >= 0:
        state.preceding[behind] = truck
    else:
        state.tail[station] = truck
    if ahead >= 0:
        state.following[ahead] = truck
        return False
    state.head[station] = truck
    return True


@rule
def _wake(links: LinkArrays, gates: GateArrays, state: State, feeders: IntArray, now_s: float) -> None:
    """Look again at stations that were blocked."""
    for station in feeders:
        if state.head[station] >= 0 and state.key[station] == NEVER:
            set_key(state, station, _departure(links, gates, state, station, now_s))


@rule
def _take_first(links: LinkArrays, state: State, station: int, now_s: float) -> int:
    """Remove the first truck of a link or source; the gap it leaves starts its way upstream."""
    truck = state.head[station]
    behind = state.following[truck]
    state.head[station] = behind
    if behind >= 0:
        state.preceding[behind] = -1
    else:
        state.tail[station] = -1
    state.waiting[station] -= 1
    if station < links.length_m.size:
        storage = links.storage_veh[station]
        if storage < UNBOUNDED:
            state.ring_s[links.ring_start[station] + state.left[station] % storage] = now_s
        state.left[station] += 1
        state.last_exit_s[station] = now_s
    return int(truck)


@rule
def _after_leaving(links: LinkArrays, gates: GateArrays, state: State, station: int, now_s: float) -> None:
    """Plan the next truck of a station that has just let one go, and those it had blocked."""
    set_key(state, station, _departure(links, gates, state, station, now_s))
    if station < links.length_m.size and state.waiting[station] == links.storage_veh[station] - 1:
        feeders = links.feeder[links.feeder_start[station] : links.feeder_start[station + 1]]
        _wake(links, gates, state, feeders, now_s)


@rule
def _fairest(links: LinkArrays, state: State, station: int, j: int, now_s: float) -> int:
    """Of the stations whose first truck could enter link j now, the one whose turn it is."""
    best = station
    n_links = links.length_m.size
    best_tag = max(state.tag[station], state.virtual[j])
    for other in links.feeder[links.feeder_start[j] : links.feeder_start[j + 1]]:
        if other == station or state.key[other] > now_s or state.head[other] < 0:
            continue
        first = state.head[other]
        if other < n_links and (
            state.hold_link[first] == other or links.next_hop[other, state.destination[first]] != j
        ):
            continue
        tag = max(state.tag[other], state.virtual[j])
        if tag < best_tag:
            best, best_tag = other, tag
    state.virtual[j] = best_tag
    state.tag[best] = best_tag + 1.0 / links.priority[best]
    return int(best)


@rule
def _plan_lanes(state: State, links: LinkArrays, gate: int) -> None:
    """The entrance's next event: the first lane whose check ends."""
    first = NEVER
    for lane in range(state.lane_truck.shape[1]):
        if state.lane_truck[gate, lane] >= 0 and state.lane_blocked[gate, lane] == 0:
            first = min(first, state.lane_end_s[gate, lane])
    set_key(state, 2 * links.length_m.size + gate, first)


@rule
def _plan_crossing(state: State, links: LinkArrays, gates: GateArrays, gate: int, now_s: float) -> None:
    """The crossing's next event: the first truck done in the yard meets the first free lane within hours."""
    station = 2 * links.length_m.size + state.idle.size + gate
    if state.stay_count[gate] == 0:
        set_key(state, station, NEVER)
        return
    free = NEVER
    for lane in range(gates.crossing_lanes[gate]):
        free = min(free, state.crossing_free_s[gate, lane])
    at = max(now_s, state.stay_key[gate, 0], free)
    set_key(state, station, next_open(gates.crossing_open_s[gate], gates.day_second, at))


@rule
def _enter_yard(
    links: LinkArrays,
    gates: GateArrays,
    fleet: FleetArrays,
    out: RunOutput,
    state: State,
    gate: int,
    lane: int,
    now_s: float,
) -> None:
    """A truck drives from its entrance lane into the yard; the lane is free for the next one on the road."""
    truck = state.lane_truck[gate, lane]
    state.lane_truck[gate, lane] = -1
    state.lane_blocked[gate, lane] = 0
    state.idle[gate] += 1
    state.occupancy[gates.yard[gate]] += 1
    out.yard_in_s[truck] = now_s
    stay_end = now_s + fleet.dwell_s[truck]
    push(state.stay_key[gate], state.stay_truck[gate], state.stay_count[gate], stay_end, truck)
    state.stay_count[gate] += 1
    if state.stay_truck[gate, 0] == truck:
        _plan_crossing(state, links, gates, gate, now_s)
    _plan_lanes(state, links, gate)
    _wake(links, gates, state, gates.feeder[gates.feeder_start[gate] : gates.feeder_start[gate + 1]], now_s)


@rule
def _fill_yard(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State, yard: int, now_s: float
) -> None:
    """Let in the trucks that wait in entrance lanes for a place, longest waiting first, while there is one."""
    while state.occupancy[yard] < gates.yard_capacity_veh[yard]:
        best_gate, best_lane, best_end = -1, -1, NEVER
        for gate in range(state.idle.size):
            if gates.yard[gate] != yard:
                continue
            for lane in range(state.lane_truck.shape[1]):
                if state.lane_blocked[gate, lane] == 1 and state.lane_end_s[gate, lane] < best_end:
                    best_gate, best_lane, best_end = gate, lane, state.lane_end_s[gate, lane]
        if best_gate < 0:
            return
        _enter_yard(links, gates, fleet, out, state, best_gate, best_lane, now_s)


@rule
def _standing(links: LinkArrays, gates: GateArrays, state: State, gate: int, now_s: float) -> tuple[int, float]:
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
def _sample(links: LinkArrays, gates: GateArrays, state: State, out: RunOutput, index: int, now_s: float) -> None:
    """Write down queues, tails and occupancies at one moment, and check that no truck was lost or made."""
    for gate in range(state.idle.size):
        standing, tail_km = _standing(links, gates, state, gate, now_s)
        in_lanes = gates.entrance_lanes[gate] - state.idle[gate]
        out.standing[gate, index] = standing
        out.queue_veh[gate, index] = standing + in_lanes
        out.ahead[gate, index] = out.started[gate] + standing
        out.tail_km[gate, index] = tail_km
    for yard in range(state.occupancy.size):
        out.occupancy_veh[yard, index] = state.occupancy[yard]
    out.on_road_veh[index] = np.sum(state.waiting)


@compiled
def _start_state(links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput) -> State:
    """The state before the first event: trucks in their places, nothing planned."""
    state = blank_state(links, gates, fleet)
    for truck in fleet.on_road:
        _append(state, fleet.link[truck], truck)
        state.entered[fleet.link[truck]] += 1
        out.unhindered_s[truck] = _free_rest(links, fleet, truck, state.destination[truck], fleet.ready_s[truck])
    for truck in fleet.in_yard:
        gate = fleet.gate[truck]
        state.occupancy[gates.yard[gate]] += 1
        out.yard_in_s[truck] = 0.0
        push(state.stay_key[gate], state.stay_truck[gate], state.stay_count[gate], fleet.ready_s[truck], truck)
        state.stay_count[gate] += 1
    state.balance[0] = fleet.on_road.size + fleet.in_yard.size
    return state


@rule
def _free_rest(links: LinkArrays, fleet: FleetArrays, truck: int, destination: int, at: float) -> float:
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


@rule
def _move(
    links: LinkArrays,
    gates: GateArrays,
    fleet: FleetArrays,
    out: RunOutput,
    state: State,
    station: int,
    now_s: float,
) -> None:
    """The first truck of a link or source goes where it is bound for."""
    n_links = links.length_m.size
    first = state.head[station]
    held = station < n_links and state.hold_link[first] == station
    j = station - n_links if station >= n_links else links.next_hop[station, state.destination[first]]
    if j >= 0 and not held:
        if links.feeder_start[j + 1] - links.feeder_start[j] > 1:
            station = _fairest(links, state, station, j, now_s)
        truck = _take_first(links, state, station, now_s)
        state.ready_s[truck] = now_s + links.free_time_s[j] * fleet.slowness[truck]
        state.entered[j] += 1
        state.last_entry_s[j] = now_s
        if _append(state, j, truck):
            set_key(state, j, _departure(links, gates, state, j, now_s))
        _after_leaving(links, gates, state, station, now_s)
        return
    truck = _take_first(links, state, station, now_s)
    if held:
        state.hold_link[truck] = -1
        state.balance[4] += 1
        state.later_link[truck] = j
        until = max(now_s, fleet.hold_until_s[truck])
        push(state.later_key, state.later_truck, state.later_count[0], until, truck)
        state.later_count[0] += 1
    elif state.destination[truck] < state.idle.size:
        gate = state.destination[truck]
        lane = 0
        while state.lane_truck[gate, lane] >= 0 or lane >= gates.entrance_lanes[gate]:
            lane += 1
        state.lane_truck[gate, lane] = truck
        state.lane_end_s[gate, lane] = now_s + fleet.entrance_s[truck]
        state.idle[gate] -= 1
        out.entrance_start_s[truck] = now_s
        out.starts_s[gate, out.started[gate]] = now_s
        out.started[gate] += 1
        _plan_lanes(state, links, gate)
    else:
        out.exit_s[truck] = now_s
        state.balance[1] += 1
    _after_leaving(links, gates, state, station, now_s)


@rule
def _check_done(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State, gate: int, now_s: float
) -> None:
    """A check at the entrance ends: into the yard, or wait in the lane for a place."""
    for lane in range(gates.entrance_lanes[gate]):
        if (
            state.lane_truck[gate, lane] >= 0
            and state.lane_blocked[gate, lane] == 0
            and state.lane_end_s[gate, lane] <= now_s
        ):
            state.lane_blocked[gate, lane] = 1
    _fill_yard(links, gates, fleet, out, state, gates.yard[gate], now_s)
    _plan_lanes(state, links, gate)


@rule
def _cross(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State, gate: int, now_s: float
) -> None:
    """A truck leaves the yard through a crossing lane; a place is free."""
    truck = state.stay_truck[gate, 0]
    pop(state.stay_key[gate], state.stay_truck[gate], state.stay_count[gate])
    state.stay_count[gate] -= 1
    lane = 0
    for other in range(gates.crossing_lanes[gate]):
        if state.crossing_free_s[gate, other] < state.crossing_free_s[gate, lane]:
            lane = other
    done = now_s + fleet.crossing_s[truck]
    state.crossing_free_s[gate, lane] = done
    state.occupancy[gates.yard[gate]] -= 1
    _plan_crossing(state, links, gates, gate, now_s)
    onward = gates.onward_link[gate]
    if onward < 0:
        out.exit_s[truck] = done
        state.balance[1] += 1
    else:
        state.destination[truck] = fleet.way_out[truck]
        state.later_link[truck] = onward
        state.balance[4] += 1
        push(state.later_key, state.later_truck, state.later_count[0], done, truck)
        state.later_count[0] += 1
    _fill_yard(links, gates, fleet, out, state, gates.yard[gate], now_s)


@rule
def _loop(
    links: LinkArrays,
    gates: GateArrays,
    fleet: FleetArrays,
    out: RunOutput,
    state: State,
    step_s: float,
    limit_s: float,
) -> None:
    """Event after event until everybody is out, nobody can move any more, or `limit_s`."""
    n_links, n_gates = links.length_m.size, gates.yard.size
    for station in range(n_links):
        set_key(state, station, _departure(links, gates, state, station, 0.0))
    for gate in range(n_gates):
        _fill_yard(links, gates, fleet, out, state, gates.yard[gate], 0.0)
        _plan_crossing(state, links, gates, gate, 0.0)
    upcoming, sampled, samples = 0, 0, out.on_road_veh.size
    while True:
        station = state.tree[1]
        now_s = state.key[station]
        kind = 0
        if upcoming < fleet.to_come.size and fleet.ready_s[fleet.to_come[upcoming]] <= now_s:
            now_s, kind = fleet.ready_s[fleet.to_come[upcoming]], 1
        if state.later_count[0] > 0 and state.later_key[0] <= now_s:
            now_s, kind = state.later_key[0], 2
        while sampled < samples and sampled * step_s < now_s:
            _sample(links, gates, state, out, sampled, sampled * step_s)
            sampled += 1
        if now_s == NEVER or now_s > limit_s:
            break
        if kind > 0:
            if kind == 1:
                truck = fleet.to_come[upcoming]
                upcoming += 1
                state.balance[0] += 1
                link = fleet.link[truck]
                at = now_s + links.free_time_s[link] * fleet.slowness[truck]
                out.unhindered_s[truck] = _free_rest(links, fleet, truck, state.destination[truck], at)
            else:
                truck = state.later_truck[0]
                pop(state.later_key, state.later_truck, state.later_count[0])
                state.later_count[0] -= 1
                state.balance[4] -= 1
                link = state.later_link[truck]
            state.ready_s[truck] = now_s
            if _append(state, n_links + link, truck):
                set_key(state, n_links + link, _departure(links, gates, state, n_links + link, now_s))
        elif station < 2 * n_links:
            at = _departure(links, gates, state, station, now_s)
            if at > now_s:
                set_key(state, station, at)
            else:
                _move(links, gates, fleet, out, state, station, now_s)
        elif station < 2 * n_links + n_gates:
            _check_done(links, gates, fleet, out, state, station - 2 * n_links, now_s)
        else:
            _cross(links, gates, fleet, out, state, station - 2 * n_links - n_gates, now_s)
    state.balance[2] = np.sum(state.waiting)
    state.balance[3] = np.sum(gates.entrance_lanes) - np.sum(state.idle) + np.sum(state.stay_count)


@compiled
def run(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, step_s: float, limit_s: float
) -> None:
    """Run until everybody is out, nobody can move any more, or `limit_s`; write `out` every `step_s` from 0 on."""
    state = _start_state(links, gates, fleet, out)
    _loop(links, gates, fleet, out, state, step_s, limit_s)
    out.balance[:] = state.balance
