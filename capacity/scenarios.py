"""A plan under arrivals that are not certain: played through sampled days, and hedged by places held back.

A day is drawn: each truck comes sooner or later than thought or not at all, and stays as long as a stay of its class is
drawn. The plan is played on it as it would be followed: a truck goes to the yard it was told, not before its time, and
waits there for a place in the order of the plan while the yard is full, closed, or its entrance is taken. What that
costs, weighed as the plan weighs it, is averaged over the days. Of plans that hold back no places, a few, or some
more, the one that costs least on the days that were drawn is taken (sample average approximation; A. Kleywegt, A.
Shapiro and T. Homem-de-Mello 2002, doi:10.1137/S1052623499363220, here over one parameter).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from capacity.plan import YardPlan, make_plan
from capacity.problem import Bools, Floats, Ints, YardProblem

RESERVES = (0.0, 0.03, 0.06)
"""Shares of the places that a plan may hold back."""
UNPLACED_LATE_H = 4.0
"""What no place within the horizon costs beyond waiting to its end, h."""


@dataclass(frozen=True)
class ArrivalError:
    """How uncertain each truck is: `spread_s` (N,), standard deviation of its arrival; `no_show` (N,), probability."""

    spread_s: Floats
    no_show: Floats


@dataclass(frozen=True)
class DrawnDay:
    """A day: `shift_s` (N,), how much later each truck comes; `comes` (N,); `luck` (N,), how long it stays, 0 to 1."""

    shift_s: Floats
    comes: Bools
    luck: Floats

    @classmethod
    def draw(cls, error: ArrivalError, rng: np.random.Generator) -> DrawnDay:
        """A day of the errors."""
        N = len(error.spread_s)
        return cls(rng.normal(0.0, 1.0, N) * error.spread_s, rng.random(N) >= error.no_show, rng.random(N))


@dataclass(frozen=True)
class Played:
    """A plan on a day: what it cost, weighted s; truck-hours of waiting, and on the road; trucks that got no place."""

    cost: float
    wait_h: float
    perishable_h: float
    overflow_h: float
    unplaced: int


@dataclass(frozen=True)
class HedgedPlan:
    """The plan that costs least on the days drawn, the share of places it holds back, how it fared on each day, and how
    many plans were tried."""

    plan: YardPlan
    reserve_share: float
    days: Sequence[Played]
    tried: int = 1


def hedge(
    problem: YardProblem,
    error: ArrivalError,
    *,
    count: int,
    seed: int,
    time_limit_s: float = 10.0,
    mip_gap: float = 0.01,
    budget_s: float = np.inf,
) -> HedgedPlan:
    """The best of plans that hold back `RESERVES`, by `count` days drawn from `seed`.

    Within `budget_s`, as far as can be told beforehand: a plan is not tried if it would end later, should it take as
    long as the one before. The first is always made, as `make_plan` makes it.
    """
    began = time.perf_counter()
    rng = np.random.default_rng(seed)
    drawn = [DrawnDay.draw(error, rng) for _ in range(count)]
    best: HedgedPlan | None = None
    warm, count_tried, last = None, 0, began
    for reserve in RESERVES:
        now = time.perf_counter()
        if count_tried and now + (now - last) - began > budget_s:
            break
        last = now
        held = hold_back(problem, reserve) if reserve else problem
        plan = make_plan(held, time_limit_s=time_limit_s / len(RESERVES), mip_gap=mip_gap, warm=warm)
        warm, count_tried = plan.warm, count_tried + 1
        tried = HedgedPlan(plan, reserve, [play(problem, plan, day) for day in drawn])
        if best is None or _mean_cost(tried) < _mean_cost(best):
            best = tried
    assert best is not None
    return replace(best, tried=count_tried)


def hold_back(problem: YardProblem, share: float) -> YardProblem:
    """The problem with a share of all places kept, in whole places rounded up."""
    capacity = np.floor(problem.capacity_veh * (1.0 - share))
    return replace(problem, capacity_veh=capacity, held_back_veh=problem.capacity_veh - capacity)


def _mean_cost(hedged: HedgedPlan) -> float:
    return float(np.mean([day.cost for day in hedged.days]))


def play(problem: YardProblem, plan: YardPlan, day: DrawnDay) -> Played:
    """Follow a plan on a day."""
    N, T = len(plan.yard), problem.steps
    arrival_s = np.where(problem.allowed, problem.arrive_s, np.inf) + day.shift_s[:, None]
    own = np.where(plan.yard >= 0, plan.yard, 0)
    first_s = np.where(plan.yard >= 0, arrival_s[np.arange(N), own], arrival_s.min(axis=1, initial=np.inf))
    horizon_s = T * problem.step_s
    come = np.clip(first_s, 0.0, horizon_s) // problem.step_s
    told = np.where(plan.yard >= 0, plan.place_s // problem.step_s, T)
    entered = _enter(problem, plan, day, come, told)
    here = day.comes & (come < T)
    wait_steps = np.where(here, np.minimum(entered, T) - come, 0.0)
    wait_h = wait_steps * problem.step_s / 3600.0
    unplaced = here & (entered >= T)
    weight = np.where(problem.perishable, problem.weights.perishable, problem.weights.ordinary)
    overflow_h = _overflow_h(problem, here, come, np.minimum(entered, T))
    cost = float((weight * (wait_h + np.where(unplaced, UNPLACED_LATE_H, 0.0))).sum()) * 3600.0
    return Played(
        cost=cost + problem.weights.overflow * overflow_h * 3600.0,
        wait_h=float(wait_h.sum()),
        perishable_h=float(wait_h[problem.perishable].sum()),
        overflow_h=overflow_h,
        unplaced=int(unplaced.sum()),
    )


def _enter(problem: YardProblem, plan: YardPlan, day: DrawnDay, come: Floats, told: Floats) -> Floats:
    """The step in which each truck gets its place, shape (N,); T for none."""
    Y, T = problem.capacity_veh.shape
    stays, classes, opens = problem.stays(), problem.stay_classes(), problem.is_open()
    entered = np.full(len(plan.yard), float(T))
    inside = problem.remaining_veh.copy()
    intake, gate_veh = problem.intake_veh.copy(), problem.gate_room_veh()
    in_order = np.lexsort((problem.declared_s, told))
    queues: list[Ints] = [in_order[(plan.yard[in_order] == j) & day.comes[in_order]] for j in range(Y)]
    for t in range(T):
        for j in np.flatnonzero(opens[:, t]):
            ready = queues[j][(come[queues[j]] <= t) & (told[queues[j]] <= t)]
            room = min(problem.capacity_veh[j, t] - inside[j, t], gate_veh[problem.gate[j], t:].min())
            may = max(int(min(room, intake[problem.entrance[j], t], len(ready)) + 1e-9), 0)
            for i in ready[:may]:
                entered[i] = t
                stay = stays[classes[i], j, t, t:]
                inside[j, t : t + max(int((stay > day.luck[i]).sum()), 1)] += 1.0
            intake[problem.entrance[j], t] -= may
            gate_veh[problem.gate[j], t:] -= may
            queues[j] = queues[j][entered[queues[j]] >= T]
    return entered


def _overflow_h(problem: YardProblem, here: Bools, come: Floats, until: Floats) -> float:
    """Truck-hours on the road: waiting trucks that have set out, beyond the staging areas before their gate."""
    waiting = problem.waiting
    if waiting is None:
        return 0.0
    steps = np.arange(problem.steps)
    on_road = np.zeros((len(problem.crossing_s), problem.steps))
    for i in np.flatnonzero(here & waiting.on_road & (waiting.home_gate >= 0) & (until > come)):
        on_road[waiting.home_gate[i]] += (steps >= come[i]) & (steps < until[i])
    room = waiting.staging_veh.copy()
    for area in np.argsort(waiting.serves.sum(axis=1), kind="stable"):
        for gate in np.flatnonzero(waiting.serves[area]):
            taken = np.minimum(on_road[gate], room[area])
            on_road[gate] -= taken
            room[area] -= taken
    return float(on_road.sum()) * problem.step_s / 3600.0
