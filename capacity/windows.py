"""When a yard has a place for a truck that has none in the plan yet: in which steps of the plan, and how many. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from capacity.problem import Bools, Ints, YardProblem
from capacity.rounding import SLACK, Room


@dataclass(frozen=True)
class FreeWindow:
    """From `since` a yard has a place for a newcomer, `free_veh` of them at first, until `until`.

    `until` is `None` where that lasts to the end of what was planned. `has_room_before`: until `since` there is always
    a place too, and it is the entrance alone that takes no more trucks.
    """

    since: datetime
    until: datetime | None
    free_veh: int
    has_room_before: bool = False


MANY_VEH = 1e9
"""As many as an entrance takes that nothing limits."""


class FreePlaces(NamedTuple):
    """For newcomers, shape (Y, T): how many more trucks could go in and get a place, and whether there is room for one
    whatever the entrance takes; `entry_veh`, how many its entrance and its gate still take."""

    veh: Ints
    has_room: Bools
    entry_veh: Ints

    def together(self, rows: Sequence[int]) -> tuple[list[int], list[bool]]:
        """`veh` and `has_room` of a yard whose zones are some rows: they share its entrance and its gate."""
        zones = list(rows)
        veh = np.minimum(self.veh[zones].sum(axis=0), self.entry_veh[zones].max(axis=0, initial=0))
        has_room = self.has_room[zones].max(axis=0)
        return [int(each) for each in veh], [bool(each) for each in has_room]


def free_places(problem: YardProblem, yard: Ints, step: Ints) -> FreePlaces:
    """What is free in each yard from each step on, beside a finished plan.

    Places, entrances, shared limits and closed steps are respected; a newcomer stays as the class that stays longest.
    Arguments: `yard` (N,), index or −1 for no place, and `step` (N,) of the plan.
    """
    room, is_open = Room.of(problem), problem.is_open()
    classes = range(len(problem.stays()))
    for k, j, t in zip(problem.stay_classes(), yard, step, strict=True):
        if j >= 0:
            room.take(int(k), int(j), int(t), 1)
    gate_veh = np.minimum.accumulate(room.gate_veh[:, ::-1], axis=1)[:, ::-1][problem.gate]
    entry_veh = np.clip(np.minimum(room.intake_veh[problem.entrance], gate_veh) + SLACK, 0.0, MANY_VEH)
    shape = is_open.shape
    free = FreePlaces(np.zeros(shape, np.int64), np.zeros(shape, bool), entry_veh.astype(np.int64))
    for j, t in np.argwhere(is_open).tolist():
        free.veh[j, t] = max(0, min(room.fits(k, j, t) for k in classes))
        free.has_room[j, t] = min(room.room_for(k, j, t) for k in classes) >= 1.0 - SLACK
    return free


def first_window(
    free_veh: Sequence[int], has_room: Sequence[bool], made_at: datetime, step_s: float, now: datetime
) -> FreeWindow | None:
    """The first window that is not over; `None`: no place within what was planned.

    Arguments: `free_veh`, `has_room` as in `FreePlaces`, by step of a plan made at `made_at`, steps of `step_s`.
    """
    first = max(0, int((now - made_at).total_seconds() // step_s))
    begin = next((step for step in range(first, len(free_veh)) if free_veh[step] > 0), None)
    if begin is None:
        return None
    end = next((step for step in range(begin, len(free_veh)) if free_veh[step] <= 0), None)
    since = max(now, made_at + timedelta(seconds=begin * step_s))
    until = None if end is None else made_at + timedelta(seconds=end * step_s)
    return FreeWindow(since, until, int(free_veh[begin]), first < begin and all(has_room[first:begin]))
