"""What pages of other features need to show a booking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from app.bookings.news import moved_text
from app.bookings.store import NamedBooking
from app.bookings.vocabulary import BookingState
from app.platform.dependencies import CorridorDep

SayMoved = Callable[[NamedBooking], str]


def moved_in_words(request: Request, corridor: CorridorDep) -> SayMoved:
    """Says where to and why a booking was moved, in the language of the request."""
    language = request.app.state.pages.language(request)
    gettext = partial(request.app.state.gettext, request)
    names = {site_id: site.name for site_id, site in corridor.sites.items()}
    return lambda named: moved_text(named.booking, named.plate, names, gettext, language)


MovedDep = Annotated[SayMoved, Depends(moved_in_words)]


@dataclass(frozen=True)
class SayBooking:
    """A booking in the words of the request's language: how it stands, where to and why it was moved."""

    state: SayMoved
    moved: SayMoved


def booking_in_words(request: Request, moved: MovedDep) -> SayBooking:
    """Says how a booking stands and what became of it."""
    gettext = partial(request.app.state.gettext, request)
    return SayBooking(lambda named: gettext(BookingState.get(named.booking.state).label), moved)


SayDep = Annotated[SayBooking, Depends(booking_in_words)]
