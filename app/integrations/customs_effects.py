"""What the word of customs' system does to trips: it gives the channel, releases, and what was decided by hand while
it was away is compared with it.

A trip that carries goods of several declarations has the strictest of their channels, once all have been answered, and
is released when all are. What is confirmed against a hold needs a reason, as any warning of a checkpoint does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import true
from sqlalchemy.orm import Session

from app.checkpoints import service as checkpoints
from app.gates.vocabulary import Channel
from app.integrations import customs_store, service
from app.integrations.customs_messages import NAME
from app.integrations.customs_store import KnownDeclaration, ListedDifference
from app.integrations.customs_tables import DifferenceRow
from app.integrations.vocabulary import CustomsState, DifferenceKind, Health
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.procedures.steps import Step, StepStatus
from app.sheets.channel_source import ChannelWord
from app.sheets.service import Sheets, load_sheet
from app.stations.channel import take_channel
from app.trips.service import Trip, lock_trip
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, NotFoundError

STRICTNESS: Final = (Channel.GREEN, Channel.YELLOW, Channel.RED)
TAKEN_OVER: Final = "taken over"
"""Why a difference is settled that came before customs' step was done: the channel of customs' system holds."""


def strictest(known: Sequence[KnownDeclaration]) -> Channel | None:
    """The channel of a trip by its declarations; `None` until each has been answered with one."""
    channels = [Channel.lookup(each.channel) for each in known]
    given = [channel for channel in channels if channel is not None]
    return max(given, key=STRICTNESS.index) if given and len(given) == len(channels) else None


def word_of_customs(session: Session, trip: Trip) -> ChannelWord | None:
    """What customs' system says of the channel of a trip, for whoever would set it by hand; `None` where nobody asks
    it: not connected, or no declaration number."""
    health = service.health_of(session, NAME)
    known = customs_store.known_of_trip(session, trip.trip_id) if health.is_asked else []
    if not known:
        return None
    channel = strictest(known)
    return ChannelWord(is_up=health is not Health.DOWN, channel=None if channel is None else str(channel))


def apply(action: ActionContext, sheets: Sheets, trip_id: int) -> None:
    """Let what customs' system said of a trip's declarations count; done again it changes nothing."""
    session, now = action.session, action.now
    trip = lock_trip(session, true(), trip_id)
    known = customs_store.known_of_trip(session, trip_id)
    if trip is None or trip.procedure_id is None or not known:
        return
    channel, given = strictest(known), known[0].given_channel
    is_done = load_sheet(session, trip).state().get(Step.CUSTOMS) == StepStatus.DONE
    if channel is not None and channel != given:
        if trip.channel not in (None, given, channel):
            settled = None if is_done else now
            _differ(action, known, trip, DifferenceKind.CHANNEL, trip.channel or "", channel, settled_at=settled)
        customs_store.note_given(session, trip_id, channel)
        if not is_done and trip.stage in Stage.open() and trip.channel != channel:
            take_channel(action.by_platform(), sheets, trip, channel)
    if is_done:
        for each in known:
            if each.state in CustomsState.stops():
                _differ(action, [each], trip, DifferenceKind.STATE, CustomsState.RELEASED, each.state or "")
    else:
        release(action, sheets, trip, known)


def release(action: ActionContext, sheets: Sheets, trip: Trip, known: Sequence[KnownDeclaration]) -> None:
    """Confirm customs' step if customs' system released all declarations, the step is ready and nothing speaks
    against it; otherwise that is the officer's to decide."""
    if trip.stage not in Stage.open() or not known or {each.state for each in known} != {CustomsState.RELEASED}:
        return
    sheet = load_sheet(action.session, trip)
    if Step.CUSTOMS not in sheet.procedure.steps or sheet.state().get(Step.CUSTOMS) == StepStatus.DONE:
        return
    if sheet.may(Step.CUSTOMS, "confirm") is not None:
        return
    if checkpoints.warnings_of(action.session, trip.trip_id, Step.CUSTOMS, action.now):
        return
    numbers = [each.number for each in known]
    data = {"released_by": NAME, "numbers": numbers}
    sheets.confirm_step(action.by_platform(), trip.trip_id, Step.CUSTOMS, expected_version=None, data=data)


def list_differences(session: Session, principal: Principal) -> list[ListedDifference]:
    """Differences, those that are open first; raises ForbiddenError if the caller may not see them."""
    principal.require("neighbours.read")
    return customs_store.list_differences(session, limit=service.MAX_LISTED)


def settle(action: ActionContext, difference_id: int, reason: str) -> None:
    """A person says what became of a difference.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError
        If there is none, it is settled already, or no reason is given.
    """
    action.actor.require("neighbours.write")
    row = customs_store.lock_difference(action.session, difference_id)
    if row is None:
        raise NotFoundError("There is no difference {difference_id}.", difference_id=difference_id)
    if row.settled_at is not None:
        raise ConflictError("The difference {difference_id} is settled already.", difference_id=difference_id)
    row.reason = checkpoints.check_reason(reason)
    row.settled_at, row.settled_by = action.now, action.actor_id
    after = {"trip_id": row.trip_id, "kind": row.kind, "ours": row.ours, "theirs": row.theirs, "reason": row.reason}
    action.record("neighbours.settle", "difference", difference_id, None, after)


def _differ(
    action: ActionContext,
    known: Sequence[KnownDeclaration],
    trip: Trip,
    kind: DifferenceKind,
    ours: str,
    theirs: str,
    *,
    settled_at: object = None,
) -> None:
    row = DifferenceRow(
        trip_id=trip.trip_id,
        number=", ".join(each.number for each in known),
        kind=str(kind),
        ours=str(ours),
        theirs=str(theirs),
        found_at=action.now,
        settled_at=settled_at,
        reason=TAKEN_OVER if settled_at else "",
    )
    customs_store.add_difference(action.session, row)
