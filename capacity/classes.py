"""Trucks that the plan cannot tell apart, put together: what makes the program small, and what a plan of them costs.

A *unit* is a truck, or a convoy whose trucks stay together. Units with the same choices at the same costs, counted from
their own arrival, form a *class*: who waits longest in a class is placed first, so that a plan need only say how many
of each class get a place in which yard in which step. That loses nothing: for a cost that grows with the wait, first
come first served is the best order among equals (an exchange argument; L. Schrage, doi:10.1287/opre.16.3.687).

How long the trucks of a class have waited follows from how many wait. With `A[t]` trucks come by step `t` and `q[t]` of
them waiting, `max(0, q[t] − (A[t] − A[t − L]))` have waited for longer than `L` steps. So a cost of waiting that
rises in brackets of age is a convex function of `q[t]`, piecewise linear.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from capacity.problem import Bools, Floats, Ints, YardProblem

AGES_H = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Where the brackets of the age of a wait begin, h."""
CLOSED_AGE_H = 24.0
"""The middle of the last bracket, which has no end, h."""


LINE_FACTOR = 4.0
"""What of a truck in the line counts for more than of a perishable load that comes later: more than its growth within a
day (assumed)."""


@dataclass(frozen=True)
class TruckClasses:
    """The classes of a problem: C classes, U units, Y yards, T steps.

    `units`, the trucks of each unit, the first declared first; `unit_class` (U,), −1 where no yard can be reached
    within the horizon; `unit_step` (U,), first step in which a unit can get a place; `size` (C,), trucks of a unit;
    `offset` (C, Y), steps from then until it can be at a yard, −1 where it may not go; `cost` (C, Y), weighted s of a
    truck's place beside waiting; `weight` (C,), of a second of waiting; `none_cost` (C,), of no place; `home_gate`
    (C,), where it waits on the road, −1 if it does not; `stay_class` (C,); `come_veh` (C, T), trucks that come;
    `told_veh` (C, Y), those of them that the last plan sent to a yard; `told_step` (C, Y, T), whether it sent any in
    a step; `keys` (C,), what makes the class, the same in the next problem.
    """

    problem: YardProblem
    units: tuple[Ints, ...]
    unit_class: Ints
    unit_step: Ints
    size: Ints
    offset: Ints
    cost: Floats
    weight: Floats
    none_cost: Floats
    home_gate: Ints
    stay_class: Ints
    come_veh: Floats
    told_veh: Floats
    told_step: Bools
    keys: tuple[bytes, ...]

    @classmethod
    def of(cls, problem: YardProblem) -> TruckClasses:
        """The classes of a problem's trucks."""
        N, (Y, T) = len(problem.truck_ids), problem.capacity_veh.shape
        step = problem.arrival_steps()
        units = _units(problem)
        first = np.array([unit[0] for unit in units], np.int64)
        size = np.array([len(unit) for unit in units], np.int64)
        there = step[first].copy()  # a convoy is there when the last of it is
        for index in np.flatnonzero(size > 1):
            there[index] = step[units[index]].max(axis=0)
        unit_step = there.min(axis=1, initial=T)
        offset = np.where(there < T, there - unit_step[:, None], -1)
        waiting = problem.waiting
        home = np.full(N, -1) if waiting is None else np.where(waiting.on_road, waiting.home_gate, -1)
        detour_min = np.round(np.where(offset >= 0, problem.detour_s[first], 0.0) / 60.0)
        keys = np.column_stack(
            [
                offset,
                detour_min,
                size,
                problem.perishable[first],
                problem.stands_in_line()[first],
                home[first],
                problem.stay_classes()[first],
            ]
        ).astype(np.int64)
        reachable = np.flatnonzero(unit_step < T)
        if len(reachable):
            _, rows, inverse = np.unique(keys[reachable], axis=0, return_index=True, return_inverse=True)
        else:
            rows, inverse = np.empty(0, np.int64), np.empty(0, np.int64)
        of_class = first[reachable[rows]]
        unit_class = np.full(len(units), -1, np.int64)
        unit_class[reachable] = inverse.ravel()
        weights = problem.weights
        weight = np.where(problem.perishable[of_class], weights.perishable, weights.ordinary)
        # Who stands in the line is weighed alike whatever is loaded; all that it costs grows by as much as its waiting,
        # so that another gate is worth to it what it would be to anybody.
        highest = LINE_FACTOR * max(weights.perishable, weights.ordinary)
        in_line = problem.stands_in_line()[of_class] & (weight > 0.0)
        factor = np.where(in_line, highest / np.where(in_line, weight, 1.0), 1.0)
        weight = weight * factor
        cost = weights.detour * detour_min[reachable[rows]] * 60.0 * factor[:, None]
        come = np.zeros((len(rows), T))
        np.add.at(come, (unit_class[reachable], unit_step[reachable]), size[reachable].astype(float))
        told = np.zeros((len(rows), Y))
        before = problem.previous_yard[first[reachable]]
        had = before >= 0
        np.add.at(told, (unit_class[reachable[had]], before[had]), size[reachable[had]].astype(float))
        told = np.where(offset[reachable[rows]] >= 0, told, 0.0)
        told_step = np.zeros((len(rows), Y, T), bool)
        if problem.previous_step is not None:
            step_before = problem.previous_step[first[reachable]]
            inside = had & (step_before >= 0) & (step_before < T)
            told_step[unit_class[reachable[inside]], before[inside], step_before[inside]] = True
        # No place must never look cheaper than a place, however long the way and the line behind it.
        dearest = cost.max(axis=1, initial=0.0) + weights.stability_s + line_slopes(problem).max(initial=0.0)
        return cls(
            problem=problem,
            units=units,
            unit_class=unit_class,
            unit_step=unit_step,
            size=size[reachable[rows]],
            offset=offset[reachable[rows]],
            cost=cost,
            weight=weight,
            none_cost=weight * weights.unplaced_s + dearest,
            home_gate=home[of_class],
            stay_class=problem.stay_classes()[of_class],
            come_veh=come,
            told_veh=told,
            told_step=told_step,
            keys=tuple(key.tobytes() for key in keys[reachable[rows]]),
        )

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def choices(self) -> tuple[Ints, Ints, Ints]:
        """What can be chosen: class, yard and step in which a truck of the class can get a place there."""
        first = np.argmax(self.come_veh > 0.0, axis=1)
        steps = np.arange(self.problem.steps)
        can = (self.offset >= 0)[:, :, None] & self.problem.is_open()[None]
        can &= steps[None, None, :] >= (first[:, None] + self.offset)[:, :, None]
        c, j, t = np.nonzero(can)
        return c, j, t

    @cached_property
    def age_edges(self) -> Ints:
        """Where the brackets of age after the first begin, steps."""
        return np.array([round(hours * 3600.0 / self.problem.step_s) for hours in AGES_H[1:]], np.int64)

    @cached_property
    def age_width_veh(self) -> Floats:
        """How many of a class's waiting trucks are of each bracket of age at most, shape (C, B, T)."""
        T = self.problem.steps
        come = np.concatenate([np.zeros((len(self), 1)), np.cumsum(self.come_veh, axis=1)], axis=1)
        within = []
        for edge in self.age_edges:
            ended = np.maximum(np.arange(T) + 1 - edge, 0)
            within.append(come[:, 1:] - come[:, ended])
        within.append(come[:, 1:])
        stacked = np.stack(within, axis=1)
        width: Floats = np.diff(stacked, axis=1, prepend=0.0)
        return width

    @cached_property
    def age_cost(self) -> Floats:
        """What a step of waiting costs a truck in each bracket of age, weighted s, shape (C, B)."""
        ages = [*AGES_H, 2.0 * CLOSED_AGE_H - AGES_H[-1]]
        middle = np.array([(low + high) / 2.0 for low, high in itertools.pairwise(ages)])
        cost: Floats = self.weight[:, None] * self.problem.step_s * (1.0 + self.problem.weights.growth * middle)
        return cost

    def waiting_veh(self, placed: Placed) -> Floats:
        """Trucks that have no place yet at the end of each step, shape (C, T)."""
        left = np.zeros((len(self), self.problem.steps))
        c, j, t = np.nonzero(placed)
        np.add.at(left, (c, t - self.offset[c, j]), placed[c, j, t].astype(float))
        waiting: Floats = np.cumsum(self.come_veh - left, axis=1)
        return waiting

    def overflow_veh(self, waiting_veh: Floats) -> Floats:
        """Trucks on the road because every place to wait that leads to their gate is full, shape (T,)."""
        T, given = self.problem.steps, self.problem.waiting
        if given is None:
            return np.zeros(T)
        on_road = np.zeros((len(self.problem.crossing_s), T))
        own = self.home_gate >= 0
        np.add.at(on_road, self.home_gate[own], waiting_veh[own])
        left, room = on_road, given.staging_veh.copy()
        # Areas that serve few gates first, so that those that serve many are left for the rest.
        for area in np.argsort(given.serves.sum(axis=1), kind="stable"):
            for gate in np.flatnonzero(given.serves[area]):
                taken = np.minimum(left[gate], room[area])
                left[gate] -= taken
                room[area] -= taken
        over: Floats = left.sum(axis=0)
        return over

    def moved_veh(self, placed: Placed) -> float:
        """How many trucks at least go to another yard than the last plan said."""
        beyond = np.maximum(placed.sum(axis=2) - self.told_veh, 0.0).sum(axis=1)
        untold = self.come_veh.sum(axis=1) - self.told_veh.sum(axis=1)
        return float(np.maximum(beyond - untold, 0.0).sum())

    def cost_of(self, placed: Placed, yard: Ints, step: Ints) -> float:
        """What a plan costs once it says which truck (N,) goes where; `total_cost` or more, weighted s."""
        waited = np.zeros((len(self), self.problem.steps + 1))
        moved, told = 0.0, self.problem.previous_yard
        for unit, trucks in enumerate(self.units):
            c, j = int(self.unit_class[unit]), int(yard[trucks[0]])
            if c < 0:
                continue
            until = self.problem.steps if j < 0 else int(step[trucks[0]]) - int(self.offset[c, j])
            waited[c, until - int(self.unit_step[unit])] += len(trucks)
            if j >= 0:
                before = told[trucks]
                moved += float(((before >= 0) & (before != j) & (self.offset[c, before] >= 0)).sum())
        longer = np.cumsum(waited[:, ::-1], axis=1)[:, ::-1][:, 1:]  # trucks that wait for more than a number of steps
        bracket = np.searchsorted(self.age_edges, np.arange(self.problem.steps), side="right")
        more = float((longer * self.age_cost[:, bracket]).sum()) - self._waiting_cost(self.waiting_veh(placed))
        more += self.problem.weights.stability_s * (moved - self.moved_veh(placed))
        return self.total_cost(placed) + max(more, 0.0)

    def _waiting_cost(self, waiting_veh: Floats) -> float:
        edge = np.cumsum(self.age_width_veh, axis=1)
        held = np.clip(waiting_veh[:, None, :] - (edge - self.age_width_veh), 0.0, self.age_width_veh)
        return float((held.sum(axis=2) * self.age_cost).sum())

    def total_cost(self, placed: Placed) -> float:
        """What a plan costs at least, weighted s; `placed` (C, Y, T) trucks."""
        waiting = self.waiting_veh(placed)
        cost = self._waiting_cost(waiting)
        cost += float((placed.sum(axis=2) * self.cost).sum())
        cost += self.problem.weights.stability_s * self.moved_veh(placed)
        cost += float(waiting[:, -1] @ self.none_cost) if len(self) else 0.0
        cost += self.problem.weights.overflow * self.problem.step_s * float(self.overflow_veh(waiting).sum())
        return cost + float((line_blocks(self.problem, placed) * line_slopes(self.problem)).sum())


