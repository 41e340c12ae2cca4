"""Payments: what banks report, what needs a person, receipts, closings, the accounts money arrives on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.accounts.authorisation import acting, allow
from app.fees import bank, closing, payments, receipts, releases, store
from app.fees.endpoints import Amount, CollectorAction, CollectorDep, Id, PaymentOut, ReaderDep, Reason
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, RuntimeDep, SessionDep
from app.platform.errors import problems, translate
from app.platform.fields import Moment, PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.trips.vocabulary import Collector
from geo.errors import CuaKhauError, InvalidInputError, MalformedError

router = APIRouter(prefix="/api/v1/payments", tags=["fees"])

MAX_WEBHOOK_BYTES = 64 * 1024
SetterDep = Annotated[Principal, Depends(allow("tariffs.write"))]
SetterAction = Annotated[ActionContext, Depends(acting("tariffs.write"))]


def body_up_to(most_bytes: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency that reads the body of a request, which may have `most_bytes`."""

    async def read(request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                raise MalformedError("The message is larger than {most} bytes.", most=most_bytes)
        return bytes(body)

    return read


class TransferIn(BaseModel):
    """A transfer that came in, as a bank reports it; `bank_ref` is the bank's own name for it."""

    bank_ref: Annotated[PlainText, Field(min_length=1, max_length=100)]
    amount_vnd: Amount
    received_at: Moment
    content: Annotated[PlainText, Field(max_length=500)]
    payer: Annotated[PlainText, Field(max_length=200)] = ""


class ReceivedOut(BaseModel):
    """What became of a report; `repeated` if it was known."""

    payment_id: int
    status: str
    repeated: bool


class OpenPaymentOut(PaymentOut):
    """A payment that no rule settles, with the fee it may belong to and what of it is over."""

    reference: str | None
    fee_vnd: int | None
    fee_status: str | None
    excess_vnd: int


class RowOut(BaseModel):
    """The result of one row of a statement: a payment's status, `repeat`, `outgoing` or `error`."""

    row: int
    result: str
    payment_id: int | None
    field: str | None = None
    message: str | None = None


class StatementOut(BaseModel):
    """The result of a statement."""

    rows: list[RowOut]
    counts: dict[str, int]


class AttachIn(BaseModel):
    """Whose an unmatched transfer is."""

    model_config = ConfigDict(extra="forbid")

    reference: Annotated[PlainText, Field(min_length=1, max_length=40)]
    reason: Reason


class RefundIn(BaseModel):
    """What to give back, and why."""

    model_config = ConfigDict(extra="forbid")

    amount_vnd: Amount
    reason: Reason


class CloseIn(BaseModel):
    """The cash as counted; a reason if it differs from the records."""

    model_config = ConfigDict(extra="forbid")

    counted_cash_vnd: Annotated[int, Field(ge=0, le=10**13, strict=True)]
    reason: Annotated[PlainText, Field(max_length=500)] = ""


class SumsOut(BaseModel):
    """Sums of a day, whole đồng."""

    day: date
    payments: int
    refunds: int
    cash_vnd: int
    transfer_vnd: int
    cash_refund_vnd: int
    transfer_refund_vnd: int
    net_vnd: int
    held_vnd: int
    receipts: list[dict[str, Any]]
    accounts: list[dict[str, Any]]


class PreviewOut(SumsOut):
    """What a closing would hold now."""

    closed: bool
    expected_cash_vnd: int


class ClosingOut(SumsOut):
    """A closed day."""

    closing_id: int
    collector: Collector
    gate_id: str
    closed_at: datetime
    closed_by_name: str
    counted_cash_vnd: int
    difference_vnd: int
    difference_reason: str | None


class AccountIn(BaseModel):
    """The bank account of a collector at a gate."""

    model_config = ConfigDict(extra="forbid")

    collector: Collector
    gate_id: Annotated[PlainText, Field(min_length=1, max_length=60)]
    bank_bin: Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["970436"])]
    bank_name: Annotated[PlainText, Field(min_length=1, max_length=100)]
    account_number: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,19}$")]
    account_name: Annotated[PlainText, Field(min_length=1, max_length=100)]
    simulated: bool = False


class AccountOut(AccountIn):
    """A bank account in use."""

    model_config = ConfigDict(extra="ignore")

    collecting_account_id: int
    created_at: datetime


class AccountWithKey(AccountOut):
    """A bank account just entered, with the key of its webhook: shown here only."""

    webhook_key: str


@router.post("/bank/{collecting_account_id}", response_model=ReceivedOut, responses=problems(400, 409, 413))
def bank_webhook(
    collecting_account_id: Id,
    body: Annotated[bytes, Depends(body_up_to(MAX_WEBHOOK_BYTES))],
    session: SessionDep,
    clock: ClockDep,
    runtime: RuntimeDep,
    x_timestamp: Annotated[str, Header(max_length=20, description="Unix seconds.")] = "",
    x_signature: Annotated[
        str, Header(max_length=200, description="HMAC-SHA256 of timestamp, dot and body, hexadecimal.")
    ] = "",
) -> Any:
    """A transfer that came in, signed by the bank (or its gateway). Sent again it has one effect."""
    secret = runtime.settings.secret_key.get_secret_value()
    return bank.receive(
        session,
        collecting_account_id,
        timestamp=x_timestamp,
        signature=x_signature,
        body=body,
        read=_read_transfer,
        secret_key=secret,
        now=clock.now(),
    )


