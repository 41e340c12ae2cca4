"""How good the forecast is, in short, for everybody; nobody signs in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.forecasting.skill import RECENT_DAYS, read_skill
from app.forecasting.skill_endpoints import wording_of
from app.forecasting.skill_vocabulary import Quantity
from app.platform.dependencies import ClockDep, CorridorDep, RedisDep, SessionDep, client_address
from app.public.service import check_pace
from app.web.pages import render

router = APIRouter(include_in_schema=False)

SHOWN = (Quantity.QUEUE, Quantity.WAIT, Quantity.ENTRY)


@router.get("/forecast")
def show_public_skill(
    request: Request, session: SessionDep, redis: RedisDep, corridor: CorridorDep, clock: ClockDep
) -> Response:
    """For each gate how far off its forecasts of queue, wait and entries were of late."""
    check_pace(redis, client_address(request))
    now = clock.now()
    skills = [
        read_skill(session, gate.site_id, now, quantities=SHOWN, by_hour=False, days=RECENT_DAYS)
        for gate in corridor.gates()
    ]
    return render(
        request,
        "public/skill.html",
        skills=skills,
        shown=SHOWN,
        wording=wording_of(request),
        sites=corridor.sites,
        now=now,
    )
