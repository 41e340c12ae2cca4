"""The enterprise's pages: shipments on a map and in a table, a trip with its way and its timeline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.bookings.dependencies import MovedDep
from app.bookings.service import find_of_trip
from app.bookings.vocabulary import BookingState
from app.gates.vocabulary import GoodsClass
from app.notices import service as notices
from app.notices.endpoints import NamingDep
from app.notifications.reach import reached_of_bookings
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.permissions import Principal
from app.procedures.return_reasons import ReturnReason
from app.sheets.current import current_steps
from app.sheets.dependencies import SheetsDep
from app.sheets.vocabulary import CorrectionStatus
from app.shipments import timeline
from app.trip_eta import queue
from app.trip_eta.endpoints import WordingDep
from app.trip_eta.service import list_outlooks
from app.trips import service
from app.trips.vocabulary import PartyRole, Stage
from app.web.pages import render
from capacity import zone_store
from geo.corridor import Corridor

router = APIRouter(include_in_schema=False, prefix="/enterprise")

EnterpriseDep = Annotated[Principal, Depends(allow("pages.enterprise"))]


@router.get("")
def show_shipments(
    request: Request,
    principal: EnterpriseDep,
    session: SessionDep,
    corridor: CorridorDep,
    wording: WordingDep,
    clock: ClockDep,
    naming: NamingDep,
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """All shipments of the enterprise, or those that words are found in: with what is announced."""
    announced = notices.list_of_own_trips(session, principal, clock.now())
    outlooks = list_outlooks(session, principal, wording, q)
    gates = {outlook.gate_id for outlook in outlooks if outlook.stage in Stage.open()}
    return render(
        request,
        "shipments/shipments.html",
        q=q,
        outlooks=[outlook.model_dump(mode="json") for outlook in outlooks],
        sites=_site_names(corridor),
        vocabularies=(Stage, ReturnReason),
        notices=[naming(notice) for notice in announced],
        closures=zone_store.closures_of_gates(session, clock.now(), gates),
        now=clock.now(),
    )


@router.get("/trips/{trip_id}")
def show_trip(
    request: Request,
    trip_id: int,
    principal: EnterpriseDep,
    session: SessionDep,
    sheets: SheetsDep,
    corridor: CorridorDep,
    wording: WordingDep,
    clock: ClockDep,
    naming: NamingDep,
    moved_in_words: MovedDep,
) -> Response:
    """One trip with its timeline, and what it waits for now."""
    trip = service.get_trip(session, principal, trip_id)
    sheet = sheets.get_sheet(session, principal, trip_id)
    steps = current_steps(session, trip_id)
    return render(
        request,
        "shipments/trip.html",
        trip=trip,
        timeline=timeline.tell(
            trip.timeline, service.list_stages(session, trip_id), is_cancelled=trip.stage == Stage.CANCELLED
        ),
        planned_arrival=trip.planned_arrival,
        steps=steps,
        queue_place=queue.find_place(session, trip_id, wording),
        booking=find_of_trip(session, trip_id),
        booking_states=BookingState.by_name(),
        moved_booking=moved_in_words,
        reached=reached_of_bookings(session, {trip_id}, clock.now()).get(trip_id),
        graph=sheet.graph,
        fee=sheet.part("fee"),
        moved=sheet.part("transshipment"),
        said=sheet.part("neighbours"),
        declared=sheet.declaration,
        return_reasons=ReturnReason.by_name(),
        now=clock.now(),
        notices=[naming(affected.notice) for affected in notices.notices_of_trip(session, trip_id, clock.now())],
        closures=zone_store.closures_of_gates(
            session, clock.now(), [trip.gate_id] if trip.stage in Stage.open() else []
        ),
        correction_statuses=CorrectionStatus.by_name(),
        goods_classes=GoodsClass.by_name(),
        sites=_site_names(corridor),
        open_stages=Stage.open(),
        roles=tuple(PartyRole),
    )


def _site_names(corridor: Corridor) -> dict[str, dict[str, str]]:
    return {site.site_id: dict(site.name) for site in corridor.sites.values()}
