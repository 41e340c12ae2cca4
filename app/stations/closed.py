"""Trips that are over, for the agencies that acted on them: found again, read and printed, changed by nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.procedures.readers import reads_in_clear
from app.sheets.guards import acted_on
from app.stations import closed_store
from app.stations.closed_store import ClosedTrip
from app.trips.codes import find_code
from geo.errors import InvalidInputError
from ingest.plates import display_plate, squeeze

MAX_FOUND: Final = 100
MIN_CHARACTERS: Final = 3


def find_closed(
    session: Session, principal: Principal, written: str, *, since: datetime | None, until: datetime | None
) -> list[ClosedTrip]:
    """Closed trips that the caller's agency at its gate acted on, newest first, at most `MAX_FOUND`.

    Arguments: `written`, a trip code, a plate of truck or trailer or a part of one, a declaration number, words of
    driver, goods or enterprise, accents left aside; empty for all within the dates `since` and `until` of the end.

    Raises
    ------
    InvalidInputError
        If neither a date nor enough of a text is given.
    """
    text = " ".join(written.split())
    if len(text) < MIN_CHARACTERS and since is None and until is None:
        raise InvalidInputError(
            "Write at least {fewest} characters of plate, driver, code or declaration number, or give dates.",
            field="text",
            fewest=MIN_CHARACTERS,
        )
    found = closed_store.closed_trips(
        session,
        acted_on(principal, "inspections.read"),
        code=find_code(text),
        plate="".join(sign for sign in squeeze(text) if sign.isalnum()),
        text=text,
        since=since,
        until=until,
        by_number=reads_in_clear(principal.reader, "driver"),
        limit=MAX_FOUND,
    )
    return [
        replace(trip, trailer_plate=display_plate(trip.trailer_plate) if trip.trailer_plate else None) for trip in found
    ]
