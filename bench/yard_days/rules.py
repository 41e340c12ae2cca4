"""How trucks get places where nobody plans: rules that know the same places and limits, truck by truck."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capacity.classes import TruckClasses
from capacity.plan import YardPlan, describe, spread
from capacity.problem import Ints, YardProblem
from capacity.rounding import Room, fill


def first_come(problem: YardProblem) -> YardPlan:
    """Whoever comes first to its own gate gets the first place there that suits it."""
    return _in_order(problem, [np.flatnonzero(own) for own in _own_gate(problem)])


def nearest_yard(problem: YardProblem) -> YardPlan:
    """Every truck goes to the nearest yard of its gate that has places of its kind, and waits for one there."""
    return _in_order(problem, [np.flatnonzero(own)[:1] for own in _own_gate(problem)])


def greedy(problem: YardProblem) -> YardPlan:
    """Perishable loads first, each to the cheapest place that is left, at any gate that takes it."""
    classes = TruckClasses.of(problem)
    return describe(problem, *spread(classes, fill(classes)))


def _own_gate(problem: YardProblem) -> np.ndarray:
    return np.asarray(problem.allowed & (problem.detour_s == 0.0))


def _in_order(problem: YardProblem, choices: Sequence[Ints]) -> YardPlan:
    N, T = len(problem.truck_ids), problem.steps
    yard, step = np.full(N, -1, np.int64), np.full(N, T, np.int64)
    arrival, opens, stays = problem.arrival_steps(), problem.is_open(), problem.stay_classes()
    came_s = np.array([problem.arrive_s[i, own].min(initial=np.inf) for i, own in enumerate(choices)])
    room = Room.of(problem)
    for i in np.lexsort((problem.declared_s, came_s)):
        best = (T, -1)
        for j in choices[i]:
            for t in range(int(arrival[i, j]), min(best[0], T)):
                if opens[j, t] and room.fits(int(stays[i]), int(j), t):
                    best = (t, int(j))
                    break
        if best[1] >= 0:
            step[i], yard[i] = best
            room.take(int(stays[i]), best[1], best[0], 1)
    return describe(problem, yard, step)
