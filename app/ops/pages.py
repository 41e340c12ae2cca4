"""The administrator's page of the platform's condition."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.ops import condition
from app.ops.endpoints import readiness
from app.platform.dependencies import RuntimeDep
from app.platform.permissions import Principal
from app.web.pages import render

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(allow("condition.read"))]


@router.get("/admin/condition")
def show_condition(request: Request, runtime: RuntimeDep, _principal: Reader) -> Response:
    """Alarms, parts, streams, backups, dead letters."""
    return render(
        request,
        "ops/condition.html",
        parts=readiness(runtime),
        condition=condition.look(runtime),
        gauges=condition.gauges(runtime),
    )
