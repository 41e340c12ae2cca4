"""The page that leads an administrator from an empty installation to the first truck."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.ops.first_steps import first_steps
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.web.pages import render

router = APIRouter(include_in_schema=False)


@router.get("/admin/first-steps")
def show(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    _principal: Annotated[Principal, Depends(allow("condition.read"))],
) -> Response:
    """What is there, what is missing, and where each is done."""
    steps = first_steps(session, corridor, clock.now())
    return render(request, "ops/first_steps.html", steps=steps, sites=corridor.sites)
