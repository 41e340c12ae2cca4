"""Which truck gets a place in which yard, and when: arrivals × yards × time as a mixed-integer program.

The model. Time is cut into `T` steps. Trucks that choose alike form classes (`capacity.classes`). `x[c, j, t]` trucks
of class `c` get a place in yard `j` from step `t` on; `q[c, t]` of it wait; `y[k, j, t]` are those placed whose stay
is of class `k`. With `n[c, t]` trucks that come, `d[c, j]` steps of driving, `s[k, j, t', t]` the expected share of
trucks placed at `t'` that are still there at `t`, `r[j, t]` those inside now that are still there, `p[j, t]` the
places, `e[i, t]` what an entrance takes, `a[s, t]` places to wait:

    minimise    Σ w[c]·h(q[c, t]) + Σ cost[c, j]·x[c, j, t] + Σ none[c]·q[c, T] + overflow·Σ o[g, t] + Σ line(gate)
    subject to  q[c, t] = q[c, t−1] + n[c, t] − Σ_j x[c, j, t + d[c, j]]       for each class and step
                Σ_c∈k x[c, j, t] = y[k, j, t]                                for each class of stay, yard and step
                Σ_k,t'≤t s[k, j, t', t]·y[k, j, t'] ≤ p[j, t] − r[j, t]         for each yard and step
                Σ_k,j∈i y[k, j, t] ≤ e[i, t]                                   for each entrance and step
                Σ_c∈g q[c, t] ≤ Σ_s v[s, g, t] + o[g, t],  Σ_g v[s, g, t] ≤ a[s, t]     on the road, per gate and area

`h` is the waiting of a step, dearer the longer trucks have waited (piecewise linear, `capacity.classes`); `line` the
waiting in the line of a gate: each truck sent there waits for all before it, piecewise linear too; `o` stand on the
road.

Solved with HiGHS (Huangfu and Hall 2018, doi:10.1007/s12532-017-0130-5). The relaxation bounds every plan from below
and, made whole step by step (`capacity.rounding`), is nearly always within a hundredth of the best plan. Where it is
not, the integer program goes on from there for the time that is left. A greedy plan stands if the relaxation takes
too long.
"""

from __future__ import annotations

import bisect
import time
from dataclasses import dataclass, replace

import numpy as np

from capacity.classes import Placed, TruckClasses
from capacity.problem import Floats, Ints, YardProblem
from capacity.program import NoSolutionError, PlanProgram, WarmStart
from capacity.reasons import Reason, explain
from capacity.rounding import BEHIND_VEH, fill, keep_told, make_whole, pull_forward
from capacity.staging import stage


@dataclass(frozen=True)
class YardPlan:
    """Who gets which place when; arrays over the problem's trucks.

    `yard` (N,), index or −1 for no place within the horizon; `step` (N,), of its place; `arrive_s`, `place_s`,
    `wait_s` (N,), s after the start (for no place: to the end of the horizon); `reasons`; `occupancy_veh` (Y, T),
    expected; `staging` (N,), area to wait in until then, −1 for none; `overflow_veh` (T,), trucks on the road because
    nothing is free to wait in. `status`: `optimal` (gap within what was asked), `time_limit` (best found in time),
    `greedy` (the solver found nothing in time, or failed), `empty`. `gap` is (objective − bound)/objective, none where
    there is no bound.
    """

    yard: Ints
    step: Ints
    arrive_s: Floats
    place_s: Floats
    wait_s: Floats
    reasons: list[Reason]
    occupancy_veh: Floats
    staging: Ints
    overflow_veh: Floats
    objective: float
    gap: float | None
    status: str
    duration_s: float
    warm: WarmStart | None = None


def make_plan(
    problem: YardProblem,
    *,
    time_limit_s: float = 10.0,
    search_s: float = 1.0,
    mip_gap: float = 0.01,
    warm: WarmStart | None = None,
) -> YardPlan:
    """The plan of least cost found within about `time_limit_s`; always feasible.

    Arguments: `search_s` of that at most go to the integer program, where the relaxation made whole is not within
    `mip_gap` of the best; `warm`, the `YardPlan.warm` of a plan of much the
    same trucks, to start from.
    """
    started = time.perf_counter()
    if len(problem.truck_ids) == 0:
        nobody = np.empty(0, np.int64)
        plan = describe(problem, nobody, nobody)
        return replace(plan, gap=0.0, duration_s=time.perf_counter() - started)
    classes = TruckClasses.of(problem)
    chosen, bound, kept = _solve(classes, started + time_limit_s, search_s, mip_gap, warm)
    if chosen is None:
        made = [fill(classes), fill(classes, in_turn=True), fill(classes, keep_told(classes))]
        chosen = min((fill(classes, pull_forward(classes, rounded)[0]) for rounded in made), key=classes.total_cost)
        status = "greedy"
    yard, step = spread(classes, chosen)
    objective = classes.cost_of(chosen, yard, step)
    gap = None if bound is None else max(0.0, (objective - bound) / max(objective, 1.0))
    if bound is not None:
        status = "optimal" if gap is not None and gap <= mip_gap else "time_limit"
    plan = describe(problem, yard, step)
    return replace(
        plan, objective=objective, gap=gap, status=status, warm=kept, duration_s=time.perf_counter() - started
    )


