"""The page of a station's shift handover."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from app.accounts.authorisation import acting
from app.notices.endpoints import Naming
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import translate
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.sheets.stations import get_station, stations_of
from app.stations import handover
from app.stations.handover import MAX_OPEN, PAGE, OpenPoints, Point
from app.stations.handover_endpoints import HandoverId, wording_of
from app.stations.pages import AtQuery, StationDep, here_of
from app.stations.vocabulary import PointKind
from app.web.pages import lead_on, render
from geo.errors import CuaKhauError, InvalidInputError

router = APIRouter(include_in_schema=False, prefix="/station/handover")

HANDED_OVER: Final = N_("Handed over; the next officer takes it over on this page.")
TAKEN_OVER: Final = N_("Taken over. What is open stands below.")
AfterQuery = Annotated[int, Query(ge=0, le=MAX_OPEN)]
WriterAction = Annotated[ActionContext, Depends(acting("handovers.write"))]


async def read_points(request: Request) -> list[Point]:
    """The points that a form has chosen, and the lines written by hand."""
    form = await request.form()
    pairs = [(name, value.replace("\0", "").strip()) for name, value in form.multi_items() if isinstance(value, str)]
    try:
        points = [Point.model_validate_json(value) for name, value in pairs if name == "point"]
    except ValidationError:
        raise InvalidInputError("A point of the list cannot be read; load the page again.", field="point") from None
    own = [line.strip()[:500] for name, value in pairs if name == "own" for line in value.splitlines()]
    return [*points, *(Point(kind=PointKind.OTHER, text=line) for line in own if line)]


@router.get("")
def show_handover(
    request: Request,
    principal: StationDep,
    session: SessionDep,
    clock: ClockDep,
    at: AtQuery = None,
    after: AfterQuery = 0,
) -> Response:
    """What the shift before left, what is open now, and the handovers before."""
    return _page(request, principal, session, clock, at, after)


@router.post("")
def hand_over(
    request: Request,
    action: WriterAction,
    clock: ClockDep,
    points: Annotated[list[Point], Depends(read_points)],
    note: Annotated[str, Form()] = "",
    others: Annotated[bool, Form()] = False,
    at: AtQuery = None,
    after: AfterQuery = 0,
) -> Response:
    """Hand over what was chosen on the page, and with `others` all that stands on the other pages."""
    try:
        with action.session.begin_nested():
            found = _open_points(request, action.actor, action.session, clock, at) if others else []
            elsewhere = [*found[:after], *found[after + PAGE :]]
            handover.hand_over(action, at, points, note.replace("\0", ""), elsewhere)
    except CuaKhauError as error:
        return _page(request, action.actor, action.session, clock, at, after, translate(request, error))
    return lead_on(request, f"/station/handover?at={get_station(action.actor, at).name}", HANDED_OVER)


@router.post("/{handover_id}/take")
def take_over(
    request: Request,
    handover_id: HandoverId,
    action: WriterAction,
    clock: ClockDep,
    remark: Annotated[str, Form()] = "",
    at: AtQuery = None,
    after: AfterQuery = 0,
) -> Response:
    """Take over."""
    try:
        with action.session.begin_nested():
            handover.take_over(action, handover_id, remark.replace("\0", ""))
    except CuaKhauError as error:
        return _page(request, action.actor, action.session, clock, at, after, translate(request, error))
    return lead_on(request, f"/station/handover?at={get_station(action.actor, at).name}", TAKEN_OVER)


def _open_points(
    request: Request, principal: Principal, session: SessionDep, clock: ClockDep, at: str | None
) -> list[Point]:
    return handover.open_points(session, principal, at, clock.now(), wording_of(request, Naming.of(request)))


def _page(
    request: Request,
    principal: Principal,
    session: SessionDep,
    clock: ClockDep,
    at: str | None,
    after: int,
    message: str = "",
) -> Response:
    station = get_station(principal, at)
    known = handover.list_handovers(session, principal, at).items
    found = _open_points(request, principal, session, clock, at)
    return render(
        request,
        "stations/handover.html",
        status=422 if message else 200,
        station=station,
        here=here_of(principal, station),
        stations=stations_of(principal),
        waiting=next((shift for shift in known if shift.taken_at is None), None),
        handovers=known,
        found=OpenPoints.of(station.name, found, after, PAGE),
        after=after,
        page_length=PAGE,
        message=message,
    )
