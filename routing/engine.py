"""The compiled heart of the traffic engine: one run, every truck an individual, event by event.

Links follow Newell's simplified kinematic wave model, truck by truck. Truck n may leave link i for link j at the
earliest time at which

(a) it has travelled link i freely,
(b) the truck before it left link i at least one outflow headway ago and the last truck entered j one headway ago,
(c) link j has a place: truck n - storage has left j at least one backward-wave travel time ago.

So a full link holds back the one before it and gaps travel upstream at finite speed. No time step: each link, source
and server is a station with at most one next event, kept in a winner tree over the stations, so the cost of an
event depends on the number of stations and not on the number of trucks. The last station is the next change of a
yard's places.

Sources: G. F. Newell, "A simplified theory of kinematic waves in highway traffic", Transportation Research B 27
(1993); I. Yperman, "The link transmission model" (KU Leuven, 2007). Merges by start-time fair queueing
(P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996) with the links' priorities as weights.

Everything random is drawn before; a run is a pure function of its arguments. Times are seconds since the start.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from routing.arrays import NEVER, NO_YARD, Balance, FleetArrays, GateArrays, LinkArrays, RunOutput
from routing.compiling import rule, uncounted
from routing.link_rules import (
    after_leaving,
    append,
    count_entry,
    departure,
    fairest,
    free_rest,
    next_open,
    take_first,
    wake,
)
from routing.queue_tail import sample
from routing.run_state import State, first, pop, push, set_key


class Event(IntEnum):
    """What happens next."""

    STATION = 0
    """A link, source, entrance or crossing is due, or a yard's places change."""
    APPEARANCE = 1
    """A truck comes into the corridor."""
    RETURN = 2
    """A held truck, or one that has crossed, comes back to the road."""


@rule
def _plan_lanes(state: State, links: LinkArrays, gates: GateArrays, gate: int) -> None:
    """The entrance's next event: the first lane whose check ends, or the next turn of a yard's entrance that has a
    place for a truck that waits in a lane."""
    soonest = NEVER
    is_blocked = False
    for lane in range(state.lane_truck.shape[1]):
        if state.lane_truck[gate, lane] >= 0:
            if state.lane_blocked[gate, lane] == 0:
                soonest = min(soonest, state.lane_end_s[gate, lane])
            else:
                is_blocked = True
    if is_blocked:
        for yard in gates.yard[gates.yard_start[gate] : gates.yard_start[gate + 1]]:
            if gates.yard_entrance_s[yard] > 0.0 and state.occupancy[yard] < state.yard_places_veh[yard]:
                soonest = min(soonest, state.yard_entered_s[yard] + gates.yard_entrance_s[yard])
    set_key(state, 2 * links.length_m.size + gate, soonest)


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
    set_key(state, station, next_open(gates.crossing_open_s[gate], at))


@rule
def _roomiest_yard(gates: GateArrays, state: State, gate: int, now_s: float) -> int:
    """The gate's yard with the most free places whose entrance is free, the first of equals; NO_YARD when there is
    none."""
    best, most_free = NO_YARD, 0
    for yard in gates.yard[gates.yard_start[gate] : gates.yard_start[gate + 1]]:
        free = state.yard_places_veh[yard] - state.occupancy[yard]
        if free > most_free and state.yard_entered_s[yard] + gates.yard_entrance_s[yard] <= now_s:
            best, most_free = yard, free
    return int(best)


@rule
def _has_yard(gates: GateArrays, gate: int, yard: int) -> bool:
    found = False
    for own in gates.yard[gates.yard_start[gate] : gates.yard_start[gate + 1]]:
        found |= own == yard
    return found


