"""The calendar on which an enterprise books, its bookings, and the page on which a gate decides appeals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.responses import Response

from app.accounts.authorisation import acting, allow
from app.accounts.viewpoints import of_enterprise
from app.bookings import appeals, service
from app.bookings.dependencies import moved_in_words
from app.bookings.service import Calendar
from app.bookings.store import TripToBook
from app.bookings.supply import OPEN_ENDED, HourSupply, next_hour
from app.bookings.tables import Booking
from app.bookings.vocabulary import BookingState
from app.checkpoints.turns import priority_of
from app.forecasting.pace_learning import UsualPace
from app.gates.service import gate_name
from app.gates.vocabulary import KIND_NAMES
from app.notifications.reach import reached_of_bookings
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import translate
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.web.pages import lead_on, render
from capacity import zone_store
from capacity.slots import OPEN, SlotAct
from capacity.vocabulary import ZoneKind
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import CuaKhauError, InvalidInputError

router = APIRouter(include_in_schema=False)

Writer = Annotated[ActionContext, Depends(acting("bookings.write"))]
AppealsReader = Annotated[Principal, Depends(allow("pages.appeals"))]
DecideAction = Annotated[ActionContext, Depends(acting("bookings.decide"))]
BookingId = Annotated[int, Path(ge=1, le=2**31 - 1)]
TripId = Annotated[int, Form(ge=1, le=2**31 - 1)]
Words = Annotated[str, Form(max_length=2000)]
LEVELS: Final = 4
"""Steps of the heat table, from empty to full."""
URL: Final = "/bookings"
Enterprise = Annotated[Principal, Depends(of_enterprise(URL))]
DAYS: Final = 7
HELD: Final = N_("A place is held for you; confirm it.")
STANDS_BY: Final = N_("On standby: the place is yours once one becomes free, and you are told.")
BOOKED: Final = N_("Booked. The driver sees hour and yard on the trip's page.")
GIVEN_BACK: Final = N_("The place was given back.")
EXTENDED: Final = N_("The booking holds longer, in its new hours.")
APPEALED: Final = N_("The appeal was sent; the gate decides, and you are told.")
ACCEPTED: Final = N_("The appeal was accepted; the enterprise is told.")
UPHELD: Final = N_("The appeal was refused; the enterprise is told.")


@dataclass(frozen=True)
class Cell:
    """An hour of the calendar: places free to the trip, how full it is (0 to `LEVELS`), and the trip's own booking."""

    supply: HourSupply
    free: int
    level: int
    own: Booking | None


@dataclass(frozen=True)
class Week:
    """The calendar as a table: days, and for each hour of the day that is worked a row with a cell for each day; for a
    truck that needs a kind of place."""

    gate_id: str
    need: ZoneKind
    pace: UsualPace
    days: Sequence[datetime]
    rows: Sequence[tuple[int, Sequence[Cell | None]]]

    @classmethod
    def of(cls, calendar: Calendar, own: Sequence[Booking], need: ZoneKind, *, is_priority: bool) -> Week:
        """The hours ahead that can be booked, by local day and hour."""
        booked = {booking.starts_at: booking for booking in own if booking.gate_id == calendar.gate_id}
        cells: dict[tuple[int, date], Cell] = {}
        for supply in calendar.hours:
            if not supply.load.places or not supply.has_kind(need):
                continue
            local = supply.starts_at.astimezone(LOCAL_ZONE)
            bookable = supply.load.bookable(calendar.rules)
            free = calendar.free(supply, need, is_priority=is_priority)
            level = LEVELS if not bookable else round(LEVELS * (1.0 - min(free / bookable, 1.0)))
            cells[local.hour, local.date()] = Cell(supply, free, level, booked.get(supply.starts_at))
        days = sorted({day for _, day in cells})[:DAYS]
        hours = sorted({hour for hour, _ in cells})
        midnights = [datetime.combine(day, time(), LOCAL_ZONE) for day in days]
        return cls(
            calendar.gate_id,
            need,
            calendar.pace,
            midnights,
            [(hour, [cells.get((hour, day)) for day in days]) for hour in hours],
        )


