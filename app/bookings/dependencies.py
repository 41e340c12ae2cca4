"""What pages of other features need to show a booking."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from app.bookings.news import moved_text
from app.bookings.store import NamedBooking
from app.platform.dependencies import CorridorDep

SayMoved = Callable[[NamedBooking], str]


def moved_in_words(request: Request, corridor: CorridorDep) -> SayMoved:
    """Says where to and why a booking was moved, in the language of the request."""
    language = request.app.state.pages.language(request)
    gettext = partial(request.app.state.gettext, request)
    names = {site_id: site.name for site_id, site in corridor.sites.items()}
    return lambda named: moved_text(named.booking, named.plate, names, gettext, language)


MovedDep = Annotated[SayMoved, Depends(moved_in_words)]
