"""The support desk's page: who stands undeclared in the temporary yard, declaring with them, the time it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts import service as accounts
from app.accounts.authorisation import acting, allow
from app.accounts.service import Organisation
from app.declarations import desk, sightings
from app.declarations.pages import Written, WrittenDep, as_written, show_form, with_blank_line
from app.declarations.service import DeclarationAction
from app.declarations.vocabulary import ArrivalStatus
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.sheets.dependencies import SheetsDep
from app.web.pages import lead_on, render
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import CuaKhauError

router = APIRouter(include_in_schema=False, prefix="/support")

REGISTERED: Final = N_("Registered: the truck stands in the temporary yard and waits for its declaration.")
DISMISSED: Final = N_("Noted: this plate needs no declaration and does not ring again for twelve hours.")
DECLARED: Final = N_("Declared: the truck can go to its checks.")
KEPT: Final = N_("The draft is kept; hand it in when it is complete.")
LEFT: Final = N_("Noted: the truck left undeclared.")

DeskDep = Annotated[Principal, Depends(allow("pages.support"))]
ClerkDep = Annotated[Principal, Depends(allow("undeclared.write"))]


def get_action(
    action: Annotated[ActionContext, Depends(acting("undeclared.write"))], corridor: CorridorDep, sheets: SheetsDep
) -> DeclarationAction:
    """Who acts, when, on which corridor and sheets."""
    return DeclarationAction(
        action.session, action.principal, action.now, action.address, corridor=corridor, sheets=sheets
    )


ClerkAction = Annotated[DeclarationAction, Depends(get_action)]


@router.get("")
def show_desk(
    request: Request,
    principal: DeskDep,
    session: SessionDep,
    sheets: SheetsDep,
    corridor: CorridorDep,
    clock: ClockDep,
    days: int = 1,
) -> Response:
    """Who waits in the temporary yard, who was helped, how long it took."""
    action = DeclarationAction(session, principal, clock.now(), corridor=corridor, sheets=sheets)
    return _show(request, action, days=min(max(days, 1), 90))


@router.post("")
def register(
    request: Request,
    action: ClerkAction,
    plate: Annotated[str, Form(max_length=40)] = "",
    arrived: Annotated[str, Form(max_length=5)] = "",
    note: Annotated[str, Form(max_length=1000)] = "",
    sighting: Annotated[int | None, Form(ge=1, le=2**63 - 1)] = None,
    act: Annotated[str, Form(max_length=20)] = "register",
) -> Response:
    """Register an undeclared vehicle as standing in the temporary yard, and begin to declare if that is wanted."""
    try:
        with action.session.begin_nested():
            moment = desk.today_at(arrived, action.now)
            arrival_id = desk.register(action, plate=plate, arrived_at=moment, note=note, sighting_id=sighting)
    except CuaKhauError as error:
        return _show(request, action, error=error, written={"plate": plate, "arrived": arrived, "note": note})
    return open_case(action, arrival_id) if act == "declare" else lead_on(request, "/support", REGISTERED)


@router.get("/ringing")
def show_ringing(request: Request, principal: DeskDep, session: SessionDep, clock: ClockDep) -> Response:
    """The plates that ring alone."""
    ringing = sightings.list_ringing(session, principal, now=clock.now())
    return render(request, "declarations/ringing.html", ringing=ringing)


@router.post("/sightings/{sighting_id}/dismiss")
def dismiss_sighting(
    request: Request, action: ClerkAction, sighting_id: Annotated[int, Path(ge=1, le=2**63 - 1)]
) -> Response:
    """A plate that a camera read needs no declaration."""
    try:
        sightings.dismiss(action, sighting_id)
    except CuaKhauError as error:
        return _show(request, action, error=error)
    return lead_on(request, "/support", DISMISSED)


@router.get("/enterprises")
def show_enterprises(request: Request, _principal: DeskDep, session: SessionDep, organisation: str = "") -> Response:
    """Enterprises found by name, as choices of the form."""
    found = desk.find_enterprises(session, organisation[:100])
    return render(request, "declarations/enterprises.html", organisations=found, chosen=None)


@router.post("/{arrival_id}/open")
def open_case(action: ClerkAction, arrival_id: int) -> Response:
    """Begin to declare with a vehicle, or go on with it."""
    arrival = desk.open_case(action, arrival_id)
    if arrival.trip_id is not None:
        return RedirectResponse(f"/declarations/{arrival.trip_id}/edit", 303)
    return RedirectResponse(f"/support/{arrival_id}/declare", 303)


@router.get("/{arrival_id}/declare")
def show_declare(
    request: Request,
    principal: ClerkDep,
    session: SessionDep,
    sheets: SheetsDep,
    corridor: CorridorDep,
    clock: ClockDep,
    arrival_id: int,
    organisation: str = "",
) -> Response:
    """The form for a vehicle that waits."""
    action = DeclarationAction(session, principal, clock.now(), corridor=corridor, sheets=sheets)
    arrival, form = desk.begin_form(action, arrival_id)
    owner = desk.owner_of(session, arrival)
    chosen = accounts.find_organisation(session, owner) if owner is not None else None
    found = [chosen] if chosen and not organisation else desk.find_enterprises(session, organisation)
    return _show_form(request, session, corridor, as_written(form), arrival_id, found, owner, "")


@router.post("/{arrival_id}/declare")
def declare(
    request: Request,
    action: ClerkAction,
    written: WrittenDep,
    arrival_id: int,
    organisation_id: Annotated[str, Form(max_length=10)] = "",
    new_name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Declare for the vehicle, for a known enterprise or a new one."""
    owner = int(organisation_id) if organisation_id.isascii() and organisation_id.isdigit() else None
    found = [
        organisation
        for organisation in [accounts.find_organisation(action.session, owner) if owner else None]
        if organisation
    ]
    if written["act"] == "add_line":
        return _show_form(
            request, action.session, action.corridor, with_blank_line(written), arrival_id, found, owner, new_name
        )
    try:
        with action.session.begin_nested():
            trip_id = desk.declare(
                action,
                arrival_id,
                written,
                organisation_id=owner,
                new_name=new_name,
                submit=written["act"] == "submit",
            )
    except CuaKhauError as error:
        return _show_form(request, action.session, action.corridor, written, arrival_id, found, owner, new_name, error)
    if written["act"] == "submit":
        return lead_on(request, "/support", DECLARED)
    return lead_on(request, f"/declarations/{trip_id}/edit", KEPT)


