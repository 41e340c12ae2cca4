"""The traffic police's page: live map, advice, orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

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
from app.notices.endpoints import Naming, NamingDep
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.trips.vocabulary import Regime, Stage
from app.web.pages import render
from geo.clock import Clock, speed_of
from geo.corridor import Corridor

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
    return _render(request, session, corridor, clock, naming, principal)


@router.get("/police/wall")
def show_wall(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    naming: NamingDep,
    principal: Annotated[Principal, Depends(allow("pages.police"))],
) -> Response:
    """The same for a wall, read from five metres: without menu, panel and time slider."""
    return _render(request, session, corridor, clock, naming, principal, wall=True)


def _render(
    request: Request,
    session: Session,
    corridor: Corridor,
    clock: Clock,
    naming: Naming,
    principal: Principal,
    *,
    wall: bool = False,
) -> Response:
    now = clock.now()
    announced = notices.list_notices(session, now)
    return render(
        request,
        "dispatch/police.html",
        wall=wall,
        clock={"now_ms": round(now.timestamp() * 1000.0), "speed": speed_of(clock)},
        gates=corridor.gates(),
        notices=[(naming(notice), len(notices.trips_of(session, principal, notice, now))) for notice in announced],
        goods_labels=GoodsClass.labels(),
        regime_labels=Regime.labels(),
        vocabularies=(
            MeasureKind,
            OrderKind,
            OrderStatus,
            RecipientStatus,
            ReachState,
            Severity,
            AdvisoryStatus,
            Stage,
        ),
    )
