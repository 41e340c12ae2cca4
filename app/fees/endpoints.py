"""Fees: list, read, questions, cash, confirmation, VietQR, waivers and refunds."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Response

from app.accounts.authorisation import acting, allow
from app.fees import payments, reading, releases, service
from app.fees.schemas import (
    AnswersIn,
    CashIn,
    CodeOut,
    CorrectionIn,
    DecisionIn,
    FeeDetail,
    FeePage,
    ProofIn,
    ReasonIn,
    ReleaseOut,
    VerdictIn,
)
from app.fees.vocabulary import FeeStatus
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/fees", tags=["fees"])

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
ReaderDep = Annotated[Principal, Depends(allow("fees.read"))]
CollectorDep = Annotated[Principal, Depends(allow("fees.collect"))]
CollectorAction = Annotated[ActionContext, Depends(acting("fees.collect"))]


@router.get("", responses=problems())
def list_fees(
    page: PageParams,
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
    status: Annotated[list[FeeStatus] | None, Query(description="One or several.")] = None,
    ready: Annotated[bool | None, Query(description="Whether the fee's turn has come on the sheet.")] = None,
) -> FeePage:
    """Fees the caller may see, newest first."""
    found = reading.list_fees(session, principal, statuses=tuple(status or ()), ready=ready, page=page)
    return FeePage.model_validate(answer(found))


@router.get("/releases", responses=problems())
def list_releases(principal: CollectorDep, session: SessionDep) -> list[ReleaseOut]:
    """Waivers, refunds and corrections of the own office that wait for a second person."""
    return releases.list_releases(session, principal)


@router.post("/releases/{release_id}", status_code=204, responses=problems(404, 409))
def decide_release(release_id: Id, body: VerdictIn, action: CollectorAction, sheets: SheetsDep) -> None:
    """Approve or refuse a waiver, refund or correction that a colleague asked for."""
    releases.decide(action, sheets, release_id, body.approved, body.reason)


@router.get("/of-trip/{trip_id}", responses=problems(404))
def get_fee_of_trip(trip_id: Id, response: Response, principal: ReaderDep, session: SessionDep) -> FeeDetail:
    """The fee of a trip with its payments."""
    return with_etag(response, reading.get_fee_of_trip(session, principal, trip_id))


@router.get("/{fee_id}", responses=problems(404))
def get_fee(fee_id: Id, response: Response, principal: ReaderDep, session: SessionDep) -> FeeDetail:
    """One fee with its payments."""
    return with_etag(response, reading.get_fee(session, principal, fee_id))


@router.get("/{fee_id}/vietqr", responses=problems(404, 409))
def get_code(fee_id: Id, principal: ReaderDep, session: SessionDep) -> CodeOut:
    """The VietQR code of what is still due."""
    return reading.payment_code(session, principal, fee_id)


@router.post("/{fee_id}/answers", responses=problems(404, 409, 412, 428))
def answer_question(
    fee_id: Id,
    body: AnswersIn,
    response: Response,
    action: CollectorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> FeeDetail:
    """Add facts that the declaration leaves out; the tariff is asked again."""
    service.answer_question(
        action,
        sheets,
        fee_id,
        expected_version,
        body.facts,
    )
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/decision", responses=problems(404, 409, 412, 428))
def decide_amount(
    fee_id: Id,
    body: DecisionIn,
    response: Response,
    action: CollectorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> FeeDetail:
    """Set the amount where the tariff has no answer."""
    service.decide_amount(
        action,
        sheets,
        fee_id,
        expected_version,
        body.amount_vnd,
        body.reason,
    )
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/correction", status_code=202, responses=problems(404, 409, 412, 428))
def ask_correction(
    fee_id: Id, body: CorrectionIn, response: Response, action: CollectorAction, expected_version: ExpectedVersion
) -> FeeDetail:
    """Ask that a wrong fee be put right; a second person decides."""
    releases.ask_correction(action, fee_id, expected_version, body.amount_vnd, body.reason)
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/proof", responses=problems(404, 409, 412, 428))
def prove_service(
    fee_id: Id,
    body: ProofIn,
    response: Response,
    action: CollectorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> FeeDetail:
    """Look again for what proves a service that lowers the fee; with a reason the collector vouches for it."""
    service.prove_service(action, sheets, fee_id, expected_version, body.reason)
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/cash", responses=problems(404, 409, 412, 428))
def take_cash(
    fee_id: Id,
    body: CashIn,
    response: Response,
    action: CollectorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> FeeDetail:
    """Take what is due in cash: the fee is paid, the receipt numbered."""
    make = partial(payments.take_cash, action, sheets, fee_id, expected_version, body.amount_vnd)
    idempotency.once(action, "fees.cash", idempotency_key, [fee_id, body.amount_vnd], make)
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/confirm", responses=problems(404, 409, 412, 428))
def confirm(
    fee_id: Id, response: Response, action: CollectorAction, sheets: SheetsDep, expected_version: ExpectedVersion
) -> FeeDetail:
    """Confirm that the money for a fee is on the account."""
    payments.confirm(action, sheets, fee_id, expected_version)
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/waiver", status_code=202, responses=problems(404, 409, 412, 428))
def ask_waiver(
    fee_id: Id, body: ReasonIn, response: Response, action: CollectorAction, expected_version: ExpectedVersion
) -> FeeDetail:
    """Ask that a fee be waived; a second person decides."""
    releases.ask_waiver(action, fee_id, expected_version, body.reason)
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))
