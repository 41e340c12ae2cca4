"""The enterprise's pages: shipments on a map and in a table, a trip with its timeline, a form for a new one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from app.accounts.permissions import Principal
from app.api.outlooks import WordingDep
from app.deps import ClockDep, CorridorDep, SessionDep, allow
from app.following.current import current_steps
from app.outlook.service import list_outlooks
from app.trips import service, sheet
from app.trips.declaration import Declaration
from app.trips.goods import GOODS_CLASSES
from app.trips.places import Places
from app.web.pages import render
from geo.clock import LOCAL_ZONE, parse_time
from geo.corridor import Corridor
from geo.errors import CuaKhauError, InvalidInputError

router = APIRouter(include_in_schema=False, prefix="/enterprise")

EnterpriseDep = Annotated[Principal, Depends(allow("pages.enterprise"))]
WriterDep = Annotated[Principal, Depends(allow("trips.write"))]


@router.get("")
def show_shipments(
    request: Request, principal: EnterpriseDep, session: SessionDep, corridor: CorridorDep, wording: WordingDep
) -> Response:
    """All shipments of the enterprise: map and table."""
    records = [outlook.to_record() for outlook in list_outlooks(session, principal, wording)]
    return render(request, "enterprise.html", outlooks=records, sites=_site_names(corridor))


@router.get("/trips/new")
def show_form(request: Request, _principal: EnterpriseDep, corridor: CorridorDep) -> Response:
    """An empty form for a trip."""
    return _form(request, corridor, TripForm(), None)


class TripForm(BaseModel):
    """The form's fields as written; what is in them is checked when the trip is made."""

    plate: str = ""
    trailer_plate: str = ""
    goods: str = ""
    goods_class: str = ""
    regime: str = ""
    direction: str = ""
    gate_id: str = ""
    planned_arrival: str = ""

    def declaration(self) -> Declaration:
        """What the form declares; raises InvalidInputError if the time cannot be read."""
        return Declaration(
            plate=self.plate,
            gate_id=self.gate_id,
            goods=self.goods,
            goods_class=self.goods_class,
            regime=self.regime,
            planned_arrival=_local_time(self.planned_arrival),
            trailer_plate=self.trailer_plate or None,
            direction=self.direction or None,
        )


@router.post("/trips/new")
def enter_trip(
    request: Request,
    principal: WriterDep,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    form: Annotated[TripForm, Form()],
) -> Response:
    """Enter a trip; a field that cannot be accepted comes back with what to do about it."""
    try:
        with session.begin_nested():
            trip_id = service.create_trip(session, principal, form.declaration(), Places.of(corridor), now=clock.now())
    except CuaKhauError as error:
        return _form(request, corridor, form, error)
    return RedirectResponse(f"/enterprise/trips/{trip_id}", 303)


@router.get("/trips/{trip_id}")
def show_trip(
    request: Request,
    trip_id: int,
    principal: EnterpriseDep,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
) -> Response:
    """One trip with its timeline, and what it waits for now."""
    trip = service.get_trip(session, principal, trip_id)
    names: dict[str, Any] = {"goods_classes": GOODS_CLASSES, "sites": _site_names(corridor)}
    arrival = parse_time(trip["planned_arrival"])
    graph = sheet.get_sheet(session, principal, trip_id)["graph"]
    steps = current_steps(session, trip_id)
    return render(
        request, "enterprise_trip.html", trip=trip, planned_arrival=arrival, steps=steps, graph=graph, now=clock.now(),
        **names,
    )  # fmt: skip


def _form(request: Request, corridor: Corridor, written: TripForm, error: CuaKhauError | None) -> Response:
    context: dict[str, Any] = {
        "gates": corridor.gates(),
        "goods_classes": GOODS_CLASSES,
        "written": written,
        "error": error,
    }
    return render(request, "enterprise_new.html", status=422 if error else 200, **context)


def _local_time(written: str) -> datetime:
    """What a datetime-local field holds: a time at the border, without an offset of its own."""
    try:
        naive = datetime.fromisoformat(written)  # the zone is the form's, stated beside the field
    except ValueError:
        raise InvalidInputError("Give the planned arrival as date and time.", field="planned_arrival") from None
    if naive.tzinfo is not None:
        return parse_time(written, field="planned_arrival")
    return naive.replace(tzinfo=LOCAL_ZONE)


def _site_names(corridor: Corridor) -> dict[str, dict[str, str]]:
    return {site.site_id: dict(site.name) for site in corridor.sites.values()}
