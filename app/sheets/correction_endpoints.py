"""Corrections of a sheet by two persons: ask, list what waits, decide."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path

from app.accounts.authorisation import acting, allow
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.sheets import corrections
from app.sheets.dependencies import SheetsDep
from app.sheets.endpoints import StepName
from app.sheets.schemas import CorrectionIn, CorrectionList, CorrectionOut, DecisionIn
from app.trips.endpoints import TripId
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["sheets"])

CorrectorDep = Annotated[Principal, Depends(allow("corrections.write"))]
CorrectorAction = Annotated[ActionContext, Depends(acting("corrections.write"))]
CorrectionId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("/trips/{trip_id}/steps/{step}/corrections", status_code=201, responses=problems(404, 409))
def ask_correction(
    trip_id: TripId,
    step: StepName,
    body: CorrectionIn,
    action: CorrectorAction,
    idempotency_key: IdempotencyKey = None,
) -> CorrectionOut:
    """Ask that a confirmation of your agency be corrected, also of a closed trip; a second officer decides."""
    make = partial(corrections.ask, action, trip_id, step, body.kind, body.new, body.reason)
    correction_id = idempotency.once(action, "corrections.ask", idempotency_key, [trip_id, step, body], make)
    return corrections.get_correction(action.session, action.actor, correction_id)


@router.get("/corrections", responses=problems())
def list_corrections(principal: CorrectorDep, session: SessionDep) -> CorrectionList:
    """The corrections that wait for a second person in your office."""
    return CorrectionList(items=corrections.list_waiting(session, principal))


@router.post("/corrections/{correction_id}/decision", responses=problems(404, 409))
def decide_correction(
    correction_id: CorrectionId, body: DecisionIn, action: CorrectorAction, sheets: SheetsDep
) -> CorrectionOut:
    """Confirm or refuse a correction that a colleague asked for; sent again it changes nothing."""
    corrections.decide(action, sheets, correction_id, is_approved=body.approved, reason=body.reason)
    return corrections.get_correction(action.session, action.actor, correction_id)
