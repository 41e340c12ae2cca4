"""A confirmation taken back at once by who gave it: a wrong tap, not a wrong decision (see `corrections`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from app.platform.actions import ActionContext
from app.procedures.procedure import Sheet, StepRecord
from app.procedures.steps import StepStatus
from app.sheets import guards, store
from app.sheets.service import Sheets, load_sheet
from app.sheets.store import NamedStep
from app.sheets.undo_rule import UNDO_FOR, undo_until
from app.trips import service as trips
from app.trips.vocabulary import Stage
from geo.errors import ConflictError
from geo.versions import check_version


def undo_step(action: ActionContext, sheets: Sheets, trip_id: int, step: str, *, expected_version: int) -> int:
    """Take back the caller's own confirmation of the last seconds, and with it what the platform did of itself since.

    Undone at the exit, the trip goes on. What else follows from the confirmation is undone by the listeners of the
    sheet, or they refuse. Sent again it changes nothing. The trip's version.

    Raises
    ------
    NotFoundError, ForbiddenError, StaleError
        As `Sheets.confirm_step`.
    ConflictError
        If the caller did not confirm it or that is too long ago, the trip is over otherwise than by it, somebody has
        acted on it since, or something that followed cannot be undone.
    """
    trip = trips.lock_trip(action.session, guards.at_own_gate(action.actor), trip_id)
    if trip is None:
        raise guards.no_such_trip(trip_id)
    if trip.procedure_id is None:
        raise guards.undeclared(trip)
    sheet = load_sheet(action.session, trip)
    guards.check_owner(action.actor, sheet, step)
    rows = {row.step: row for row in store.steps_of(action.session, trip_id)}
    if rows[step].status != StepStatus.DONE and _was_undone(action, trip_id, step):
        return trip.version
    check_version(trip.version, expected_version)
    is_exit = trip.stage == Stage.OUT and sheet.is_finished and step == sheet.procedure.exit
    if not is_exit:
        guards.check_open(action.session, trip, sheet)
    until = undo_until(rows[step], action.actor.account_id)
    if until is None:
        raise ConflictError("You have not confirmed the step {step}; who confirmed it can undo it.", step=step)
    if action.now > until:
        raise ConflictError(
            "More than {seconds} s have gone by; ask for a correction, which a second person confirms.",
            seconds=round(UNDO_FOR.total_seconds()),
        )
    later = {name for name, before in sheet.procedure.ancestors.items() if step in before and _is_done(rows, name)}
    acted = [name for name in sheet.procedure.steps if name in later and rows[name].done_by is not None]
    if acted:
        raise ConflictError(
            "The step {steps} was confirmed on it since; ask for a correction, which a second person confirms.",
            steps=", ".join(acted),
        )
    done_at = rows[step].done_at
    if trip.arrived_at == done_at:
        trips.update_trip(action.session, trip_id, {"arrived_at": None})
    store.update_step(action.session, trip_id, step, {"data": {}})
    after = _without(sheet, {step, *later})
    returned = _returned_before(action, trip_id, step)
    if returned is not None:
        after = replace(after, steps={**after.steps, step: StepRecord(StepStatus.RETURNED)})
        store.update_step(action.session, trip_id, step, {"data": returned})
    data = {"done_at": done_at.isoformat() if done_at else None, "undone": sorted({step, *later})}
    version = sheets.write_act(action, trip, sheet, after, "undo", step, data)
    if is_exit:
        guards.check_reopened(trip)
    return version


def _without(sheet: Sheet, steps: Collection[str]) -> Sheet:
    return replace(sheet, steps={name: record for name, record in sheet.steps.items() if name not in steps})


def _is_done(rows: dict[str, NamedStep], step: str) -> bool:
    return rows[step].status == StepStatus.DONE


def _was_undone(action: ActionContext, trip_id: int, step: str) -> bool:
    line = store.last_line(action.session, trip_id, "sheet")
    return (
        line is not None
        and line.actor_id == action.actor_id
        and (line.data.get("act"), line.data.get("step"))
        == (
            "undo",
            step,
        )
    )


def _returned_before(action: ActionContext, trip_id: int, step: str) -> dict[str, object] | None:
    """What stood on a step that had been returned to its owner before it was confirmed; `None` if it had not."""
    returned, before = None, None
    for line in trips.events_of(action.session, trip_id):
        if line.kind != "sheet":
            continue
        if line.data.get("act") == "return" and line.data.get("to") == step:
            returned = {
                "from": line.data["step"],
                "reasons": line.data.get("reasons", []),
                "text": line.data.get("text", ""),
            }
        elif line.data.get("step") == step and line.data.get("act") == "confirm":
            returned, before = None, returned
    return before
