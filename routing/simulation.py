"""The traffic engine: trucks on links, gates with yards, one run or many runs in threads.

`routing.engine` holds the compiled rules; here is what surrounds them: the arrays they take, the check that
no truck was lost or made, the wait a newcomer would have, and ensembles.

The wait at time t is the time until a truck that joins the queue at t is taken at the entrance. It is known once
all trucks ahead of it have been, so a run goes on after the horizon until everyone is served (events cost per truck,
empty time costs nothing), at most `LIMIT_S` longer.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from geo.errors import InvalidInputError
from geo.opening_hours import OpeningHours
from routing.arrays import NEVER, UNBOUNDED, Balance, FleetArrays, FloatArray, GateArrays, LinkArrays, RunOutput
from routing.compiling import uncounted
from routing.engine import run
from routing.gates import GateSetting, plain_day
from routing.link_rules import next_open
from routing.network import Network, wave_times
from routing.run_state import blank_state
from routing.yard_places import YardPlaces, places_arrays

LIMIT_S = 14 * 86400.0
"""How long after the horizon a run may go on, and the longest wait reported."""
MAX_HORIZON_S = 7 * 86400.0
"""How long the horizon of a forecast or a scenario may be."""

MAX_HANDED_OVER, HAND_OVERS = 8, 50
"""Runs that a thread takes at once, at most; and at least so many times each takes some."""

T = TypeVar("T")


@dataclass(frozen=True)
class Closure:
    """Nobody may drive onto a road in [from_s, to_s), seconds since the start; trucks on it go on."""

    road_id: int
    from_s: float = 0.0
    to_s: float = np.inf


@dataclass(frozen=True)
class RunResult:
    """One run. Series are sampled every `step_s` from 0 on: `queue_veh`, `wait_s`, `tail_km` [gate, T],
    `occupancy_veh` [yard, T]. Truck arrays are in the order of the fleet; inf = did not happen.
    """

    step_s: float
    queue_veh: FloatArray
    wait_s: FloatArray
    tail_km: FloatArray
    occupancy_veh: FloatArray
    on_road_veh: FloatArray
    checked_veh: FloatArray
    """[gate, T] those of `queue_veh` that are in the entrance's lanes."""
    unhindered_s: FloatArray
    """When each truck would have reached its destination's entrance with nobody before it."""
    entrance_start_s: FloatArray
    yard_in_s: FloatArray
    exit_s: FloatArray
    appeared_veh: int
    left_veh: int
    inside_veh: int


def road_times(network: Network, speed_mps: NDArray[np.float64] | None = None) -> FloatArray:
    """Travel time of each road in seconds; `speed_mps` per road where known (NaN, 0: free flow)."""
    free = network.road_free_speed_mps
    if speed_mps is None:
        return network.road_length_m / free
    known = np.isfinite(speed_mps) & (speed_mps > 0.0)
    # A live speed above free flow is one driver's; below 1 m/s it is a queue, which the engine makes itself.
    speed = np.where(known, np.clip(np.where(known, speed_mps, free), 1.0, free), free)
    return network.road_length_m / speed


def link_arrays(
    network: Network,
    *,
    road_time_s: FloatArray | None = None,
    closures: Sequence[Closure] = (),
    spacing_m: FloatArray | None = None,
) -> LinkArrays:
    """The network's links for a run, with the travel times of the moment and closed roads.

    `spacing_m`, by link: the road one standing truck takes, where it was measured. A closure holds for the whole
    link: build the network with the road in `alone` to close only it.
    """
    free_time = network.free_time_s
    if road_time_s is not None and network.road_link.size:
        on_link = network.road_link >= 0
        times = np.bincount(network.road_link[on_link], road_time_s[on_link], minlength=free_time.size)
        free_time = np.where(times > 0.0, times, free_time)
    closed_from = np.full(free_time.size, np.inf)
    closed_to = np.full(free_time.size, np.inf)
    for closure in closures:
        link = int(network.road_link[closure.road_id])
        if link >= 0:
            closed_from[link], closed_to[link] = closure.from_s, closure.to_s
    storage, wave_time = network.storage_veh, network.wave_time_s
    spacing, ring_start = network.spacing_m, network.ring_start
    if spacing_m is not None:
        bounded = storage < UNBOUNDED
        room = np.maximum(1, np.rint(network.length_m / np.maximum(spacing_m, 1e-9))).astype(np.int64)
        storage = np.where(bounded, room, storage)
        spacing = np.where(bounded, network.length_m / storage, 0.0)
        wave_time = wave_times(network.length_m, network.free_speed_mps, network.headway_s, storage)
        ring_start = np.concatenate(([0], np.cumsum(np.where(bounded, storage, 0)))).astype(np.int64)
    return LinkArrays(
        length_m=network.length_m,
        free_time_s=free_time,
        wave_time_s=wave_time,
        spacing_m=spacing,
        headway_s=network.headway_s,
        storage_veh=storage,
        ring_start=ring_start.astype(np.uint32),
        closed_from_s=closed_from,
        closed_to_s=closed_to,
        priority=network.priority,
        feeder_start=network.feeder_start.astype(np.uint32),
        feeder=network.feeder.astype(np.uint32),
        next_hop=network.next_hop,
    )


