"""The public page of a trip, reached by its code or QR code; nobody signs in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from app.forecasting.skill import list_fallbacks_of_drivers
from app.forecasting.skill_endpoints import wording_of
from app.gates.service import profiles_without_bans
from app.notices import service as notices
from app.notices.endpoints import NamingDep
from app.platform.dependencies import ClockDep, CorridorDep, RedisDep, RuntimeDep, SessionDep, client_address
from app.platform.labels import N_
from app.public import service
from app.trip_eta import queue
from app.trip_eta.endpoints import wording_of as trip_wording_of
from app.trips.codes import find_code
from app.trips.vocabulary import Stage
from app.web.pages import render
from capacity import zone_store
from geo.errors import NotFoundError

router = APIRouter(include_in_schema=False)

Written = Annotated[str, Path(max_length=40)]
QR_HEADERS = {"Cache-Control": "private, max-age=86400", "X-Robots-Tag": "noindex"}


@router.get("/t")
def show_search(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The field for a code; a code written there leads to its trip."""
    found = find_code(code)
    if found is not None:
        return RedirectResponse(f"/t/{found}", 303)
    problem = N_("That is no trip code. A code has twelve characters, such as 7KMD-2XRT-9PQW.") if code else ""
    return render(request, "public/search.html", written=code, problem=problem, status=404 if code else 200)


@router.get("/t/{written}.svg")
def show_qr(request: Request, written: Written, runtime: RuntimeDep) -> Response:
    """The QR code of a trip's page, for a station to scan. Any well-formed code gets one: it tells nothing."""
    code = find_code(written)
    if code is None:
        raise NotFoundError("There is no trip with this code. Check the twelve characters.")
    base_url = runtime.settings.public_url or str(request.base_url)
    return Response(service.draw_qr(service.page_address(base_url, code)), 200, QR_HEADERS, "image/svg+xml")


@router.get("/t/{written}")
def show_trip(
    request: Request,
    written: Written,
    session: SessionDep,
    redis: RedisDep,
    clock: ClockDep,
    corridor: CorridorDep,
    naming: NamingDep,
) -> Response:
    """Stage, gate, place in the queue and wait of a trip, and what is announced of the gate.

    All of it, not what is about the trip's goods: these stay untold.
    """
    try:
        trip = service.view(session, redis, written, address=client_address(request), now=clock.now())
    except NotFoundError as error:  # the code stays in its field, to be mended
        return render(request, "public/search.html", written=written, problem=error.message, status=404)
    stages = service.progress(trip.direction, trip.stage)
    site = corridor.sites.get(trip.gate_id)
    answer = render(
        request,
        "public/public.html",
        trip=trip,
        queue_place=queue.find_place(session, trip.trip_id, trip_wording_of(request, corridor, clock.now())),
        stage=Stage(trip.stage),
        stages=stages,
        open_stages=Stage.open(),
        gate=site.name if site else {},
        profile=profiles_without_bans(session, clock.now(), corridor).get(trip.gate_id),
        now=clock.now(),
        lost=list_fallbacks_of_drivers(session, trip.gate_id),
        say_fallback=wording_of(request).fallback,
        closures=zone_store.closures_of_gates(session, clock.now(), [trip.gate_id]),
        sites=corridor.sites,
        notices=[naming(notice) for notice in notices.list_notices(session, clock.now(), gate_id=trip.gate_id)],
    )
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