def _solve(
    classes: TruckClasses, until: float, search_s: float, mip_gap: float, warm: WarmStart | None
) -> tuple[Placed | None, float | None, WarmStart | None]:
    """The best plan found until a moment of `time.perf_counter`, a bound of every plan, and where to start next."""
    try:
        program = PlanProgram(classes)
        relaxed, bound, kept = program.relax(until - time.perf_counter(), warm)
    except NoSolutionError:
        return None, None, None
    best, cost = None, np.inf
    for behind_veh in BEHIND_VEH:
        whole = make_whole(classes, relaxed, behind_veh)
        if best is None or classes.total_cost(whole) < cost:
            best, cost = whole, classes.total_cost(whole)
        if cost - bound <= mip_gap * max(cost, 1.0):
            return best, bound, kept
    assert best is not None
    search_s = min(search_s, until - time.perf_counter())
    if search_s < MIN_SEARCH_S:
        return best, bound, kept
    try:
        found, better = program.solve_whole(best, search_s, mip_gap)
    except NoSolutionError:
        return best, bound, kept
    if found is not None:
        best = min(best, fill(classes, pull_forward(classes, found)[0]), key=classes.total_cost)
    return best, bound if better is None else max(bound, better), kept


KEPT_H = 1.0
"""How much sooner than a truck that keeps its yard others of its class may have come, h."""
MIN_SEARCH_S = 0.05
"""With less time than this left, the integer program finds nothing."""


# From classes back to trucks


def spread(classes: TruckClasses, placed: Placed) -> tuple[Ints, Ints]:
    """Yard and step of each truck.

    In a class, who came first gets the first place, then who was declared first; but a truck that was told a yard goes
    before those that came up to `KEPT_H` sooner and were told another.
    """
    problem = classes.problem
    N = len(problem.truck_ids)
    yard, step = np.full(N, -1, np.int64), np.full(N, problem.steps, np.int64)
    told = problem.previous_yard
    kept_steps = round(KEPT_H * 3600.0 / problem.step_s)
    for c in range(len(classes)):
        members = np.flatnonzero(classes.unit_class == c)
        members = members[np.argsort(classes.unit_step[members], kind="stable")]
        j, t = np.nonzero(placed[c])
        ready = t - classes.offset[c, j]
        order = np.lexsort((classes.cost[c, j], ready))
        units = placed[c, j[order], t[order]] // classes.size[c]
        waiting = [(int(classes.unit_step[u]), int(told[classes.units[u][0]]), classes.units[u]) for u in members]
        for place in np.repeat(order, units)[: len(members)]:
            until = min(int(ready[place]), waiting[0][0] + kept_steps)
            near = waiting[: bisect.bisect_right(waiting, until, key=lambda unit: unit[0])]
            chosen = next((n for n, unit in enumerate(near) if unit[1] == j[place]), None)
            if chosen is None:
                chosen = next((n for n, unit in enumerate(near) if unit[0] == near[0][0] and unit[1] < 0), 0)
            _, _, trucks = waiting.pop(chosen)
            yard[trucks], step[trucks] = j[place], t[place]
    return yard, step


def occupancy(problem: YardProblem, yard: Ints, step: Ints) -> Floats:
    """Expected vehicles inside each yard at each step, shape (Y, T)."""
    inside = problem.remaining_veh.astype(np.float64).copy()
    placed = yard >= 0
    come = np.zeros((len(problem.stays()), *inside.shape))
    np.add.at(come, (problem.stay_classes()[placed], yard[placed], step[placed]), 1.0)
    inside += np.einsum("kjs,kjst->jt", come, problem.stays())
    return inside + _not_cleared(problem, inside, come.sum(axis=0))


def _not_cleared(problem: YardProblem, inside: Floats, come_veh: Floats) -> Floats:
    """Those who would have left by their stays, and whom their gate has not cleared yet, shape (Y, T): they stand where
    there are places."""
    if problem.cleared_veh is None:
        return np.zeros(inside.shape)
    own = np.eye(len(problem.crossing_s))[:, problem.gate]  # (G, Y)
    least = own @ (problem.remaining_veh[:, :1] + np.cumsum(come_veh, axis=1)) - problem.cleared_veh
    more = np.maximum(least - own @ inside, 0.0)
    spare = np.maximum(problem.capacity_veh - inside, 0.0)
    of_gate = own @ spare
    share = np.divide(more, of_gate, out=np.zeros(more.shape), where=of_gate > 0.0)
    return np.asarray(spare * np.minimum(share, 1.0)[problem.gate])


def describe(problem: YardProblem, yard: Ints, step: Ints) -> YardPlan:
    """The plan that gives each truck a yard and a step (−1: none), whoever made it."""
    N, T = len(yard), problem.steps
    end_s = T * problem.step_s
    rows = np.arange(N)
    any_arrival = np.where(problem.allowed, problem.arrive_s, np.inf).min(axis=1, initial=np.inf)
    arrive_s = np.where(yard >= 0, problem.arrive_s[rows, yard], np.minimum(any_arrival, end_s))
    arrive_s = np.maximum(arrive_s, 0.0)
    place_s = np.where(yard >= 0, np.maximum(step * problem.step_s, arrive_s), np.maximum(end_s, arrive_s))
    if problem.convoy is not None:  # it goes in when the last of it is there
        for convoy in np.unique(problem.convoy[problem.convoy >= 0]):
            members = problem.convoy == convoy
            place_s[members] = place_s[members].max()
    inside = occupancy(problem, yard, step)
    staging, overflow = stage(problem, yard, step)
    return YardPlan(
        yard=yard,
        step=step,
        arrive_s=arrive_s,
        place_s=place_s,
        wait_s=place_s - arrive_s,
        reasons=explain(problem, yard, step, inside),
        occupancy_veh=inside,
        staging=staging,
        overflow_veh=overflow,
        objective=0.0,
        gap=None,
        status="empty",
        duration_s=0.0,
    )
