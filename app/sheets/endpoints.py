"""The sheet of a trip: read it, confirm a step, return it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Request, Response
from fastapi.encoders import jsonable_encoder

from app.accounts.authorisation import acting, allow
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problem, problems, translate
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, etag, with_etag
from app.sheets import undoing
from app.sheets.dependencies import SheetsDep
from app.sheets.schemas import ConfirmIn, ReturnIn, SheetOut
from app.sheets.service import PaperAct, Sheets
from app.trips.endpoints import TripId
from app.web.routers import ApiRouter
from geo.errors import StaleError

router = ApiRouter(prefix="/api/v1/trips", tags=["sheets"])

ReaderDep = Annotated[Principal, Depends(allow("sheets.read"))]
ActorAction = Annotated[ActionContext, Depends(acting("steps.act"))]
StepName = Annotated[str, Path(pattern=r"^[a-z_0-9]{1,40}$", examples=["barrier_1"])]


@router.get("/{trip_id}/sheet", responses=problems(404))
def get_sheet(
    trip_id: TripId, response: Response, principal: ReaderDep, session: SessionDep, sheets: SheetsDep, clock: ClockDep
) -> SheetOut:
    """The sheet of a trip."""
    return with_etag(response, sheets.get_sheet(session, principal, trip_id, now=clock.now()))


@router.post("/{trip_id}/steps/{step}/confirm", response_model=SheetOut, responses=problems(404, 409, 412, 428))
def confirm_step(
    trip_id: TripId,
    step: StepName,
    body: ConfirmIn,
    request: Request,
    response: Response,
    action: ActorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> SheetOut | Response:
    """Confirm a step. A 412 carries the sheet as it is now in its member `sheet`."""
    paper = None if body.paper is None else PaperAct(**body.paper.model_dump())
    confirm = partial(sheets.confirm_step, data=body.data, reason=body.reason, paper=paper)
    act = partial(confirm, action, trip_id, step, expected_version=expected_version)
    repeatable = partial(idempotency.once, action, "steps.confirm", idempotency_key, [trip_id, step, body])
    return _answer_act(request, response, action, sheets, trip_id, repeatable, act)


@router.post("/{trip_id}/steps/{step}/return", response_model=SheetOut, responses=problems(404, 409, 412, 428))
def return_step(
    trip_id: TripId,
    step: StepName,
    body: ReturnIn,
    request: Request,
    response: Response,
    action: ActorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> SheetOut | Response:
    """Send the sheet back, as a rule to be declared again. A 412 carries the sheet as it is now."""
    act = partial(sheets.return_step, action, trip_id, step, expected_version=expected_version, **body.model_dump())
    repeatable = partial(idempotency.once, action, "steps.return", idempotency_key, [trip_id, step, body])
    return _answer_act(request, response, action, sheets, trip_id, repeatable, act)


@router.post("/{trip_id}/steps/{step}/undo", response_model=SheetOut, responses=problems(404, 409, 412, 428))
def undo_step(
    trip_id: TripId,
    step: StepName,
    request: Request,
    response: Response,
    action: ActorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> SheetOut | Response:
    """Take back your own confirmation within 30 s. Refused if what followed from it cannot be undone."""
    act = partial(undoing.undo_step, action, sheets, trip_id, step, expected_version=expected_version)
    repeatable = partial(idempotency.once, action, "steps.undo", idempotency_key, [trip_id, step])
    return _answer_act(request, response, action, sheets, trip_id, repeatable, act)


def _answer_act(
    request: Request,
    response: Response,
    action: ActionContext,
    sheets: Sheets,
    trip_id: int,
    once: Callable[[Callable[[], int]], int],
    act: Callable[[], object],
) -> SheetOut | Response:
    """Act on a sheet and answer with it; the second of two officers is refused with the sheet as the first left it."""

    def make() -> int:
        act()
        return trip_id

    try:
        once(make)
    except StaleError as error:
        action.session.rollback()
        found = sheets.answer_sheet(action.session, action.actor, trip_id, now=action.now)
        headers = {"ETag": etag(found.version)}
        return problem(412, translate(request, error), headers=headers, sheet=jsonable_encoder(found))
    return with_etag(response, sheets.answer_sheet(action.session, action.actor, trip_id, now=action.now))