@rule
def _enter_yard(
    links: LinkArrays,
    gates: GateArrays,
    fleet: FleetArrays,
    out: RunOutput,
    state: State,
    gate: int,
    lane: int,
    yard: int,
    now_s: float,
) -> None:
    """A truck drives from its entrance lane into the yard; the lane is free for the next one on the road."""
    truck = state.lane_truck[gate, lane]
    state.lane_truck[gate, lane] = -1
    state.lane_blocked[gate, lane] = 0
    state.blocked_lanes[0] -= 1
    state.idle[gate] += 1
    state.occupancy[yard] += 1
    state.yard_entered_s[yard] = now_s
    state.truck_yard[truck] = yard
    out.yard_in_s[truck] = now_s
    stay_end = now_s + fleet.dwell_s[truck]
    push(state.stay_key[gate], state.stay_truck[gate], state.stay_count[gate], stay_end, truck)
    state.stay_count[gate] += 1
    if state.stay_truck[gate, 0] == truck:
        _plan_crossing(state, links, gates, gate, now_s)
    _plan_lanes(state, links, gates, gate)
    wake(links, gates, state, gates.feeder[gates.feeder_start[gate] : gates.feeder_start[gate + 1]], now_s)


@rule
def _admit_one(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State, yard: int, now_s: float
) -> bool:
    """Let in the truck that has waited longest in an entrance lane for a place in this yard; whether there was one."""
    if state.blocked_lanes[0] == 0:
        return False
    # Of one type from the first: another for the number -1 alone would be compiled once more.
    best_gate, best_lane, best_end = int(np.int64(-1)), int(np.int64(-1)), NEVER
    for gate in range(state.idle.size):
        if state.idle[gate] == gates.entrance_lanes[gate] or not _has_yard(gates, gate, yard):
            continue
        for lane in range(state.lane_truck.shape[1]):
            if state.lane_blocked[gate, lane] == 1 and state.lane_end_s[gate, lane] < best_end:
                best_gate, best_lane, best_end = gate, lane, state.lane_end_s[gate, lane]
    if best_gate < 0:
        return False
    _enter_yard(links, gates, fleet, out, state, best_gate, best_lane, yard, now_s)
    return True


@rule
def _put_trucks(links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State) -> None:
    """Before the first event: trucks in their places, nothing planned."""
    for number in fleet.on_road:
        truck = np.uint32(number)
        append(state, fleet.link[truck], truck)
        count_entry(links, state, fleet.link[truck])
        out.unhindered_s[truck] = free_rest(links, fleet, truck, state.destination[truck], fleet.ready_s[truck])
    for truck in fleet.in_yard:
        gate = fleet.gate[truck]
        yard = fleet.yard[truck]
        if yard == NO_YARD:
            yard = _roomiest_yard(gates, state, gate, 0.0)
        if yard == NO_YARD:
            yard = gates.yard[gates.yard_start[gate]]
        state.occupancy[yard] += 1
        state.truck_yard[truck] = yard
        out.yard_in_s[truck] = 0.0
        push(state.stay_key[gate], state.stay_truck[gate], state.stay_count[gate], fleet.ready_s[truck], truck)
        state.stay_count[gate] += 1
    for gate in range(state.idle.size):
        for lane in range(gates.entrance_busy_s.shape[1]):
            state.lane_end_s[gate, lane] = _check_end(gates, gate, 0.0, gates.entrance_busy_s[gate, lane])
    busy = np.sum(gates.entrance_lanes) - np.sum(state.idle)
    state.balance[Balance.APPEARED] = fleet.on_road.size + fleet.in_yard.size + busy


@rule
def _check_end(gates: GateArrays, gate: int, now_s: float, check_s: float) -> float:
    """When a check ends of which so much is to come; what is left of it when the gate's pace changes goes on at the new
    one."""
    before_s = min(check_s, max(0.0, gates.entrance_change_s[gate] - now_s))
    end_s: float = now_s + before_s + (check_s - before_s) * gates.entrance_change[gate]
    return end_s


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
    truck = first(state, station)
    held = station < n_links and state.hold_link[truck] == station
    j = station - n_links if station >= n_links else links.next_hop[station, state.destination[truck]]
    if j >= 0 and not held:
        if links.feeder_start[j + 1] - links.feeder_start[j] > 1:
            station = fairest(links, state, station, j, now_s)
        truck = take_first(links, state, station, now_s)
        state.ready_s[truck] = now_s + links.free_time_s[j] * fleet.slowness[truck]
        count_entry(links, state, j)
        state.last_entry_s[j] = now_s
        if append(state, j, truck):
            set_key(state, j, departure(links, gates, state, j, now_s))
        after_leaving(links, gates, state, station, now_s)
        return
    truck = take_first(links, state, station, now_s)
    if held:
        state.hold_link[truck] = -1
        state.balance[Balance.HELD] += 1
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
        state.lane_end_s[gate, lane] = _check_end(gates, gate, now_s, fleet.entrance_s[truck])
        state.idle[gate] -= 1
        out.entrance_start_s[truck] = now_s
        out.starts_s[gate, out.started[gate]] = now_s
        out.started[gate] += 1
        _plan_lanes(state, links, gates, gate)
    else:
        out.exit_s[truck] = now_s
        state.balance[Balance.LEFT] += 1
    after_leaving(links, gates, state, station, now_s)


