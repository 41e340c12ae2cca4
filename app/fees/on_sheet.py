"""Where a fee meets the trip's sheet: opened by the declaration, guarding its step, shown to who may see it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.fees import moving, reading, service, store, transshipped
from app.fees.schemas import FeeOnSheet
from app.fees.vocabulary import FeeStatus
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.procedures.steps import Step, StepStatus
from app.sheets.service import SheetChange, Sheets
from app.trips.service import Trip
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, NotFoundError


def follow_sheet(session: Session, sheets: Sheets, change: SheetChange) -> None:
    """Open or assess the fee when a trip is declared; let its step be confirmed only by a settled fee.

    It follows the goods to the vehicles that take them over. A fee settled before its turn is confirmed when it comes.

    Raises
    ------
    ConflictError
        If the step is confirmed while the fee is neither paid nor waived, or the trip would leave with a fee that was
        opened again after its step was confirmed.
    """
    trip_id = change.trip.trip_id
    if change.act == "moved":
        moving.follow_trip(ActionContext(session, None, change.now), sheets, trip_id)
    elif change.act in {"opened", "redeclare", "received"} or (change.act == "facts" and "changed" in change.data):
        service.open_fee(ActionContext(session, None, change.now), sheets, trip_id)
    elif change.act == "confirm":
        service.follow_evidence(ActionContext(session, None, change.now), sheets, trip_id)
    transshipped.follow_goods(ActionContext(session, None, change.now), change)
    if change.after.get(Step.FEE) == StepStatus.READY and change.before.get(Step.FEE) == StepStatus.WAITING:
        service.count_storage(ActionContext(session, None, change.now), sheets, trip_id)
    is_undone = (change.act, change.step) == ("undo", Step.FEE)
    if is_undone and store.status_of_trip(session, trip_id) in FeeStatus.settled():
        raise ConflictError("The fee is settled; give the money back, or have the decision corrected.")
    if Step.FEE not in change.after:
        return
    status = store.status_of_trip(session, trip_id)
    is_settled = status in FeeStatus.settled()
    if change.trip.stage == Stage.OUT and change.after[Step.FEE] == StepStatus.DONE and status in FeeStatus.open():
        raise ConflictError("The fee was opened again after it was paid; settle it first.")
    if change.act == "confirm" and change.step == Step.FEE and status is not None and not is_settled:
        raise ConflictError("The fee is not settled; take the money, confirm the transfer or have it waived first.")
    if is_settled and change.after[Step.FEE] == StepStatus.READY:
        service.complete_step(ActionContext(session, None, change.now), sheets, trip_id)


def read_fee(session: Session, principal: Principal, trip: Trip) -> FeeOnSheet | None:
    """What of the fee a reader of the sheet sees; `None` if nothing."""
    if not principal.may("fees.read"):
        return None
    try:
        fee = reading.get_fee_of_trip(session, principal, trip.trip_id)
    except NotFoundError:
        return None
    return FeeOnSheet.model_validate(fee)
