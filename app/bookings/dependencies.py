"""What pages of other features need to show a booking."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from app.bookings.news import SayBooking, SayMoved, moved_text
from app.bookings.vocabulary import BookingState
from app.platform.dependencies import CorridorDep
from routing.ways import Ways


def moved_in_words(request: Request, corridor: CorridorDep) -> SayMoved:
    """Says where to and why a booking was moved, in the language of the request."""
    language = request.app.state.pages.language(request)
    gettext = partial(request.app.state.gettext, request)
    names = {site_id: site.name for site_id, site in corridor.sites.items()}
    ways = Ways(corridor)
    return lambda named: moved_text(named.booking, named.plate, names, ways, gettext, language)


MovedDep = Annotated[SayMoved, Depends(moved_in_words)]


def booking_in_words(request: Request, moved: MovedDep) -> SayBooking:
    """Says how a booking stands and what became of it."""
    gettext = partial(request.app.state.gettext, request)
    return SayBooking(lambda named: gettext(BookingState.get(named.booking.state).label), moved)


SayDep = Annotated[SayBooking, Depends(booking_in_words)]
