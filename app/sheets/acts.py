"""What is done on a sheet, as the trip's timeline keeps it and as it is told to those whose steps it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.platform.actions import ActionContext, Event
from app.platform.outbox import Audience
from app.platform.permissions import Role
from app.procedures.procedure import Sheet
from app.procedures.steps import StepStatus
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry, audience_of


@dataclass(frozen=True)
class SheetAct:
    """What is done on which step, with what came with it."""

    name: str
    step: str
    data: Mapping[str, Any]


def timeline_entry(trip: Trip, act: SheetAct, changed: Mapping[str, str], *, is_end: bool = False) -> TimelineEntry:
    """The line of an act. What the platform says of it stands above what the officer noted under the same name."""
    noted = {name: value for name, value in act.data.items() if name != "ends"}
    data = {**noted, "act": act.name, "step": act.step, "changed": dict(changed)} | ({"ends": True} if is_end else {})
    return TimelineEntry(trip.trip_id, "sheet", data)


def publish_changes(
    action: ActionContext, trip: Trip, before: Sheet, sheet: Sheet, version: int, reasons: Sequence[str] = ()
) -> None:
    """Tell the owners of the steps that an act opened or ended, and of those that were done and are open again.

    `before` is the sheet as it was, `reasons` are those of a return.
    """
    old = before.state()
    for step, status in sheet.state().items():
        if status in (old[step], StepStatus.NOT_NEEDED):
            continue
        was_done = old[step] == StepStatus.DONE
        if status != StepStatus.WAITING or old[step] in StepStatus.open() or was_done:
            owners = sheet.procedure.steps[step].owners_of(sheet.facts)
            event = step_event(trip, step, status, version, reached_by(trip, owners), is_open_again=was_done)
            if status == StepStatus.RETURNED and reasons:
                event = replace(event, data={**event.data, "reasons": list(reasons)})
            action.publish_event(event)


def publish_open_again(
    action: ActionContext, trip: Trip, old: Sheet, sheet: Sheet, version: int, *, gate_id: str
) -> None:
    """Tell the agencies that had acted on a sheet, at the gate `gate_id`, that their step is open again elsewhere.

    For a sheet that began again under another procedure.
    """
    state = sheet.state()
    steps = [step for step, status in old.state().items() if status == StepStatus.DONE and state.get(step) != status]
    for step in steps:
        roles = [role for role in old.procedure.steps[step].owners_of(old.facts) if role != Role.ENTERPRISE]
        status = state.get(step, StepStatus.NOT_NEEDED)
        audience = audience_of(trip, roles, gates=tuple({gate_id, trip.gate_id}))
        action.publish_event(step_event(trip, step, status, version, audience, is_open_again=True))


def step_event(
    trip: Trip, step: str, status: str, version: int, audience: Audience, *, is_open_again: bool = False
) -> Event:
    """The event of a step that stands otherwise than before; `is_open_again` marks one that was done."""
    data = {"trip_id": trip.trip_id, "gate_id": trip.gate_id, "step": step, "status": status, "version": version}
    return Event("sheet", audience, {**data, "is_open_again": True} if is_open_again else data)


def reached_by(trip: Trip, roles: Sequence[str]) -> Audience:
    """Whom an event of a trip reaches: the enterprise as the trip's own, not by its role."""
    return audience_of(trip, [role for role in roles if role != Role.ENTERPRISE], gates=(trip.gate_id,))
