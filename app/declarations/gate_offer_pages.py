"""Accepting a place at another gate on the page of bookings, by one press."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.bookings.pages import answer
from app.declarations import gate_offers
from app.declarations.gate_offer_endpoints import BookingId
from app.declarations.trip_endpoints import WriterAction
from app.platform.labels import N_

router = APIRouter(include_in_schema=False)

MOVED: Final = N_("Accepted: the truck is declared and booked for the other gate; the driver is told.")


@router.post("/bookings/{booking_id}/accept")
def accept(request: Request, action: WriterAction, booking_id: BookingId) -> Response:
    """Accept it; what is refused is said on the page."""
    return answer(request, action, action.corridor, lambda: gate_offers.accept(action, booking_id), MOVED)
