"""Corrections after the fact: one officer of a step's agency asks with a reason, another of the same office decides.

What stood there before stays readable on the sheet with who corrected it, when and why. A fee is corrected where it is
decided (`app.fees`), the declaration by returning it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import ColumnElement, and_, true
from sqlalchemy.orm import Session

from app.accounts import persons
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Scope
from app.procedures.procedure import Sheet
from app.procedures.steps import Step, StepStatus
from app.sheets import acts, correction_store, guards, store
from app.sheets.schemas import CorrectionOut
from app.sheets.service import Sheets, load_sheet
from app.sheets.store import NamedStep
from app.sheets.tables import Correction
from app.sheets.vocabulary import CorrectionKind, CorrectionStatus
from app.trips import service as trips
from app.trips.service import Trip
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import PlaceKind, Stage
from geo.errors import ConflictError, InvalidInputError, NotFoundError

MIN_REASON_LENGTH, MAX_REASON_LENGTH = 3, 500
MAX_LISTED: Final = 200
TURNED_BACK: Final = PlaceKind.TURNED_BACK.value
"""Named as the step: that the truck turned back without crossing, which ended its trip."""
NOT_HERE: Final = frozenset({Step.DECLARATION, Step.FEE})
"""Steps whose matter is corrected elsewhere."""


def ask(
    action: ActionContext, trip_id: int, step: str, kind: CorrectionKind, new: Mapping[str, object], reason: str
) -> int:
    """Ask that a confirmation be corrected, of an open trip or a closed one, or that a truck turned back; the id.

    Asked again by the same officer in the same words it is the same correction.

    Raises
    ------
    NotFoundError, ForbiddenError
        If there is no such trip at the caller's gate, or the step is somebody else's.
    ConflictError
        If the step is not done, is corrected elsewhere, cannot be done again since the trip is over, or a correction
        of it waits already.
    InvalidInputError
        If the reason is missing, or what was noted instead.
    """
    said = check_reason(reason)
    persons.check_first_person(action)
    if step == TURNED_BACK:
        trip, row = _lock_turned_back(action, trip_id, kind)
    else:
        trip, sheet, row = _lock_step(action, trip_id, step)
        guards.check_owner(action.actor, sheet, step)
        _check_possible(trip, sheet, row, kind, new)
    waiting = correction_store.find_waiting(action.session, trip_id, step)
    asked = (action.actor.account_id, kind.value, dict(new), said)
    if waiting is not None and (waiting.asked_by, waiting.kind, waiting.new, waiting.reason) == asked:
        return waiting.correction_id
    values = {
        "trip_id": trip_id,
        "step": step,
        "kind": kind.value,
        "gate_id": trip.gate_id,
        "role": str(action.actor.role),
        "old": _record_of(row),
        "new": dict(new),
        "reason": said,
        "status": CorrectionStatus.ASKED,
        "asked_by": action.actor.account_id,
        "asked_at": action.now,
    }
    correction = correction_store.insert_correction(action.session, values)
    if correction is None:
        raise ConflictError("A correction of the step {step} waits for a second person already.", step=step)
    _note(action, trip, correction)
    return correction.correction_id


def decide(action: ActionContext, sheets: Sheets, correction_id: int, *, is_approved: bool, reason: str) -> int:
    """Confirm or refuse what a colleague asked for; its id. Confirmed it takes effect; decided again so, nothing.

    Raises
    ------
    NotFoundError, ForbiddenError, ConflictError, InvalidInputError
        If there is none in the caller's office, the caller asked for it, it was decided otherwise or can no longer be
        made, or the reason of a refusal is missing.
    """
    own = _of_office(action.actor, "corrections.write")
    correction = correction_store.lock_correction(action.session, own, correction_id)
    if correction is None:
        raise NotFoundError("There is no correction {correction_id} in your office.", correction_id=correction_id)
    persons.check_second_person(action, correction.asked_by)
    status = CorrectionStatus.APPROVED if is_approved else CorrectionStatus.REFUSED
    if correction.status == status and correction.decided_by == action.actor.account_id:
        return correction_id
    if correction.status != CorrectionStatus.ASKED:
        raise ConflictError("This was decided already: {status}.", status=CorrectionStatus.get(correction.status))
    said = check_reason(reason) if reason.strip() or not is_approved else None
    if correction.step == TURNED_BACK:
        return _decide_turned_back(action, sheets, correction, status, said)
    trip, sheet, row = _lock_step(action, correction.trip_id, correction.step)
    kind = CorrectionKind.get(correction.kind)
    if is_approved:
        _check_possible(trip, sheet, row, kind, correction.new)
        correction.old = _record_of(row)
    correction.status, correction.decision_reason = status, said
    correction.decided_by, correction.decided_at = action.actor.account_id, action.now
    action.session.flush()
    if is_approved and kind is CorrectionKind.REOPEN:
        _reopen(action, sheets, trip, sheet, row, correction_id)
    elif is_approved:
        store.update_step(action.session, trip.trip_id, correction.step, {"data": correction.new})
        trips.update_trip(action.session, trip.trip_id, {})
    _note(action, trip, correction)
    return correction_id


def list_waiting(session: Session, principal: Principal) -> list[CorrectionOut]:
    """What waits for a second person in the caller's office, newest first; `is_own` marks what the caller asked for."""
    condition = and_(_of_office(principal, "corrections.write"), Correction.status == CorrectionStatus.ASKED)
    rows = correction_store.list_corrections(session, condition, limit=MAX_LISTED)
    own = persons.accounts_of_person(session, principal.account_id)
    return [CorrectionOut.of(row, own) for row in rows]


