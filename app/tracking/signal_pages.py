"""The part of the traffic police's page that shows calls for help."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.permissions import Principal
from app.tracking import signals
from app.tracking.vocabulary import DeviceEventKind
from app.web.pages import render

router = APIRouter(include_in_schema=False, prefix="/police/emergencies")


@router.get("")
def show_emergencies(
    request: Request,
    session: SessionDep,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow("signals.read"))],
) -> Response:
    """The calls for help that nobody has seen yet."""
    emergencies = signals.list_emergencies(session, principal, clock.now())
    return render(request, "tracking/emergencies.html", emergencies=emergencies, kinds=DeviceEventKind)


@router.post("/{event_id}/seen")
def mark_seen(
    request: Request,
    event_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    session: SessionDep,
    clock: ClockDep,
    action: Annotated[ActionContext, Depends(acting("signals.answer"))],
) -> Response:
    """Somebody saw one; what is left."""
    signals.mark_seen(action, event_id)
    session.flush()
    return show_emergencies(request, session, clock, action.actor)
