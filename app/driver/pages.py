"""The driver's page: my trip, the road ahead, my yard, orders, sharing my position."""

from __future__ import annotations

from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.bookings.dependencies import MovedDep
from app.bookings.service import find_of_trip
from app.bookings.vocabulary import BookingState
from app.checkpoints.turns import priority_of
from app.dispatch.vocabulary import OrderKind, RecipientStatus
from app.forecasting.skill import list_fallbacks_of_drivers
from app.forecasting.skill_endpoints import wording_of
from app.gates.service import profiles
from app.gates.vocabulary import PriorityClass
from app.notices.endpoints import NamingDep
from app.notices.service import notices_of_trip
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.sheets.current import current_steps
from app.tracking.driving import find_driving
from app.trip_eta import queue
from app.trip_eta.endpoints import WordingDep
from app.trip_eta.service import find_current
from app.trips.places import Places
from app.trips.vocabulary import Direction, Stage
from app.web.pages import render
from capacity import zone_store
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
    naming: NamingDep,
    moved: MovedDep,
    trip: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    text: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The page a driver keeps open on the phone; who reads it for others finds a trip by what its list finds it by."""
    outlook = find_current(session, principal, wording, text.replace("\x00", ""), trip_id=trip)
    steps = current_steps(session, outlook.trip_id) if outlook else []
    places = _sites(corridor, wording.places)
    now = clock.now()
    profile = profiles(session, now, corridor).get(outlook.gate_id) if outlook else None
    announced = notices_of_trip(session, outlook.trip_id, now) if outlook else []
    return render(
        request,
        "driver/driver.html",
        here=f"/driver?trip={outlook.trip_id}" if outlook and not principal.may("orders.respond") else "/driver",
        text=text,
        outlook=outlook,
        queue_place=queue.find_place(session, outlook.trip_id, wording) if outlook else None,
        profile=profile,
        booking=find_of_trip(session, outlook.trip_id) if outlook else None,
        booking_states=BookingState.by_name(),
        moved=moved,
        places=places,
        site_names=wording.places.names,
        stages=Stage.way(Direction.EXPORT),
        steps=steps,
        lost=list_fallbacks_of_drivers(session, outlook.gate_id) if outlook else (),
        say_fallback=wording_of(request).fallback,
        priority=priority_of(session, outlook.trip_id, now) if outlook else None,
        priority_classes=PriorityClass.by_name(),
        notices=[naming(notice.notice) for notice in announced],
        driving=find_driving(session, outlook.vehicle_id, now) if outlook else None,
        closures=zone_store.closures_of_gates(session, now, [outlook.gate_id]) if outlook else [],
        now=now,
        vocabularies=(OrderKind, RecipientStatus),
    )


class SiteOut(TypedDict):
    """What a driver is told about a site: names by language, and kilometres to the border by each gate."""

    name: dict[str, str]
    kind: str
    gate_id: str | None
    to_gate_km: dict[str, float | None]


def _sites(corridor: Corridor, places: Places) -> dict[str, SiteOut]:
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