def get_correction(session: Session, principal: Principal, correction_id: int) -> CorrectionOut:
    """A correction of the caller's office; raises NotFoundError."""
    condition = and_(_of_office(principal, "corrections.write"), Correction.correction_id == correction_id)
    rows = correction_store.list_corrections(session, condition, limit=1)
    if not rows:
        raise NotFoundError("There is no correction {correction_id} in your office.", correction_id=correction_id)
    return CorrectionOut.of(rows[0], persons.accounts_of_person(session, principal.account_id))


def check_reason(reason: str) -> str:
    """A reason tidied; raises InvalidInputError if it is missing or too long."""
    said = " ".join(reason.split())
    if not MIN_REASON_LENGTH <= len(said) <= MAX_REASON_LENGTH:
        raise InvalidInputError("Give a reason of 3 to {most} characters.", field="reason", most=MAX_REASON_LENGTH)
    return said


def _lock_step(action: ActionContext, trip_id: int, step: str) -> tuple[Trip, Sheet, NamedStep]:
    """A trip, open or closed, of the caller's gate with its sheet and one of its steps."""
    trip = trips.lock_trip(action.session, guards.at_own_gate(action.actor), trip_id)
    if trip is None:
        raise guards.no_such_trip(trip_id)
    if trip.procedure_id is None:
        raise guards.undeclared(trip)
    row = next((row for row in store.steps_of(action.session, trip_id) if row.step == step), None)
    if row is None:
        raise NotFoundError("This trip's procedure has no step {step}.", step=step)
    return trip, load_sheet(action.session, trip), row


def _lock_turned_back(action: ActionContext, trip_id: int, kind: CorrectionKind) -> tuple[Trip, NamedStep]:
    """A trip of the caller's gate that ended because its truck turned back, and that, as if it were a step."""
    action.actor.require("trips.turn_back")
    trip = trips.lock_trip(action.session, guards.at_own_gate(action.actor), trip_id)
    if trip is None:
        raise guards.no_such_trip(trip_id)
    lines = [line for line in trips.events_of(action.session, trip_id) if line.kind == TURNED_BACK]
    if trip.stage != Stage.OUT or not lines or kind is not CorrectionKind.REOPEN:
        raise ConflictError(
            "The trip {code} is {stage}; nobody has said that its truck turned back.", code=trip.code, stage=trip.stage
        )
    last = lines[-1]
    return trip, NamedStep(TURNED_BACK, StepStatus.DONE, last.at, last.at, None, last.data, last.actor)


