"""The page of events at other borders that change who comes here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.forecasting import event_service as events
from app.forecasting.demand_events import DemandEvent
from app.gates.service import gate_ids, gate_name
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import translate
from app.platform.permissions import Principal
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.errors import CuaKhauError, InvalidInputError

router = APIRouter(include_in_schema=False, prefix="/forecast/events")

Reader = Annotated[Principal, Depends(allow("skill.read"))]
Writer = Annotated[ActionContext, Depends(acting("demand_events.write"))]
EventId = Annotated[int, Path(ge=1, le=2**31 - 1)]


async def read_sent(request: Request) -> dict[str, str]:
    """The fields of the form."""
    form = await request.form()
    return {name: value.strip().replace("\0", "") for name, value in form.items() if isinstance(value, str)}


SentDep = Annotated[dict[str, str], Depends(read_sent)]


@router.get("")
def show_events(
    request: Request, _principal: Reader, session: SessionDep, corridor: CorridorDep, clock: ClockDep
) -> Response:
    """Events that go on or are to come, and the form to tell of one."""
    return _page(request, session, corridor, clock.now(), {}, "")


@router.post("")
def add_event(request: Request, action: Writer, corridor: CorridorDep, sent: SentDep) -> Response:
    """Tell of an event."""
    return _answer(request, action, corridor, sent, lambda: _add(action, corridor, sent))


@router.post("/{event_id}/withdrawal")
def withdraw_event(request: Request, event_id: EventId, action: Writer, corridor: CorridorDep) -> Response:
    """Take an event back."""
    return _answer(request, action, corridor, {}, partial(events.withdraw_event, action, event_id))


def _add(action: ActionContext, corridor: CorridorDep, sent: dict[str, str]) -> None:
    written = sent.get("factor", "").replace(",", ".")
    try:
        factor = float(written)
    except ValueError:
        raise InvalidInputError(
            "{value} is not a number; write digits, such as 1250 or 12.5.", field="factor", value=written
        ) from None
    event = DemandEvent(
        gate_id=sent.get("gate_id") or None,
        starts_at=_moment(sent, "starts_at"),
        ends_at=_moment(sent, "ends_at"),
        factor=factor,
        cause=sent.get("cause", ""),
    )
    events.add_event(action, event, gate_ids(corridor))


def _moment(sent: dict[str, str], name: str) -> datetime:
    written = sent.get(name, "")
    try:
        return datetime.fromisoformat(written).replace(tzinfo=LOCAL_ZONE)
    except ValueError:
        raise InvalidInputError(
            "{value} is not a date and time; write it like 31/12/2026 14:30.", field=name, value=written
        ) from None


def _answer(
    request: Request, action: ActionContext, corridor: CorridorDep, sent: dict[str, str], act: Callable[[], object]
) -> Response:
    """Act and lead back to the page; what is refused is said there, with what was written kept."""
    try:
        with action.session.begin_nested():
            act()
    except CuaKhauError as error:
        return _page(request, action.session, corridor, action.now, sent, translate(request, error))
    return RedirectResponse("/forecast/events", 303)


def _page(
    request: Request, session: SessionDep, corridor: CorridorDep, now: datetime, sent: dict[str, str], message: str
) -> Response:
    language = request.app.state.pages.language(request)
    return render(
        request,
        "forecasting/demand_events.html",
        status=422 if message else 200,
        found=events.list_events(session, since=now),
        gates={gate: gate_name(corridor, gate, language) for gate in gate_ids(corridor)},
        max_factor=events.MAX_FACTOR,
        max_cause=events.MAX_CAUSE,
        sent=sent,
        message=message,
        now=now,
    )
