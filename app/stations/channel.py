"""Customs' channel of a trip: green releases at once, yellow looks at papers, red at papers and goods."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.sheets.service import Sheets, load_sheet
from app.trips import store as trip_store
from app.trips.scope import visible_trips
from app.trips.vocabulary import Channel
from geo.errors import ConflictError, InvalidInputError, NotFoundError, StaleError

STEP: Final = "customs"


def set_channel(
    session: Session,
    sheets: Sheets,
    principal: Principal,
    trip_id: int,
    channel: str,
    *,
    edited_version: int,
    now: datetime,
    address: str = "",
) -> int:
    """Give a trip its channel; the sheet's version. With green the platform confirms customs' step as soon as it is
    ready, where the procedure says so.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such trip at the caller's gate, its sheet was changed meanwhile, it is not declared or inspected
        already, or there is no such channel.
    """
    if Channel.lookup(channel) is None:
        raise InvalidInputError(
            "There is no channel {channel}; use green, yellow or red.", field="channel", channel=channel
        )
    trip = trip_store.lock_trip(session, visible_trips(principal, "channels.set"), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    if trip.version != edited_version:
        raise StaleError(
            "The sheet was changed meanwhile: you edited version {edited}, now it is version {present}. "
            "Look at it again.",
            edited=edited_version,
            present=trip.version,
        )
    if trip.procedure_id is None:
        raise ConflictError("The trip {code} is not declared; it gets no channel before.", code=trip.code)
    if load_sheet(session, trip).state().get(STEP) == "done":
        raise ConflictError("Customs have released the trip {code}; its channel stays as it is.", code=trip.code)
    return sheets.update_facts(session, trip_id, {"channel": channel}, now, principal=principal, address=address)