@rule
def _check_done(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State, gate: int, now_s: float
) -> None:
    """A check at the entrance ends: into the yard, or wait in the lane for a place. Who was checked before the start is
    not of this run, and is counted in its yard already."""
    is_freed = False
    for lane in range(gates.entrance_lanes[gate]):
        if (
            state.lane_truck[gate, lane] >= 0
            and state.lane_blocked[gate, lane] == 0
            and state.lane_end_s[gate, lane] <= now_s
        ):
            if state.lane_truck[gate, lane] < state.destination.size:
                state.lane_blocked[gate, lane] = 1
                state.blocked_lanes[0] += 1
            else:
                state.lane_truck[gate, lane] = -1
                state.idle[gate] += 1
                state.balance[Balance.LEFT] += 1
                is_freed = True
    if is_freed:
        wake(links, gates, state, gates.feeder[gates.feeder_start[gate] : gates.feeder_start[gate + 1]], now_s)
    yard = _roomiest_yard(gates, state, gate, now_s)
    while yard != NO_YARD and _admit_one(links, gates, fleet, out, state, yard, now_s):
        yard = _roomiest_yard(gates, state, gate, now_s)
    _plan_lanes(state, links, gates, gate)


@rule
def _cross(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State, gate: int, now_s: float
) -> None:
    """A truck leaves the yard by its exit, when that has a turn for it, through a crossing lane; a place is free."""
    truck = state.stay_truck[gate, 0]
    yard = state.truck_yard[truck]
    pop(state.stay_key[gate], state.stay_truck[gate], state.stay_count[gate])
    if gates.yard_exit_s[yard] > 0.0 and state.has_exit_turn[truck] == 0:
        turn_s = max(now_s, state.yard_exit_free_s[yard])
        state.yard_exit_free_s[yard] = turn_s + gates.yard_exit_s[yard]
        if turn_s > now_s:
            state.has_exit_turn[truck] = 1
            push(state.stay_key[gate], state.stay_truck[gate], state.stay_count[gate] - 1, turn_s, truck)
            _plan_crossing(state, links, gates, gate, now_s)
            return
    state.stay_count[gate] -= 1
    lane = 0
    for other in range(gates.crossing_lanes[gate]):
        if state.crossing_free_s[gate, other] < state.crossing_free_s[gate, lane]:
            lane = other
    done = now_s + fleet.crossing_s[truck]
    state.crossing_free_s[gate, lane] = done
    state.occupancy[yard] -= 1
    _plan_crossing(state, links, gates, gate, now_s)
    onward = gates.onward_link[gate]
    if onward < 0:
        out.exit_s[truck] = done
        state.balance[Balance.LEFT] += 1
    else:
        state.destination[truck] = fleet.way_out[truck]
        state.later_link[truck] = onward
        state.balance[Balance.HELD] += 1
        push(state.later_key, state.later_truck, state.later_count[0], done, truck)
        state.later_count[0] += 1
    _fill(links, gates, fleet, out, state, yard, now_s)


@rule
def _fill(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State, yard: int, now_s: float
) -> None:
    """Let those who wait for a place in a yard take those that have become free."""
    while (
        state.occupancy[yard] < state.yard_places_veh[yard]
        and state.yard_entered_s[yard] + gates.yard_entrance_s[yard] <= now_s
        and _admit_one(links, gates, fleet, out, state, yard, now_s)
    ):
        pass
    if gates.yard_entrance_s[yard] > 0.0 and state.blocked_lanes[0] > 0:
        # The place is free, its entrance may not be: those who wait for it look again when it is.
        for other in range(state.idle.size):
            if _has_yard(gates, other, yard):
                _plan_lanes(state, links, gates, other)