@router.post("/{arrival_id}/leave")
def leave(request: Request, action: ClerkAction, arrival_id: int, note: Annotated[str, Form()] = "") -> Response:
    """The vehicle left undeclared."""
    try:
        with action.session.begin_nested():
            desk.send_away(action, arrival_id, note)
    except CuaKhauError as error:
        return _show(request, action, error=error)
    return lead_on(request, "/support", LEFT)


def _show(
    request: Request,
    action: DeclarationAction,
    *,
    days: int = 1,
    error: CuaKhauError | None = None,
    written: dict[str, str] | None = None,
) -> Response:
    listed, figures = desk.list_arrivals(action.session, action.actor, now=action.now, days=days)
    return render(
        request,
        "declarations/support.html",
        status=422 if error else 200,
        listed=listed,
        figures=figures,
        ringing=sightings.list_ringing(action.session, action.actor, now=action.now),
        pictures=sightings.pictures_of(action.session, [arrival.arrival_id for arrival in listed]),
        error=error,
        days=days,
        written=written or {"plate": "", "arrived": action.now.astimezone(LOCAL_ZONE).strftime("%H:%M"), "note": ""},
        statuses=ArrivalStatus.by_name(),
        sites=action.corridor.sites,
    )


def _show_form(
    request: Request,
    session: Session,
    corridor: Corridor,
    written: Written,
    arrival_id: int,
    organisations: Sequence[Organisation],
    chosen: int | None,
    new_name: str,
    error: CuaKhauError | None = None,
) -> Response:
    context = {
        "arrival_id": arrival_id,
        "organisations": organisations,
        "chosen": chosen,
        "new_name": new_name,
        "picture_read_id": sightings.pictures_of(session, [arrival_id]).get(arrival_id),
    }
    return show_form(request, session, corridor, written, error, desk=context)
