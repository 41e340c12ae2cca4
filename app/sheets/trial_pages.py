"""A piece of the editor of procedures: a draft tried on today's trips."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.permissions import Principal
from app.sheets import trial
from app.web.pages import render

router = APIRouter(include_in_schema=False)


@router.get("/admin/procedures/{procedure_id}/trial")
def show_trial(
    request: Request,
    procedure_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    session: SessionDep,
    clock: ClockDep,
    _principal: Annotated[Principal, Depends(allow("procedures.read"))],
) -> Response:
    """What a version would have asked of today's trips."""
    return render(request, "sheets/trial.html", trial=trial.try_draft(session, procedure_id, clock.now()))
