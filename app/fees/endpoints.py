"""Fees: list, read, questions, cash, confirmation, VietQR, waivers and refunds."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import acting, allow
from app.fees import payments, reading, releases, service
from app.fees.vocabulary import FeeStatus, PaymentMethod, PaymentSource, PaymentStatus, ReleaseKind, ReleaseStatus
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.trips.vocabulary import Collector

router = APIRouter(prefix="/api/v1/fees", tags=["fees"])

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
ReaderDep = Annotated[Principal, Depends(allow("fees.read"))]
CollectorDep = Annotated[Principal, Depends(allow("fees.collect"))]
CollectorAction = Annotated[ActionContext, Depends(acting("fees.collect"))]
Amount = Annotated[int, Field(ge=1, le=10**12, strict=True, description="Whole đồng.", examples=[4_000_000])]
Reason = Annotated[PlainText, Field(min_length=1, max_length=500)]


class PaymentOut(BaseModel):
    """Money that came in; `applied_vnd` of it pays the fee, the rest is over. It counts once confirmed."""

    payment_id: int
    fee_id: int | None
    method: PaymentMethod
    source: PaymentSource
    status: PaymentStatus
    detail: str | None
    amount_vnd: int
    applied_vnd: int
    refunded_vnd: int
    collector: Collector
    gate_id: str
    bank_ref: str | None
    content: str
    payer: str
    received_at: datetime
    confirmed_at: datetime | None
    receipt_series: str | None
    receipt_number: int | None
    version: int


class TariffRef(BaseModel):
    """The tariff that was asked; `complete` is whether it covers every load."""

    code: str
    version: int
    complete: bool


class FeeOut(BaseModel):
    """What a trip owes. The `amount_vnd` of the lines of `derivation` add up to `amount_vnd`."""

    fee_id: int
    trip_id: int
    trip_code: str
    plate: str
    organisation: str
    goods: str
    goods_class: str
    regime: str
    gate_id: str
    stage: str
    simulated: bool
    collector: Collector | None
    status: FeeStatus
    step_status: str | None
    step_since: datetime | None
    ready: bool
    load: dict[str, Any]
    answers: dict[str, Any]
    question: dict[str, Any] | None
    amount_vnd: int | None
    received_vnd: int
    outstanding_vnd: int
    derivation: list[dict[str, Any]]
    decision_reason: str | None
    reference: str
    tariff: TariffRef | None
    opened_at: datetime
    settled_at: datetime | None
    version: int


class FeeDetail(FeeOut):
    """A fee with its payments."""

    payments: list[PaymentOut]


class FeePage(BaseModel):
    """A page of fees, newest first; the header `Link` points to the next."""

    items: list[FeeOut]


class CodeOut(BaseModel):
    """A VietQR code of what is due: the text that a QR code carries, its picture, and the same to be typed."""

    payload: str
    svg: str
    amount_vnd: int
    reference: str
    bank_bin: str
    bank_name: str
    account_number: str
    account_name: str
    simulated: bool


class AnswersIn(BaseModel):
    """Facts that the declaration leaves out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"facts": {"payload_kg": 1800}}]})

    facts: dict[Annotated[str, Field(max_length=40)], Annotated[JsonValue, Field()]] = Field(max_length=10)


class DecisionIn(BaseModel):
    """An amount where the tariff has no answer, and why."""

    model_config = ConfigDict(extra="forbid")

    amount_vnd: Amount
    reason: Reason


class CashIn(BaseModel):
    """Cash taken: exactly what is due."""

    model_config = ConfigDict(extra="forbid")

    amount_vnd: Amount


