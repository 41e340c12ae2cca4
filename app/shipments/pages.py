"""The enterprise's pages: shipments on a map and in a table, a trip with its way and its timeline."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.sheets.current import current_steps
from app.sheets.dependencies import SheetsDep
from app.trip_eta.endpoints import WordingDep
from app.trip_eta.service import list_outlooks
from app.trips import service
from app.trips.goods import GoodsClass
from app.trips.vocabulary import Stage
from app.web.pages import render
from geo.clock import parse_time
from geo.corridor import Corridor

router = APIRouter(include_in_schema=False, prefix="/enterprise")

EnterpriseDep = Annotated[Principal, Depends(allow("pages.enterprise"))]


@router.get("")
def show_shipments(
    request: Request, principal: EnterpriseDep, session: SessionDep, corridor: CorridorDep, wording: WordingDep
) -> Response:
    """All shipments of the enterprise: map and table."""
    records = [outlook.model_dump(mode="json") for outlook in list_outlooks(session, principal, wording)]
    return render(request, "shipments/shipments.html", outlooks=records, sites=_site_names(corridor))


@router.get("/trips/{trip_id}")
def show_trip(
    request: Request,
    trip_id: int,
    principal: EnterpriseDep,
    session: SessionDep,
    sheets: SheetsDep,
    corridor: CorridorDep,
    clock: ClockDep,
) -> Response:
    """One trip with its timeline, and what it waits for now."""
    trip = service.get_trip(session, principal, trip_id)
    names: dict[str, Any] = {
        "goods_classes": GoodsClass.by_name(),
        "sites": _site_names(corridor),
        "open_stages": Stage.open(),
    }
    arrival = parse_time(trip["planned_arrival"])
    graph = sheets.get_sheet(session, principal, trip_id)["graph"]
    steps = current_steps(session, trip_id)
    return render(
        request,
        "shipments/trip.html",
        trip=trip,
        planned_arrival=arrival,
        steps=steps,
        graph=graph,
        now=clock.now(),
        **names,
    )


def _site_names(corridor: Corridor) -> dict[str, dict[str, str]]:
    return {site.site_id: dict(site.name) for site in corridor.sites.values()}
