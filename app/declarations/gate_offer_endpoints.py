"""Accepting a place at another gate."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from app.bookings.schemas import BookingOut
from app.declarations import gate_offers
from app.declarations.trip_endpoints import WriterAction
from app.platform.errors import problems
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["bookings"])

BookingId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("/bookings/{booking_id}/accept", responses=problems(404, 409))
def accept(booking_id: BookingId, action: WriterAction) -> BookingOut:
    """Accept a place that is held at another gate: the trip is declared for that gate."""
    return BookingOut.of(gate_offers.accept(action, booking_id))
