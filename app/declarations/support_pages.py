"""The support desk's page: who stands undeclared in the temporary yard, declaring with them, the time it took."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts import store as account_store
from app.accounts.authorisation import allow
from app.accounts.sessions import client_address
from app.declarations import desk
from app.declarations.pages import WrittenDep, as_written, show_form, with_blank_line
from app.declarations.service import Act
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import CuaKhauError

router = APIRouter(include_in_schema=False, prefix="/support")

DeskDep = Annotated[Principal, Depends(allow("pages.support"))]
ClerkDep = Annotated[Principal, Depends(allow("undeclared.write"))]

STATUS_WORDS = {
    "waiting": (N_("Waits"), "hourglass"),
    "declaring": (N_("Declaring"), "pencil"),
    "declared": (N_("Declared"), "check"),
    "left": (N_("Left undeclared"), "logout"),
}


def get_act(request: Request, principal: ClerkDep, clock: ClockDep, corridor: CorridorDep) -> Act:
    """Who acts where and when."""
    return Act(principal, corridor, clock.now(), client_address(request))


ClerkActDep = Annotated[Act, Depends(get_act)]


@router.get("")
def show_desk(
    request: Request, principal: DeskDep, session: SessionDep, corridor: CorridorDep, clock: ClockDep, days: int = 1
) -> Response:
    """Who waits in the temporary yard, who was helped, how long it took."""
    act = Act(principal, corridor, clock.now())
    return _show(request, act, session, days=min(max(days, 1), 90))


@router.post("")
def register(
    request: Request,
    act: ClerkActDep,
    session: SessionDep,
    plate: Annotated[str, Form(max_length=40)] = "",
    arrived: Annotated[str, Form(max_length=5)] = "",
    note: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Register an undeclared vehicle as standing in the temporary yard."""
    try:
        with session.begin_nested():
            desk.register(session, act, plate=plate, arrived_at=desk.today_at(arrived, act.now), note=note)
    except CuaKhauError as error:
        return _show(request, act, session, error=error, written={"plate": plate, "arrived": arrived, "note": note})
    return RedirectResponse("/support", 303)


@router.get("/enterprises")
def show_enterprises(request: Request, _principal: DeskDep, session: SessionDep, organisation: str = "") -> Response:
    """Enterprises found by name, as choices of the form."""
    found = desk.find_enterprises(session, organisation[:100])
    return render(request, "declarations/enterprises.html", organisations=found, chosen=None)


@router.post("/{arrival_id}/open")
def open_case(act: ClerkActDep, session: SessionDep, arrival_id: int) -> Response:
    """Begin to declare with a vehicle, or go on with it."""
    arrival = desk.open_case(session, act, arrival_id)
    if arrival.trip_id is not None:
        return RedirectResponse(f"/declarations/{arrival.trip_id}/edit", 303)
    return RedirectResponse(f"/support/{arrival_id}/declare", 303)


@router.get("/{arrival_id}/declare")
def show_declare(
    request: Request,
    principal: ClerkDep,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    arrival_id: int,
    organisation: str = "",
) -> Response:
    """The form for a vehicle that waits."""
    act = Act(principal, corridor, clock.now())
    arrival, form = desk.begin_form(session, act, arrival_id)
    owner = desk.owner_of(session, arrival)
    chosen = account_store.find_organisation(session, owner) if owner is not None else None
    found = [chosen] if chosen and not organisation else desk.find_enterprises(session, organisation)
    return _show_form(request, session, corridor, as_written(form), arrival_id, found, owner, "")


@router.post("/{arrival_id}/declare")
def declare(
    request: Request,
    act: ClerkActDep,
    session: SessionDep,
    written: WrittenDep,
    arrival_id: int,
    organisation_id: Annotated[str, Form(max_length=10)] = "",
    new_name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Declare for the vehicle, for a known enterprise or a new one."""
    owner = int(organisation_id) if organisation_id.isascii() and organisation_id.isdigit() else None
    found = [one for one in [account_store.find_organisation(session, owner) if owner else None] if one]
    if written["act"] == "add_line":
        return _show_form(request, session, act.corridor, with_blank_line(written), arrival_id, found, owner, new_name)
    try:
        with session.begin_nested():
            trip_id = desk.declare(
                session,
                act,
                arrival_id,
                written,
                organisation_id=owner,
                new_name=new_name,
                submit=written["act"] == "submit",
            )
    except CuaKhauError as error:
        return _show_form(request, session, act.corridor, written, arrival_id, found, owner, new_name, error)
    return RedirectResponse("/support" if written["act"] == "submit" else f"/declarations/{trip_id}/edit", 303)


@router.post("/{arrival_id}/leave")
def leave(
    request: Request, act: ClerkActDep, session: SessionDep, arrival_id: int, note: Annotated[str, Form()] = ""
) -> Response:
    """The vehicle left undeclared."""
    try:
        with session.begin_nested():
            desk.send_away(session, act, arrival_id, note)
    except CuaKhauError as error:
        return _show(request, act, session, error=error)
    return RedirectResponse("/support", 303)


def _show(
    request: Request,
    act: Act,
    session: SessionDep,
    *,
    days: int = 1,
    error: CuaKhauError | None = None,
    written: dict[str, str] | None = None,
) -> Response:
    listed, figures = desk.list_arrivals(session, act.principal, now=act.now, days=days)
    return render(
        request,
        "declarations/support.html",
        status=422 if error else 200,
        listed=listed,
        figures=figures,
        error=error,
        days=days,
        written=written or {"plate": "", "arrived": act.now.astimezone(LOCAL_ZONE).strftime("%H:%M"), "note": ""},
        statuses=STATUS_WORDS,
        sites=act.corridor.sites,
    )


def _show_form(
    request: Request,
    session: Session,
    corridor: Corridor,
    written: Any,
    arrival_id: int,
    organisations: list[Any],
    chosen: int | None,
    new_name: str,
    error: CuaKhauError | None = None,
) -> Response:
    context = {"arrival_id": arrival_id, "organisations": organisations, "chosen": chosen, "new_name": new_name}
    return show_form(request, session, corridor, written, error, desk=context)
