"""How good the forecast is: beside the forecast itself, by horizon and hour of day, and how honest its bands are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.dispatch.advice_outcomes import hit_rates
from app.forecasting.service import gate_now
from app.forecasting.skill import RECENT_DAYS, read_skill
from app.forecasting.skill_charts import charts_of, fans_of
from app.forecasting.skill_endpoints import wording_of
from app.forecasting.skill_vocabulary import Quantity
from app.gates.service import gate_ids, get_gate_id
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.web.pages import render

router = APIRouter(include_in_schema=False)

SPANS_DAYS = (1, 7, 30)


@router.get("/forecast/skill")
def show_skill(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    _principal: Annotated[Principal, Depends(allow("skill.read"))],
    gate: Annotated[str, Query(max_length=60)] = "",
    days: Annotated[int, Query(ge=1, le=60)] = RECENT_DAYS,
) -> Response:
    """The skill of a gate's forecasts, the first gate's if none is named."""
    gate_id = get_gate_id(corridor, gate or gate_ids(corridor)[0])
    now, wording = clock.now(), wording_of(request)
    skill, known = read_skill(session, gate_id, now, days=days), gate_now(session, gate_id, now)
    return render(
        request,
        "forecasting/skill.html",
        skill=skill,
        known=known,
        wording=wording,
        fans=fans_of(known.forecast),
        charts=charts_of(skill, wording),
        advice=hit_rates(session, now),
        quantities=Quantity,
        spans_days=SPANS_DAYS,
        gates=corridor.gates(),
        sites=corridor.sites,
        now=now,
    )
