"""A release plan for the trucks held for a gate: made on expected flows, tried in the engine. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.forecasting.state import ComingTruck, CorridorNow
from app.trips.places import Places
from routing.acts import Act, Laboratory, Released, Trial
from routing.arrays import FloatArray, IntArray
from routing.metering import SLOT_S, HeldAt, ReleasePlan, plan_releases, release_times
from routing.series import rank_quantiles

RUNS: Final = 24
KEPT_SLOTS: Final = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Queues that are tried for the gate: what it serves in so many slots."""
MAX_IDLE: Final = 0.02
"""A gate that waits for trucks for less of its time than this does not wait for them."""


@dataclass(frozen=True)
class HeldTrucks:
    """Trucks that are held at a staging area, the nearest the gate first."""

    site_id: str
    trucks: tuple[ComingTruck, ...]


@dataclass(frozen=True)
class Metering:
    """A release plan and what it brings.

    `queue_veh` [3, T] at 10, 50, 90 %; `limit_veh`, the queue whose end reaches `limit_km`; `idle_share`, of the gate's
    time while trucks are held that its lanes stood empty in the median run; `beyond_h` the mean hours with a queue
    beyond the limit, with the plan and with all let go at once.
    """

    areas: tuple[HeldTrucks, ...]
    plan: ReleasePlan
    queue_veh: FloatArray
    limit_km: float
    limit_veh: float
    idle_share: float
    beyond_h: tuple[float, float]
    runs: int


def find_held(gate_id: str, corridor: CorridorNow, places: Places) -> tuple[HeldTrucks, ...]:
    """The trucks for a gate that are held by an order, by staging area."""
    hold_s = corridor.state.hold_until_s
    held: dict[str, list[ComingTruck]] = {}
    for truck in corridor.coming:
        is_bound = truck.index >= 0 and truck.gate_id == gate_id and truck.site_id in places.staging
        if is_bound and hold_s is not None and hold_s[truck.index] > 0.0:
            held.setdefault(str(truck.site_id), []).append(truck)
    return tuple(
        HeldTrucks(site_id, tuple(sorted(trucks, key=lambda truck: (truck.km or 0.0, truck.vehicle_id))))
        for site_id, trucks in held.items()
    )


