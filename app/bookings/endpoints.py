"""Bookings: the hours of a gate, holding and confirming a place, extending, cancelling, appealing."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Response

from app.accounts.authorisation import acting, allow
from app.bookings import appeals, service
from app.bookings.dependencies import SayDep
from app.bookings.rules import RULES, BookingRules
from app.bookings.schemas import (
    AppealIn,
    BookingIn,
    BookingList,
    BookingOut,
    CalendarOut,
    DecisionIn,
    ExtensionIn,
    RulesOut,
)
from app.bookings.supply import next_hour
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.web.routers import ApiRouter
from capacity.vocabulary import ZoneKind

router = ApiRouter(prefix="/api/v1", tags=["bookings"])

Reader = Annotated[Principal, Depends(allow("bookings.read"))]
Writer = Annotated[ActionContext, Depends(acting("bookings.write"))]
BookingId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/bookings", responses=problems())
def list_bookings(
    session: SessionDep,
    principal: Reader,
    say: SayDep,
    open_only: bool = False,
    trip_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> BookingList:
    """The caller's bookings, the newest first, at most 500."""
    found = service.list_bookings(session, principal, open_only=open_only, trip_id=trip_id)
    return BookingList(items=[BookingOut.of(named, say) for named in found])


@router.get("/gates/{gate_id}/booking-hours", responses=problems(404))
def read_hours(
    gate_id: str, session: SessionDep, clock: ClockDep, _principal: Reader, kind: ZoneKind = ZoneKind.STANDARD
) -> CalendarOut:
    """The hours of the week that begins with the next hour: places, those taken, and those that a truck can book that
    needs a kind of place."""
    now = clock.now()
    return CalendarOut.of(service.read_calendar(session, gate_id, next_hour(now), now), kind)


@router.post("/bookings", status_code=201, responses=problems(404, 409))
def hold(body: BookingIn, action: Writer) -> BookingOut:
    """Hold a place for a trip; it is to be confirmed before `held_until`. Sent again, it is the same booking."""
    booking = service.hold(action, body.trip_id, body.starts_at, stand_by=body.stand_by)
    return BookingOut.model_validate(booking)


@router.post("/bookings/{booking_id}/confirm", responses=problems(404, 409))
def confirm(booking_id: BookingId, action: Writer) -> BookingOut:
    """Make a held place a booked one."""
    return BookingOut.model_validate(service.confirm(action, booking_id))


@router.post("/bookings/{booking_id}/extend", responses=problems(404, 409))
def extend(booking_id: BookingId, body: ExtensionIn, action: Writer) -> BookingOut:
    """Let the truck come later, once, by one of the lengths that are set."""
    return BookingOut.model_validate(service.extend(action, booking_id, body.hours))


@router.post("/bookings/{booking_id}/cancel", responses=problems(404, 409))
def cancel(booking_id: BookingId, action: Writer) -> BookingOut:
    """Give the place back; near its hour that counts against the vehicle."""
    return BookingOut.model_validate(service.cancel(action, booking_id))


@router.post("/bookings/{booking_id}/appeal", responses=problems(404, 409))
def appeal(booking_id: BookingId, body: AppealIn, action: Writer) -> BookingOut:
    """Say why a no-show or a late cancellation should not count."""
    return BookingOut.model_validate(appeals.appeal(action, booking_id, body.text))


@router.post("/bookings/{booking_id}/decide", responses=problems(404, 409))
def decide(
    booking_id: BookingId,
    body: DecisionIn,
    action: Annotated[ActionContext, Depends(acting("bookings.decide"))],
) -> BookingOut:
    """Accept or refuse an appeal, with the reason."""
    booking = appeals.decide(action, booking_id, accept=body.accept, reason=body.reason)
    return BookingOut.model_validate(booking)


@router.get("/settings/booking-rules", responses=problems())
def read_rules(
    response: Response, _principal: Annotated[Principal, Depends(allow("settings.read"))], session: SessionDep
) -> RulesOut:
    """How places are booked: shares, lengths, limits, consequences."""
    return with_etag(response, RulesOut.model_validate(RULES.get(session)))


@router.put("/settings/booking-rules", responses=problems(412, 428))
def replace_rules(
    body: BookingRules,
    response: Response,
    action: Annotated[ActionContext, Depends(acting("settings.write"))],
    expected_version: ExpectedVersion,
) -> RulesOut:
    """Set how places are booked."""
    return with_etag(response, RulesOut.model_validate(RULES.set(action, body, expected_version)))