def gate_arrays(
    network: Network,
    settings: Sequence[GateSetting],
    *,
    yard_capacity_veh: Sequence[float] | NDArray[np.float64] | None = None,
    yard_changes: YardPlaces | None = None,
    start: datetime | None = None,
    hours_until_s: float = MAX_HORIZON_S + LIMIT_S,
) -> GateArrays:
    """The network's gates for a run.

    Arguments: `settings`, one for each of `network.gates`, in any order; `yard_capacity_veh`, one for each of
    `network.yard_ids` (None, NaN: never full); `yard_changes`, where they do not stay so; `start`, the moment of the
    run's start (None: midnight of a day without a date); `hours_until_s`, how far after the start opening hours are
    worked out.

    Raises
    ------
    InvalidInputError
        If a gate has no setting, a capacity is negative, or places change of a yard that the network does not have.
    """
    start = start or plain_day(0.0)
    by_gate = {(s.gate_id, s.direction): s for s in settings}
    ordered = []
    for place in network.gates:
        setting = by_gate.get((place.gate_id, place.direction))
        if setting is None:
            raise InvalidInputError(
                "Gate {value} has no setting for {direction}; give lanes, hours and service time.",
                field="gate_settings",
                value=place.gate_id,
                direction=place.direction,
            )
        ordered.append(setting)
    servers = [s.servers() for s in ordered]
    n_yards = len(network.yard_ids) + len(ordered)
    yard_headway_s = np.zeros((2, n_yards))
    yard_headway_s[:, : len(network.yard_ids)] = network.yard_headway_s
    return GateArrays(
        entrance_lanes=np.array([a.lanes for a, _ in servers], np.int64),
        crossing_lanes=np.array([b.lanes for _, b in servers], np.int64),
        entrance_open_s=open_spans([a.hours for a, _ in servers], start, hours_until_s),
        crossing_open_s=open_spans([b.hours for _, b in servers], start, hours_until_s),
        entrance_change_s=np.full(len(ordered), np.inf),
        entrance_change=np.ones(len(ordered)),
        entrance_busy_s=np.zeros((len(ordered), max((a.lanes for a, _ in servers), default=1))),
        yard_start=network.gate_yard_start,
        yard=network.gate_yard,
        **places_arrays(network.yard_ids, n_yards, yard_capacity_veh, yard_changes or {})._asdict(),
        yard_entrance_s=yard_headway_s[0],
        yard_exit_s=yard_headway_s[1],
        onward_link=network.onward_link,
        feeder_start=network.gate_feeder_start,
        feeder=network.gate_feeder,
        tail_km=network.tail_km,
        km_per_m=network.km_per_m,
        hours_until_s=np.inf if all(x.hours.is_always_open for pair in servers for x in pair) else hours_until_s,
    )


def open_spans(hours: Sequence[OpeningHours], start: datetime, until_s: float) -> FloatArray:
    """Opening hours as the engine takes them: [server, span, 2], see `GateArrays.entrance_open_s`."""
    spans = [each.spans_s(start, until_s) for each in hours]
    filled = np.full((len(spans), max((len(own) for own in spans), default=0), 2), NEVER)
    for row, own in zip(filled, spans, strict=True):
        row[: len(own)] = own
    return filled


@uncounted
def _waits(gates: GateArrays, out: RunOutput, wait_s: FloatArray, step_s: float, limit_s: float) -> None:
    """The wait of a truck that joins at each sample, from when those ahead of it were taken."""
    for gate in range(wait_s.shape[0]):
        started = out.started[gate]
        for i in range(wait_s.shape[1]):
            now_s = i * step_s
            ahead, standing = out.ahead[gate, i], out.standing[gate, i]
            wait = next_open(gates.entrance_open_s[gate], now_s) - now_s
            if standing > 0:
                if ahead > started:
                    wait = limit_s
                else:
                    # One place behind the last one, at the pace at which the last ones were taken,
                    # but never later than the truck that really came next.
                    last = out.starts_s[gate, ahead - 1]
                    back = min(standing, 10)
                    before = out.starts_s[gate, ahead - back] if back > 1 else now_s
                    gap = min((last - before) / max(back - 1, 1), (last - now_s) / standing)
                    wait = last + gap - now_s
                    if ahead < started:
                        wait = min(wait, out.starts_s[gate, ahead] - now_s)
            wait_s[gate, i] = min(max(wait, 0.0), limit_s)


