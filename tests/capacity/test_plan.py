"""The yard plan: small cases solved by hand, and what must hold for every plan."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity import plan as planning
from capacity.classes import TruckClasses
from capacity.plan import make_plan, occupancy
from capacity.problem import YardProblem, cleared_by
from capacity.program import NoSolutionError, PlanProgram
from capacity.rounding import fill
from capacity.stays import expected_stays
from geo.errors import InvalidInputError
from tests.profiles import examples

HALF_HOUR_S = 1800.0


def stays_forever(yards: int, steps: int) -> np.ndarray:
    return np.broadcast_to(np.triu(np.ones((steps, steps))), (yards, steps, steps)).copy()


def stays_for(yards: int, steps: int, length: int) -> np.ndarray:
    stay = np.triu(np.ones((steps, steps))) - np.triu(np.ones((steps, steps)), length)
    return np.broadcast_to(stay, (yards, steps, steps)).copy()


def problem(
    arrive_min,
    capacity,
    *,
    steps=6,
    perishable=None,
    remaining=None,
    allowed=None,
    detour_min=None,
    previous=None,
    stay=None,
    line_min=None,
    declared=None,
    intake=None,
    crossing_s=None,
) -> YardProblem:
    arrive = np.atleast_2d(np.asarray(arrive_min, float).T).T * 60.0
    N, Y = len(arrive), len(capacity)
    arrive = np.broadcast_to(arrive, (N, Y)).copy()
    wide = lambda values: np.broadcast_to(np.asarray(values, float), (Y, steps)).copy()  # noqa: E731
    return YardProblem(
        step_s=HALF_HOUR_S,
        truck_ids=np.arange(N),
        perishable=np.zeros(N, bool) if perishable is None else np.asarray(perishable, bool),
        declared_s=np.arange(N, dtype=float) if declared is None else np.asarray(declared, float),
        allowed=np.ones((N, Y), bool) if allowed is None else np.asarray(allowed, bool),
        arrive_s=arrive,
        detour_s=np.zeros((N, Y)) if detour_min is None else np.asarray(detour_min, float) * 60.0,
        previous_yard=np.full(N, -1) if previous is None else np.asarray(previous),
        yard_ids=tuple("abcdefgh"[:Y]),
        capacity_veh=wide(np.asarray(capacity, float)[:, None]),
        remaining_veh=wide(0.0) if remaining is None else wide(remaining),
        stay_share=stays_forever(Y, steps) if stay is None else stay,
        entrance=np.arange(Y),
        gate=np.arange(Y),
        crossing_s=np.ones(Y) if crossing_s is None else np.asarray(crossing_s, float),
        before_veh=np.zeros(Y) if line_min is None else np.asarray(line_min, float) * 60.0,
        intake_veh=wide(np.inf if intake is None else np.asarray(intake, float)[:, None]),
    )


def test_room_for_all_means_nobody_waits() -> None:
    plan = make_plan(problem([10, 40, 100], [3]))
    assert plan.status == "optimal"
    assert plan.yard.tolist() == [0, 0, 0]
    assert plan.wait_s.tolist() == [0, 0, 0]
    assert plan.place_s.tolist() == [600, 2400, 6000]
    assert [r.code for r in plan.reasons] == ["free_on_arrival"] * 3


def test_nobody_is_a_plan() -> None:
    plan = make_plan(problem(np.empty((0, 1)), [3]))
    assert (plan.status, len(plan.yard), plan.gap) == ("empty", 0, 0.0)


def test_one_place_two_trucks_the_perishable_one_goes_first() -> None:
    # One place, stays of one hour: whoever goes second waits. By hand: perishable first.
    plan = make_plan(problem([0, 0], [1], perishable=[False, True], stay=stays_for(1, 6, 2)))
    assert plan.place_s.tolist() == [3600, 0]
    assert plan.reasons[0].code == "wait_for_place"


def test_perishable_goods_that_come_later_overtake() -> None:
    # The place frees at 60 min; the fruit arrives at 60 min, the other has waited since 0.
    plan = make_plan(
        problem([0, 60], [1], perishable=[False, True], remaining=[[1, 1, 0, 0, 0, 0]], stay=stays_for(1, 6, 2))
    )
    assert plan.place_s.tolist() == [7200, 3600]
    assert plan.reasons[0].code == "perishable_first"
    assert plan.reasons[0].values["perishable_veh"] == 1


def test_nobody_passes_who_stands_in_the_line() -> None:
    # An entrance for one truck each half hour. Ordinary loads stand in the line, the later declared before the other,
    # fruit comes behind them each half hour: without the line it overtakes, in the line nobody does.
    on_the_road = problem(
        [0, 0, 30, 60, 90], [9], perishable=[False, False, True, True, True], intake=[1], declared=[2, 1, 0, 0, 0]
    )
    assert make_plan(on_the_road).step.tolist() == [4, 0, 1, 2, 3]
    line = replace(on_the_road, in_line=np.array([1, 1, 0, 0, 0], bool), declared_s=np.array([10.0, 20.0, 0, 0, 0]))
    plan = make_plan(line)
    assert plan.status == "optimal"
    assert plan.step.tolist() == [0, 1, 2, 3, 4]
    assert {reason.code for reason in plan.reasons} <= {"free_on_arrival", "wait_for_entry", "wait_turn"}
    fruit_in_line = replace(line, perishable=np.array([0, 1, 1, 1, 1], bool))
    assert make_plan(fruit_in_line).step.tolist()[2:] == [2, 3, 4], "what is loaded gives no turn in the line"


@pytest.mark.parametrize("in_line", [False, True])
def test_another_gate_is_worth_to_the_line_what_it_is_worth_to_anybody(in_line: bool) -> None:
    # A place here after 30 min, one elsewhere at once: a way of 20 min is worth it, one of 40 is not.
    for detour_min, yard in ((20, 1), (40, 0)):
        alone = problem([[0, 0]], [1, 1], remaining=[[1, 0, 0, 0, 0, 0], [0] * 6], detour_min=[[0, detour_min]])
        assert make_plan(replace(alone, in_line=np.array([in_line]))).yard.tolist() == [yard]


def test_a_place_that_frees_is_waited_for_and_said_so() -> None:
    plan = make_plan(problem([0], [5], remaining=[[5, 5, 3, 3, 3, 3]]))
    assert plan.place_s.tolist() == [3600]
    assert plan.reasons[0].code == "wait_for_place"
    assert plan.reasons[0].values["leaving_veh"] == 2


def test_a_short_detour_beats_a_long_wait_and_a_long_one_does_not() -> None:
    full = [[9, 9, 9, 0, 0, 0], [0, 0, 0, 0, 0, 0]]  # the own yard frees at 90 min
    near = make_plan(problem([0], [9, 9], remaining=full, detour_min=[[0, 40]]))
    assert near.yard.tolist() == [1]
    assert near.reasons[0].code == "other_yard_sooner"
    assert near.reasons[0].values == {"other_yard": "a", "other_later_s": 5400.0, "free_veh": 8}
    far = make_plan(problem([0], [9, 9], remaining=full, detour_min=[[0, 200]]))
    assert far.yard.tolist() == [0]
    assert far.wait_s.tolist() == [5400]


def test_no_more_than_the_entrance_can_take() -> None:
    plan = make_plan(problem([0, 0, 0, 0, 0], [99], intake=[2]))
    assert sorted(plan.place_s.tolist()) == [0, 0, 1800, 1800, 3600]
    assert {r.code for r, wait in zip(plan.reasons, plan.wait_s, strict=True) if wait} == {"wait_for_entry"}


def test_only_yards_that_the_goods_allow() -> None:
    plan = make_plan(problem([0, 0], [0, 9], allowed=[[True, False], [True, True]]))
    assert plan.yard.tolist() == [-1, 1]
    assert plan.reasons[0].code == "no_place"
    assert plan.reasons[0].values == {"until_s": 6 * HALF_HOUR_S}
    nowhere = make_plan(problem([0], [9], allowed=[[False]]))
    assert nowhere.reasons[0].code == "no_yard"


def test_a_truck_told_once_is_not_moved_for_a_small_gain() -> None:
    # b is 10 min better by its gate's wait: not worth it; 40 min better: worth it.
    for gain_min, expected in ((10, 0), (40, 1)):
        plan = make_plan(problem([0], [9, 9], previous=[0], line_min=[gain_min, 0]))
        assert plan.yard.tolist() == [expected]


def test_among_equals_the_first_declared_goes_first() -> None:
    plan = make_plan(problem([0, 0, 0], [1], stay=stays_for(1, 6, 2), declared=[30, 10, 20]))
    assert plan.place_s.tolist() == [7200, 0, 3600]


def test_waiting_is_shared_rather_than_heaped_on_one() -> None:
    # One place, half-hour stays, six trucks at once: first in, first served, no truck skipped for ever.
    plan = make_plan(problem([0, 0, 30, 30, 60, 60], [1], steps=8, stay=stays_for(1, 8, 1)))
    assert sorted(plan.place_s.tolist()) == [0, 1800, 3600, 5400, 7200, 9000]
    assert plan.wait_s.max() <= 5400


def test_a_long_wait_at_the_gate_never_makes_no_place_look_better() -> None:
    plan = make_plan(problem([0], [9], line_min=[5000]))
    assert plan.yard.tolist() == [0]


def test_trucks_are_shared_between_gates_as_fast_as_those_work() -> None:
    # Room for all in both yards; the second gate takes trucks half as fast. Everybody waits least if it gets
    # half as many: 20 and 10 of 30, where one more truck in either line costs the same.
    plan = make_plan(problem([0] * 30, [99, 99], crossing_s=[60.0, 120.0]))
    assert np.bincount(plan.yard).tolist() == pytest.approx([20, 10], abs=1)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="allowed has shape"):
        problem([0, 0], [9], allowed=[[True]])


def random_problem(seed: int, trucks: int, yards: int, steps: int) -> YardProblem:
    rng = np.random.default_rng(seed)
    stays = expected_stays(
        inside_veh=rng.integers(0, 60, yards).astype(float),
        dwell_s=rng.uniform(1800, 14400, yards),
        release_veh_per_s=rng.uniform(5, 60, yards) / 3600.0,
        working_s=np.full((yards, steps), HALF_HOUR_S) * (rng.random((yards, steps)) < 0.8),
        gate=np.arange(yards) // 2,
    )
    first = rng.uniform(0, steps * HALF_HOUR_S, trucks)
    previous = rng.integers(-1, yards, trucks)
    return YardProblem(
        step_s=HALF_HOUR_S,
        truck_ids=np.arange(trucks),
        perishable=rng.random(trucks) < 0.4,
        declared_s=rng.uniform(-86400, 0, trucks),
        allowed=rng.random((trucks, yards)) < 0.7,
        arrive_s=first[:, None] + rng.uniform(0, 1200, yards)[None, :],
        detour_s=np.where(rng.random((trucks, yards)) < 0.5, 0.0, 1800.0),
        previous_yard=previous,
        yard_ids=tuple(f"y{j}" for j in range(yards)),
        capacity_veh=np.repeat(rng.integers(5, 80, yards)[:, None], steps, axis=1).astype(float),
        remaining_veh=stays[0],
        stay_share=stays[1],
        entrance=np.arange(yards) // 2,
        intake_veh=np.repeat(rng.integers(2, 60, (yards + 1) // 2)[:, None], steps, axis=1).astype(float),
        gate=np.arange(yards) // 2,
        crossing_s=rng.uniform(0, 300, (yards + 1) // 2),
        before_veh=rng.integers(0, 60, (yards + 1) // 2).astype(float),
    )


def check(problem: YardProblem, plan: planning.YardPlan) -> None:
    """What every plan keeps, whoever made it."""
    placed = plan.yard >= 0
    rows = np.flatnonzero(placed)
    assert problem.allowed[rows, plan.yard[rows]].all()
    assert (plan.place_s[rows] >= problem.arrive_s[rows, plan.yard[rows]] - 1e-6).all()
    assert (plan.wait_s >= 0).all()
    step = np.where(placed, plan.place_s // problem.step_s, problem.steps).astype(np.int64)
    inside = occupancy(problem, plan.yard, step)
    for row, intake in enumerate(problem.intake_veh):
        own = placed & (problem.entrance[plan.yard] == row)
        taken = np.bincount(step[own], minlength=problem.steps)[: problem.steps]
        assert (taken <= intake + 1e-6).all()
    limit = np.maximum(problem.capacity_veh, problem.remaining_veh)
    assert (inside <= limit + 1e-6).all()


@examples(25)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 4), st.integers(1, 8), st.floats(0.0, 30.0))
def test_no_more_come_than_a_gate_has_cleared_however_short_their_stays(
    seed: int, trucks: int, yards: int, steps: int, in_step_veh: float
) -> None:
    case = random_problem(seed, trucks, yards, steps)
    gates = len(case.crossing_s)
    case = replace(case, cleared_veh=cleared_by(np.full((gates, steps), in_step_veh)))
    plan = make_plan(case)
    check(case, plan)
    placed = plan.yard >= 0
    step = (plan.place_s[placed] // case.step_s).astype(np.int64)
    come = np.zeros((gates, steps))
    np.add.at(come, (case.gate[plan.yard[placed]], step), 1.0)
    assert (np.cumsum(come, axis=1) <= case.gate_room_veh() + 1e-6).all()
    inside = np.zeros((gates, steps))
    np.add.at(inside, case.gate, plan.occupancy_veh)
    was = np.zeros(gates)
    np.add.at(was, case.gate, case.remaining_veh[:, 0])
    full = np.zeros((gates, steps))
    np.add.at(full, case.gate, np.maximum(case.capacity_veh, case.remaining_veh))
    least = np.minimum(was[:, None] + np.cumsum(come, axis=1) - case.cleared_veh, full)
    assert (inside >= least - 1e-6).all(), "who is not cleared is still there"


@examples(25)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 4), st.integers(1, 8))
def test_capacity_is_never_exceeded(seed: int, trucks: int, yards: int, steps: int) -> None:
    case = random_problem(seed, trucks, yards, steps)
    plan = make_plan(case)
    check(case, plan)
    assert plan.status in ("optimal", "time_limit", "greedy")
    assert plan.gap is None or plan.gap <= 0.01 or plan.status != "optimal"


def test_without_time_the_greedy_plan_stands_and_says_so() -> None:
    case = random_problem(3, 500, 4, 12)
    plan = make_plan(case, time_limit_s=0.0)
    assert plan.status in ("greedy", "time_limit")
    check(case, plan)
    assert make_plan(case, time_limit_s=5.0).objective <= plan.objective + 1e-6


def test_a_failing_solver_leaves_the_greedy_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise NoSolutionError

    monkeypatch.setattr(PlanProgram, "relax", fail)
    case = random_problem(4, 80, 3, 8)
    plan = make_plan(case)
    assert (plan.status, plan.gap) == ("greedy", None)
    check(case, plan)


def test_a_busy_hour_is_planned_within_a_second() -> None:
    case = random_problem(11, 500, 4, 12)
    began_s = time.process_time()
    plan = make_plan(case)
    took_s = time.process_time() - began_s  # of this process alone: tests share the machine
    check(case, plan)
    assert plan.gap is not None
    assert plan.gap < 0.06  # a hard case: half the trucks hold a place they no longer fit
    assert took_s < 3.0  # under 1 s on a free machine
    assert plan.duration_s > 0.0


def test_stays_wait_for_the_gate() -> None:
    """A yard of 100 whose gate takes 10 an hour has 90 left after an hour, whatever the mean stay."""
    remaining, share = expected_stays(
        inside_veh=np.array([100.0]),
        dwell_s=np.array([600.0]),
        release_veh_per_s=np.array([10 / 3600]),
        working_s=np.full((1, 4), HALF_HOUR_S),
        gate=np.zeros(1, np.int64),
    )
    assert remaining[0].tolist() == pytest.approx([100, 95, 90, 85])
    assert share[0, 0].tolist() == pytest.approx(np.exp(-np.arange(4) * 1800 / 36000).tolist())
    assert share[0, 2].tolist()[:2] == [0, 0]


def test_nobody_leaves_while_the_gate_is_closed() -> None:
    remaining, share = expected_stays(
        inside_veh=np.array([40.0]),
        dwell_s=np.array([3600.0]),
        release_veh_per_s=np.array([1.0]),
        working_s=np.zeros((1, 3)),
        gate=np.zeros(1, np.int64),
    )
    assert remaining[0].tolist() == [40, 40, 40]
    assert share[0, 0].tolist() == [1, 1, 1]


def test_two_yards_of_a_gate_empty_no_faster_than_one() -> None:
    """A gate takes 10 an hour, from yards of 60 and 30 in proportion; as it would from one of 90."""
    given = {"release_veh_per_s": 10 / 3600, "working_s": HALF_HOUR_S}

    def stays(inside: list[float]) -> tuple[np.ndarray, np.ndarray]:
        n = len(inside)
        return expected_stays(
            inside_veh=np.array(inside),
            dwell_s=np.full(n, 600.0),
            release_veh_per_s=np.full(n, given["release_veh_per_s"]),
            working_s=np.full((n, 5), given["working_s"]),
            gate=np.zeros(n, np.int64),
        )

    (two, two_share), (one, one_share) = stays([60.0, 30.0]), stays([90.0])
    np.testing.assert_allclose(two.sum(axis=0), one[0])
    np.testing.assert_allclose(two[0], 2.0 * two[1])
    np.testing.assert_allclose(two_share, np.broadcast_to(one_share, two_share.shape))


def test_two_yards_behind_one_entrance_share_what_it_takes() -> None:
    apart = problem([0, 0, 0, 0], [9, 9], intake=[1, 1])
    together = replace(apart, entrance=np.zeros(2, np.int64), intake_veh=apart.intake_veh[:1])
    assert sorted(make_plan(apart).place_s.tolist()) == [0, 0, 1800, 1800]
    plan = make_plan(together)
    assert sorted(plan.place_s.tolist()) == [0, 1800, 3600, 5400]
    check(together, plan)


def test_three_gates_with_two_yards_each() -> None:
    """Each gate takes its trucks into both yards, and the line behind the gate counts those of both."""
    allowed = np.repeat(np.eye(3, dtype=bool), 8, axis=0).repeat(2, axis=1)
    given = problem([0] * 24, [4, 3, 4, 3, 4, 3], allowed=allowed, crossing_s=[1.0] * 6)
    given = replace(given, gate=np.arange(6) // 2, crossing_s=np.full(3, 60.0), before_veh=np.zeros(3))
    plan = make_plan(given)
    check(given, plan)
    assert np.bincount(plan.yard[plan.yard >= 0], minlength=6).tolist() == [4, 3, 4, 3, 4, 3]
    assert (plan.yard == -1).sum() == 3


def test_an_index_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="gate has an index outside 0 to 0"):
        replace(problem([0], [9]), gate=np.array([1]))
    with pytest.raises(InvalidInputError, match="entrance has an index outside 0 to 0"):
        replace(problem([0], [9]), entrance=np.array([-1]))


def told(problem: YardProblem, plan: planning.YardPlan) -> YardProblem:
    step = np.where(plan.yard >= 0, plan.place_s // problem.step_s, -1).astype(np.int64)
    return replace(problem, previous_yard=plan.yard, previous_step=step)


def test_the_same_problem_again_is_solved_from_its_basis_and_moves_hardly_anybody() -> None:
    case = random_problem(11, 300, 4, 12)
    case = replace(case, previous_yard=np.full(300, -1))
    first = make_plan(case, time_limit_s=60.0)
    again = make_plan(told(case, first), time_limit_s=60.0, warm=first.warm)
    check(told(case, first), again)
    placed = (first.yard >= 0) & (again.yard >= 0)
    assert (first.yard != again.yard)[placed].mean() < 0.03
    assert again.gap is not None
    assert again.gap < 0.02


def test_without_time_what_was_told_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    case = replace(random_problem(12, 120, 3, 10), previous_yard=np.full(120, -1))
    first = make_plan(case, time_limit_s=60.0)

    def fail(*_args: object) -> None:
        raise NoSolutionError

    monkeypatch.setattr(PlanProgram, "relax", fail)
    again = make_plan(told(case, first))
    assert again.status == "greedy"
    check(case, again)
    assert (first.yard != again.yard).mean() < 0.1


@examples(25)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 3), st.integers(2, 8))
def test_the_bound_of_the_relaxation_is_below_every_plan(seed: int, trucks: int, yards: int, steps: int) -> None:
    """Of the plan found, of the greedy one, and of the same plan counted truck by truck."""
    case = random_problem(seed, trucks, yards, steps)
    classes = TruckClasses.of(case)
    _, bound, _ = PlanProgram(classes).relax(60.0)
    greedy = fill(classes)
    assert bound <= classes.total_cost(greedy) + 1e-3
    plan = make_plan(case, time_limit_s=60.0)
    assert bound <= plan.objective + 1e-3
    yard, step = planning.spread(classes, greedy)
    assert classes.cost_of(greedy, yard, step) >= classes.total_cost(greedy) - 1e-6


def test_waiting_in_a_class_costs_what_its_trucks_cost() -> None:
    """Two trucks of a class come at 0 and 60 min; one place each hour from 120 min on: 120 and 120 min of waiting."""
    case = problem([0, 60], [2], steps=8, remaining=[[2, 2, 2, 2, 1, 1, 0, 0]])
    classes = TruckClasses.of(case)
    placed = np.zeros((1, 1, 8), np.int64)
    placed[0, 0, 4] = placed[0, 0, 6] = 1
    growth = case.weights.growth
    an_hour = 1800.0 * ((1 + growth * 0.25) + (1 + growth * 0.75))
    two_hours = an_hour + 3600.0 * (1 + growth * 1.5)
    line = 2.0  # of a gate that takes a second a truck: 0.5 for the first, 1.5 for the second
    assert classes.total_cost(placed) == pytest.approx(2 * two_hours + line)
