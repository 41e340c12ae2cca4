"""Where a declaration meets the trip's sheet: the facts it hands in, its return, what agencies read of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy.orm import Session

from app.declarations import personal, store
from app.declarations.differences import differences
from app.declarations.form import Form
from app.declarations.tables import DeclarationRow
from app.gates.vocabulary import GoodsClass
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.procedures.procedure import Facts
from app.procedures.return_reasons import check_reasons
from app.procedures.steps import Step
from app.registers.vocabulary import ContainerSize
from app.sheets import moving
from app.sheets.service import SheetChange, Sheets
from app.trips.service import BeforeAfter, Trip
from app.trips.vocabulary import DeclarationStatus

LONG_CONTAINERS: Final = frozenset({ContainerSize.FEET_40.value, ContainerSize.FEET_45.value})


def facts_of(form: Form) -> Facts:
    """The facts that a procedure's conditions ask of a declaration."""
    return Facts(
        direction=form.direction,
        regime=form.regime,
        goods_class=frozenset(line.goods_class or GoodsClass.GENERAL for line in form.lines),
        perishable=any(line.spoils for line in form.lines),
        chilled=bool(form.refrigerated),
        forty_foot=form.container in LONG_CONTAINERS,
        hazard_class=frozenset(str(line.hazard) for line in form.lines if line.hazard is not None),
    )


def hand_in(action: ActionContext, sheets: Sheets, trip_id: int, form: Form, changed: Sequence[str]) -> None:
    """Open the trip's sheet by its declaration, or mend it by the new one; `changed` are the parts that differ."""
    sheets.open_sheet(action, trip_id, facts_of(form), changed=changed)


def begin_again(action: ActionContext, sheets: Sheets, trip: Trip, moved: Mapping[str, BeforeAfter]) -> None:
    """Put the sheet under the procedure of another gate, direction or regime that was declared: every step is open.

    To be followed by `hand_in`. `moved` are the trip's columns that changed.
    """
    left = str(moved["gate_id"]["before"]) if "gate_id" in moved else None
    without = moving.OF_THE_GATE if left is not None else moving.OF_THE_CROSSING
    moving.restart(action, sheets, trip, {"reason": "redeclared"}, without=without, left=left)


def note_return(session: Session, _sheets: Sheets, change: SheetChange) -> None:
    """Mark the submitted revision as returned when an agency sends the sheet back to be declared again.

    A draft that amended it stays, and is then the beginning of the new declaration.

    Raises
    ------
    InvalidInputError
        If a reason is not one of the list, which undoes the return.
    """
    if change.act != "return":
        return
    check_reasons(change.data["reasons"], change.data["text"])
    if change.data["to"] != Step.DECLARATION:
        return
    rows = store.revisions_of(session, change.trip.trip_id)
    row = next((revision for revision in rows if revision.status == DeclarationStatus.SUBMITTED), None)
    if row is None:
        return
    values = {
        "status": DeclarationStatus.RETURNED,
        "returned_at": change.now,
        "returned_by": change.principal.account_id if change.principal else None,
        "return_reasons": {
            "step": change.step,
            "reasons": list(change.data.get("reasons", ())),
            "text": change.data.get("text", ""),
        },
        "version": max(row.version for row in rows) + 1,
    }
    store.update_revision(session, row.trip_id, row.revision, values)


def show(session: Session, principal: Principal, trip: Trip) -> JsonObject | None:
    """What the sheet shows of the declaration: what was handed in last, and how it differs from what was returned.

    `revision status data submitted_at return_reasons`, and `differences` (`field label old new`) from revision
    `compared_with`; `None` before anything was handed in.
    """
    rows = handed_in(store.revisions_of(session, trip.trip_id))
    if not rows:
        return None
    latest, earlier = rows[0], rows[1] if len(rows) > 1 else None
    changed = differences(earlier.data, latest.data) if earlier else []
    changed = personal.project_differences(changed, principal.reader)
    return {
        "revision": latest.revision,
        "status": latest.status,
        "data": personal.project(latest.data, principal.reader),
        "submitted_at": latest.submitted_at.isoformat() if latest.submitted_at else None,
        "return_reasons": personal.project_reasons(
            (latest if latest.returned_at or earlier is None else earlier).return_reasons, principal.reader
        ),
        "compared_with": earlier.revision if earlier else None,
        "differences": [asdict(each) for each in changed],
    }


def handed_in(rows: Sequence[DeclarationRow]) -> list[DeclarationRow]:
    """The revisions that were submitted, in the order given; a draft is its author's."""
    return [row for row in rows if row.status != DeclarationStatus.DRAFT]
