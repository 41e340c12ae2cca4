"""What the API takes from banks, gateways and statements, and answers them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.fees.schemas import Amount
from app.platform.fields import Moment, PlainText


class TransferIn(BaseModel):
    """A transfer that came in, as a bank reports it; `bank_ref` is the bank's own name for it."""

    bank_ref: Annotated[PlainText, Field(min_length=1, max_length=100)]
    amount_vnd: Amount
    received_at: Moment
    content: Annotated[PlainText, Field(max_length=500)]
    payer: Annotated[PlainText, Field(max_length=200)] = ""


class ReceivedOut(BaseModel):
    """What became of a report; `repeated` if it was known. Of a transfer over several fees the first part."""

    payment_id: int
    status: str
    repeated: bool


class ReportOut(BaseModel):
    """What became of one transfer of a gateway's message: its status, `outgoing`, `other_account` or `error`."""

    result: str
    payment_id: int | None = None
    repeated: bool = False
    message: str | None = None


class ReportsOut(BaseModel):
    """The answer to a gateway: `success` is what it looks for before it stops sending."""

    success: bool = True
    results: list[ReportOut]


class GatewayIn(BaseModel):
    """The key that a gateway gave out; none: the account's own key is used again."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(min_length=8, max_length=200, pattern=r"^[!-~]+$")] | None = None


class GatewayOut(BaseModel):
    """Where a gateway sends to, and the account's own key where that is used: shown here only."""

    gateway: str
    path: str
    webhook_key: str | None


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
