"""Where transshipments meet a trip's sheet: they guard its step and its goods, and show on it where goods went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import true
from sqlalchemy.orm import Session

from app.declarations import shares as declarations
from app.platform.actions import ActionContext
from app.procedures.steps import Step, StepStatus, VehicleRole
from app.sheets.service import SheetChange, Sheets, load_sheet
from app.transshipments import load, store
from app.transshipments.balance import NOTHING, Line
from app.transshipments.reading import show as show
from app.transshipments.store import ReceivedLine
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.service import Trip, lock_trip
from app.trips.vocabulary import Stage
from geo.errors import ConflictError


def guard_step(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """The step is confirmed by carrying out what was approved, not on the sheet alone: a listener of the sheet.

    Raises
    ------
    ConflictError
        If a transshipment of the trip is registered or approved and not carried out, or the step is to be open again
        though goods were moved.
    """
    if change.act in {"undo", "correct"} and change.step == Step.TRANSSHIPMENT:
        done = (TransshipmentStatus.CARRIED_OUT,)
        if store.find_transshipments(session, true(), trip_id=change.trip.trip_id, statuses=done):
            raise ConflictError("The goods were moved already; have the transshipment corrected.")
    if (change.act, change.step) != ("confirm", Step.TRANSSHIPMENT):
        return
    rows = store.find_transshipments(session, true(), trip_id=change.trip.trip_id, statuses=TransshipmentStatus.open())
    if rows:
        raise ConflictError("Confirm what was moved on the transshipment itself; that confirms the step.")


def guard_goods(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """What was moved stays declared: a listener of the sheet.

    A vehicle that received goods declares exactly those, one that gave goods at least those, and both stay with their
    gate and regime.

    Raises
    ------
    ConflictError
        If a new declaration of the trip says otherwise.
    """
    is_declared = change.act in {"opened", "redeclare"} or (change.act == "facts" and "changed" in change.data)
    if not is_declared:
        return
    trip = change.trip
    given = store.moved_already(session, trip.trip_id)
    received = store.received_lines(session, trip.trip_id)
    if not given and not received:
        return
    if change.act == "opened":
        raise ConflictError(
            "Goods of the trip {code} changed vehicles; its gate, direction and regime stay as they are.",
            code=trip.code,
        )
    left = load.lines_left(session, trip.trip_id)
    declared = [line.amount + given.get(line.number, NOTHING) for line in left]
    if received and declared != [line.amount for line in received]:
        raise ConflictError(
            "The vehicle of the trip {code} received {amounts} in a transshipment; declare exactly these amounts, or "
            "let the yard move the goods again.",
            code=trip.code,
            amounts=_listed(received),
        )
    _check_given(trip.code, left, len(given) and max(given), str(trip.facts.get("vehicle_role", "")))


def follow_declaration(session: Session, sheets: Sheets, change: SheetChange) -> None:
    """Goods stay under one customs declaration: a number that is corrected where they came from is corrected with them.

    A listener of the sheet. A vehicle with goods of several trips keeps the number that it has, as does one whose own
    declaration was returned: both are declared by themselves.
    """
    if "customs" not in change.data.get("changed", ()) or change.act not in {"redeclare", "facts"}:
        return
    given = declarations.declared_form(session, change.trip.trip_id)
    links = store.links_of(session, change.trip.trip_id, (TransshipmentStatus.CARRIED_OUT,))
    receivers = {link.trip_id for link in links if link.giver_id == change.trip.trip_id and link.trip_id is not None}
    for trip_id in sorted(receivers) if given is not None else ():
        if {line.giver_id for line in store.received_lines(session, trip_id)} != {change.trip.trip_id}:
            continue
        form = declarations.declared_form(session, trip_id)
        trip = lock_trip(session, Trip.stage.in_(Stage.open()), trip_id)
        if trip is None or form is None or given is None or form.customs_number == given.customs_number:
            continue
        if load_sheet(session, trip).state()[Step.DECLARATION] != StepStatus.DONE:
            continue
        action = ActionContext(session, change.principal, change.now)
        corrected = replace(form, customs_number=given.customs_number)
        declarations.declare_share(action, trip_id, corrected)
        sheets.open_sheet(action, trip_id, declarations.facts_of_share(corrected), changed=["customs"])


def _check_given(code: str, left: Sequence[Line], last_line: int, role: str) -> None:
    is_short = any(line.amount.packages < 0 or line.amount.weight_kg < 0 for line in left) or last_line > len(left)
    is_more = role in VehicleRole.empty() and any(not line.amount.is_nothing for line in left)
    if is_short or is_more:
        raise ConflictError(
            "Goods of the trip {code} are on other vehicles already; declare at least what was moved, and exactly that "
            "once nothing is left.",
            code=code,
        )


def _listed(received: Sequence[ReceivedLine]) -> str:
    return "; ".join(f"{line.amount.packages} / {line.amount.weight_kg.normalize():f} kg" for line in received)
