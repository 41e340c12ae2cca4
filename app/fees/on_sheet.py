"""Where a fee meets the trip's sheet: opened by the declaration, guarding its step, shown to who may see it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.fees import service, store
from app.fees.schemas import FeeOnSheet
from app.fees.vocabulary import FeeStatus
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.procedures.steps import Step, StepStatus
from app.sheets.service import SheetChange, Sheets
from app.trips.service import Trip
from geo.errors import ConflictError, NotFoundError


def follow_sheet(session: Session, sheets: Sheets, change: SheetChange) -> None:
    """Open or assess the fee when a trip is declared; let its step be confirmed only by a settled fee.

    A fee settled before its turn is confirmed when it comes.

    Raises
    ------
    ConflictError
        If the step is confirmed while the fee is neither paid nor waived.
    """
    trip_id = change.trip.trip_id
    if change.act in {"opened", "redeclare"} or (change.act == "facts" and "changed" in change.data):
        service.open_fee(ActionContext(session, None, change.now), sheets, trip_id)
    if Step.FEE not in change.after:
        return
    status = store.status_of_trip(session, trip_id)
    is_settled = status in FeeStatus.settled()
    if change.act == "confirm" and change.step == Step.FEE and status is not None and not is_settled:
        raise ConflictError("The fee is not settled; take the money, confirm the transfer or have it waived first.")
    if is_settled and change.after[Step.FEE] == StepStatus.READY:
        service.complete_step(ActionContext(session, None, change.now), sheets, trip_id)


def read_fee(session: Session, principal: Principal, trip: Trip) -> FeeOnSheet | None:
    """What of the fee a reader of the sheet sees; `None` if nothing."""
    if not principal.may("fees.read"):
        return None
    try:
        fee = service.get_fee_of_trip(session, principal, trip.trip_id)
    except NotFoundError:
        return None
    return FeeOnSheet.model_validate(fee)
