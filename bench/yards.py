"""Yards: how soon and how well the plan is made, and what it saves against rules of thumb on days short of places.

Days of `bench.yard_days.days` are planned, planned again a minute later, and compared with first come first served at
the truck's own gate, the nearest yard, and greedy. Times are those of this machine as it is; `*_cpu_s` are of the
processor.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from app.yards.plan import DRAWN_DAYS, REPLAN_BUDGET_S
from bench.yard_days.days import DAYS, draw_document
from bench.yard_days.playing import LATENESS_SD_S, SHOW_UP, OnTheRoad, play_day
from bench.yard_days.reads import CAPACITY_VEH, play_month
from bench.yard_days.rules import first_come, greedy, nearest_yard
from capacity.compiling import compile_document
from capacity.plan import YardPlan, make_plan
from capacity.problem import YardProblem
from capacity.scenarios import ArrivalError, DrawnDay, hedge, play

JAM: Final = "december_2021"
RULES: Final = {"first_come": first_come, "nearest_yard": nearest_yard, "greedy": greedy}
MOVED_SHARE: Final = 0.02
"""Share of the trucks whose arrival another minute moves, by `MOVED_S`."""
MOVED_S: Final = 1200.0
HOUR_S: Final = 3600.0
FRESH_DAYS: Final = 30


@dataclass(frozen=True)
class Judged:
    """What a plan costs those it is for, truck-hours, and the longest wait, h."""

    waiting: float
    perishable: float
    overflow: float
    max_wait: float
    unplaced: int

    @classmethod
    def of(cls, problem: YardProblem, plan: YardPlan) -> Judged:
        """The figures of a plan; who gets no place waits to the end of the day."""
        wait_h = plan.wait_s / HOUR_S
        return cls(
            waiting=float(wait_h.sum()),
            perishable=float(wait_h[problem.perishable].sum()),
            overflow=float(plan.overflow_veh.sum() * problem.step_s / HOUR_S),
            max_wait=float(wait_h.max(initial=0.0)),
            unplaced=int((plan.yard < 0).sum()),
        )


@dataclass(frozen=True)
class Timed:
    """A plan, and what it took, s."""

    plan: YardPlan
    wall_s: float
    cpu_s: float


def timed(problem: YardProblem, **options: Any) -> Timed:
    """Make a plan and look at the clock."""
    began, cpu = time.perf_counter(), time.process_time()
    plan = make_plan(problem, **options)
    return Timed(plan, time.perf_counter() - began, time.process_time() - cpu)


def a_minute_later(problem: YardProblem, plan: YardPlan, rng: np.random.Generator) -> YardProblem:
    """The same trucks, told what the plan says, some of them later or sooner than thought."""
    N = len(problem.truck_ids)
    shift = np.where(rng.random(N) < MOVED_SHARE, rng.normal(0.0, MOVED_S, N), 0.0)
    return replace(
        problem,
        arrive_s=np.maximum(problem.arrive_s + shift[:, None], 0.0),
        previous_yard=plan.yard,
        previous_step=np.where(plan.yard >= 0, plan.place_s // problem.step_s, -1).astype(np.int64),
    )


@dataclass(frozen=True)
class Hedged:
    """The plan that the platform would take, by days drawn, and what it costs on other days against the plain plan."""

    plan: YardPlan
    reserve_share: float
    tried: int
    wall_s: float
    cost_ratio: float

    @classmethod
    def of(cls, problem: YardProblem, plain: YardPlan, seed: int) -> Hedged:
        """Hedge as the minute does, and play both plans on days that it has not seen."""
        N = len(problem.truck_ids)
        error = ArrivalError(np.full(N, LATENESS_SD_S), np.full(N, 1.0 - SHOW_UP))
        began = time.perf_counter()
        found = hedge(problem, error, count=DRAWN_DAYS, seed=seed, budget_s=REPLAN_BUDGET_S)
        wall_s = time.perf_counter() - began
        rng = np.random.default_rng(seed + 1000)
        days = [DrawnDay.draw(error, rng) for _ in range(FRESH_DAYS)]
        cost = [np.mean([play(problem, plan, day).cost for day in days]) for plan in (found.plan, plain)]
        return cls(found.plan, found.reserve_share, found.tried, wall_s, float(cost[0] / max(cost[1], 1e-9)))

    @property
    def told(self) -> str:
        """In words."""
        return (
            f"hedged: {self.tried} plans tried in {self.wall_s:.1f} s, {self.reserve_share:.0%} of the places held "
            f"back, {self.cost_ratio:.3f} of the plain plan's cost on {FRESH_DAYS} other days"
        )


def run(seed: int = 1) -> dict[str, Any]:
    """Plan each day, plan it again, and compare."""
    rng = np.random.default_rng(seed)
    days: dict[str, dict[str, Judged]] = {}
    first: dict[str, Timed] = {}
    again: dict[str, Timed] = {}
    moved: dict[str, float] = {}
    played: dict[str, dict[str, OnTheRoad]] = {}
    hedges: dict[str, Hedged] = {}
    for name, day in DAYS.items():
        document = draw_document(name, seed)
        compiled = compile_document(document)
        problem = compiled.problem
        first[name] = timed(problem)
        settled = timed(a_minute_later(problem, first[name].plan, rng), warm=first[name].plan.warm)
        later = a_minute_later(problem, settled.plan, rng)
        again[name] = timed(later, warm=settled.plan.warm, search_s=0.0)
        placed = (settled.plan.yard >= 0) & (again[name].plan.yard >= 0)
        changed = placed & (settled.plan.yard != again[name].plan.yard)
        moved[name] = float(changed.sum() / max(placed.sum(), 1))
        hedges[name] = Hedged.of(problem, first[name].plan, seed)
        print(f"  {name:<14} {hedges[name].told}", flush=True)
        judged = {"plan": Judged.of(problem, first[name].plan)}
        judged |= {rule: Judged.of(problem, make(problem)) for rule, make in RULES.items()}
        days[name] = judged
        if not day.lost:  # the engine's yards keep their places all day
            played[name] = play_day(name, document, compiled, first[name].plan, seed)
            hedged_plan = hedges[name].plan
            played[name]["hedged"] = play_day(name, document, compiled, hedged_plan, seed)["plan"]
            for rule, road in played[name].items():
                print(
                    f"  {name:<14} {rule:<13} played through the traffic engine: in queues on the road "
                    f"{road.queue_h:7.0f} h, at most {road.longest_veh:5.0f} trucks",
                    flush=True,
                )
        for rule, report in judged.items():
            print(
                f"  {name:<14} {rule:<13} waiting {report.waiting:8.0f} h, perishable {report.perishable:7.0f} h, "
                f"on the road {report.overflow:7.0f} h, longest {report.max_wait:5.1f} h, "
                f"without a place {report.unplaced}",
                flush=True,
            )
    month = play_month(seed)
    error = np.abs(month.error_veh) / CAPACITY_VEH
    return figures(days, first, again, moved) | {
        **{
            f"engine_queue_truck_hours_{name}_{rule}": round(road.queue_h, 1)
            for name, rules in played.items()
            for rule, road in rules.items()
        },
        "hedged_cost_ratio": max(each.cost_ratio for each in hedges.values()),
        "hedge_s": max(each.wall_s for each in hedges.values()),
        "occupancy_error": float(error.mean()),
        "occupancy_error_95": float(np.quantile(error, 0.95)),
        "occupancy_error_list": float(np.abs(month.list_error_veh).mean() / CAPACITY_VEH),
    }


def figures(
    days: dict[str, dict[str, Judged]], first: dict[str, Timed], again: dict[str, Timed], moved: dict[str, float]
) -> dict[str, Any]:
    """What is printed."""
    jam = days[JAM]
    known = [planned.plan.gap for planned in first.values() if planned.plan.gap is not None]
    return {
        "solve_s": max(planned.wall_s for planned in first.values()),
        "solve_cpu_s": max(planned.cpu_s for planned in first.values()),
        "gap": max(known) if len(known) == len(first) else None,
        "replan_s": max(planned.wall_s for planned in again.values()),
        "replan_cpu_s": max(planned.cpu_s for planned in again.values()),
        "replan_gap": max(
            (planned.plan.gap for planned in again.values() if planned.plan.gap is not None), default=None
        ),
        "replan_moved_share": max(moved.values()),
        "perishable_hours_gain": 1.0 - jam["plan"].perishable / max(jam["first_come"].perishable, 1e-9),
        "waiting_hours_gain": 1.0 - jam["plan"].waiting / max(jam["first_come"].waiting, 1e-9),
        "overflow_truck_hours": sum(day["plan"].overflow for day in days.values()),
        "overflow_truck_hours_first_come": sum(day["first_come"].overflow for day in days.values()),
        "max_wait_ratio": max(
            day["plan"].max_wait / day["first_come"].max_wait for day in days.values() if day["first_come"].max_wait
        ),
    }
