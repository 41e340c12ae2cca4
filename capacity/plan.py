"""Which truck gets a place in which yard, and when: arrivals × yards × time as a mixed-integer program.

The model. Time is cut into `T` steps. `x[g, j, t]` trucks of group `g` get a place in yard `j` from step
`t` on, `u[g]` get none within the horizon. Trucks whose choices cost the same form one group, which loses
nothing and makes the program small. With `s[j, t', t]` the expected share of trucks placed at `t'` that
are still there at `t`, `r[j, t]` those inside now that are still there, `c[j, t]` the places:

    minimise    Σ cost[g, j, t] · x[g, j, t] + Σ cost_none[g] · u[g] + Σ_q line_q(Σ_g,t,j∈q x[g, j, t])
    subject to  Σ_jt x[g, j, t] + u[g] = n[g]                          for each group
                Σ_g Σ_t'≤t s[j, t', t] · x[g, j, t'] ≤ c[j, t] − r[j, t]   for each yard and step
                Σ_g,j∈i x[g, j, t] ≤ e[i, t], what it can take             for each entrance and step

The cost of a place is in weighted seconds: waiting from arrival to place (perishable goods weigh more, and
each further step of waiting costs a little more than the one before, so that nobody starves), the detour, and
a charge for leaving what the last plan said. `line_q` is the waiting in the line of gate `q`: each truck sent
there waits for all before it, so the total is convex in their number and is taken piecewise linear.

Solved with HiGHS (Huangfu and Hall 2018, doi:10.1007/s12532-017-0130-5). A greedy plan is always made first
and stands if the solver finds none better in its time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from capacity.problem import Bools, Floats, Ints, YardProblem


@dataclass(frozen=True)
class Reason:
    """Why a truck got its place: a code that the interface has words for, and the numbers in them."""

    code: str
    values: dict[str, Any]


@dataclass(frozen=True)
class YardPlan:
    """Who gets which place when; arrays over the problem's trucks.

    `yard` (N,), index or −1 for no place within the horizon; `arrive_s`, `place_s`, `wait_s` (N,), s after
    the start (for no place: to the end of the horizon); `reasons`; `occupancy_veh` (Y, T), expected.
    `status`: `optimal` (gap within the solver's tolerance), `time_limit` (best found in time), `greedy`
    (the solver found nothing better in time, or failed), `empty`. `gap` is (objective − bound)/objective,
    none where there is no bound.
    """

    yard: Ints
    arrive_s: Floats
    place_s: Floats
    wait_s: Floats
    reasons: list[Reason]
    occupancy_veh: Floats
    objective: float
    gap: float | None
    status: str
    duration_s: float


def make_plan(problem: YardProblem, *, time_limit_s: float = 0.8, mip_gap: float = 1e-3) -> YardPlan:
    """The plan of least cost found within `time_limit_s` of solving; always feasible."""
    started = time.perf_counter()
    if len(problem.truck_ids) == 0:
        nobody = np.empty(0, np.int64)
        return replace(_describe(problem, nobody, nobody), gap=0.0, duration_s=time.perf_counter() - started)
    groups = _group(problem)
    greedy = _greedy(problem, groups)
    chosen, status, bound = greedy, "greedy", None
    try:
        found, bound, is_optimal = _solve(problem, groups, greedy, time_limit_s, mip_gap)
    except _NoSolutionError:
        pass
    else:
        if is_optimal or _cost(problem, groups, found) < _cost(problem, groups, greedy):
            chosen, status = found, "optimal" if is_optimal else "time_limit"
    objective = _cost(problem, groups, chosen)
    gap = None if bound is None else max(0.0, (objective - bound) / max(objective, 1.0))
    yard, step = _spread(problem, groups, chosen)
    plan = _describe(problem, yard, step)
    return replace(plan, objective=objective, gap=gap, status=status, duration_s=time.perf_counter() - started)


# Groups


@dataclass(frozen=True)
class _Groups:
    """Trucks with equal choices. `cost` (G, Y, T), infinite where impossible; `none_cost` (G,)."""

    members: list[Ints]
    size: Ints
    cost: Floats
    none_cost: Floats
    priority: Ints


_Placed = NDArray[np.int64]
"""How many trucks of each group are placed where and when, shape (G, Y, T); the rest get no place."""


def _group(problem: YardProblem) -> _Groups:
    steps, minute = problem.arrival_steps(), 60.0
    keys = np.column_stack(
        [steps, problem.perishable, problem.previous_yard, np.round(problem.detour_s / minute)]
    ).astype(np.int64)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.ravel()
    order = np.lexsort((problem.truck_ids, problem.declared_s))
    members: list[Ints] = [order[inverse[order] == g] for g in range(len(first))]
    w = problem.weights
    weight = np.where(problem.perishable[first], w.perishable, w.ordinary)
    arrival = steps[first][:, :, None]
    waited = np.arange(problem.steps)[None, None, :] - arrival
    wait_s = waited * problem.step_s
    cost = weight[:, None, None] * wait_s * (1.0 + w.growth * waited)
    cost = cost + w.detour * problem.detour_s[first][:, :, None]
    yards = np.arange(len(problem.yard_ids))[None, :]
    previous = problem.previous_yard[first][:, None]
    cost = cost + np.where((previous >= 0) & (previous != yards), w.stability_s, 0.0)[:, :, None]
    cost = np.where(waited >= 0, cost, np.inf)
    left = problem.steps - steps[first].min(axis=1)
    none_cost = weight * (left * problem.step_s * (1.0 + w.growth * left) + w.unplaced_s)
    # No place must never look cheaper than a place, however long the way and the line behind it.
    dearest = np.where(np.isfinite(cost), cost, 0.0).max(axis=(1, 2)) + _line_slopes(problem).max(initial=0.0)
    none_cost = np.maximum(none_cost, dearest + weight * w.unplaced_s)
    size = np.array([len(m) for m in members], np.int64)
    priority = np.lexsort((steps[first].min(axis=1), ~problem.perishable[first]))
    return _Groups(members, size, cost, none_cost, priority)


BLOCKS = 40
"""Pieces of the cost of a gate's line."""


def _line_slopes(problem: YardProblem) -> Floats:
    """What one more truck in the line of each gate costs, for each block of trucks sent there, shape (G, BLOCKS)."""
    size = len(problem.truck_ids) / BLOCKS
    sent = (np.arange(BLOCKS) + 0.5) * size
    slopes: Floats = problem.weights.crossing * problem.crossing_s[:, None] * (problem.before_veh[:, None] + sent)
    return slopes


def _line_blocks(problem: YardProblem, placed: _Placed) -> Floats:
    """Trucks in each block of each gate's line, the first ones filled first, shape (G, BLOCKS)."""
    sent = np.zeros(len(problem.crossing_s))
    np.add.at(sent, problem.gate, placed.sum(axis=(0, 2)))
    size = len(problem.truck_ids) / BLOCKS
    return np.clip(sent[:, None] - np.arange(BLOCKS) * size, 0.0, size)


def _line_cost(problem: YardProblem, placed: _Placed) -> float:
    return float((_line_blocks(problem, placed) * _line_slopes(problem)).sum())


def _cost(problem: YardProblem, groups: _Groups, placed: _Placed) -> float:
    used = np.where(placed > 0, np.where(np.isfinite(groups.cost), groups.cost, 0.0) * placed, 0.0).sum()
    none = groups.none_cost @ (groups.size - placed.sum(axis=(1, 2)))
    return float(used + none) + _line_cost(problem, placed)


def _greedy(problem: YardProblem, groups: _Groups, start: _Placed | None = None) -> _Placed:
    """Perishable first, then by arrival: each group takes the cheapest places that `start` leaves."""
    placed = np.zeros(groups.cost.shape, np.int64) if start is None else start.copy()
    room = problem.room_veh() - np.einsum("gjs,jst->jt", placed, problem.stay_share)
    intake = problem.intake_veh.copy()
    np.subtract.at(intake, problem.entrance, placed.sum(axis=0))
    for g in groups.priority:
        waiting = int(groups.size[g] - placed[g].sum())
        if waiting == 0:
            continue
        in_line = np.zeros(len(problem.crossing_s))
        np.add.at(in_line, problem.gate, placed.sum(axis=(0, 2)))
        line_s = problem.weights.crossing * problem.crossing_s * (problem.before_veh + in_line)
        flat = np.argsort(groups.cost[g] + line_s[problem.gate][:, None], axis=None, kind="stable")
        for j, t in zip(*np.unravel_index(flat, groups.cost[g].shape), strict=True):
            if waiting == 0 or not np.isfinite(groups.cost[g, j, t]):
                break
            share = problem.stay_share[j, t, t:]
            with np.errstate(divide="ignore", invalid="ignore"):
                fits = np.where(share > 1e-9, room[j, t:] / share, np.inf).min()
            take = int(np.floor(min(waiting, fits + 1e-9, intake[problem.entrance[j], t] + 1e-9)))
            if take > 0:
                intake[problem.entrance[j], t] -= take
                room[j, t:] -= take * share
                placed[g, j, t] += take
                waiting -= take
    return placed


# The solver


class _NoSolutionError(Exception):
    """The solver gave nothing that can be used."""


def _linear_program(problem: YardProblem, groups: _Groups, g: Ints, j: Ints, t: Ints) -> highspy.HighsLp:
    """The module's model without its integers, for HiGHS.

    Columns: x[g, j, t] of the places that are possible, u[g], then the blocks of each gate's line. Rows: groups,
    entrances by step, yards by step, lines. Written as arrays because HiGHS's own expressions take twenty times as
    long to build it.
    """
    G, Y, T = groups.cost.shape
    E, slopes = len(problem.intake_veh), _line_slopes(problem)
    x, u = np.arange(len(g)), len(g) + np.arange(G)
    block = len(g) + G + np.arange(slopes.size)
    block_veh = len(problem.truck_ids) / BLOCKS
    group_row, entrance_row, yard_row = 0, G, G + E * T
    line_row = yard_row + Y * T
    # Each place in its yard's rows from its step on.
    length = T - t
    place = np.repeat(x, length)
    later = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length - t, length)
    ones, takes = np.ones(len(g)), problem.stay_share[j[place], t[place], later]
    entries = [
        (x, group_row + g, ones),
        (x, entrance_row + problem.entrance[j] * T + t, ones),
        (place, yard_row + j[place] * T + later, takes),
        (x, line_row + problem.gate[j], ones),
        (u, group_row + np.arange(G), np.ones(G)),
        (block, line_row + np.repeat(np.arange(len(slopes)), BLOCKS), np.full(slopes.size, -1.0)),
    ]
    column, row, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    by_column = np.argsort(column, kind="stable")
    size = groups.size.astype(np.float64)
    no_lines = np.zeros(len(slopes))
    intake = np.where(np.isfinite(problem.intake_veh), problem.intake_veh, highspy.kHighsInf)

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(g) + G + slopes.size, line_row + len(slopes)
    lp.col_cost_ = np.concatenate([groups.cost[g, j, t], groups.none_cost, slopes.ravel()])
    lp.col_lower_ = np.zeros(lp.num_col_)
    lp.col_upper_ = np.concatenate([size[g], size, np.full(slopes.size, block_veh)])
    lp.row_lower_ = np.concatenate([size, np.full(line_row - entrance_row, -highspy.kHighsInf), no_lines])
    lp.row_upper_ = np.concatenate([size, intake.ravel(), problem.room_veh().ravel(), no_lines])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.searchsorted(column[by_column], np.arange(lp.num_col_ + 1)).astype(np.int32)
    lp.a_matrix_.index_ = row[by_column].astype(np.int32)
    lp.a_matrix_.value_ = value[by_column]
    return lp


