"""A plan as `cuakhau plan-yards` gives it: who stands where and when, why, and how good the plan is."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from pydantic import BaseModel

from capacity.compiling import CompiledProblem, arrival_error, compile_document
from capacity.plan import YardPlan, make_plan
from capacity.problem_document import Scenarios, YardDocument
from capacity.reason_texts import reason_text
from capacity.scenarios import HedgedPlan, hedge


class PlannedTruck(BaseModel):
    """A truck's place; without a zone there is none within the horizon."""

    truck_id: str
    gate_id: str | None
    yard_id: str | None
    zone_id: str | None
    arrive_at: datetime
    place_at: datetime | None
    wait_s: int
    staging_area: str | None
    waits_at_home: bool
    reason: str
    values: dict[str, str | float | None]
    text: str


class PlannedZone(BaseModel):
    """Trucks expected in a zone, at the start of each step, beside its places."""

    zone_id: str
    capacity_veh: list[float]
    occupancy_veh: list[float]


class PlayedDays(BaseModel):
    """How the plan fared on days drawn: mean and the nine-in-ten worst, truck-hours; share of places it holds back."""

    count: int
    seed: int
    reserve_share: float
    wait_truck_hours: float
    wait_truck_hours_90: float
    perishable_truck_hours: float
    overflow_truck_hours: float
    overflow_truck_hours_90: float
    unplaced: float

    @classmethod
    def of(cls, scenarios: Scenarios, hedged: HedgedPlan) -> PlayedDays:
        """The days of a hedged plan."""
        wait, road = (np.array([getattr(day, name) for day in hedged.days]) for name in ("wait_h", "overflow_h"))
        return cls(
            count=scenarios.count,
            seed=scenarios.seed,
            reserve_share=hedged.reserve_share,
            wait_truck_hours=round(float(wait.mean()), 2),
            wait_truck_hours_90=round(float(np.quantile(wait, 0.9)), 2),
            perishable_truck_hours=round(float(np.mean([day.perishable_h for day in hedged.days])), 2),
            overflow_truck_hours=round(float(road.mean()), 2),
            overflow_truck_hours_90=round(float(np.quantile(road, 0.9)), 2),
            unplaced=round(float(np.mean([day.unplaced for day in hedged.days])), 2),
        )


class PlanReport(BaseModel):
    """A plan. `gap`: by how much, at most, the best plan costs less; `None`: not known."""

    status: str
    text: str
    gap: float | None
    objective: float
    solve_s: float
    trucks: list[PlannedTruck]
    zones: list[PlannedZone]
    unplaced: int
    wait_truck_hours: float
    perishable_truck_hours: float
    overflow_truck_hours: float
    scenarios: PlayedDays | None = None


def plan_document(document: YardDocument, *, time_limit_s: float = 10.0, mip_gap: float = 0.01) -> PlanReport:
    """The plan of a document, hedged against the scenarios that it asks for; raises as `compile_document`."""
    compiled = compile_document(document)
    if document.scenarios is None or not document.trucks:
        plan = make_plan(compiled.problem, time_limit_s=time_limit_s, mip_gap=mip_gap)
        return report_plan(document, compiled, plan)
    asked = document.scenarios
    hedged = hedge(
        compiled.problem,
        arrival_error(document, asked),
        count=asked.count,
        seed=asked.seed,
        time_limit_s=time_limit_s,
        mip_gap=mip_gap,
    )
    report = report_plan(document, compiled, hedged.plan)
    return report.model_copy(update={"scenarios": PlayedDays.of(asked, hedged)})


STATUS_TEXTS = {
    "optimal": "The plan costs at most {gap} more than the best there is.",
    "time_limit": "A good plan, found within the time limit; the best one costs at most {gap} less.",
    "greedy": "A plan that keeps to all limits; in the time given none better was found, and it is not known how much "
    "better one could be.",
    "empty": "There are no trucks to plan for.",
}


def report_plan(document: YardDocument, compiled: CompiledProblem, plan: YardPlan) -> PlanReport:
    """The plan of a document."""
    problem = compiled.problem
    end_s = document.steps * document.step_s
    trucks = []
    for n, truck in enumerate(document.trucks):
        j = int(plan.yard[n])
        row = compiled.places[j] if j >= 0 else None
        reason = plan.reasons[n]
        trucks.append(
            PlannedTruck(
                truck_id=truck.truck_id,
                gate_id=row.yard.gate_id if row else None,
                yard_id=row.yard.yard_id if row else None,
                zone_id=row.zone.zone_id if row else None,
                arrive_at=document.start + timedelta(seconds=float(plan.arrive_s[n])),
                place_at=document.start + timedelta(seconds=float(plan.place_s[n])) if row else None,
                wait_s=round(float(plan.wait_s[n])),
                staging_area=document.staging[plan.staging[n]].area_id if plan.staging[n] >= 0 else None,
                waits_at_home=not truck.on_road and bool(plan.wait_s[n] > 0.0),
                reason=reason.code,
                values=dict(reason.values),
                text=reason_text(reason, document.start),
            )
        )
    gap = "" if plan.gap is None else f"{100.0 * plan.gap:.1f} %"
    waited_s = np.minimum(plan.wait_s, end_s)
    return PlanReport(
        status=plan.status,
        text=STATUS_TEXTS[plan.status].format(gap=gap),
        gap=plan.gap,
        objective=plan.objective,
        solve_s=round(plan.duration_s, 3),
        trucks=trucks,
        zones=[
            PlannedZone(
                zone_id=name,
                capacity_veh=problem.capacity_veh[j].round(2).tolist(),
                occupancy_veh=plan.occupancy_veh[j].round(2).tolist(),
            )
            for j, name in enumerate(problem.yard_ids)
        ],
        unplaced=int((plan.yard < 0).sum()),
        wait_truck_hours=round(float(waited_s.sum()) / 3600.0, 2),
        perishable_truck_hours=round(float(waited_s[problem.perishable].sum()) / 3600.0, 2),
        overflow_truck_hours=round(float(plan.overflow_veh.sum()) * document.step_s / 3600.0, 2),
    )
