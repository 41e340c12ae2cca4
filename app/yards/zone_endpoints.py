"""Zones of yards and closures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.yards import zones
from app.yards.zone_schemas import ClosureIn, ClosureOut, YardPlaces, ZoneIn, ZoneOut

router = APIRouter(prefix="/api/v1/yards/{yard_id}", tags=["yards"])

OperatorAction = Annotated[ActionContext, Depends(acting("yards.move"))]


@router.get("/places", responses=problems(404))
def read_places(
    yard_id: str, session: SessionDep, clock: ClockDep, _principal: Annotated[Principal, Depends(allow("yards.read"))]
) -> YardPlaces:
    """The zones of a yard with what was set of their places, and closures that hold now or will."""
    return zones.describe_places(session, yard_id, clock.now())


@router.put("/zones/{zone_id}", responses=problems(404))
def set_zone(
    yard_id: str, zone_id: str, body: ZoneIn, action: Annotated[ActionContext, Depends(acting("settings.write"))]
) -> ZoneOut:
    """Give a zone so many places from a time on. A yard with zones has the places of its zones."""
    return zones.set_places(action, yard_id, zone_id, body)


@router.post("/closures", status_code=201, responses=problems(404))
def close_yard(yard_id: str, body: ClosureIn, action: OperatorAction) -> ClosureOut:
    """Close a yard or a zone of it, wholly or in part; the next plan, within a minute, sends trucks elsewhere."""
    return zones.close(action, yard_id, body)


@router.post("/closures/{closure_id}/end", responses=problems(404, 409))
def end_closure(yard_id: str, closure_id: int, action: OperatorAction) -> ClosureOut:
    """End a closure now."""
    return zones.end_closure(action, yard_id, closure_id)