def _solve(
    problem: YardProblem, groups: _Groups, start: _Placed, time_limit_s: float, mip_gap: float
) -> tuple[_Placed, float | None, bool]:
    """The best integer solution HiGHS finds, its bound, and whether it is proven within `mip_gap`."""
    started = time.perf_counter()
    G, Y, T = groups.cost.shape
    g, j, t = np.nonzero(np.isfinite(groups.cost))
    columns = len(g)
    lp = _linear_program(problem, groups, g, j, t)
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("time_limit", time_limit_s)
    solver.setOptionValue("mip_rel_gap", mip_gap)
    if solver.passModel(lp) == highspy.HighsStatus.kError:
        raise _NoSolutionError

    def place(values: Floats) -> _Placed:
        placed = np.zeros((G, Y, T), np.int64)
        placed[g, j, t] = values[:columns].astype(np.int64)
        return placed

    # The relaxation first: rounded down and filled up greedily it is nearly always a good plan already,
    # and its value bounds every plan from below.
    bound = None
    solver.run()
    if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
        bound = float(solver.getInfo().objective_function_value)
        relaxed = np.asarray(solver.getSolution().col_value)
        rounded = _greedy(problem, groups, place(np.floor(relaxed + 1e-7)))
        start = min(start, rounded, key=lambda placed: _cost(problem, groups, placed))
        if _cost(problem, groups, start) - bound <= mip_gap * max(_cost(problem, groups, start), 1.0):
            return start, bound, True
    every = np.arange(columns + G, dtype=np.int32)
    whole = np.full(columns + G, highspy.HighsVarType.kInteger)
    solver.changeColsIntegrality(columns + G, every, whole)
    warm = highspy.HighsSolution()
    none = groups.size - start.sum(axis=(1, 2))
    filled = _line_blocks(problem, start)
    warm.col_value = [float(value) for part in (start[g, j, t], none, filled.ravel()) for value in part]
    solver.setSolution(warm)
    solver.setOptionValue("time_limit", max(time_limit_s - (time.perf_counter() - started), 0.01))
    solver.run()
    status, info = solver.getModelStatus(), solver.getInfo()
    if bound is None and not np.isfinite(info.mip_dual_bound):
        raise _NoSolutionError
    bound = max(b for b in (bound, info.mip_dual_bound) if b is not None and np.isfinite(b))
    if info.primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
        return start, bound, False
    found = place(np.round(np.asarray(solver.getSolution().col_value)))
    best = min(start, found, key=lambda placed: _cost(problem, groups, placed))
    return best, bound, status == highspy.HighsModelStatus.kOptimal