Placed = Ints
"""How many trucks of each class get a place where and when, shape (C, Y, T); the others get none."""

BLOCKS = 40
"""Pieces of the cost of a gate's line."""


def line_slopes(problem: YardProblem) -> Floats:
    """What another truck in the line of each gate costs, for each block of trucks sent there, shape (G, BLOCKS)."""
    sent = (np.arange(BLOCKS) + 0.5) * len(problem.truck_ids) / BLOCKS
    slopes: Floats = problem.weights.crossing * problem.crossing_s[:, None] * (problem.before_veh[:, None] + sent)
    return slopes


def line_blocks(problem: YardProblem, placed: Placed) -> Floats:
    """Trucks in each block of each gate's line, the first ones filled first, shape (G, BLOCKS)."""
    sent = np.zeros(len(problem.crossing_s))
    np.add.at(sent, problem.gate, placed.sum(axis=(0, 2)).astype(float))
    size = len(problem.truck_ids) / BLOCKS
    filled: Floats = np.clip(sent[:, None] - np.arange(BLOCKS) * size, 0.0, size)
    return filled


def _units(problem: YardProblem) -> tuple[Ints, ...]:
    """The trucks of each unit; units and trucks in order of declaration."""
    order = np.lexsort((problem.truck_ids, problem.declared_s))
    if problem.convoy is None or not (problem.convoy >= 0).any():
        return tuple(order[:, None])
    members: dict[int, list[int]] = {}
    for truck in order:
        convoy = int(problem.convoy[truck])
        members.setdefault(convoy if convoy >= 0 else -1 - int(truck), []).append(int(truck))
    return tuple(np.array(unit, np.int64) for unit in members.values())
