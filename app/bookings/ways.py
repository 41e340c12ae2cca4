"""The ways to other gates that a booking may be offered at."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from geo.store import load_corridor
from routing.ways import Ways

_KEPT: Final = "ways"


def ways_of(session: Session) -> Ways:
    """The ways of the corridor, read once a session: when a yard closes many bookings ask for them."""
    if _KEPT not in session.info:
        session.info[_KEPT] = Ways(load_corridor(session))
    ways: Ways = session.info[_KEPT]
    return ways