def plan_metering(
    laboratory: Laboratory,
    gate_id: str,
    areas: Sequence[HeldTrucks],
    *,
    limit_km: float,
    group_veh: int,
    threads: int | None = None,
) -> Metering:
    """The release plan that keeps the gate busy with the least queue.

    Arguments: `limit_km`, where the queue's end shall stay; `group_veh`, how many may be let go in half an hour.
    """
    gate = laboratory.network.gate_ids.index(gate_id)
    rows = {area.site_id: np.array([truck.index for truck in area.trucks], np.int64) for area in areas}
    nobody: Act = tuple(Released(own, np.full(own.size, 2.0 * laboratory.horizon_s)) for own in rows.values())
    alone = laboratory.run([nobody], RUNS, threads=threads)
    slots = int(laboratory.horizon_s // SLOT_S)
    arrivals, service = _flows(laboratory, gate, alone, slots)
    limit_veh = _room_veh(laboratory, gate, limit_km)
    held = [HeldAt(len(area.trucks), laboratory.way_s(area.site_id, gate_id), max(1, group_veh // 2)) for area in areas]
    now_veh = float(laboratory.queue.queue_veh[gate])
    plans = [
        plan_releases(
            held, now_veh, arrivals, service, low_veh=kept * float(service.max(initial=0.0)), high_veh=limit_veh
        )
        for kept in KEPT_SLOTS
    ]
    acts = [_act(plan, areas, rows) for plan in plans]
    at_once: Act = tuple(Released(own, np.zeros(own.size)) for own in rows.values())
    trial = laboratory.run([at_once, *acts], RUNS, threads=threads)
    idle = [_idle_share(trial, i + 1, gate, plan, min(truck.way_s for truck in held)) for i, plan in enumerate(plans)]
    beyond = [_beyond_h(trial, world, gate, limit_km) for world in range(len(acts) + 1)]
    chosen = _choose(idle, beyond[1:])
    return Metering(
        areas=tuple(areas),
        plan=plans[chosen],
        queue_veh=rank_quantiles(trial.queue_veh[:, chosen + 1, gate]),
        limit_km=limit_km,
        limit_veh=limit_veh,
        idle_share=idle[chosen],
        beyond_h=(beyond[chosen + 1], beyond[0]),
        runs=RUNS,
    )


def _choose(idle: Sequence[float], beyond_h: Sequence[float]) -> int:
    """The shortest queue with which the gate does not wait; if it waits with all of them, the one with which it waits
    least, a busy gate before a clear road only as far as the road is no longer than with the shortest."""
    busy = [i for i, share in enumerate(idle) if share <= MAX_IDLE]
    if busy:
        return min(busy, key=lambda i: (round(beyond_h[i], 1), i))
    return min(range(len(idle)), key=lambda i: (round(idle[i], 2), i))


def _flows(laboratory: Laboratory, gate: int, alone: Trial, slots: int) -> tuple[FloatArray, FloatArray]:
    """Trucks that come anyway and that the gate can serve in each slot, expected."""
    edges = np.arange(slots + 1) * SLOT_S
    queued = float(laboratory.queue.queue_veh[gate])
    counts = [np.histogram(run[0].at_s[run[0].gate == gate], edges)[0] for run in alone.joined]
    arrivals = np.mean(counts, axis=0)
    # Those who stand in the queue already would reach the gate at once: they are the queue, and do not come again.
    for slot in range(slots):
        taken = min(queued, arrivals[slot])
        arrivals[slot] -= taken
        queued -= taken
    gate_id = laboratory.network.gate_ids[gate]
    pace = laboratory.state.pace.get(gate_id)
    setting = next(s for s in laboratory.settings if s.gate_id == gate_id and s.direction == "export")
    rate = pace.mean_veh_per_h if pace is not None else setting.entrance.rate_veh_per_h()
    spans = np.clip(laboratory.gates.entrance_open_s[laboratory.network.gate_number(gate_id)], 0.0, edges[-1])
    is_open = (np.clip(edges[1:, None], *spans.T) - np.clip(edges[:-1, None], *spans.T)).sum(axis=1) / SLOT_S
    return np.asarray(arrivals), np.asarray(is_open * min(rate, 1e4) * SLOT_S / 3600.0)


def _room_veh(laboratory: Laboratory, gate: int, limit_km: float) -> float:
    """How many trucks stand between a gate and a kilometre of the road to it."""
    network, links = laboratory.network, laboratory.links
    room = 0.0
    for link in reversed(network.path(network.entry(gate), gate)):
        near_km = float(network.tail_km[gate, link])
        far_km = near_km + float(links.length_m[link] * network.km_per_m[link])
        if limit_km <= near_km:
            break
        share = min(1.0, (limit_km - near_km) / max(far_km - near_km, 1e-9))
        room += share * float(links.length_m[link] / max(links.spacing_m[link], 1e-9))
    return room


def _act(plan: ReleasePlan, areas: Sequence[HeldTrucks], rows: Mapping[str, IntArray]) -> Act:
    return tuple(
        Released(rows[area.site_id], _until_end(release_times(plan, i, len(area.trucks)), plan))
        for i, area in enumerate(areas)
    )


def _until_end(times: FloatArray, plan: ReleasePlan) -> FloatArray:
    """Those whom the plan does not reach go at its end."""
    return np.where(np.isfinite(times), times, plan.release_veh.shape[1] * SLOT_S)


def _idle_share(trial: Trial, world: int, gate: int, plan: ReleasePlan, way_s: float) -> float:
    """Of the median run: how much of the time from when a truck can come until the last goes the lanes stood empty."""
    used = np.flatnonzero(plan.release_veh.sum(axis=0))
    if not used.size:
        return 0.0
    first = int(min(way_s, 1e6) // trial.step_s) + 1
    until = max(first + 1, int((used[-1] + 1) * SLOT_S / trial.step_s))
    return float(np.median(trial.idle_share[:, world, gate, first:until].mean(axis=-1)))


def _beyond_h(trial: Trial, world: int, gate: int, limit_km: float) -> float:
    return float((trial.tail_km[:, world, gate] > limit_km).sum(axis=-1).mean() * trial.step_s / 3600.0)
