"""The driver's page: my trip, the road ahead, my yard, orders, sharing my position."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.dispatch.vocabulary import OrderKind
from app.gates.service import profiles
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.sheets.current import current_steps
from app.trip_eta.endpoints import WordingDep
from app.trip_eta.service import find_current
from app.trips.places import Places
from app.trips.vocabulary import Direction, Stage
from app.web.pages import render
from geo.corridor import Corridor

router = APIRouter(include_in_schema=False)

DriverDep = Annotated[Principal, Depends(allow("pages.driver"))]


@router.get("/driver")
def show_driver(
    request: Request,
    principal: DriverDep,
    session: SessionDep,
    corridor: CorridorDep,
    wording: WordingDep,
    clock: ClockDep,
) -> Response:
    """The page a driver keeps open on the phone."""
    outlook = find_current(session, principal, wording)
    steps = current_steps(session, outlook.trip_id) if outlook else []
    places = _sites(corridor, wording.places)
    now = clock.now()
    profile = profiles(session, now, corridor).get(outlook.gate_id) if outlook else None
    kinds = OrderKind.described(partial(request.app.state.pages.gettext, request))
    return render(
        request,
        "driver/driver.html",
        outlook=outlook,
        profile=profile,
        places=places,
        stages=Stage.way(Direction.EXPORT),
        steps=steps,
        now=now,
        kinds=kinds,
    )


def _sites(corridor: Corridor, places: Places) -> dict[str, dict[str, Any]]:
    """What a driver is told about sites, by site_id: names, kind, gate, and kilometres to the border by each gate."""
    return {
        site.site_id: {
            "name": site.name,
            "kind": site.kind,
            "gate_id": site.gate_id,
            "to_gate_km": {gate.gate_id: gate.distance_km(site.road, site.km) for gate in places.gates.values()},
        }
        for site in corridor.sites.values()
        if site.kind in ("gate", "yard", "temporary_yard", "staging")
    }
