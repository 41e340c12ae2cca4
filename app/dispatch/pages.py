"""The traffic police's page: live map, advice, orders."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.accounts.authorisation import allow
from app.dispatch.vocabulary import OrderKind
from app.platform.dependencies import CorridorDep
from app.platform.permissions import Principal
from app.trips.goods import GoodsClass
from app.trips.vocabulary import Regime
from app.web.pages import render

router = APIRouter(include_in_schema=False)


@router.get("/police")
def show_police(
    request: Request, corridor: CorridorDep, _principal: Annotated[Principal, Depends(allow("pages.police"))]
) -> Response:
    """The control room's page."""
    return render(
        request,
        "dispatch/police.html",
        gates=corridor.gates(),
        goods_labels=GoodsClass.labels(),
        regime_labels=Regime.labels(),
        order_kinds=OrderKind.described(partial(request.app.state.pages.gettext, request)),
    )
