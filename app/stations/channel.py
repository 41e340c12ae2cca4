"""Customs' channel of a trip: green releases at once, yellow looks at papers, red at papers and goods."""

from __future__ import annotations

from typing import Final

from app.checkpoints import service as checkpoints
from app.checkpoints.vocabulary import WarningKind
from app.checkpoints.warnings import StepWarning
from app.platform.actions import ActionContext, Event
from app.platform.labels import N_
from app.platform.permissions import Role
from app.procedures.steps import Step, StepStatus
from app.sheets.service import Sheets, load_sheet
from app.trips.scope import visible_trips
from app.trips.service import Trip, lock_trip
from app.trips.timeline import audience_of
from app.trips.vocabulary import Channel
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version

LOWERED: Final = {
    Channel.GREEN: N_("The red channel was turned green."),
    Channel.YELLOW: N_("The red channel was turned yellow."),
}

BY_HAND: Final = {
    Channel.GREEN: N_("The channel was set to green by hand, without an answer of customs' system."),
    Channel.YELLOW: N_("The channel was set to yellow by hand, without an answer of customs' system."),
    Channel.RED: N_("The channel was set to red by hand, without an answer of customs' system."),
}


def set_channel(
    action: ActionContext, sheets: Sheets, trip_id: int, channel: str, *, expected_version: int, reason: str = ""
) -> int:
    """Give a trip its channel; the sheet's version. With green the platform confirms customs' step as soon as it is
    ready, where the procedure says so. A red channel is lowered only with a reason, which supervisors see; so is any
    set where customs' system is asked and has not answered.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such trip at the caller's gate, its sheet was changed since, it is not declared or inspected
        already, customs' system gave the channel and answers, there is no such channel, or a reason is missing.
    """
    if Channel.lookup(channel) is None:
        raise InvalidInputError(
            "There is no channel {channel}; use green, yellow or red.", field="channel", channel=channel
        )
    trip = lock_trip(action.session, visible_trips(action.actor, "channels.set"), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    check_version(trip.version, expected_version)
    if trip.procedure_id is None:
        raise ConflictError("The trip {code} is not declared; it gets no channel before.", code=trip.code)
    if load_sheet(action.session, trip).state().get(Step.CUSTOMS) == StepStatus.DONE:
        raise ConflictError("Customs have released the trip {code}; its channel stays as it is.", code=trip.code)
    _check_by_hand(action, sheets, trip, channel, reason)
    if trip.channel == Channel.RED and channel != Channel.RED:
        lowered = StepWarning(WarningKind.RED_LOWERED, channel, LOWERED[Channel.get(channel)])
        checkpoints.log_overrides(action, trip, Step.CUSTOMS, [lowered], checkpoints.check_reason(reason))
    return take_channel(action, sheets, trip, channel)


def take_channel(action: ActionContext, sheets: Sheets, trip: Trip, channel: str) -> int:
    """Give a locked trip a channel that somebody was entitled to give; the sheet's version."""
    version = sheets.update_facts(action, trip.trip_id, {"channel": channel})
    data = {"trip_id": trip.trip_id, "gate_id": trip.gate_id, "channel": channel, "version": version}
    audience = audience_of(trip, [role for role in Role if role.is_at_gate], gates=(trip.gate_id,))
    action.publish_event(Event("sheet", audience, data))  # no step need have changed, but the sheet has
    return version


def _check_by_hand(action: ActionContext, sheets: Sheets, trip: Trip, channel: str, reason: str) -> None:
    """Where customs' system is asked, it gives the channel: an officer only without its answer, and with a reason."""
    word = sheets.channel_source(action.session, trip)
    if word is None:
        return
    if word.is_up and word.channel is not None:
        raise ConflictError(
            "Customs' system gave the trip {code} its channel ({channel}); while it answers nobody sets it by hand.",
            code=trip.code,
            channel=Channel.get(word.channel),
        )
    by_hand = StepWarning(WarningKind.CHANNEL_BY_HAND, channel, BY_HAND[Channel.get(channel)])
    checkpoints.log_overrides(action, trip, Step.CUSTOMS, [by_hand], checkpoints.check_reason(reason))
