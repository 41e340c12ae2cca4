"""How a trip stands when somebody asks to change it: what the table of changes is asked with."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy.orm import Session

from app.procedures import changes
from app.procedures.changes import Change, Situation
from app.procedures.steps import Step, StepStatus
from app.sheets import store
from app.trips.service import Trip, is_handled
from app.trips.vocabulary import Stage
from geo.errors import ConflictError


def is_on_site(session: Session, trip: Trip) -> bool:
    """Whether the truck of a trip is inside its gate, or an officer has seen it there, whatever its GPS says since."""
    return trip.stage == Stage.IN_THE_YARD or is_handled(session, trip.trip_id)


def situation_of(session: Session, trip: Trip) -> Situation:
    """How a locked trip stands. An agency has decided a step if a person of it has confirmed it."""
    steps = {step.step: step for step in store.steps_of(session, trip.trip_id)}
    declared = steps.get(Step.DECLARATION)
    decided = (
        name
        for name, step in steps.items()
        if name != Step.DECLARATION and step.status == StepStatus.DONE and step.done_by is not None
    )
    return Situation(
        stage=trip.stage,
        is_on_site=is_on_site(session, trip),
        is_declared=trip.procedure_id is not None,
        is_returned=declared is not None and declared.status == StepStatus.RETURNED,
        decided=frozenset(decided),
    )


def check_changes(
    session: Session, trip: Trip, wanted: Collection[Change], *, fields: Mapping[Change, str] | None = None
) -> Situation:
    """Let pass changes of a locked trip that the table allows; how the trip stands.

    Arguments: `fields`, the field that asks for each change, as the refusal names it.

    Raises
    ------
    ConflictError
        With the reason, if one of them is refused.
    """
    situation = situation_of(session, trip)
    refused = changes.refusal(wanted, situation, trip.code)
    if refused is not None:
        named = Change.lookup(refused.values.get("change"))
        field = None if named is None or fields is None else fields.get(named)
        raise ConflictError(refused.message, field=field, **refused.values)
    return situation
