"""Fees: list, read, questions, cash, confirmation, VietQR, waivers and refunds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import allow
from app.accounts.sessions import client_address
from app.fees import payments, releases, service
from app.fees.vocabulary import FeeStatus, PaymentMethod, PaymentSource, PaymentStatus, ReleaseKind, ReleaseStatus
from app.platform import idempotency
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.http import IdempotencyKey, IfMatch, PlainText, etag, link_next, problems, read_if_match
from app.platform.permissions import Principal
from app.procedures.steps import Collector
from app.sheets.dependencies import SheetsDep

router = APIRouter(prefix="/api/v1/fees", tags=["fees"])

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
ReaderDep = Annotated[Principal, Depends(allow("fees.read"))]
CollectorDep = Annotated[Principal, Depends(allow("fees.collect"))]
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
    request: Request,
    response: Response,
    principal: ReaderDep,
    session: SessionDep,
    status: Annotated[list[FeeStatus] | None, Query(description="One or several.")] = None,
    ready: Annotated[bool | None, Query(description="Whether the fee's turn has come on the sheet.")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="From the `Link` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Any:
    """Fees the caller may see, newest first."""
    items, next_before = service.list_fees(
        session, principal, statuses=tuple(status or ()), ready=ready, before=before, limit=limit
    )
    if next_before is not None:
        link_next(request, response, before=next_before)
    return {"items": items}


@router.get("/releases", response_model=list[ReleaseOut], responses=problems())
def list_releases(principal: CollectorDep, session: SessionDep) -> Any:
    """Waivers and refunds of the own office that wait for a second person."""
    return releases.list_releases(session, principal)


@router.post("/releases/{release_id}", status_code=204, responses=problems(404, 409))
def decide_release(
    release_id: Id,
    body: VerdictIn,
    request: Request,
    principal: CollectorDep,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
) -> None:
    """Approve or refuse a waiver or refund that a colleague asked for."""
    releases.decide(
        session,
        sheets,
        principal,
        release_id,
        body.approved,
        body.reason,
        now=clock.now(),
        address=client_address(request),
    )


@router.get("/of-trip/{trip_id}", response_model=FeeDetail, responses=problems(404))
def get_fee_of_trip(trip_id: Id, response: Response, principal: ReaderDep, session: SessionDep) -> Any:
    """The fee of a trip with its payments."""
    return _answer(response, service.get_fee_of_trip(session, principal, trip_id))


@router.get("/{fee_id}", response_model=FeeDetail, responses=problems(404))
def get_fee(fee_id: Id, response: Response, principal: ReaderDep, session: SessionDep) -> Any:
    """One fee with its payments."""
    return _answer(response, service.get_fee(session, principal, fee_id))


@router.get("/{fee_id}/vietqr", response_model=CodeOut, responses=problems(404, 409))
def get_code(fee_id: Id, principal: ReaderDep, session: SessionDep) -> Any:
    """The VietQR code of what is still due."""
    return service.payment_code(session, principal, fee_id)


@router.post("/{fee_id}/answers", response_model=FeeDetail, responses=problems(404, 409, 412, 428))
def answer_question(
    fee_id: Id,
    body: AnswersIn,
    request: Request,
    response: Response,
    principal: CollectorDep,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    if_match: IfMatch = None,
) -> Any:
    """Add facts that the declaration leaves out; the tariff is asked again."""
    service.answer_question(
        session,
        sheets,
        principal,
        fee_id,
        read_if_match(if_match),
        body.facts,
        now=clock.now(),
        address=client_address(request),
    )
    return _answer(response, service.get_fee(session, principal, fee_id))


@router.post("/{fee_id}/decision", response_model=FeeDetail, responses=problems(404, 409, 412, 428))
def decide_amount(
    fee_id: Id,
    body: DecisionIn,
    request: Request,
    response: Response,
    principal: CollectorDep,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    if_match: IfMatch = None,
) -> Any:
    """Set the amount where the tariff has no answer."""
    service.decide_amount(
        session,
        sheets,
        principal,
        fee_id,
        read_if_match(if_match),
        body.amount_vnd,
        body.reason,
        now=clock.now(),
        address=client_address(request),
    )
    return _answer(response, service.get_fee(session, principal, fee_id))


@router.post("/{fee_id}/cash", response_model=FeeDetail, responses=problems(404, 409, 412, 428))
def take_cash(
    fee_id: Id,
    body: CashIn,
    request: Request,
    response: Response,
    principal: CollectorDep,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Take what is due in cash: the fee is paid, the receipt numbered."""
    edited, now = read_if_match(if_match), clock.now()

    def make() -> int:
        address = client_address(request)
        return payments.take_cash(session, sheets, principal, fee_id, edited, body.amount_vnd, now=now, address=address)

    sent = f"{fee_id} {body.amount_vnd}".encode()
    idempotency.once(session, principal, "fees.cash", key=idempotency_key, body=sent, now=now, make=make)
    return _answer(response, service.get_fee(session, principal, fee_id))


@router.post("/{fee_id}/confirm", response_model=FeeDetail, responses=problems(404, 409, 412, 428))
def confirm(
    fee_id: Id,
    request: Request,
    response: Response,
    principal: CollectorDep,
    session: SessionDep,
    sheets: SheetsDep,
    clock: ClockDep,
    if_match: IfMatch = None,
) -> Any:
    """Confirm that the money for a fee is on the account."""
    edited = read_if_match(if_match)
    payments.confirm(session, sheets, principal, fee_id, edited, now=clock.now(), address=client_address(request))
    return _answer(response, service.get_fee(session, principal, fee_id))


@router.post("/{fee_id}/waiver", response_model=FeeDetail, status_code=202, responses=problems(404, 409, 412, 428))
def ask_waiver(
    fee_id: Id,
    body: ReasonIn,
    request: Request,
    response: Response,
    principal: CollectorDep,
    session: SessionDep,
    clock: ClockDep,
    if_match: IfMatch = None,
) -> Any:
    """Ask that a fee be waived; a second person decides."""
    edited, address = read_if_match(if_match), client_address(request)
    releases.ask_waiver(session, principal, fee_id, edited, body.reason, now=clock.now(), address=address)
    return _answer(response, service.get_fee(session, principal, fee_id))


def _answer(response: Response, fee: dict[str, Any]) -> dict[str, Any]:
    response.headers["ETag"] = etag(fee["version"])
    return fee
