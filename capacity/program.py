"""The yard plan as a linear program for HiGHS, with or without whole trucks; see `capacity.plan` for the model.

Written as arrays because HiGHS's own expressions take twenty times as long to build it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from capacity.classes import BLOCKS, Placed, TruckClasses, line_blocks, line_slopes
from capacity.problem import Floats, Ints

Entries = list[tuple[Ints, Ints, Floats]]
"""Columns, rows and values of a part of the matrix."""


KEPT_STEP_S = 30.0
"""By so much a place looks cheaper to the solver where and when the last plan had it, weighted s.

It chooses so between plans of equal cost. What it finds is a bound of the true costs all the same, which are higher."""

States = NDArray[np.int8]
_LOWER, _BASIC = int(highspy.HighsBasisStatus.kLower), int(highspy.HighsBasisStatus.kBasic)
_STATUS = {int(status): status for status in highspy.HighsBasisStatus.__members__.values()}


class NoSolutionError(Exception):
    """The solver gave nothing that can be used."""


@dataclass
class _Rows:
    """Rows as they are added: their limits, and where the next one begins."""

    lower: list[Floats]
    upper: list[Floats]
    count: int = 0

    def add(self, lower: Floats, upper: Floats) -> int:
        """The first of the new rows."""
        first = self.count
        self.lower.append(lower.ravel())
        self.upper.append(upper.ravel())
        self.count += lower.size
        return first


@dataclass(frozen=True)
class WarmStart:
    """The basis of a solved program, to start the next one from: states of columns and rows by what they stand for.

    `keys`, the classes; `choices` (C, Y, T), `waiting` (C, B, T), `moved` (C, Y + 1) and `balances` (C, T), `told`
    (C, Y), `untold` (C,) of classes; `columns` and `rows`, those that do not depend on them.
    """

    keys: tuple[bytes, ...]
    choices: States
    waiting: States
    moved: States
    balances: States
    told: States
    untold: States
    columns: States
    rows: States


class PlanProgram:
    """The program of the classes of a problem.

    Columns: x[c, j, t] of the choices; seg[c, b, t], waiting trucks of a class by bracket of age; y[k, j, t], trucks by
    class of stay; blocks of each gate's line; v[s, g, t], trucks bound for a gate in a staging area; o[g, t], on the
    road; m[c, j], beyond those told, and m[c], sent elsewhere than told.
    """

    def __init__(self, classes: TruckClasses) -> None:
        self.classes = classes
        self.c, self.j, self.t = classes.choices
        self._entries: Entries = []
        self._rows = _Rows([], [])
        problem = classes.problem
        C, (Y, T) = len(classes), problem.capacity_veh.shape
        K, G = len(problem.stays()), len(problem.crossing_s)
        waiting = problem.waiting
        S = 0 if waiting is None else len(waiting.staging_veh)
        # Columns.
        self._seg = np.nonzero(classes.age_width_veh > 0.0)
        self._first_seg = len(self.c)
        self._first_y = self._first_seg + len(self._seg[0])
        self._first_block = self._first_y + K * Y * T
        self._first_v = self._first_block + G * BLOCKS
        self._first_o = self._first_v + S * G * T
        self._first_m = self._first_o + (G * T if waiting is not None else 0)
        self.columns = self._first_m + C * (Y + 1)
        # Rows.
        self._balance(T)
        self._link(K, Y, T)
        self._rooms(T)
        self._gates(K, Y, T)
        self._entrances(K, Y, T)
        self._lines(K, Y, T)
        if waiting is not None:
            self._road(S, G, T)
        self._told(C, Y)
        self.lp = self._assemble()

    def _put(self, column: Ints, row: Ints, value: Floats | float) -> None:
        column = np.asarray(column, np.int64).ravel()
        values = np.broadcast_to(np.asarray(value, np.float64).ravel(), column.shape)
        self._entries.append((column, np.asarray(row, np.int64).ravel(), values))

    def _y(self, k: Ints, j: Ints, t: Ints) -> Ints:
        Y, T = self.classes.problem.capacity_veh.shape
        return np.asarray(self._first_y + (k * Y + j) * T + t, np.int64)

    def _balance(self, T: int) -> None:
        """Who came, waits or was placed: q[t] − q[t − 1] + placed = come."""
        first = self._rows.add(self.classes.come_veh, self.classes.come_veh)
        leave = self.t - self.classes.offset[self.c, self.j]
        self._put(np.arange(len(self.c)), first + self.c * T + leave, 1.0)
        c, _, t = self._seg
        seg = self._first_seg + np.arange(len(c))
        self._put(seg, first + c * T + t, 1.0)
        later = t + 1 < T
        self._put(seg[later], first + c[later] * T + t[later] + 1, -1.0)
        self._waiting_seg = (c, t, seg)

    def _link(self, K: int, Y: int, T: int) -> None:
        """Trucks by class of stay."""
        nothing = np.zeros(K * Y * T)
        first = self._rows.add(nothing, nothing)
        k = self.classes.stay_class[self.c]
        self._put(np.arange(len(self.c)), first + (k * Y + self.j) * T + self.t, 1.0)
        self._put(self._first_y + np.arange(K * Y * T), first + np.arange(K * Y * T), -1.0)

    def _rooms(self, T: int) -> None:
        """No more inside a yard, or on what several share, than there is room."""
        problem = self.classes.problem
        stays = problem.stays()
        k, j, placed, t = np.nonzero(stays > 1e-6)
        room = problem.room_veh()
        first = self._rows.add(np.full(room.size, -highspy.kHighsInf), room)
        self._put(self._y(k, j, placed), first + j * T + t, stays[k, j, placed, t])
        if problem.shared is None:
            return
        busy = problem.shared.uses.astype(float) @ problem.remaining_veh
        limit = np.maximum(problem.shared.limit_veh - busy, 0.0)
        first = self._rows.add(np.full(limit.size, -highspy.kHighsInf), limit)
        for p, uses in enumerate(problem.shared.uses):
            of = uses[j]
            self._put(self._y(k, j, placed)[of], first + p * T + t[of], stays[k, j, placed, t][of])

    def _gates(self, K: int, Y: int, T: int) -> None:
        """No more let into the yards of a gate than they hold and it has cleared."""
        problem = self.classes.problem
        if problem.cleared_veh is None:
            return
        room = problem.gate_room_veh()
        first = self._rows.add(np.full(room.size, -highspy.kHighsInf), room)
        k, j, placed, t = (
            a.ravel() for a in np.meshgrid(np.arange(K), np.arange(Y), np.arange(T), np.arange(T), indexing="ij")
        )
        k, j, placed, t = (a[placed <= t] for a in (k, j, placed, t))
        self._put(self._y(k, j, placed), first + problem.gate[j] * T + t, 1.0)

    def _entrances(self, K: int, Y: int, T: int) -> None:
        """No more in a step than an entrance takes."""
        problem = self.classes.problem
        intake = np.where(np.isfinite(problem.intake_veh), problem.intake_veh, highspy.kHighsInf)
        first = self._rows.add(np.full(intake.size, -highspy.kHighsInf), intake)
        k, j, t = (a.ravel() for a in np.meshgrid(np.arange(K), np.arange(Y), np.arange(T), indexing="ij"))
        self._put(self._y(k, j, t), first + problem.entrance[j] * T + t, 1.0)

    def _lines(self, K: int, Y: int, T: int) -> None:
        """The line behind each gate: each truck sent there waits for all before it."""
        problem = self.classes.problem
        G = len(problem.crossing_s)
        first = self._rows.add(np.zeros(G), np.zeros(G))
        k, j, t = (a.ravel() for a in np.meshgrid(np.arange(K), np.arange(Y), np.arange(T), indexing="ij"))
        self._put(self._y(k, j, t), first + problem.gate[j], 1.0)
        self._put(self._first_block + np.arange(G * BLOCKS), first + np.repeat(np.arange(G), BLOCKS), -1.0)

    def _road(self, S: int, G: int, T: int) -> None:
        """Who waits and finds no place in a staging area stands on the road."""
        waiting = self.classes.problem.waiting
        assert waiting is not None
        first = self._rows.add(np.full(G * T, -highspy.kHighsInf), np.zeros(G * T))
        c, t, seg = self._waiting_seg
        home = self.classes.home_gate[c]
        own = home >= 0
        self._put(seg[own], first + home[own] * T + t[own], 1.0)
        self._put(self._first_o + np.arange(G * T), first + np.arange(G * T), -1.0)
        staging = self._rows.add(np.full(S * T, -highspy.kHighsInf), waiting.staging_veh)
        s, g, at = (a.ravel() for a in np.meshgrid(np.arange(S), np.arange(G), np.arange(T), indexing="ij"))
        column = self._first_v + (s * G + g) * T + at
        self._put(column, staging + s * T + at, 1.0)
        serves = waiting.serves[s, g]
        self._put(column[serves], first + g[serves] * T + at[serves], -1.0)

    def _told(self, C: int, Y: int) -> None:
        """Who goes to another yard than the last plan said: m[c, j] beyond those told, less those told none."""
        classes = self.classes
        first = self._rows.add(np.full(C * Y, -highspy.kHighsInf), classes.told_veh)
        self._put(np.arange(len(self.c)), first + self.c * Y + self.j, 1.0)
        beyond = self._first_m + np.arange(C * Y)
        self._put(beyond, first + np.arange(C * Y), -1.0)
        untold = classes.come_veh.sum(axis=1) - classes.told_veh.sum(axis=1)
        total = self._rows.add(np.full(C, -highspy.kHighsInf), untold)
        self._put(beyond, total + np.repeat(np.arange(C), Y), 1.0)
        self._put(self._first_m + C * Y + np.arange(C), total + np.arange(C), -1.0)

    def _assemble(self) -> Any:
        classes = self.classes
        problem = classes.problem
        column, row, value = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        order = np.argsort(column, kind="stable")
        c, b, t = self._seg
        cost = np.zeros(self.columns)
        kept = classes.told_step[self.c, self.j, self.t]
        cost[: len(self.c)] = classes.cost[self.c, self.j] - np.where(kept, KEPT_STEP_S, 0.0)
        seg = slice(self._first_seg, self._first_y)
        cost[seg] = classes.age_cost[c, b] + np.where(t == problem.steps - 1, classes.none_cost[c], 0.0)
        cost[self._first_block : self._first_v] = line_slopes(problem).ravel()
        cost[self._first_o : self._first_m] = problem.weights.overflow * problem.step_s
        cost[self._first_m + classes.told_veh.size :] = problem.weights.stability_s
        upper = np.full(self.columns, highspy.kHighsInf)
        upper[seg] = classes.age_width_veh[self._seg]
        upper[self._first_block : self._first_v] = len(problem.truck_ids) / BLOCKS
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.columns, self._rows.count
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.zeros(self.columns), upper
        lp.row_lower_, lp.row_upper_ = np.concatenate(self._rows.lower), np.concatenate(self._rows.upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.searchsorted(column[order], np.arange(self.columns + 1)).astype(np.int32)
        lp.a_matrix_.index_ = row[order].astype(np.int32)
        lp.a_matrix_.value_ = value[order]
        return lp

    # Solving

    def relax(self, time_limit_s: float, warm: WarmStart | None = None) -> tuple[Floats, float, WarmStart]:
        """Trucks of each class by place and step, in parts of trucks, shape (C, Y, T); the least cost; its basis.

        Raises
        ------
        NoSolutionError
            If the program is not solved in time.
        """
        solver = _solver(self.lp, time_limit_s)
        if warm is not None:
            solver.setBasis(self._basis_from(warm))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise NoSolutionError
        values = np.asarray(solver.getSolution().col_value)
        kept = self._keep(solver.getBasis())
        return self._placed(values), float(solver.getInfo().objective_function_value), kept

    def _keep(self, basis: Any) -> WarmStart:
        classes = self.classes
        C, (Y, T) = len(classes), classes.problem.capacity_veh.shape
        columns = np.array([int(status) for status in basis.col_status], np.int8)
        rows = np.array([int(status) for status in basis.row_status], np.int8)
        choices = np.full((C, Y, T), _LOWER, np.int8)
        choices[self.c, self.j, self.t] = columns[: len(self.c)]
        waiting = np.full(classes.age_width_veh.shape, _LOWER, np.int8)
        waiting[self._seg] = columns[self._first_seg : self._first_y]
        beyond, moved = np.split(columns[self._first_m :], [C * Y])
        told = len(rows) - C * (Y + 1)
        return WarmStart(
            keys=classes.keys,
            choices=choices,
            waiting=waiting,
            moved=np.column_stack([beyond.reshape(C, Y), moved]),
            balances=rows[: C * T].reshape(C, T),
            told=rows[told : told + C * Y].reshape(C, Y),
            untold=rows[told + C * Y :],
            columns=columns[self._first_y : self._first_m],
            rows=rows[C * T : told],
        )

    def _basis_from(self, warm: WarmStart) -> Any:
        """The basis of another program put onto this one; of what it does not know, the slack is in the basis."""
        place = {key: index for index, key in enumerate(warm.keys)}
        old = np.array([place.get(key, -1) for key in self.classes.keys], np.int64)
        known = old >= 0

        def of_classes(states: States, default: int) -> States:
            found = np.full((len(old), *states.shape[1:]), default, np.int8)
            found[known] = states[old[known]]
            return found

        moved = of_classes(warm.moved, _LOWER)
        columns = np.concatenate(
            [
                of_classes(warm.choices, _LOWER)[self.c, self.j, self.t],
                of_classes(warm.waiting, _LOWER)[self._seg],
                warm.columns,
                moved[:, :-1].ravel(),
                moved[:, -1],
            ]
        )
        rows = np.concatenate(
            [
                of_classes(warm.balances, _BASIC).ravel(),
                warm.rows,
                of_classes(warm.told, _BASIC).ravel(),
                of_classes(warm.untold, _BASIC),
            ]
        )
        basis = highspy.HighsBasis()
        if len(columns) == self.lp.num_col_ and len(rows) == self.lp.num_row_:
            basis.col_status = [_STATUS[int(state)] for state in columns]
            basis.row_status = [_STATUS[int(state)] for state in rows]
            basis.valid, basis.alien = True, True
        return basis

    def solve_whole(self, start: Placed, time_limit_s: float, mip_gap: float) -> tuple[Placed | None, float | None]:
        """The best plan of whole trucks found from `start` on, if any is better, and a bound, if there is one."""
        solver = _solver(self.lp, time_limit_s)
        solver.setOptionValue("mip_rel_gap", mip_gap)
        own = np.flatnonzero(self.classes.size[self.c] == 1).astype(np.int32)  # parts of convoys are rounded after
        solver.changeColsIntegrality(len(own), own, np.full(len(own), highspy.HighsVarType.kInteger))
        warm = highspy.HighsSolution()
        warm.col_value = self._columns_of(start).tolist()
        solver.setSolution(warm)
        solver.run()
        info = solver.getInfo()
        bound = float(info.mip_dual_bound) if np.isfinite(info.mip_dual_bound) else None
        if info.primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
            return None, bound
        values = self._placed(np.asarray(solver.getSolution().col_value))
        whole = np.round(values).astype(np.int64)
        is_whole = not (self.classes.size > 1).any() or not (whole % self.classes.size[:, None, None]).any()
        return (whole if is_whole else None), bound

    def _placed(self, values: Floats) -> Floats:
        placed = np.zeros((len(self.classes), *self.classes.problem.capacity_veh.shape))
        placed[self.c, self.j, self.t] = values[: len(self.c)]
        return placed

    def _columns_of(self, placed: Placed) -> Floats:
        """The columns of a plan; those of the road are left to the solver's repair where areas are shared."""
        classes, problem = self.classes, self.classes.problem
        values = np.zeros(self.columns)
        values[: len(self.c)] = placed[self.c, self.j, self.t]
        waiting = classes.waiting_veh(placed)
        edge = np.cumsum(classes.age_width_veh, axis=1)
        held = np.clip(waiting[:, None, :] - (edge - classes.age_width_veh), 0.0, classes.age_width_veh)
        values[self._first_seg : self._first_y] = held[self._seg]
        K, (Y, T) = len(problem.stays()), problem.capacity_veh.shape
        by_stay = np.zeros((K, Y, T))
        np.add.at(by_stay, classes.stay_class, placed.astype(float))
        values[self._first_y : self._first_block] = by_stay.ravel()
        values[self._first_block : self._first_v] = line_blocks(problem, placed).ravel()
        if problem.waiting is not None:
            on_road = np.zeros((len(problem.crossing_s), T))
            own = classes.home_gate >= 0
            np.add.at(on_road, classes.home_gate[own], waiting[own])
            room = problem.waiting.staging_veh.copy()
            G = len(on_road)
            for s in range(len(room)):
                for g in np.flatnonzero(problem.waiting.serves[s]):
                    taken = np.minimum(on_road[g], room[s])
                    begin = self._first_v + (s * G + g) * T
                    values[begin : begin + T] = taken
                    on_road[g] -= taken
                    room[s] -= taken
            values[self._first_o : self._first_m] = on_road.ravel()
        beyond = np.maximum(placed.sum(axis=2) - classes.told_veh, 0.0)
        untold = classes.come_veh.sum(axis=1) - classes.told_veh.sum(axis=1)
        moved = np.maximum(beyond.sum(axis=1) - untold, 0.0)
        values[self._first_m :] = np.concatenate([beyond.ravel(), moved])
        return values


def _solver(lp: Any, time_limit_s: float) -> Any:
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("time_limit", max(time_limit_s, 0.01))
    if solver.passModel(lp) == highspy.HighsStatus.kError:
        raise NoSolutionError
    return solver