@router.get(URL)
def show_bookings(
    request: Request,
    principal: Enterprise,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    trip_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """The calendar for one of the enterprise's declared trips, and its bookings."""
    return _page(request, principal, session, corridor, clock.now(), trip_id=trip_id)


@router.post(URL)
def hold(
    request: Request,
    action: Writer,
    corridor: CorridorDep,
    trip_id: TripId,
    starts_at: Annotated[str, Form(max_length=60)] = "",
    stand_by: Annotated[str, Form(max_length=60)] = "",
) -> Response:
    """Hold the place of a cell that was pressed."""

    def act() -> None:
        moment = _read_moment(starts_at or stand_by)
        service.hold(action, trip_id, moment, stand_by=bool(stand_by))

    return answer(request, action, corridor, act, STANDS_BY if stand_by else HELD, trip_id=trip_id)


@router.post(URL + "/{booking_id}/confirm")
def confirm(request: Request, action: Writer, corridor: CorridorDep, booking_id: BookingId) -> Response:
    """Book what is held."""
    return answer(request, action, corridor, lambda: service.confirm(action, booking_id), BOOKED)


@router.post(URL + "/{booking_id}/cancel")
def cancel(request: Request, action: Writer, corridor: CorridorDep, booking_id: BookingId) -> Response:
    """Give a place back."""
    return answer(request, action, corridor, lambda: service.cancel(action, booking_id), GIVEN_BACK)


@router.post(URL + "/{booking_id}/extend")
def extend(
    request: Request,
    action: Writer,
    corridor: CorridorDep,
    booking_id: BookingId,
    hours: Annotated[int, Form(ge=0, le=1000)],
) -> Response:
    """Let the truck come later."""
    return answer(request, action, corridor, lambda: service.extend(action, booking_id, hours), EXTENDED)


@router.post(URL + "/{booking_id}/appeal")
def appeal(
    request: Request, action: Writer, corridor: CorridorDep, booking_id: BookingId, text: Words = ""
) -> Response:
    """Say why it should not count."""
    return answer(request, action, corridor, lambda: appeals.appeal(action, booking_id, text), APPEALED)


@router.get("/appeals")
def show_appeals(request: Request, principal: AppealsReader, session: SessionDep) -> Response:
    """Appeals that wait for a decision at the gate."""
    return _appeals(request, principal, session)


@router.post("/appeals/{booking_id}")
def decide(
    request: Request,
    action: DecideAction,
    booking_id: BookingId,
    accept: Annotated[str, Form(max_length=10)] = "",
    reason: Words = "",
) -> Response:
    """Accept or refuse an appeal."""
    try:
        with action.session.begin_nested():
            appeals.decide(action, booking_id, accept=accept == "yes", reason=reason)
    except CuaKhauError as error:
        return _appeals(request, action.actor, action.session, message=translate(request, error))
    return lead_on(request, "/appeals", ACCEPTED if accept == "yes" else UPHELD)


def _appeals(request: Request, principal: Principal, session: SessionDep, *, message: str = "") -> Response:
    return render(
        request,
        "bookings/appeals.html",
        status=422 if message else 200,
        appeals=appeals.list_appeals(session, principal),
        states=BookingState.by_name(),
        message=message,
    )


def answer(
    request: Request,
    action: ActionContext,
    corridor: Corridor,
    act: Callable[[], object],
    done: str,
    *,
    trip_id: int | None = None,
) -> Response:
    """Act and lead back to the calendar; what is `done` (a gettext key) or refused is said there."""
    try:
        with action.session.begin_nested():
            act()
    except CuaKhauError as error:
        message = translate(request, error)
        return _page(request, action.actor, action.session, corridor, action.now, trip_id=trip_id, message=message)
    return lead_on(request, URL if trip_id is None else f"{URL}?trip_id={trip_id}", done)


def _page(
    request: Request,
    principal: Principal,
    session: SessionDep,
    corridor: Corridor,
    now: datetime,
    *,
    trip_id: int | None = None,
    message: str = "",
) -> Response:
    language = request.app.state.pages.language(request)
    trips = service.list_trips(session, principal)
    bookings = service.list_bookings(session, principal)
    held = [named.booking.trip_id for named in bookings if named.booking.state == BookingState.HELD]
    shown = _choose(trips, trip_id)
    own = [named.booking for named in bookings if named.booking.state in OPEN]
    week = None
    if shown is not None:
        is_priority = bool(priority_of(session, shown.trip_id, now).first)
        calendar = service.read_calendar(session, shown.gate_id, next_hour(now), now)
        week = Week.of(
            calendar,
            [booking for booking in own if booking.trip_id == shown.trip_id],
            shown.need,
            is_priority=is_priority,
        )
    rules = service.rules_in_force(session)
    return render(
        request,
        "bookings/calendar.html",
        status=422 if message else 200,
        trips=trips,
        shown=shown,
        week=week,
        closures=[] if shown is None else zone_store.closures_of_gates(session, now, [shown.gate_id]),
        closed_until=next_hour(now + OPEN_ENDED),
        held=held,
        bookings=bookings,
        open_states=OPEN,
        is_late=lambda booking: service.cancelling(booking, now, rules) is SlotAct.CANCEL_LATE,
        may_appeal=lambda booking: appeals.find_refusal(booking, now, rules) is None,
        states=BookingState.by_name(),
        rules=rules,
        kind_names=KIND_NAMES,
        last_hour=now + rules.ahead,
        gates={gate.site_id: gate_name(corridor, gate.site_id, language) for gate in corridor.gates()},
        sites=corridor.sites,
        levels=LEVELS,
        now=now,
        message=message,
        moved=moved_in_words(request, corridor),
        reached=reached_of_bookings(session, {named.booking.trip_id for named in bookings}, now),
    )


def _read_moment(written: str) -> datetime:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInputError("{value} is not the beginning of an hour.", field="starts_at", value=written[:40])
    return moment


def _choose(trips: Sequence[TripToBook], trip_id: int | None) -> TripToBook | None:
    """The trip of that number, else the first that has no booking."""
    return next((trip for trip in trips if trip.trip_id == trip_id), trips[0] if trips else None)
