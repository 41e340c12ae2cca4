"""Why each truck gets its place, told from the finished plan by the numbers that the plan shows.

A reason says what every step of the wait has in common, and nothing that is not so of each of them: in
`wait_for_place` no step has room for another truck, in `wait_for_entry` each has room and the entrance takes no more.
tests/capacity/test_reasons.py holds each code to its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from capacity.problem import Bools, Floats, Ints, YardProblem
from capacity.records import ReasonValues

EXACT = 1e-6


@dataclass(frozen=True)
class Reason:
    """Why a truck got its place: a code that the interface has words for, and the numbers in them."""

    code: str
    values: Mapping[str, Any]


def explain(problem: YardProblem, yard: Ints, step: Ints, inside_veh: Floats) -> list[Reason]:
    """The reason of each truck's place; `inside_veh` (Y, T), expected by the whole plan."""
    explanation = _Explanation.of(problem, yard, step, inside_veh)
    return [explanation.reason(i) for i in range(len(yard))]


@dataclass(frozen=True)
class _Explanation:
    """A finished plan: who goes where, and for each yard and step, shape (Y, T), what one more truck would meet."""

    problem: YardProblem
    yard: Ints
    step: Ints
    arrival: Ints
    spare_veh: Floats
    """Places that nobody is expected in."""
    is_open: Bools
    is_full: Bools
    is_held: Bools
    """Whether it is full only because places are held back."""
    is_entrance_taken: Bools
    fits: Bools
    """Whether one more truck could come in and stay as long as the longest."""

    @classmethod
    def of(cls, problem: YardProblem, yard: Ints, step: Ints, inside: Floats) -> _Explanation:
        spare = problem.capacity_veh - inside
        steps = np.arange(problem.steps)
        stays = problem.stays()
        longest = stays[0] if len(stays) == 1 else stays.max(axis=0)
        short = (steps[None, :] >= steps[:, None]) & (spare[:, None, :] < longest - EXACT)
        left = problem.intake_veh.copy()
        np.subtract.at(left, (problem.entrance[yard[yard >= 0]], step[yard >= 0]), 1.0)
        taken = (left < 1.0 - EXACT)[problem.entrance]
        is_open = problem.is_open()
        fits = ~short.any(axis=2) & ~taken & is_open
        arrival = problem.arrival_steps()
        full = spare < 1.0 - EXACT
        held = np.zeros_like(full) if problem.held_back_veh is None else full & (spare + problem.held_back_veh >= 1.0)
        return cls(problem, yard, step, arrival, spare, is_open, full, held, taken, np.asarray(fits))

    def reason(self, i: int) -> Reason:
        problem, j, t = self.problem, int(self.yard[i]), int(self.step[i])
        if j < 0:
            return self._none(i)
        came = int(self.arrival[i, j])
        values = self.alternative(i)
        if t > came:
            return self._wait(i, j, came, t, values)
        spare = max(0, int(np.floor(self.spare_veh[j, t] + EXACT)))
        values["free_veh"] = spare
        if problem.detour_s[i, j] > 60.0:
            later_s = values.get("other_later_s", 0.0)
            is_sooner = later_s is None or later_s > 0.0
            return Reason("other_yard_sooner" if is_sooner else "other_gate_sooner", values)
        if problem.previous_yard[i] == j and (values.get("other_later_s") or 0.0) < 0.0:
            return Reason("kept", values)
        values["free_veh"] = spare + 1  # its own among them
        return Reason("free_on_arrival", values)

    def _none(self, i: int) -> Reason:
        """Why a truck has no place: full places, taken entrances, or both, in every step in which a yard is open."""
        T = self.problem.steps
        yards = np.flatnonzero(self.arrival[i] < T)
        if not len(yards):
            return Reason("no_yard", {})
        there = (np.arange(T)[None, :] >= self.arrival[i, yards][:, None]) & self.is_open[yards]
        values = {"until_s": T * self.problem.step_s}
        if not there.any():
            return Reason("no_opening", values)
        if self.is_held[yards][there].any():
            return Reason("no_held", values)
        if self.is_full[yards][there].all():
            return Reason("no_place", values)
        if self.is_entrance_taken[yards][there & ~self.is_full[yards]].all():
            return Reason("no_entry", values)
        return Reason("no_turn", values)

    def _wait(self, i: int, j: int, came: int, t: int, values: ReasonValues) -> Reason:
        remaining = self.problem.remaining_veh[j]
        values["leaving_veh"] = max(0, round(float(remaining[came] - remaining[t])))
        own = self.yard == j
        values["before_veh"] = int((own & (self.step >= came) & (self.step < t)).sum())
        overtaken = self.overtaken_by(i)
        if overtaken:
            values["perishable_veh"] = overtaken
            return Reason("perishable_first", values)
        is_open, full = self.is_open[j, came:t], self.is_full[j, came:t]
        taken = self.is_entrance_taken[j, came:t]
        if not is_open.any():
            return Reason("closed", values)
        held_back = self.problem.held_back_veh
        if held_back is not None and self.is_held[j, came:t][is_open].any():
            values["held_veh"] = int(np.ceil(held_back[j, came:t].max()))
            return Reason("wait_for_held", values)
        if full[is_open].all():
            return Reason("wait_for_place", values)
        if (taken & ~full)[is_open].all():
            return Reason("wait_for_entry", values)
        return Reason("wait_turn" if values["before_veh"] else "wait_for_room", values)

    def overtaken_by(self, i: int) -> int:
        """How many perishable loads that come later get a place in the yard before truck `i`."""
        if self.problem.perishable[i]:
            return 0
        j, came = self.yard[i], self.arrival[i, self.yard[i]]
        later = (self.yard == j) & (self.arrival[:, j] > came) & (self.step < self.step[i])
        return int((later & self.problem.perishable).sum())

    def alternative(self, i: int) -> ReasonValues:
        """The best other yard, and how much later (s) it would have a place; none within the horizon is `None`."""
        problem, j, sites = self.problem, int(self.yard[i]), self.problem.sites()
        own_s = max(self.step[i] * problem.step_s, float(problem.arrive_s[i, j]))
        best: tuple[float, int] | None = None
        for other in np.flatnonzero(self.arrival[i] < problem.steps):
            if sites[other] == sites[j]:
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
