"""The arrays a run of the engine takes and leaves behind."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
NumberArray = NDArray[np.uint32]
"""Numbers of trucks and stations. Never negative, so that Numba need not ask at each access whether they count from the
end; in half the memory of `IntArray`."""

ARRIVED = -2
"""In `LinkArrays.next_hop`: the link ends at the destination."""
NO_WAY = -1
"""In `LinkArrays.next_hop`: no road leads from here to the destination."""
NO_YARD = -1
"""A truck that is in no yard, or for which the engine chooses one."""
NEVER = np.inf
UNBOUNDED = 1 << 40
"""Storage of a link, or capacity of a yard, that never fills."""


class Balance(IntEnum):
    """Where the trucks of a run are, counted apart: conservation says the first is the sum of the others."""

    APPEARED = 0
    LEFT = 1
    ON_ROAD = 2
    """On links and waiting to enter one."""
    IN_GATES = 3
    """In entrance lanes and yards."""
    HELD = 4
    """At a staging area, or in a crossing lane before they drive on."""


N_BALANCE = len(Balance)


class LinkArrays(NamedTuple):
    """Links as arrays, one element a link."""

    length_m: FloatArray
    free_time_s: FloatArray
    wave_time_s: FloatArray
    """Travel time of a gap from the downstream to the upstream end."""
    spacing_m: FloatArray
    """Road length one standing truck takes (length over storage; all lanes together)."""
    headway_s: FloatArray
    """Least time between two trucks through either end: 1 / capacity."""
    storage_veh: IntArray
    ring_start: NumberArray
    """Where the link's record of departures starts; element i + 1 is where it ends."""
    closed_from_s: FloatArray
    closed_to_s: FloatArray
    """Nobody enters in [closed_from_s, closed_to_s)."""
    priority: FloatArray
    """Weight at a merge, for the link and (second half) for the source that feeds into it."""
    feeder_start: NumberArray
    feeder: NumberArray
    """Stations that feed link j: feeder[feeder_start[j]:feeder_start[j + 1]]."""
    next_hop: IntArray
    """[link, destination]: the next link, ARRIVED or NO_WAY. Destinations: gates first, then ways out."""


class GateArrays(NamedTuple):
    """Gates (one for each direction) as arrays: entrance server, yards, crossing server."""

    entrance_lanes: IntArray
    crossing_lanes: IntArray
    entrance_open_s: FloatArray
    """[gate, span, 2] when the entrance is open, [from, to) in seconds since the start, in order and apart; filled up
    with NEVER. Round the clock is one span from minus to plus infinity."""
    crossing_open_s: FloatArray
    """As `entrance_open_s`, of the crossing."""
    entrance_change_s: FloatArray
    """[gate] when checks at the entrance begin to take `entrance_change` times as long; inf = never."""
    entrance_change: FloatArray
    entrance_busy_s: FloatArray
    """[gate, lane] until when a lane of the entrance has a truck that was there before the start; 0 = it has none."""
    yard_start: IntArray
    yard: IntArray
    """Yards of gate g: yard[yard_start[g]:yard_start[g + 1]], one or more."""
    yard_capacity_veh: IntArray
    """[yard] at the start."""
    yard_change_s: FloatArray
    """When a yard gets other places than it had, in order and after the start."""
    yard_change: IntArray
    """Which yard that is."""
    yard_change_veh: IntArray
    """How many places it then has; who is inside stays."""
    yard_entrance_s: FloatArray
    """[yard] least time between two trucks through its entrance, whichever gates they come from; 0 = none."""
    yard_exit_s: FloatArray
    """[yard] the same through its exit, on the way to the crossing."""
    onward_link: IntArray
    """The link a truck takes after the crossing; NO_WAY = it has left the corridor."""
    feeder_start: IntArray
    feeder: IntArray
    """Links that end at gate g: feeder[feeder_start[g]:feeder_start[g + 1]]."""
    tail_km: FloatArray
    """[gate, link] kilometre of the downstream end, counted along the road to this gate."""
    km_per_m: FloatArray
    """[link] kilometres gained per metre upstream."""
    hours_until_s: float
    """How far the opening hours are known; inf = all are open round the clock."""


class FleetArrays(NamedTuple):
    """Trucks as arrays, one element a truck; the random ones already drawn."""

    gate: IntArray
    """The gate it crosses, or -1: it only drives to `way_out`."""
    way_out: IntArray
    """Destination index (number of gates + way out) when not crossing or after it."""
    link: IntArray
    """Where it is or enters; -1 = in a yard of `gate` at the start."""
    yard: IntArray
    """The yard it is in at the start; NO_YARD = in none, or in the roomiest of its gate's."""
    ready_s: FloatArray
    """On a link: when it would reach the end freely. To come: when it appears. In a yard: when its stay ends."""
    slowness: FloatArray
    """Free travel time of this truck relative to the link's."""
    entrance_s: FloatArray
    dwell_s: FloatArray
    crossing_s: FloatArray
    hold_link: IntArray
    """It leaves the road at the end of this link to wait at a staging area, -1 = nowhere."""
    hold_until_s: FloatArray
    on_road: IntArray
    """Trucks on links at the start, those nearer the end of their link first."""
    to_come: IntArray
    """Trucks that appear later, in order of `ready_s`."""
    in_yard: IntArray


class RunOutput(NamedTuple):
    """What one run leaves behind; arrays the caller allocates."""

    queue_veh: FloatArray
    """[gate, T] trucks standing before the entrance, those in its lanes included."""
    ahead: IntArray
    """[gate, T] how many trucks will have started at the entrance before one that joins now."""
    standing: IntArray
    """[gate, T] those of `queue_veh` that stand on the road."""
    tail_km: FloatArray
    """[gate, T]"""
    occupancy_veh: FloatArray
    """[yard, T]"""
    on_road_veh: FloatArray
    """[T] trucks on links and waiting to enter one."""
    unhindered_s: FloatArray
    """[truck] when it would have reached the gate with nobody before it."""
    entrance_start_s: FloatArray
    """[truck] when it starts at the entrance; inf = never."""
    yard_in_s: FloatArray
    exit_s: FloatArray
    """[truck] when it has left the corridor."""
    starts_s: FloatArray
    """[gate, truck] times at which the entrance started its k-th truck."""
    started: IntArray
    """[gate] how many."""
