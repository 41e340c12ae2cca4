"""The page of a yard's places: zones, closures and prices, each with effect from a time, and who entered it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.authorisation import allow
from app.gates.vocabulary import KIND_NAMES
from app.platform.dependencies import ClockDep, CorridorDep, RedisDep, SessionDep
from app.platform.permissions import Principal
from app.web.pages import render
from app.yards import closure_play, closure_trial, zones
from app.yards.service import require_own_yard
from app.yards.vocabulary import SHIFT_NAMES, UNIT_NAMES
from app.yards.zone_schemas import ClosureIn
from geo.corridor import Corridor

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(allow(zones.READ))]
Writer = Annotated[Principal, Depends(allow(zones.ACT))]


@router.get("/yard/{yard_id}/places")
def show_places(
    yard_id: str, request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: Reader
) -> Response:
    """Zones, closures and prices of a yard, with forms to set them."""
    return _render(request, "yards/places.html", session, corridor, clock, principal, yard_id)


@router.get("/yard/{yard_id}/places/now")
def show_places_now(
    yard_id: str, request: Request, session: SessionDep, corridor: CorridorDep, clock: ClockDep, principal: Reader
) -> Response:
    """What is set alone, without the forms."""
    return _render(request, "yards/places_now.html", session, corridor, clock, principal, yard_id)


@router.post("/yard/{yard_id}/places/try")
def show_trial(
    yard_id: str,
    body: ClosureIn,
    request: Request,
    session: SessionDep,
    redis: RedisDep,
    corridor: CorridorDep,
    clock: ClockDep,
    principal: Writer,
) -> Response:
    """What a closure would change, as a part of the page."""
    trial = closure_trial.try_closure(session, redis, corridor, principal, yard_id, body, clock.now())
    return render(
        request, "yards/closure_trial.html", trial=trial, sites=corridor.sites, max_wait_h=closure_play.MAX_WAIT_H
    )


def _render(
    request: Request,
    template: str,
    session: Session,
    corridor: Corridor,
    clock: ClockDep,
    principal: Principal,
    yard_id: str,
) -> Response:
    yard = require_own_yard(session, principal, yard_id, zones.READ)
    site = corridor.sites.get(yard_id)
    return render(
        request,
        template,
        yard=yard,
        name=site.name if site else {},
        places=zones.describe_places(session, yard_id, clock.now()),
        now=clock.now(),
        kinds=KIND_NAMES,
        units=UNIT_NAMES,
        shifts=SHIFT_NAMES,
    )
