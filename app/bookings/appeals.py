"""Appeals against what counts against a vehicle: sent by its enterprise, decided at the gate."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.bookings import store
from app.bookings.acts import apply, change, lock_visible
from app.bookings.rules import rules_in_force
from app.bookings.scope import visible_bookings
from app.bookings.store import NamedBooking
from app.bookings.tables import Booking
from app.gates.notice import show_moment
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from capacity import slots
from capacity.slots import SlotAct, SlotRules
from geo.errors import ConflictError, InvalidInputError

TEXT_LENGTH: Final = (3, 1000)
MAX_LISTED: Final = 500


def appeal(action: ActionContext, booking_id: int, text: str) -> Booking:
    """Say why a no-show or a late cancellation should not count; once, within days.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError
        If there is no such booking of the caller, nothing of it counts, the time is over, it was said already, or the
        text is too short or too long.
    """
    booking = lock_visible(action, booking_id, "bookings.write")
    written = _check_text(text, "text")
    if booking.appealed_at is not None and booking.appeal == written:
        return booking
    refusal = find_refusal(booking, action.now, rules_in_force(action.session))
    if refusal is not None:
        raise refusal
    change(action, booking, "appeal", {"appeal": written, "appealed_at": action.now}, told="appealed")
    return booking


def find_refusal(booking: Booking, now: datetime, rules: SlotRules) -> ConflictError | None:
    """Why no appeal can be sent for a booking now; `None` if one can."""
    if booking.state not in slots.COUNTING_AGAINST:
        return ConflictError("Nothing of this booking counts against the vehicle.")
    if booking.appealed_at is not None:
        return ConflictError("An appeal was sent already, at {time}.", time=show_moment(booking.appealed_at))
    if now > booking.state_since + rules.appeal_within:
        return ConflictError("Appeals are taken for {days} days; that time is over.", days=rules.appeal_within.days)
    return None


def decide(action: ActionContext, booking_id: int, *, accept: bool, reason: str) -> Booking:
    """Excuse a no-show or late cancellation, or let it count; said once.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError
        If there is no such booking at the caller's gate, no appeal waits, or no reason is given.
    """
    booking = lock_visible(action, booking_id, "bookings.decide")
    answer = _check_text(reason, "reason")
    if booking.appealed_at is None or booking.appeal_decided_at is not None:
        raise ConflictError("No appeal of this booking waits to be decided.")
    decided = {
        "appeal_answer": answer,
        "appeal_decided_at": action.now,
        "appeal_decided_by": action.actor.account_id,
    }
    if accept:
        apply(action, booking, SlotAct.EXCUSE, decided)
    else:
        change(action, booking, "uphold", decided, told="upheld")
    return booking


def list_appeals(session: Session, principal: Principal) -> list[NamedBooking]:
    """Appeals that wait, of those whose page the caller may open, the newest first."""
    waits = and_(Booking.appealed_at.is_not(None), Booking.appeal_decided_at.is_(None))
    return store.list_bookings(session, visible_bookings(principal, "pages.appeals"), waits, limit=MAX_LISTED)


def _check_text(text: str, field: str) -> str:
    written = text.strip()
    least, most = TEXT_LENGTH
    if not least <= len(written) <= most:
        raise InvalidInputError("Give a reason of {least} to {most} characters.", field=field, least=least, most=most)
    return written
