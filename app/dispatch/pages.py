"""The traffic police's page: live map, advice, orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.accounts.authorisation import allow
from app.dispatch.vocabulary import (
    AdvisoryStatus,
    MeasureKind,
    OrderKind,
    OrderStatus,
    ReachState,
    RecipientStatus,
    Severity,
)
from app.gates.vocabulary import GoodsClass
from app.notices import service as notices
from app.notices.endpoints import NamingDep
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.trips.vocabulary import Regime
from app.web.pages import render

router = APIRouter(include_in_schema=False)


@router.get("/police")
def show_police(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    naming: NamingDep,
    principal: Annotated[Principal, Depends(allow("pages.police"))],
) -> Response:
    """The control room's page."""
    now = clock.now()
    announced = notices.list_notices(session, now)
    return render(
        request,
        "dispatch/police.html",
        gates=corridor.gates(),
        notices=[(naming(notice), len(notices.trips_of(session, principal, notice, now))) for notice in announced],
        goods_labels=GoodsClass.labels(),
        regime_labels=Regime.labels(),
        vocabularies=(MeasureKind, OrderKind, OrderStatus, RecipientStatus, ReachState, Severity, AdvisoryStatus),
    )
