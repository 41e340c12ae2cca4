"""Whole trucks: plans made truck by truck, and plans in parts of trucks made whole, both always within every limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity.classes import Placed, TruckClasses
from capacity.problem import Floats, YardProblem

SLACK = 1e-6
BEHIND_VEH = (0.6, 0.05, 0.3, 0.9, 0.15)
"""From how far behind its relaxed plan on a class gets a place, trucks: each makes another whole plan."""


@dataclass
class Room:
    """What is left of yards, entrances, gates and shared limits while trucks are given places."""

    problem: YardProblem
    stays: Floats
    room_veh: Floats
    intake_veh: Floats
    shared_veh: Floats
    gate_veh: Floats

    @classmethod
    def of(cls, problem: YardProblem) -> Room:
        """All there is before anybody gets a place."""
        shared = np.zeros((0, problem.steps))
        if problem.shared is not None:
            busy = problem.shared.uses.astype(float) @ problem.remaining_veh
            shared = np.maximum(problem.shared.limit_veh - busy, 0.0)
        gate_veh = problem.gate_room_veh()
        return cls(problem, problem.stays(), problem.room_veh(), problem.intake_veh.copy(), shared, gate_veh)

    def fits(self, k: int, j: int, t: int) -> int:
        """How many more trucks of a class of stay fit in yard `j` from step `t` on."""
        intake = float(self.intake_veh[self.problem.entrance[j], t])
        return 0 if intake < 1.0 - SLACK else int(min(self.room_for(k, j, t), intake, 1e9) + SLACK)

    def room_for(self, k: int, j: int, t: int) -> float:
        """How many more would fit if the entrance took any number."""
        if self.room_veh[j, t] < 1.0 - SLACK:
            return 0.0
        share = self.stays[k, j, t, t:]
        there = share > SLACK
        fits = float((self.room_veh[j, t:][there] / share[there]).min(initial=np.inf))
        fits = min(fits, float(self.gate_veh[self.problem.gate[j], t:].min(initial=np.inf)))
        if self.problem.shared is not None:
            for p in np.flatnonzero(self.problem.shared.uses[:, j]):
                fits = min(fits, float((self.shared_veh[p, t:][there] / share[there]).min(initial=np.inf)))
        return fits

    def take(self, k: int, j: int, t: int, trucks_veh: int) -> None:
        """Give places to trucks."""
        share = trucks_veh * self.stays[k, j, t, t:]
        self.room_veh[j, t:] -= share
        self.gate_veh[self.problem.gate[j], t:] -= trucks_veh
        self.intake_veh[self.problem.entrance[j], t] -= trucks_veh
        if self.problem.shared is not None:
            self.shared_veh[self.problem.shared.uses[:, j], t:] -= share


def make_whole(classes: TruckClasses, relaxed: Floats, behind_veh: float = BEHIND_VEH[0]) -> Placed:
    """A plan of whole trucks that follows one in parts of trucks, `relaxed` (C, Y, T), as closely as the limits let it.

    Step by step, whoever is furthest behind what the relaxed plan has given its class by then goes first, so that what
    rounding costs does not add up over the steps. A class gets a place from `behind_veh` on.
    """
    problem = classes.problem
    T = problem.steps
    target = np.cumsum(relaxed, axis=2)
    given = np.zeros(relaxed.shape[:2])
    placed = np.zeros(relaxed.shape, np.int64)
    come = np.cumsum(classes.come_veh, axis=1)
    leaving = np.zeros((len(classes), T))
    wanted = target[:, :, -1] > SLACK
    room = Room.of(problem)
    opens = problem.is_open()
    for t in range(T):
        behind = np.where(wanted, target[:, :, t] - given, 0.0)
        # What a class is behind in several yards, a little in each, is made up for in one of them.
        together = np.where(wanted, target[:, :, t] - given, 0.0).sum(axis=1)
        slow = np.flatnonzero((together > behind_veh) & (behind.max(axis=1) <= behind_veh))
        behind[slow, behind[slow].argmax(axis=1)] = together[slow]
        rows, yards = np.nonzero((behind > behind_veh) & opens[None, :, t])
        for index in np.argsort(-behind[rows, yards], kind="stable"):
            c, j = int(rows[index]), int(yards[index])
            ready = t - int(classes.offset[c, j])
            if not 0 <= ready < T:
                continue
            size = int(classes.size[c])
            here = (come[c] - np.cumsum(leaving[c]))[ready:].min()
            wants = max(int(np.ceil((behind[c, j] - behind_veh) / size)), 0) * size
            take = min(wants, int(here + SLACK), room.fits(int(classes.stay_class[c]), j, t))
            take -= take % size
            if take <= 0:
                continue
            room.take(int(classes.stay_class[c]), j, t, take)
            placed[c, j, t] += take
            given[c, j] += take
            leaving[c, ready] += take
    placed, is_better = pull_forward(classes, fill(classes, placed))
    return fill(classes, placed) if is_better else placed


def pull_forward(classes: TruckClasses, placed: Placed) -> tuple[Placed, bool]:
    """The plan with every place as early as the others leave it, and whether any came sooner."""
    problem = classes.problem
    room, opens = Room.of(problem), problem.is_open()
    for c, j, t in zip(*np.nonzero(placed), strict=True):
        room.take(int(classes.stay_class[c]), int(j), int(t), int(placed[c, j, t]))
    waiting = classes.waiting_veh(placed)
    is_better = False
    c_of, j_of, t_of = np.nonzero(placed)
    for index in np.argsort(t_of, kind="stable"):
        c, j, t = int(c_of[index]), int(j_of[index]), int(t_of[index])
        k, size, drive = int(classes.stay_class[c]), int(classes.size[c]), int(classes.offset[c, j])
        # Somebody of the class waits in every step from the first on from which the place can be taken.
        idle = np.flatnonzero(waiting[c, : t - drive] < size - SLACK)
        first = (int(idle[-1]) + 1 if len(idle) else 0) + drive
        intake = room.intake_veh[problem.entrance[j], first:t]
        may = opens[j, first:t] & (intake >= size) & (room.room_veh[j, first:t] >= size)
        for sooner in first + np.flatnonzero(may):
            room.take(k, j, t, -int(placed[c, j, t]))
            moved = min(room.fits(k, j, int(sooner)), int(placed[c, j, t]))
            moved = min(moved, int(waiting[c, sooner - drive : t - drive].min() + SLACK))
            moved -= moved % size
            room.take(k, j, t, int(placed[c, j, t]) - moved)
            if moved > 0:
                room.take(k, j, int(sooner), moved)
                placed[c, j, sooner] += moved
                placed[c, j, t] -= moved
                waiting[c, sooner - drive : t - drive] -= moved
                is_better = True
            if placed[c, j, t] < size:
                break
    return placed, is_better


def keep_told(classes: TruckClasses) -> Placed:
    """Everybody at the place that the last plan gave, as far as those still hold."""
    problem = classes.problem
    placed = np.zeros((len(classes), *problem.capacity_veh.shape), np.int64)
    if problem.previous_step is None:
        return placed
    room, opens = Room.of(problem), problem.is_open()
    for unit, trucks in enumerate(classes.units):
        c, j, t = int(classes.unit_class[unit]), problem.previous_yard[trucks[0]], problem.previous_step[trucks[0]]
        if c < 0 or j < 0 or not 0 <= t < problem.steps or classes.offset[c, j] < 0 or not opens[j, t]:
            continue
        k, size = int(classes.stay_class[c]), int(classes.size[c])
        if t - classes.offset[c, j] >= classes.unit_step[unit] and room.fits(k, int(j), int(t)) >= size:
            room.take(k, int(j), int(t), size)
            placed[c, j, t] += size
    return placed


def fill(classes: TruckClasses, start: Placed | None = None, *, in_turn: bool = False) -> Placed:
    """Whoever `start` leaves without a place gets the cheapest left: the dearest wait first, then by arrival.

    Arguments: `in_turn`, by arrival alone, each the place that is free first, without a look at the lines of gates.
    """
    problem = classes.problem
    placed = np.zeros((len(classes), *problem.capacity_veh.shape), np.int64) if start is None else start.copy()
    room = Room.of(problem)
    for c, j, t in zip(*np.nonzero(placed), strict=True):
        room.take(int(classes.stay_class[c]), int(j), int(t), int(placed[c, j, t]))
    sent = np.zeros(len(problem.crossing_s))
    np.add.at(sent, problem.gate, placed.sum(axis=(0, 2)).astype(float))
    waiting = classes.waiting_veh(placed)
    step_cost = classes.weight * problem.step_s
    opens = problem.is_open()
    rows, came = np.nonzero((classes.come_veh > 0.0) & (waiting[:, -1] > SLACK)[:, None])
    order = (-classes.weight[rows], came) if in_turn else (came, -classes.weight[rows])
    for index in np.lexsort(order):
        c, a = int(rows[index]), int(came[index])
        size, k = int(classes.size[c]), int(classes.stay_class[c])
        # The trucks of a class are alike: those that came at `a` are as many as wait from then on, whoever they are.
        unplaced = int(min(classes.come_veh[c, a], waiting[c, a:].min()) + SLACK)
        line_s = problem.weights.crossing * problem.crossing_s * (problem.before_veh + sent)
        fixed = classes.cost[c] + (0.0 if in_turn else line_s[problem.gate])
        choices = [
            (fixed[j] + step_cost[c] * (t - classes.offset[c, j] - a), t, int(j))
            for j in np.flatnonzero(classes.offset[c] >= 0)
            for t in range(a + int(classes.offset[c, j]), problem.steps)
            if opens[j, t] and room.room_veh[j, t] >= 1.0 - SLACK
        ]
        for _, t, j in sorted(choices):
            if unplaced < size:
                break
            take = min(unplaced, room.fits(k, j, t))
            take -= take % size
            if take > 0:
                room.take(k, j, t, take)
                placed[c, j, t] += take
                waiting[c, t - int(classes.offset[c, j]) :] -= take
                sent[problem.gate[j]] += take
                unplaced -= take
    return placed
