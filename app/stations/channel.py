"""Customs' channel of a trip: green releases at once, yellow looks at papers, red at papers and goods."""

from __future__ import annotations

from app.platform.actions import ActionContext
from app.procedures.steps import Step, StepStatus
from app.sheets.service import Sheets, load_sheet
from app.trips import store as trip_store
from app.trips.scope import visible_trips
from app.trips.vocabulary import Channel
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version


def set_channel(action: ActionContext, sheets: Sheets, trip_id: int, channel: str, *, expected_version: int) -> int:
    """Give a trip its channel; the sheet's version. With green the platform confirms customs' step as soon as it is
    ready, where the procedure says so.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such trip at the caller's gate, its sheet was changed since, it is not declared or inspected
        already, or there is no such channel.
    """
    if Channel.lookup(channel) is None:
        raise InvalidInputError(
            "There is no channel {channel}; use green, yellow or red.", field="channel", channel=channel
        )
    trip = trip_store.lock_trip(action.session, visible_trips(action.actor, "channels.set"), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    check_version(trip.version, expected_version)
    if trip.procedure_id is None:
        raise ConflictError("The trip {code} is not declared; it gets no channel before.", code=trip.code)
    if load_sheet(action.session, trip).state().get(Step.CUSTOMS) == StepStatus.DONE:
        raise ConflictError("Customs have released the trip {code}; its channel stays as it is.", code=trip.code)
    return sheets.update_facts(action, trip_id, {"channel": channel})
