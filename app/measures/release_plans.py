"""Release plans as the police see and send them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from app.dispatch.advice_measures import draft_order
from app.dispatch.policy import POLICY
from app.dispatch.records import ParametersRecord, SelectionRecord
from app.dispatch.vocabulary import OrderKind
from app.measures.metering import HeldTrucks, Metering, find_held, plan_metering
from app.measures.order_effects import Now, look
from app.measures.schemas import AreaPlanOut, MeteringOut
from app.measures.wording import FORECAST_IS_OLD, NO_FORECAST, NOBODY_HELD, Wording
from app.trips.places import Places
from geo.corridor import Corridor
from routing.metering import SLOT_S

SPARE: Final = timedelta(hours=1)
"""An order holds so much longer than its last truck needs to be let go."""


def read_plan(session: Session, gate_id: str, corridor: Corridor, wording: Wording, now: datetime) -> MeteringOut:
    """The release plan for the trucks that are held for a gate now, or why there is none."""
    places = Places.of(corridor)
    known = look(session, corridor, places, now)
    if not isinstance(known, Now):
        texts = {"no_forecast": NO_FORECAST, "forecast_old": FORECAST_IS_OLD}
        return MeteringOut(missing=known, text=wording.gettext(texts[known]))
    areas = find_held(gate_id, known.state, places)
    if not areas:
        return MeteringOut(missing="nobody_held", text=wording.gettext(NOBODY_HELD))
    policy = POLICY.get(session).value
    plan = plan_metering(
        known.laboratory,
        gate_id,
        areas,
        limit_km=policy.queue_notice_km,
        group_veh=policy.release_per_half_hour_veh,
    )
    return _describe(plan, known, gate_id, wording, now)


def _describe(found: Metering, known: Now, gate_id: str, wording: Wording, now: datetime) -> MeteringOut:
    return MeteringOut(
        text=wording.say_metering(found.idle_share, found.limit_km, *found.beyond_h),
        made_at=known.state.state.made_at,
        step_s=known.laboratory.step_s,
        slot_s=SLOT_S,
        runs=found.runs,
        areas=[_area(found, i, area, gate_id, wording, now) for i, area in enumerate(found.areas)],
        queue_veh=np.round(found.queue_veh, 1).tolist(),
        limit_km=found.limit_km,
        limit_veh=round(found.limit_veh, 1),
        idle_share=round(found.idle_share, 3),
        beyond_h=[round(hours, 2) for hours in found.beyond_h],
    )


def _area(found: Metering, index: int, area: HeldTrucks, gate_id: str, wording: Wording, now: datetime) -> AreaPlanOut:
    groups = [int(veh) for veh in found.plan.release_veh[index]]
    planned = sum(groups)
    used = max((slot for slot, veh in enumerate(groups) if veh), default=0)
    veh = max(1, *groups)
    rest = -(-(len(area.trucks) - planned) // veh)
    until = now + timedelta(seconds=SLOT_S * (len(groups) + rest if rest else used + 1)) + SPARE
    selection: SelectionRecord = {"vehicle_ids": [truck.vehicle_id for truck in area.trucks], "gate_id": gate_id}
    parameters: ParametersRecord = {
        "reason": "queue_dissolves",
        "release": {"veh": veh, "every_s": int(SLOT_S), "groups": groups if rest else groups[: used + 1]},
    }
    return AreaPlanOut(
        site_id=area.site_id,
        name=wording.place(area.site_id),
        held=len(area.trucks),
        release_veh=groups,
        draft=dict(draft_order(OrderKind.PROCEED, selection, parameters, until)),
    )
