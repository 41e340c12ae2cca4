"""What a closure would do, before it is made: the plan's own problem solved with it and without it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.yards import closure_play
from app.yards.service import require_own_yard
from app.yards.zone_schemas import BeforeAfter, ClosureIn, ClosureTrial, YardInTrial
from app.yards.zones import ACT, check_end
from capacity import problem_archive, zone_store
from capacity.plan import YardPlan, make_plan
from capacity.problem import Floats, YardProblem
from capacity.zones import Closure, yard_of
from geo.corridor import Corridor
from geo.errors import UnavailableError

KEY: Final = "ck:yard-problem"
KEPT: Final = timedelta(minutes=15)
TIME_LIMIT_S: Final = 5.0


def keep_problem(redis: Redis, problem: YardProblem, now: datetime) -> None:
    """Keep the problem of the newest plan for trials; while Redis is away there is none to try."""
    with suppress(RedisError):
        redis.set(KEY, problem_archive.pack(now, problem), ex=KEPT)


def try_closure(
    session: Session,
    redis: Redis,
    corridor: Corridor,
    principal: Principal,
    yard_id: str,
    values: ClosureIn,
    now: datetime,
) -> ClosureTrial:
    """Plans of the same trucks with a closure and without it, how they differ, and what becomes of the queue when it is
    played through the traffic engine; nothing is changed.

    Raises
    ------
    ForbiddenError, NotFoundError, InvalidInputError
        As `app.yards.zones.close`.
    UnavailableError
        If no plan was made of late.
    """
    require_own_yard(session, principal, yard_id, ACT)
    zone_store.require_zone(session, yard_id, values.zone_id)
    check_end(values, now)
    archive = redis.get(KEY)
    kept = problem_archive.unpack(archive) if isinstance(archive, bytes) else None
    own = [] if kept is None else _rows(kept.problem, yard_id)
    if kept is None or not own:
        raise UnavailableError("No yard plan was made in the last minutes; try again in a minute.", retry_after_s=60)
    since = values.since or now
    closure = Closure(0, yard_id, values.zone_id, since, values.until, values.places_left_veh, values.reason, now)
    before = kept.problem
    keys = [before.yard_ids[j] for j in own]
    lost_veh = _lost_places(session, closure, keys, kept.made_at, before.step_s, before.steps)
    if since <= now:  # the plan's first step began a little earlier
        lost_veh[:, :1] = _lost_places(session, closure, keys, now, before.step_s, 1)
    capacity = before.capacity_veh.copy()
    capacity[own] = np.maximum(capacity[own] - lost_veh, 0.0)  # the problem has no places that are booked
    after = replace(before, capacity_veh=capacity)
    plans = [make_plan(problem, time_limit_s=TIME_LIMIT_S) for problem in (before, after)]
    trial = _compare(kept.made_at, (before, plans[0]), (after, plans[1]))
    return trial.model_copy(update={"played": closure_play.play(session, corridor, closure, now)})


def _rows(problem: YardProblem, yard_id: str) -> list[int]:
    """The rows that stand for a yard and its zones."""
    return [j for j, key in enumerate(problem.yard_ids) if yard_of(key) == yard_id]


def _lost_places(
    session: Session, closure: Closure, keys: Sequence[str], begin: datetime, step_s: float, steps: int
) -> Floats:
    """Places that each of some rows of a yard would have without a closure and not with it, by step."""

    def places(beside: Sequence[Closure]) -> Floats:
        whole = zone_store.places_ahead(session, begin, step_s, steps, beside=beside)
        zones = zone_store.zones_ahead(session, begin, step_s, steps, beside=beside).get(closure.yard_id, ())
        known = {closure.yard_id: whole[closure.yard_id]} | {zone.key: zone.places_veh for zone in zones}
        return np.array([known.get(key, [0] * steps) for key in keys], float)

    return np.subtract(places([]), places([closure]), dtype=float)


def _compare(
    made_at: datetime, before: tuple[YardProblem, YardPlan], after: tuple[YardProblem, YardPlan]
) -> ClosureTrial:
    both = (before, after)

    def hours(mask_perishable: bool) -> BeforeAfter:
        found = []
        for problem, plan in both:
            wait_s = plan.wait_s[problem.perishable] if mask_perishable else plan.wait_s
            found.append(float(wait_s.sum()) / 3600.0)
        return BeforeAfter(before=round(found[0], 1), after=round(found[1], 1))

    def count(values: list[float]) -> BeforeAfter:
        return BeforeAfter(before=round(values[0], 1), after=round(values[1], 1))

    site = before[0].sites()
    moved = (site[before[1].yard] != site[after[1].yard]) & (before[1].yard >= 0) | (before[1].yard < 0)
    moved &= after[1].yard >= 0
    yards = [
        YardInTrial(
            yard_id=yard_id,
            sent_veh=count([float(np.isin(plan.yard, own).sum()) for _, plan in both]),
            fullest_veh=count([float(plan.occupancy_veh[own].sum(axis=0).max()) for _, plan in both]),
            least_places_veh=count([float(problem.capacity_veh[own].sum(axis=0).min()) for problem, _ in both]),
        )
        for yard_id, own in ((each, _rows(before[0], each)) for each in dict.fromkeys(map(yard_of, before[0].yard_ids)))
    ]
    return ClosureTrial(
        made_at=made_at,
        trucks=len(before[0].truck_ids),
        moved_veh=int(moved.sum()),
        unplaced_veh=count([float((plan.yard < 0).sum()) for _, plan in both]),
        wait_h=hours(mask_perishable=False),
        perishable_wait_h=hours(mask_perishable=True),
        longest_wait_h=count([float(plan.wait_s.max(initial=0.0)) / 3600.0 for _, plan in both]),
        on_road_h=count([float(plan.overflow_veh.sum()) * problem.step_s / 3600.0 for problem, plan in both]),
        yards=yards,
    )