class ReasonIn(BaseModel):
    """A reason."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class VerdictIn(BaseModel):
    """What the second person says; a refusal needs a reason."""

    model_config = ConfigDict(extra="forbid")

    approved: bool
    reason: Annotated[PlainText, Field(max_length=500)] = ""


class ReleaseOut(BaseModel):
    """A waiver or refund that waits for a second person; `own` marks what the caller asked for."""

    release_id: int
    kind: ReleaseKind
    fee_id: int | None
    payment_id: int | None
    reference: str | None
    amount_vnd: int
    applied_vnd: int
    method: PaymentMethod | None
    collector: Collector
    gate_id: str
    reason: str
    status: ReleaseStatus
    asked_at: datetime
    asked_by_name: str
    own: bool
    decided_at: datetime | None
    decision_reason: str | None


@router.get("", response_model=FeePage, responses=problems())
def list_fees(
    page: PageParams,
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
    status: Annotated[list[FeeStatus] | None, Query(description="One or several.")] = None,
    ready: Annotated[bool | None, Query(description="Whether the fee's turn has come on the sheet.")] = None,
) -> Any:
    """Fees the caller may see, newest first."""
    return answer(reading.list_fees(session, principal, statuses=tuple(status or ()), ready=ready, page=page))


@router.get("/releases", response_model=list[ReleaseOut], responses=problems())
def list_releases(principal: CollectorDep, session: SessionDep) -> Any:
    """Waivers and refunds of the own office that wait for a second person."""
    return releases.list_releases(session, principal)


@router.post("/releases/{release_id}", status_code=204, responses=problems(404, 409))
def decide_release(release_id: Id, body: VerdictIn, action: CollectorAction, sheets: SheetsDep) -> None:
    """Approve or refuse a waiver or refund that a colleague asked for."""
    releases.decide(action, sheets, release_id, body.approved, body.reason)


@router.get("/of-trip/{trip_id}", response_model=FeeDetail, responses=problems(404))
def get_fee_of_trip(trip_id: Id, response: Response, principal: ReaderDep, session: SessionDep) -> Any:
    """The fee of a trip with its payments."""
    return with_etag(response, reading.get_fee_of_trip(session, principal, trip_id))


@router.get("/{fee_id}", response_model=FeeDetail, responses=problems(404))
def get_fee(fee_id: Id, response: Response, principal: ReaderDep, session: SessionDep) -> Any:
    """One fee with its payments."""
    return with_etag(response, reading.get_fee(session, principal, fee_id))


@router.get("/{fee_id}/vietqr", response_model=CodeOut, responses=problems(404, 409))
def get_code(fee_id: Id, principal: ReaderDep, session: SessionDep) -> Any:
    """The VietQR code of what is still due."""
    return reading.payment_code(session, principal, fee_id)


@router.post("/{fee_id}/answers", response_model=FeeDetail, responses=problems(404, 409, 412, 428))
def answer_question(
    fee_id: Id,
    body: AnswersIn,
    response: Response,
    action: CollectorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> Any:
    """Add facts that the declaration leaves out; the tariff is asked again."""
    service.answer_question(
        action,
        sheets,
        fee_id,
        expected_version,
        body.facts,
    )
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/decision", response_model=FeeDetail, responses=problems(404, 409, 412, 428))
def decide_amount(
    fee_id: Id,
    body: DecisionIn,
    response: Response,
    action: CollectorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> Any:
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


@router.post("/{fee_id}/cash", response_model=FeeDetail, responses=problems(404, 409, 412, 428))
def take_cash(
    fee_id: Id,
    body: CashIn,
    response: Response,
    action: CollectorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Take what is due in cash: the fee is paid, the receipt numbered."""
    make = partial(payments.take_cash, action, sheets, fee_id, expected_version, body.amount_vnd)
    idempotency.once(action, "fees.cash", idempotency_key, [fee_id, body.amount_vnd], make)
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/confirm", response_model=FeeDetail, responses=problems(404, 409, 412, 428))
def confirm(
    fee_id: Id, response: Response, action: CollectorAction, sheets: SheetsDep, expected_version: ExpectedVersion
) -> Any:
    """Confirm that the money for a fee is on the account."""
    payments.confirm(action, sheets, fee_id, expected_version)
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))


@router.post("/{fee_id}/waiver", response_model=FeeDetail, status_code=202, responses=problems(404, 409, 412, 428))
def ask_waiver(
    fee_id: Id, body: ReasonIn, response: Response, action: CollectorAction, expected_version: ExpectedVersion
) -> Any:
    """Ask that a fee be waived; a second person decides."""
    releases.ask_waiver(action, fee_id, expected_version, body.reason)
    return with_etag(response, reading.get_fee(action.session, action.actor, fee_id))
