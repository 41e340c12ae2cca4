"""No truck is told what the numbers of its plan contradict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity.plan import YardPlan, make_plan
from capacity.problem import YardProblem
from capacity.reason_texts import SENTENCES
from capacity.scenarios import hold_back
from tests.capacity.test_plan import problem, random_problem
from tests.profiles import examples


def contradictions(problem: YardProblem, plan: YardPlan) -> list[str]:
    """What reasons say that is not so."""
    found = []
    T, arrival, is_open = problem.steps, problem.arrival_steps(), problem.is_open()
    step = np.where(plan.yard >= 0, np.maximum(plan.place_s // problem.step_s, 0), T).astype(int)
    spare = problem.capacity_veh - plan.occupancy_veh
    left = problem.intake_veh.copy()
    placed = plan.yard >= 0
    held = problem.held_back_veh if problem.held_back_veh is not None else np.zeros_like(spare)
    np.subtract.at(left, (problem.entrance[plan.yard[placed]], step[placed]), 1.0)
    left = left[problem.entrance]
    for i, reason in enumerate(plan.reasons):
        code, values, j = reason.code, reason.values, int(plan.yard[i])
        assert code in SENTENCES
        if j < 0:
            yards = [y for y in range(len(problem.yard_ids)) if arrival[i, y] < T]
            there = [(y, t) for y in yards for t in range(arrival[i, y], T) if is_open[y, t]]
            room = [(y, t) for y, t in there if spare[y, t] >= 1.0]
            said = {
                "no_yard": not yards,
                "no_opening": bool(yards) and not there,
                "no_place": bool(there) and not room,
                "no_entry": bool(room) and all(left[y, t] < 1.0 for y, t in room),
                "no_held": any(spare[y, t] < 1.0 <= spare[y, t] + held[y, t] for y, t in there),
                "no_turn": bool(room) and any(left[y, t] >= 1.0 for y, t in room),
            }
        else:
            came, t = int(arrival[i, j]), int(step[i])
            wait = [s for s in range(came, t) if is_open[j, s]]
            before = int(((plan.yard == j) & (step >= came) & (step < t)).sum())
            later = (plan.yard == j) & (arrival[:, j] > came) & (step < t) & problem.perishable
            other_later_s = values.get("other_later_s", 0.0)
            said = {
                "free_on_arrival": t == came and 1 <= values.get("free_veh", 0) <= spare[j, t] + 1 + 1e-6,
                "kept": t == came and problem.previous_yard[i] == j,
                "other_yard_sooner": t == came and (other_later_s is None or other_later_s > 0),
                "other_gate_sooner": t == came and problem.detour_s[i, j] > 0,
                "closed": t > came and not wait,
                "wait_for_place": bool(wait) and all(spare[j, s] < 1.0 for s in wait),
                "wait_for_entry": bool(wait) and all(left[j, s] < 1.0 <= spare[j, s] + 1e-6 for s in wait),
                "wait_for_held": any(spare[j, s] < 1.0 <= spare[j, s] + held[j, s] for s in wait),
                "wait_turn": t > came and before > 0,
                "wait_for_room": t > came,
                "perishable_first": int(later.sum()) == values.get("perishable_veh"),
            }
            if "before_veh" in values and values["before_veh"] != before:
                found.append(f"{i}: {values['before_veh']} before it, not {before}")
        if not said[code]:
            found.append(f"{i}: {code} {dict(values)}")
    return found


@examples(40)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 4), st.integers(1, 10), st.booleans())
def test_no_reason_is_contradicted_by_a_number_of_its_plan(
    seed: int, trucks: int, yards: int, steps: int, closes: bool
) -> None:
    given_problem = random_problem(seed, trucks, yards, steps)
    if closes:
        opens = np.random.default_rng(seed).random((yards, steps)) < 0.7
        given_problem = replace(given_problem, opens=opens)
    assert not contradictions(given_problem, make_plan(given_problem))


@examples(40)
@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(1, 4), st.integers(1, 10))
def test_nobody_waits_for_a_place_that_the_plan_leaves_free(seed: int, trucks: int, yards: int, steps: int) -> None:
    case = random_problem(seed, trucks, yards, steps)
    plan = make_plan(case)
    placed = plan.yard >= 0
    step = np.where(placed, plan.place_s // case.step_s, case.steps).astype(int)
    left = case.intake_veh.copy()
    np.subtract.at(left, (case.entrance[plan.yard[placed]], step[placed]), 1.0)
    spare, arrival = case.capacity_veh - plan.occupancy_veh, case.arrival_steps()
    for i in range(trucks):
        yards_of = range(yards) if not placed[i] else [int(plan.yard[i])]
        for j in yards_of:
            for t in range(arrival[i, j], min(int(step[i]), case.steps)):
                stays = case.stay_share[j, t, t:].copy()
                own = np.zeros(case.steps) if not placed[i] else case.stay_share[j, int(step[i])]
                fits = (spare[j, t:] + own[t:] >= stays + 1e-5).all() and left[case.entrance[j], t] >= 1.0
                assert not fits, f"truck {i} would fit in yard {j} from step {t} on and waits until {step[i]}"


def test_345_free_places_behind_a_slow_entrance_are_not_called_full() -> None:
    """Ten trucks come to 345 free places, the entrance takes one in a step, and the plan ends after three."""
    plan = make_plan(problem([0] * 10, [345], steps=3, intake=[1]))
    codes = [reason.code for reason in plan.reasons]
    assert sorted(set(codes)) == ["free_on_arrival", "no_entry", "wait_for_entry"]
    assert codes.count("no_entry") == 7


def test_a_closed_yard_is_not_called_full() -> None:
    closed = replace(problem([0], [5], steps=4), opens=np.array([[False, False, True, True]]))
    plan = make_plan(closed)
    assert (plan.place_s.tolist(), plan.reasons[0].code) == ([3600.0], "closed")
    never = replace(closed, opens=np.zeros((1, 4), bool))
    assert make_plan(never).reasons[0].code == "no_opening"


@examples(20)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 3), st.integers(2, 8))
def test_places_that_are_held_back_are_said_to_be(seed: int, trucks: int, yards: int, steps: int) -> None:
    held = hold_back(random_problem(seed, trucks, yards, steps), 0.3)
    plan = make_plan(held, time_limit_s=60.0)
    assert contradictions(held, plan) == []


def test_a_place_that_is_held_back_makes_a_truck_wait_and_it_is_told_so() -> None:
    held = hold_back(problem([0, 0], [2]), 0.3)
    plan = make_plan(held)
    code, values = next((each.code, each.values) for each in plan.reasons if each.code.endswith("_held"))
    assert code in SENTENCES
    assert values.get("held_veh", 1) == 1