# From groups back to trucks


def _spread(problem: YardProblem, groups: _Groups, placed: _Placed) -> tuple[Ints, Ints]:
    """Yard and step of each truck: in a group, who was declared first gets the cheapest place."""
    yard = np.full(len(problem.truck_ids), -1, np.int64)
    step = np.full(len(problem.truck_ids), problem.steps, np.int64)
    for g, members in enumerate(groups.members):
        j, t = np.nonzero(placed[g])
        order = np.argsort(groups.cost[g, j, t], kind="stable")
        places = np.repeat(np.arange(len(j))[order], placed[g, j, t][order])[: len(members)]
        yard[members[: len(places)]] = j[places]
        step[members[: len(places)]] = t[places]
    return yard, step


def occupancy(problem: YardProblem, yard: Ints, step: Ints) -> Floats:
    """Expected vehicles inside each yard at each step, shape (Y, T)."""
    inside = problem.remaining_veh.astype(np.float64).copy()
    for j, t in zip(yard[yard >= 0], step[yard >= 0], strict=True):
        inside[j] += problem.stay_share[j, t] * (np.arange(problem.steps) >= t)
    return inside


def _describe(problem: YardProblem, yard: Ints, step: Ints) -> YardPlan:
    N, T = len(yard), problem.steps
    end_s = T * problem.step_s
    rows = np.arange(N)
    any_arrival = np.where(problem.allowed, problem.arrive_s, np.inf).min(axis=1, initial=np.inf)
    arrive_s = np.where(yard >= 0, problem.arrive_s[rows, yard], np.minimum(any_arrival, end_s))
    arrive_s = np.maximum(arrive_s, 0.0)
    place_s = np.where(yard >= 0, np.maximum(step * problem.step_s, arrive_s), np.maximum(end_s, arrive_s))
    inside = occupancy(problem, yard, step)
    reasons = _Reasons.of(problem, yard, step, inside)
    return YardPlan(
        yard=yard,
        arrive_s=arrive_s,
        place_s=place_s,
        wait_s=place_s - arrive_s,
        reasons=[reasons.reason(i) for i in range(N)],
        occupancy_veh=inside,
        objective=0.0,
        gap=None,
        status="empty",
        duration_s=0.0,
    )