def _read_transfer(body: bytes) -> dict[str, Any]:
    try:
        return TransferIn.model_validate_json(body).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError("{name}: {problem}", field=field or None, name=field, problem=first["msg"]) from None


@router.get("/open", response_model=list[OpenPaymentOut], responses=problems())
def list_open(principal: CollectorDep, session: SessionDep) -> Any:
    """Payments of the own office that need a person: unknown, over, under, double; oldest first."""
    return payments.list_for_a_person(session, principal)


@router.post(
    "/statements",
    response_model=StatementOut,
    responses=problems(400, 409),
    openapi_extra={
        "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}},
    },
)
def import_statement(
    body: Annotated[bytes, Depends(body_up_to(bank.MAX_BYTES))], request: Request, action: CollectorAction
) -> Any:
    """A bank statement of the own account as CSV; the result of each row. Known transfers change nothing."""
    answer = bank.import_statement(action, body)
    return answer | {"rows": [row | {"message": _say(request, row.get("error"))} for row in answer["rows"]]}


def _say(request: Request, error: CuaKhauError | None) -> str | None:
    return None if error is None else translate(request, error)


@router.get("/closings", response_model=list[ClosingOut], responses=problems())
def list_closings(principal: CollectorDep, session: SessionDep) -> Any:
    """Closed days of the own office, newest first."""
    return closing.list_closings(session, principal)


@router.get("/closings/preview", response_model=PreviewOut, responses=problems(409))
def preview_closing(principal: CollectorDep, session: SessionDep, clock: ClockDep) -> Any:
    """What a closing would hold now."""
    return closing.preview(session, principal, now=clock.now())


@router.post("/closings", status_code=201, response_model=list[ClosingOut], responses=problems(409))
def close_day(body: CloseIn, action: CollectorAction, idempotency_key: IdempotencyKey = None) -> Any:
    """Close the present day of the own office; a day is closed once."""
    make = partial(closing.close_day, action, body.counted_cash_vnd, body.reason)
    idempotency.once(action, "fees.close", idempotency_key, [body], make)
    return closing.list_closings(action.session, action.actor, limit=1)


@router.get("/accounts", response_model=list[AccountOut], responses=problems())
def list_accounts(_principal: SetterDep, session: SessionDep) -> Any:
    """The bank accounts in use."""
    return [bank.describe_account(one) for one in store.list_collecting_accounts(session)]


@router.post("/accounts", status_code=201, response_model=AccountWithKey, responses=problems())
def enter_account(body: AccountIn, action: SetterAction, runtime: RuntimeDep, corridor: CorridorDep) -> Any:
    """Enter the bank account of a collector at a gate, in place of the one before."""
    gates = {gate.site_id for gate in corridor.gates()}
    return bank.enter_account(
        action,
        body.model_dump(),
        gates=gates,
        secret_key=runtime.settings.secret_key.get_secret_value(),
    )


@router.get("/{payment_id}", response_model=PaymentOut, responses=problems(404))
def get_payment(payment_id: Id, response: Response, principal: CollectorDep, session: SessionDep) -> Any:
    """One payment of the own office."""
    return with_etag(response, payments.get_payment(session, principal, payment_id))


@router.get(
    "/{payment_id}/receipt",
    response_class=Response,
    responses=problems(404) | {200: {"content": {"application/pdf": {}}}},
)
def get_receipt(payment_id: Id, principal: ReaderDep, session: SessionDep, corridor: CorridorDep) -> Response:
    """The receipt of a confirmed payment as PDF."""
    names = {gate.site_id: gate.name["vi"] for gate in corridor.gates()}
    name, pdf = receipts.receipt_pdf(session, principal, payment_id, gate_names=names)
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.post("/{payment_id}/attach", response_model=PaymentOut, responses=problems(404, 409, 412, 428))
def attach(
    payment_id: Id, body: AttachIn, response: Response, action: CollectorAction, expected_version: ExpectedVersion
) -> Any:
    """Put an unmatched transfer on a fee."""
    payments.attach(
        action,
        payment_id,
        expected_version,
        body.reference,
        body.reason,
    )
    return with_etag(response, payments.get_payment(action.session, action.actor, payment_id))


@router.post("/{payment_id}/refund", response_model=PaymentOut, status_code=202, responses=problems(404, 409, 412, 428))
def ask_refund(
    payment_id: Id, body: RefundIn, response: Response, action: CollectorAction, expected_version: ExpectedVersion
) -> Any:
    """Ask that money be given back; a second person decides."""
    releases.ask_refund(
        action,
        payment_id,
        expected_version,
        body.amount_vnd,
        body.reason,
    )
    return with_etag(response, payments.get_payment(action.session, action.actor, payment_id))