def _decide_turned_back(
    action: ActionContext, sheets: Sheets, correction: Correction, status: CorrectionStatus, said: str | None
) -> int:
    """The truck did not turn back after all, and its trip goes on where else it was seen; or it did."""
    trip, _ = _lock_turned_back(action, correction.trip_id, CorrectionKind.get(correction.kind))
    correction.status, correction.decision_reason = status, said
    correction.decided_by, correction.decided_at = action.actor.account_id, action.now
    action.session.flush()
    _note(action, trip, correction)
    if status is CorrectionStatus.APPROVED:
        sheets.presence.settle(action.by_platform(), [trip.trip_id])
        action.session.refresh(trip)
        guards.check_reopened(trip)
    return correction.correction_id


def _check_possible(trip: Trip, sheet: Sheet, row: NamedStep, kind: CorrectionKind, new: Mapping[str, object]) -> None:
    if row.step in NOT_HERE:
        raise ConflictError(
            "The step {step} is corrected elsewhere: a declaration by returning it, a fee with its collector.",
            step=row.step,
        )
    if row.status != StepStatus.DONE:
        raise ConflictError("The step {step} is not confirmed, so that there is nothing to correct.", step=row.step)
    if kind is CorrectionKind.RECORD and not new:
        raise InvalidInputError("Say what holds instead of what was noted.", field="new")
    is_over = trip.stage not in Stage.open()
    if kind is CorrectionKind.REOPEN and is_over and not (trip.stage == Stage.OUT and row.step == sheet.procedure.exit):
        raise ConflictError(
            "The trip {code} is {stage}; what the step {step} says can be corrected, but it cannot be done again.",
            code=trip.code,
            stage=trip.stage,
            step=row.step,
        )


def _reopen(action: ActionContext, sheets: Sheets, trip: Trip, sheet: Sheet, row: NamedStep, number: int) -> None:
    """Let a step be done again; the last one of a closed trip opens the trip again. Other steps stand.

    The confirmation no longer shows where the truck is, so that the trip's stage follows from what else was seen.
    """
    if trip.arrived_at == row.done_at:
        trips.update_trip(action.session, trip.trip_id, {"arrived_at": None})
    store.update_step(action.session, trip.trip_id, row.step, {"data": {}})
    after = replace(sheet, steps={name: record for name, record in sheet.steps.items() if name != row.step})
    data = {"correction_id": number, "done_at": row.done_at.isoformat() if row.done_at else None}
    sheets.write_act(action, trip, sheet, after, "correct", row.step, data)
    guards.check_reopened(trip)


def _record_of(row: NamedStep) -> JsonObject:
    return {
        "status": row.status,
        "done_at": row.done_at.isoformat() if row.done_at else None,
        "done_by": row.full_name,
        "data": row.data,
    }


def _note(action: ActionContext, trip: Trip, correction: Correction) -> None:
    """On the timeline, in the audit log, and to the office whose step it is."""
    after = {
        "correction_id": correction.correction_id,
        "step": correction.step,
        "kind": correction.kind,
        "status": correction.status,
        "reason": correction.reason,
        "old": correction.old,
        "new": correction.new,
    }
    if correction.decision_reason:
        after["decision_reason"] = correction.decision_reason
    told = acts.reached_by(trip, (correction.role,))
    status = f"correction_{correction.status}"
    action.record(
        f"corrections.{correction.status}",
        "correction",
        correction.correction_id,
        None if correction.status == CorrectionStatus.ASKED else {"status": CorrectionStatus.ASKED},
        after,
        event=acts.step_event(trip, correction.step, status, trip.version, told),
        timeline=TimelineEntry(trip.trip_id, "correction", after),
    )


def _of_office(principal: Principal, act: str) -> ColumnElement[bool]:
    """The corrections of the caller's agency at its gate."""
    scope = principal.require(act)
    own = Correction.role == str(principal.role)
    return and_(own, Correction.gate_id == principal.gate_id) if scope is Scope.OWN_GATE else and_(own, true())