@dataclass(frozen=True)
class _Reasons:
    """Why each truck got its place, told from the finished plan."""

    problem: YardProblem
    yard: Ints
    step: Ints
    arrival: Ints
    inside: Floats
    fits: Bools
    """Whether one more truck would fit in a yard from a step on, shape (Y, T)."""

    @classmethod
    def of(cls, problem: YardProblem, yard: Ints, step: Ints, inside: Floats) -> _Reasons:
        spare = problem.capacity_veh - inside
        steps = np.arange(problem.steps)
        # It fits if there is room in every step it is expected to stay for.
        short = (steps[None, :] >= steps[:, None]) & (spare[:, None, :] < problem.stay_share - 1e-9)
        left = problem.intake_veh.copy()
        np.subtract.at(left, (problem.entrance[yard[yard >= 0]], step[yard >= 0]), 1.0)
        fits = ~short.any(axis=2) & (left >= 1.0 - 1e-9)[problem.entrance]
        return cls(problem, yard, step, problem.arrival_steps(), inside, np.asarray(fits))

    def reason(self, i: int) -> Reason:
        problem, j, t = self.problem, int(self.yard[i]), int(self.step[i])
        if j < 0:
            if not (self.arrival[i] < problem.steps).any():
                return Reason("no_yard", {})
            return Reason("no_place", {"until_s": problem.steps * problem.step_s})
        values = self.alternative(i)
        came = int(self.arrival[i, j])
        if t > came:
            leaving = float(problem.remaining_veh[j, came] - problem.remaining_veh[j, t])
            values["leaving_veh"] = max(0, round(leaving))
            overtaken = self.overtaken_by(i)
            if overtaken:
                return Reason("perishable_first", {"perishable_veh": overtaken, **values})
            spare = problem.capacity_veh[j, came:t] - self.inside[j, came:t]
            return Reason("wait_for_entry" if (spare >= 1.0).all() else "wait_for_place", values)
        values["free_veh"] = max(0, int(np.floor(problem.capacity_veh[j, t] - self.inside[j, t])))
        if problem.detour_s[i, j] > 60.0:
            return Reason("other_yard_sooner", values)
        if problem.previous_yard[i] == j and (values.get("other_later_s") or 0.0) < 0.0:
            return Reason("kept", values)
        return Reason("free_on_arrival", values)

    def overtaken_by(self, i: int) -> int:
        """How many perishable loads that come later get a place in the yard before truck `i`."""
        if self.problem.perishable[i]:
            return 0
        j, came = self.yard[i], self.arrival[i, self.yard[i]]
        later = (self.yard == j) & (self.arrival[:, j] > came) & (self.step < self.step[i])
        return int((later & self.problem.perishable).sum())

    def alternative(self, i: int) -> dict[str, Any]:
        """The best other yard, and how much later (s) it would have a place; none within the horizon is `None`."""
        problem, j = self.problem, int(self.yard[i])
        own_s = max(self.step[i] * problem.step_s, float(problem.arrive_s[i, j]))
        best: tuple[float, int] | None = None
        for other in np.flatnonzero(self.arrival[i] < problem.steps):
            if other == j:
                continue
            came = int(self.arrival[i, other])
            open_steps = np.flatnonzero(self.fits[other, came:])
            ready_s = np.inf
            if len(open_steps):
                ready_s = max((came + int(open_steps[0])) * problem.step_s, float(problem.arrive_s[i, other]))
            if best is None or ready_s < best[0]:
                best = (ready_s, int(other))
        if best is None:
            return {}
        later_s = best[0] - own_s if np.isfinite(best[0]) else None
        return {"other_yard": problem.yard_ids[best[1]], "other_later_s": later_s}
