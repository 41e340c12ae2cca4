"""When a yard has a place for a newcomer, beside a finished plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from capacity.plan import make_plan
from capacity.problem import PlanWeights, WaitingSpace, YardProblem
from capacity.problem_archive import pack, unpack
from capacity.windows import FreeWindow, first_window, free_places

START = datetime(2026, 1, 30, 5, 0, tzinfo=UTC)


def problem(*, capacity: list[float], intake: float = np.inf, trucks: int = 0, stay_steps: int = 2) -> YardProblem:
    """One yard; everybody stays `stay_steps` steps and is there at once."""
    T = len(capacity)
    steps = np.arange(T)
    lasted = steps[None, :] - steps[:, None]
    share = ((lasted >= 0) & (lasted < stay_steps)).astype(float)[None]
    return YardProblem(
        step_s=1800.0,
        truck_ids=np.arange(trucks),
        perishable=np.zeros(trucks, bool),
        declared_s=np.zeros(trucks),
        allowed=np.ones((trucks, 1), bool),
        arrive_s=np.zeros((trucks, 1)),
        detour_s=np.zeros((trucks, 1)),
        previous_yard=np.full(trucks, -1),
        yard_ids=("y",),
        capacity_veh=np.array([capacity], float),
        remaining_veh=np.zeros((1, T)),
        stay_share=share,
        entrance=np.zeros(1, np.int64),
        intake_veh=np.full((1, T), intake),
        gate=np.zeros(1, np.int64),
        crossing_s=np.zeros(1),
        before_veh=np.zeros(1),
    )


@pytest.mark.parametrize(
    ("capacity", "intake", "trucks", "free", "has_room"),
    [
        ([3, 3, 3, 3], np.inf, 0, [3, 3, 3, 3], [True, True, True, True]),
        # who came before the closed step would still stand there
        ([3, 0, 3, 3], np.inf, 0, [0, 0, 3, 3], [False, False, True, True]),
        ([3, 3, 3, 3], np.inf, 3, [0, 0, 3, 3], [False, False, True, True]),
        ([9, 9, 9, 9], 2.0, 2, [0, 2, 2, 2], [True, True, True, True]),  # room for seven, but the entrance is taken
    ],
)
def test_free_places_respect_room_over_time_and_entrance(capacity, intake, trucks, free, has_room) -> None:
    given = problem(capacity=capacity, intake=intake, trucks=trucks)
    plan = make_plan(given)
    found = free_places(given, plan.yard, plan.step)
    assert (found.veh.tolist(), found.has_room.tolist()) == ([free], [has_room])


def test_a_truck_more_than_free_has_to_wait() -> None:
    given = problem(capacity=[5, 5, 5, 5], trucks=3)
    plan = make_plan(given)
    assert free_places(given, plan.yard, plan.step).veh[0, 0] == 2
    assert make_plan(problem(capacity=[5, 5, 5, 5], trucks=5)).wait_s.max() == 0.0
    assert make_plan(problem(capacity=[5, 5, 5, 5], trucks=6)).wait_s.max() > 0.0


def test_the_first_window_that_is_not_over() -> None:
    free, room = [0, 2, 3, 0, 1], [True, True, True, False, True]
    steps = [START + timedelta(minutes=30 * step) for step in range(6)]
    assert first_window(free, room, START, 1800.0, START) == FreeWindow(steps[1], steps[3], 2, has_room_before=True)
    later = steps[2] + timedelta(minutes=10)
    assert first_window(free, room, START, 1800.0, later) == FreeWindow(later, steps[3], 3)
    assert first_window(free, room, START, 1800.0, steps[3]) == FreeWindow(steps[4], None, 1)
    assert first_window([0, 0], [True, True], START, 1800.0, START) is None
    assert first_window(free, room, START, 1800.0, steps[5]) is None


def test_a_problem_comes_out_of_its_archive_as_it_was() -> None:
    given = problem(capacity=[3, 2, 3, 3], intake=4.0, trucks=2)
    waiting = WaitingSpace(np.zeros(2, np.int64), np.ones(2, bool), np.full((1, 4), 5.0), np.ones((1, 1), bool))
    given = replace(given, waiting=waiting, weights=PlanWeights(perishable=9.0))
    kept = unpack(pack(START, given))
    assert kept.made_at == START
    assert (kept.problem.yard_ids, kept.problem.weights, kept.problem.shared) == (("y",), given.weights, None)
    before, after = make_plan(given), make_plan(kept.problem)
    assert (before.yard.tolist(), before.objective) == (after.yard.tolist(), after.objective)
    assert after.staging.tolist() == before.staging.tolist()
