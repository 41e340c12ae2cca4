"""Payments: what banks report, what needs a person, receipts, closings, the accounts money arrives on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Path, Request, Response

from app.accounts.authorisation import acting, allow
from app.fees import bank, closing, payments, reading, receipts, releases, statement_file, statements
from app.fees.bank_schemas import GatewayIn, GatewayOut, ReceivedOut, ReportsOut, RowOut, StatementOut
from app.fees.endpoints import CollectorAction, CollectorDep, Id, ReaderDep
from app.fees.gateways.messages import Message
from app.fees.schemas import (
    AccountIn,
    AccountOut,
    AccountWithKey,
    AttachIn,
    CloseIn,
    ClosingOut,
    FeeDetail,
    OpenPaymentOut,
    PaymentOut,
    PreviewOut,
    RefundIn,
)
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, RuntimeDep, SessionDep
from app.platform.errors import problems, translate
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.web.routers import ApiRouter
from geo.errors import MalformedError

router = ApiRouter(prefix="/api/v1/payments", tags=["fees"])

MAX_WEBHOOK_BYTES = 64 * 1024
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SetterDep = Annotated[Principal, Depends(allow("tariffs.write"))]
SetterAction = Annotated[ActionContext, Depends(acting("tariffs.write"))]


def body_up_to(max_bytes: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency that reads the body of a request, which may have `max_bytes`."""

    async def read(request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise MalformedError("The message is larger than {most} bytes.", most=max_bytes)
        return bytes(body)

    return read


@router.post("/bank/{collecting_account_id}", responses=problems(400, 409, 413))
def bank_webhook(
    collecting_account_id: Id,
    body: Annotated[bytes, Depends(body_up_to(MAX_WEBHOOK_BYTES))],
    session: SessionDep,
    clock: ClockDep,
    runtime: RuntimeDep,
    request: Request,
    x_timestamp: Annotated[str, Header(max_length=20, description="Unix seconds.")] = "",
    x_signature: Annotated[
        str, Header(max_length=200, description="HMAC-SHA256 of timestamp, dot and body, hexadecimal.")
    ] = "",
) -> ReceivedOut | ReportsOut:
    """Transfers that came in, reported by a bank in our own form or by SePay, Casso or payOS in theirs.

    Signed as each of them signs (see docs/fees.md). Sent again it has one effect.
    """
    headers = {**request.headers, "x-timestamp": x_timestamp, "x-signature": x_signature}
    message = Message(headers, body, clock.now())
    secret_key = runtime.settings.secret_key.get_secret_value()
    return bank.receive(session, collecting_account_id, message, secret_key=secret_key)


@router.get("/open", responses=problems())
def list_open(principal: CollectorDep, session: SessionDep) -> list[OpenPaymentOut]:
    """Payments of the own office that need a person: unknown, over, under, double; oldest first."""
    return payments.list_for_a_person(session, principal)


@router.post(
    "/statements",
    responses=problems(400, 409),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                XLSX: {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
)
def import_statement(
    body: Annotated[bytes, Depends(body_up_to(statement_file.MAX_BYTES))], request: Request, action: CollectorAction
) -> StatementOut:
    """A bank statement of the own account as CSV or XLSX; the result of each row. Known transfers change nothing."""
    result = statements.import_statement(action, body)
    rows = [
        RowOut(
            row=row.row,
            result=row.result,
            payment_id=row.payment_id,
            field=row.error.field if row.error else None,
            message=translate(request, row.error) if row.error else None,
        )
        for row in result.rows
    ]
    return StatementOut(rows=rows, counts=result.counts)


@router.get("/closings", responses=problems())
def list_closings(principal: CollectorDep, session: SessionDep) -> list[ClosingOut]:
    """Closed days of the own office, newest first."""
    return closing.list_closings(session, principal)


@router.get("/closings/preview", responses=problems(409))
def preview_closing(principal: CollectorDep, session: SessionDep, clock: ClockDep) -> PreviewOut:
    """What a closing would hold now."""
    return closing.preview(session, principal, now=clock.now())


@router.post("/closings", status_code=201, responses=problems(409))
def close_day(body: CloseIn, action: CollectorAction, idempotency_key: IdempotencyKey = None) -> list[ClosingOut]:
    """Close the present day of the own office; a day is closed once."""
    make = partial(closing.close_day, action, body.counted_cash_vnd, body.reason)
    idempotency.once(action, "fees.close", idempotency_key, [body], make)
    return closing.list_closings(action.session, action.actor, limit=1)


@router.get("/accounts", responses=problems())
def list_accounts(_principal: SetterDep, session: SessionDep) -> list[AccountOut]:
    """The bank accounts in use."""
    return [AccountOut.model_validate(account) for account in bank.list_accounts(session)]


@router.post("/accounts", status_code=201, responses=problems())
def enter_account(body: AccountIn, action: SetterAction, runtime: RuntimeDep, corridor: CorridorDep) -> AccountWithKey:
    """Enter the bank account of a collector at a gate, in place of the one before."""
    gates = {gate.site_id for gate in corridor.gates()}
    return bank.enter_account(
        action,
        body,
        gates=gates,
        secret_key=runtime.settings.secret_key.get_secret_value(),
    )


@router.put("/accounts/{collecting_account_id}/gateways/{gateway}", responses=problems(404))
def enter_gateway_key(
    collecting_account_id: Id,
    gateway: Annotated[str, Path(max_length=20)],
    body: GatewayIn,
    action: SetterAction,
    runtime: RuntimeDep,
) -> GatewayOut:
    """Enter the key that a gateway gave out for an account, or go back to the account's own key."""
    secret_key = runtime.settings.secret_key.get_secret_value()
    return bank.enter_gateway_key(action, collecting_account_id, gateway, body.key, secret_key=secret_key)


@router.post("/transfers/{transfer_id}/confirm", responses=problems(404, 409))
def confirm_transfer(transfer_id: Id, action: CollectorAction, sheets: SheetsDep) -> list[FeeDetail]:
    """Confirm every fee that a transfer over several fees pays whole; each has a receipt of its own."""
    confirmed = payments.confirm_transfer(action, sheets, transfer_id)
    return [reading.get_fee(action.session, action.actor, fee_id) for fee_id in confirmed]


@router.get("/{payment_id}", responses=problems(404))
def get_payment(payment_id: Id, response: Response, principal: CollectorDep, session: SessionDep) -> PaymentOut:
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


@router.post("/{payment_id}/attach", responses=problems(404, 409, 412, 428))
def attach(
    payment_id: Id, body: AttachIn, response: Response, action: CollectorAction, expected_version: ExpectedVersion
) -> PaymentOut:
    """Put an unmatched transfer on a fee."""
    payments.attach(
        action,
        payment_id,
        expected_version,
        body.reference,
        body.reason,
        body.amount_vnd,
    )
    return with_etag(response, payments.get_payment(action.session, action.actor, payment_id))


@router.post("/{payment_id}/refund", status_code=202, responses=problems(404, 409, 412, 428))
def ask_refund(
    payment_id: Id, body: RefundIn, response: Response, action: CollectorAction, expected_version: ExpectedVersion
) -> PaymentOut:
    """Ask that money be given back; a second person decides."""
    releases.ask_refund(
        action,
        payment_id,
        expected_version,
        body.amount_vnd,
        body.reason,
    )
    return with_etag(response, payments.get_payment(action.session, action.actor, payment_id))