def simulate(
    links: LinkArrays,
    gates: GateArrays,
    fleet: FleetArrays,
    *,
    horizon_s: float,
    step_s: float = 300.0,
    limit_s: float = LIMIT_S,
    until_started: bool = False,
) -> RunResult:
    """One run; the same arguments give the same bits.

    With `until_started` it ends after the horizon when the last truck has been taken at an entrance, and what comes
    later (stays, crossings, ways out) did not happen: queues, waits and starts at the entrance are the same to the bit.

    Raises
    ------
    ValueError
        If the run may go on for longer than the gates' hours are known.
    RuntimeError
        If trucks were lost or made: a fault of the engine.
    """
    if horizon_s + limit_s > gates.hours_until_s:
        raise ValueError(
            f"A run of up to {horizon_s + limit_s:.0f} s needs opening hours as far; they end at "
            f"{gates.hours_until_s:.0f} s. Give `gate_arrays` a greater `hours_until_s`."
        )
    samples = round(horizon_s / step_s) + 1
    n_gates, n_yards, n = gates.entrance_lanes.size, gates.yard_capacity_veh.size, fleet.gate.size
    by_gate = np.bincount(fleet.gate[fleet.gate >= 0], minlength=1)
    n_crossing, max_starts = int(by_gate.sum()), int(by_gate.max())
    out = RunOutput(
        queue_veh=np.zeros((n_gates, samples)),
        ahead=np.zeros((n_gates, samples), np.int64),
        standing=np.zeros((n_gates, samples), np.int64),
        tail_km=np.zeros((n_gates, samples)),
        occupancy_veh=np.zeros((n_yards, samples)),
        on_road_veh=np.zeros(samples),
        unhindered_s=np.full(n, np.inf),
        entrance_start_s=np.full(n, np.inf),
        yard_in_s=np.full(n, np.inf),
        exit_s=np.full(n, np.inf),
        starts_s=np.empty((n_gates, max_starts)),
        started=np.zeros(n_gates, np.int64),
    )
    state = blank_state(links, gates, fleet)
    last_start = n_crossing - fleet.in_yard.size if until_started else -1
    run(links, gates, fleet, out, state, float(step_s), float(horizon_s + limit_s), last_start)
    balance = {each: int(state.balance[each]) for each in Balance}
    inside = balance[Balance.ON_ROAD] + balance[Balance.IN_GATES] + balance[Balance.HELD]
    if balance[Balance.APPEARED] != balance[Balance.LEFT] + inside:
        counts = ", ".join(f"{each.name.lower()} {count}" for each, count in balance.items())
        raise RuntimeError(f"Trucks were lost or made: {counts}.")
    wait_s = np.empty_like(out.queue_veh)
    _waits(gates, out, wait_s, float(step_s), float(limit_s))
    return RunResult(
        step_s=step_s,
        queue_veh=out.queue_veh,
        wait_s=wait_s,
        tail_km=out.tail_km,
        occupancy_veh=out.occupancy_veh,
        on_road_veh=out.on_road_veh,
        checked_veh=out.queue_veh - out.standing,
        unhindered_s=out.unhindered_s,
        entrance_start_s=out.entrance_start_s,
        yard_in_s=out.yard_in_s,
        exit_s=out.exit_s,
        appeared_veh=balance[Balance.APPEARED],
        left_veh=balance[Balance.LEFT],
        inside_veh=inside,
    )


def ensemble(
    run_seed: Callable[[int], T],
    runs: int,
    *,
    threads: int | None = None,
    cancelled: Callable[[], bool] | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[T]:
    """`run_seed(0) … run_seed(runs - 1)` in threads, in order. What `run_seed` does must depend on its number alone.

    Returns what was finished when `cancelled()` became true.
    """
    threads = min(threads or os.cpu_count() or 1, runs)
    results: list[T] = []

    def guarded(number: int) -> T | None:
        return None if cancelled is not None and cancelled() else run_seed(number)

    # Handing over costs a hundredth of a run, in the interpreter's lock, which all threads wait for.
    together = max(1, min(MAX_HANDED_OVER, runs // (HAND_OVERS * max(threads, 1))))

    def some(first: int) -> list[T | None]:
        return [guarded(number) for number in range(first, min(first + together, runs))]

    if threads <= 1:
        source: Iterator[T | None] = map(guarded, range(runs))
        pool = None
    else:
        pool = ThreadPoolExecutor(threads, thread_name_prefix="engine")
        source = itertools.chain.from_iterable(pool.map(some, range(0, runs, together)))
    try:
        for number, result in enumerate(source):
            if result is None:
                break
            results.append(result)
            if progress is not None and ((number + 1) % max(1, runs // 100) == 0 or number + 1 == runs):
                progress((number + 1) / runs)
    finally:
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
    return results
