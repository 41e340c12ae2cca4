"""The page of exports that were exchanged: each day compared with the other side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.integrations import reconciliation
from app.integrations.dependencies import NeighboursDep
from app.integrations.vocabulary import ExportDirection
from app.platform.dependencies import SessionDep
from app.platform.permissions import Principal
from app.web.pages import render

router = APIRouter(include_in_schema=False)


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
        directions=ExportDirection.by_name(),
        labels={each.name: each.label for each in neighbours},
    )
