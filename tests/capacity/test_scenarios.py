"""Plans played on days that are drawn, and hedged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from capacity.plan import make_plan
from capacity.plan_report import plan_document
from capacity.problem import WaitingSpace
from capacity.problem_document import YardDocument
from capacity.scenarios import RESERVES, ArrivalError, DrawnDay, hedge, play
from tests.capacity.test_plan import problem, random_problem
from tests.capacity.test_problem_document import document, truck, zone


def certain(trucks: int) -> DrawnDay:
    return DrawnDay(np.zeros(trucks), np.ones(trucks, bool), np.zeros(trucks))


def test_a_day_as_expected_is_played_as_planned() -> None:
    case = problem([0, 0, 30, 60], [2], remaining=[[2, 2, 1, 1, 0, 0]])
    plan = make_plan(case)
    played = play(case, plan, certain(4))
    assert played.unplaced == int((plan.yard < 0).sum()) == 2
    assert played.wait_h == pytest.approx(float(np.floor(plan.wait_s / 1800.0 + 0.5).sum()) / 2.0)


def test_who_does_not_come_takes_no_place_and_waits_for_nothing() -> None:
    case = problem([0, 0], [1])
    plan = make_plan(case)
    served = int(np.flatnonzero(plan.yard >= 0)[0])
    comes = np.arange(2) != served
    played = play(case, plan, DrawnDay(np.zeros(2), comes, np.zeros(2)))
    assert (played.unplaced, played.wait_h) == (1, 3.0)


def test_who_comes_late_waits_less_and_who_comes_early_waits_for_its_time() -> None:
    case = problem([60], [1])
    plan = make_plan(case)
    early, late = (
        play(case, plan, DrawnDay(np.array([shift]), np.ones(1, bool), np.zeros(1))) for shift in (-3600.0, 3600.0)
    )
    assert (early.wait_h, late.wait_h) == (1.0, 0.0)


def test_trucks_without_a_place_to_wait_are_on_the_road() -> None:
    case = problem([0, 0], [0])
    waiting = WaitingSpace(np.zeros(2, np.int64), np.ones(2, bool), np.full((1, 6), 1.0), np.ones((1, 1), bool))
    case = replace(case, waiting=waiting)
    assert play(case, make_plan(case), certain(2)).overflow_h == 3.0


def test_no_yard_ever_holds_more_than_it_has_and_hedging_is_never_dearer_on_its_days() -> None:
    case = random_problem(5, 150, 3, 12)
    error = ArrivalError(np.full(150, 1800.0), np.full(150, 0.05))
    hedged = hedge(case, error, count=5, seed=3, time_limit_s=60.0)
    assert hedged.reserve_share in RESERVES
    rng = np.random.default_rng(3)
    days = [DrawnDay.draw(error, rng) for _ in range(5)]
    plain = make_plan(case, time_limit_s=60.0)
    cost = np.mean([day.cost for day in hedged.days])
    assert cost <= np.mean([play(case, plain, day).cost for day in days]) * 1.01
    again = hedge(case, error, count=5, seed=3, time_limit_s=60.0)
    assert [day.cost for day in again.days] == [day.cost for day in hedged.days]


def test_a_document_that_asks_for_scenarios_is_told_how_its_plan_fares() -> None:
    given = document([truck(n, 0.1 * n) for n in range(12)], [zone("a", 8)], scenarios={"count": 4, "no_show": 0.5})
    report = plan_document(YardDocument.model_validate(given), time_limit_s=60.0)
    assert report.scenarios is not None
    assert report.scenarios.count == 4
    assert report.scenarios.wait_truck_hours_90 >= report.scenarios.wait_truck_hours * 0.5
    assert report.scenarios.unplaced < 4.0  # half of twelve do not come, and eight find a place
    assert plan_document(YardDocument.model_validate(given | {"scenarios": None})).scenarios is None
