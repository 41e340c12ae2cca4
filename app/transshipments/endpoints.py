"""Transshipments: register, approve, carry out exactly as approved."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Response
from sqlalchemy.orm import Session

from app.accounts.authorisation import acting, allow
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.transshipments import service
from app.transshipments.schemas import CarriedOut, Refusal, TransshipmentIn, TransshipmentList, TransshipmentOut
from app.transshipments.vocabulary import TransshipmentStatus
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/transshipments", tags=["trips"])

ReaderDep = Annotated[Principal, Depends(allow("sheets.read"))]
RegistrantAction = Annotated[ActionContext, Depends(acting("transshipments.register"))]
ApproverAction = Annotated[ActionContext, Depends(acting("transshipments.approve"))]
WithdrawerAction = Annotated[ActionContext, Depends(acting("transshipments.withdraw"))]
YardAction = Annotated[ActionContext, Depends(acting("transshipments.carry_out"))]
TransshipmentId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("", status_code=201, responses=problems(404, 409))
def register_transshipment(
    body: TransshipmentIn,
    response: Response,
    action: RegistrantAction,
    sheets: SheetsDep,
    idempotency_key: IdempotencyKey = None,
) -> TransshipmentOut:
    """Register which goods of a trip go on in which vehicles, after quarantine."""
    moves = [move.as_move() for move in body.moves]
    receivers = [receiver.as_receiver() for receiver in body.receivers]
    make = partial(service.register, action, sheets, body.trip_id, moves, receivers=receivers, note=body.note)
    transshipment_id = idempotency.once(action, "transshipments.register", idempotency_key, [body], make)
    response.headers["Location"] = f"{router.prefix}/{transshipment_id}"
    return _answer(action.session, action.actor, transshipment_id, response)


@router.get("", responses=problems())
def list_transshipments(
    page: PageParams,
    answer: AnswerPage,
    session: SessionDep,
    principal: ReaderDep,
    trip_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    status: Annotated[list[TransshipmentStatus] | None, Query()] = None,
) -> TransshipmentList:
    """The transshipments of the trips you may see, newest first."""
    found = service.list_transshipments(session, principal, trip_id=trip_id, statuses=status or (), page=page)
    return TransshipmentList.model_validate(answer(found))


@router.get("/{transshipment_id}", responses=problems(404))
def read_transshipment(
    transshipment_id: TransshipmentId, response: Response, session: SessionDep, principal: ReaderDep
) -> TransshipmentOut:
    """One transshipment."""
    return _answer(session, principal, transshipment_id, response)


@router.post("/{transshipment_id}/approve", responses=problems(404, 409, 412, 428))
def approve_transshipment(
    transshipment_id: TransshipmentId, response: Response, action: ApproverAction, expected_version: ExpectedVersion
) -> TransshipmentOut:
    """Customs: let it be carried out."""
    service.approve(action, transshipment_id, expected_version)
    return _answer(action.session, action.actor, transshipment_id, response)


@router.post("/{transshipment_id}/refuse", responses=problems(404, 409, 412, 428))
def refuse_transshipment(
    transshipment_id: TransshipmentId,
    body: Refusal,
    response: Response,
    action: ApproverAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> TransshipmentOut:
    """Customs: refuse it, or take an approval back before it is carried out."""
    service.refuse(action, sheets, transshipment_id, expected_version, body.reason)
    return _answer(action.session, action.actor, transshipment_id, response)


@router.post("/{transshipment_id}/withdraw", responses=problems(404, 409, 412, 428))
def withdraw_transshipment(
    transshipment_id: TransshipmentId,
    response: Response,
    action: WithdrawerAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> TransshipmentOut:
    """Enterprise: take it back before the yard begins to move the goods."""
    service.withdraw(action, sheets, transshipment_id, expected_version)
    return _answer(action.session, action.actor, transshipment_id, response)


@router.post("/{transshipment_id}/begin", responses=problems(404, 409, 412, 428))
def begin_transshipment(
    transshipment_id: TransshipmentId, response: Response, action: YardAction, expected_version: ExpectedVersion
) -> TransshipmentOut:
    """Yard: the goods are being moved; the enterprise takes nothing back from now on."""
    service.begin(action, transshipment_id, expected_version)
    return _answer(action.session, action.actor, transshipment_id, response)


@router.post("/{transshipment_id}/carry-out", responses=problems(404, 409, 412, 428))
def carry_out_transshipment(
    transshipment_id: TransshipmentId,
    body: CarriedOut,
    response: Response,
    action: YardAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> TransshipmentOut:
    """Yard: confirm that exactly what was approved was moved. Each receiving vehicle has its own sheet then."""

    def make() -> int:
        service.carry_out(action, sheets, transshipment_id, expected_version, [move.as_move() for move in body.moves])
        return transshipment_id

    idempotency.once(action, f"transshipments.carry_out.{transshipment_id}", idempotency_key, [body], make)
    return _answer(action.session, action.actor, transshipment_id, response)


def _answer(session: Session, principal: Principal, transshipment_id: int, response: Response) -> TransshipmentOut:
    return with_etag(response, service.get_transshipment(session, principal, transshipment_id))