@rule
def _change_places(
    links: LinkArrays, gates: GateArrays, fleet: FleetArrays, out: RunOutput, state: State, now_s: float
) -> None:
    """A yard has other places from now on."""
    change = state.yard_changes[0]
    yard = gates.yard_change[change]
    state.yard_places_veh[yard] = gates.yard_change_veh[change]
    state.yard_changes[0] += 1
    _plan_places(links, gates, state)
    _fill(links, gates, fleet, out, state, yard, now_s)


@rule
def _plan_places(links: LinkArrays, gates: GateArrays, state: State) -> None:
    """The next change of a yard's places, the event of the last station."""
    change = state.yard_changes[0]
    at = gates.yard_change_s[change] if change < gates.yard_change_s.size else NEVER
    set_key(state, 2 * links.length_m.size + 2 * state.idle.size, at)


@uncounted
def run(
    links: LinkArrays,
    gates: GateArrays,
    fleet: FleetArrays,
    out: RunOutput,
    state: State,
    step_s: float,
    limit_s: float,
    last_start: int,
) -> None:
    """Event after event until everybody is out, nobody can move any more, or `limit_s`; or else, the last sample taken,
    when the gates' entrances have started `last_start` trucks (-1: however many).

    Writes `out` every `step_s` from 0 on; `state` is a blank one.
    """
    _put_trucks(links, gates, fleet, out, state)
    n_links, n_gates = links.length_m.size, state.idle.size
    for station in range(n_links):
        set_key(state, station, departure(links, gates, state, station, 0.0))
    for gate in range(n_gates):
        _plan_crossing(state, links, gates, gate, 0.0)
        _plan_lanes(state, links, gates, gate)
    _plan_places(links, gates, state)
    upcoming, sampled, samples = int(np.int64(0)), int(np.int64(0)), out.on_road_veh.size
    while True:
        station = state.tree[1]
        now_s = state.key[station]
        event = Event.STATION
        if upcoming < fleet.to_come.size and fleet.ready_s[fleet.to_come[upcoming]] <= now_s:
            now_s, event = fleet.ready_s[fleet.to_come[upcoming]], Event.APPEARANCE
        if state.later_count[0] > 0 and state.later_key[0] <= now_s:
            now_s, event = state.later_key[0], Event.RETURN
        while sampled < samples and sampled * step_s < now_s:
            sample(links, gates, state, out, sampled, sampled * step_s)
            sampled += 1
        if now_s == NEVER or now_s > limit_s or (sampled == samples and np.sum(out.started) == last_start):
            break
        if event != Event.STATION:
            if event == Event.APPEARANCE:
                truck = np.uint32(fleet.to_come[upcoming])
                upcoming += 1
                state.balance[Balance.APPEARED] += 1
                link = fleet.link[truck]
                at = now_s + links.free_time_s[link] * fleet.slowness[truck]
                out.unhindered_s[truck] = free_rest(links, fleet, truck, state.destination[truck], at)
            else:
                truck = np.uint32(state.later_truck[0])
                pop(state.later_key, state.later_truck, state.later_count[0])
                state.later_count[0] -= 1
                state.balance[Balance.HELD] -= 1
                link = state.later_link[truck]
            state.ready_s[truck] = now_s
            if append(state, n_links + link, truck):
                set_key(state, n_links + link, departure(links, gates, state, n_links + link, now_s))
        elif station < 2 * n_links:
            at = departure(links, gates, state, station, now_s)
            if at > now_s:
                set_key(state, station, at)
            else:
                _move(links, gates, fleet, out, state, station, now_s)
        elif station < 2 * n_links + n_gates:
            _check_done(links, gates, fleet, out, state, station - 2 * n_links, now_s)
        elif station < 2 * n_links + 2 * n_gates:
            _cross(links, gates, fleet, out, state, station - 2 * n_links - n_gates, now_s)
        else:
            _change_places(links, gates, fleet, out, state, now_s)
    state.balance[Balance.ON_ROAD] = np.sum(state.waiting)
    state.balance[Balance.IN_GATES] = np.sum(gates.entrance_lanes) - np.sum(state.idle) + np.sum(state.stay_count)
