"""The page of exports that were exchanged: each day compared with the other side."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.integrations import reconciliation
from app.integrations.dependencies import NeighboursDep
from app.integrations.vocabulary import ExportDirection
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.permissions import Principal
from app.web.pages import render

router = APIRouter(include_in_schema=False)


@router.post("/admin/neighbours/exports/{name}/{day}/send-again")
def send_again(
    action: Annotated[ActionContext, Depends(acting("neighbours.write"))],
    name: Annotated[str, Path(max_length=60)],
    day: date,
) -> Response:
    """Say again what the other side has not of ours, by the comparison of a day."""
    reconciliation.send_again(action, name, day)
    return RedirectResponse("/admin/neighbours/exports", 303)


@router.get("/admin/neighbours/exports")
def show_exports(
    request: Request,
    session: SessionDep,
    neighbours: NeighboursDep,
    principal: Annotated[Principal, Depends(allow("neighbours.read"))],
) -> Response:
    """Day by day: how many exports each side sent and has, and where both differ."""
    return render(
        request,
        "integrations/exports.html",
        days=reconciliation.list_days(session, principal),
        missing_there=reconciliation.missing_there,
        directions=ExportDirection.by_name(),
        labels={each.name: each.label for each in neighbours},
    )
