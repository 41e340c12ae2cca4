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
from app.trips.service import lock_trip
from app.trips.timeline import audience_of
from app.trips.vocabulary import Channel
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version

LOWERED: Final = {
    Channel.GREEN: N_("The red channel was turned green."),
    Channel.YELLOW: N_("The red channel was turned yellow."),
}


def set_channel(
    action: ActionContext, sheets: Sheets, trip_id: int, channel: str, *, expected_version: int, reason: str = ""
) -> int:
    """Give a trip its channel; the sheet's version. With green the platform confirms customs' step as soon as it is
    ready, where the procedure says so. A red channel is lowered only with a reason, which supervisors see.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such trip at the caller's gate, its sheet was changed since, it is not declared or inspected
        already, there is no such channel, or a red one is lowered without a reason.
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
    if trip.channel == Channel.RED and channel != Channel.RED:
        lowered = StepWarning(WarningKind.RED_LOWERED, channel, LOWERED[Channel.get(channel)])
        checkpoints.log_overrides(action, trip, Step.CUSTOMS, [lowered], checkpoints.check_reason(reason))
    version = sheets.update_facts(action, trip_id, {"channel": channel})
    data = {"trip_id": trip.trip_id, "gate_id": trip.gate_id, "channel": channel, "version": version}
    audience = audience_of(trip, [role for role in Role if role.is_at_gate], gates=(trip.gate_id,))
    action.publish_event(Event("sheet", audience, data))  # no step need have changed, but the sheet has
    return version
