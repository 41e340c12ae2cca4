"""What the API of fees, payments and tariffs takes and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.fees.records import CashierSums, Fact, LineRecord, LoadRecord, QuestionRecord, ReceiptRun
from app.fees.vocabulary import FeeStatus, PaymentMethod, PaymentSource, PaymentStatus, ReleaseKind, ReleaseStatus
from app.platform.fields import PlainText
from app.platform.json import JsonObject
from app.platform.labels import DocumentStatus
from app.trips.vocabulary import Collector

Amount: TypeAlias = Annotated[int, Field(ge=1, le=10**12, strict=True, description="Whole đồng.", examples=[4_000_000])]
Reason: TypeAlias = Annotated[PlainText, Field(min_length=1, max_length=500)]


class Answer(BaseModel):
    """What is answered, read from an object with attributes of the same names."""

    model_config = ConfigDict(from_attributes=True)


class PaymentOut(Answer):
    """Money that came in; `applied_vnd` of it pays the fee, the rest is over. It counts once confirmed."""

    payment_id: int
    fee_id: int | None
    transfer_id: int | None
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


class FeeColumns(Answer):
    """A fee's own columns, as the audit log keeps them.

    The `amount_vnd` of the lines of `derivation` add up to `amount_vnd`.
    """

    fee_id: int
    trip_id: int
    gate_id: str
    collector: Collector | None
    status: FeeStatus
    load: LoadRecord
    answers: dict[str, Fact]
    question: QuestionRecord | None
    amount_vnd: int | None
    derivation: list[LineRecord]
    decision_reason: str | None
    reference: str
    opened_at: datetime
    settled_at: datetime | None
    version: int


class FeeOut(FeeColumns):
    """What a trip owes. The `amount_vnd` of the lines of `derivation` add up to `amount_vnd`."""

    trip_code: str
    plate: str
    organisation: str
    goods: str
    goods_class: str
    regime: str
    stage: str
    simulated: bool
    step_status: str | None
    step_since: datetime | None
    ready: bool
    received_vnd: int
    outstanding_vnd: int
    tariff: TariffRef | None


class FeeDetail(FeeOut):
    """A fee with its payments, and the corrections that were asked for, oldest first.

    `held_vnd` came in and was not given back; `excess_vnd` of it is to be given back.
    """

    held_vnd: int
    excess_vnd: int
    payments: list[PaymentOut]
    corrections: list[CorrectionOut]


class FeeOnSheet(Answer):
    """What of a fee stands on the sheet of its trip."""

    fee_id: int
    status: FeeStatus
    collector: Collector | None
    amount_vnd: int | None
    received_vnd: int
    outstanding_vnd: int
    question: QuestionRecord | None
    reference: str


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


class RemittanceIn(BaseModel):
    """Fees that one transfer is to pay, in the order in which money fills them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"fee_ids": [12, 13]}]})

    fee_ids: list[Annotated[int, Field(ge=1, le=2**31 - 1)]] = Field(min_length=1, max_length=100)


class RemittanceOut(BaseModel):
    """Fees that one transfer pays; `code` is empty when nothing is due any more."""

    remittance_id: int
    reference: str
    collector: Collector
    gate_id: str
    created_at: datetime
    amount_vnd: int
    outstanding_vnd: int
    fees: list[FeeOut]
    code: CodeOut | None


class AnswersIn(BaseModel):
    """Facts that the declaration leaves out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"facts": {"payload_kg": 1800}}]})

    facts: dict[Annotated[str, Field(max_length=40)], Annotated[JsonValue, Field()]] = Field(max_length=10)


class DecisionIn(BaseModel):
    """An amount where the tariff has no answer, and why."""

    model_config = ConfigDict(extra="forbid")

    amount_vnd: Amount
    reason: Reason


class CorrectionIn(BaseModel):
    """What a wrong fee should be, and why; a second person decides."""

    model_config = ConfigDict(extra="forbid")

    amount_vnd: Annotated[int, Field(ge=0, le=10**12, strict=True, description="Whole đồng.", examples=[4_000_000])]
    reason: Reason


class CorrectionOut(Answer):
    """A correction of a fee: what it was, what it becomes, why; who asked and decided, for its office and auditors."""

    release_id: int
    status: ReleaseStatus
    previous_vnd: int | None
    amount_vnd: int
    reason: str
    asked_at: datetime
    asked_by_name: str | None
    decided_at: datetime | None
    decided_by_name: str | None
    decision_reason: str | None


class CashIn(BaseModel):
    """Cash taken: exactly what is due."""

    model_config = ConfigDict(extra="forbid")

    amount_vnd: Amount


class ReasonIn(BaseModel):
    """A reason."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class ProofIn(BaseModel):
    """Why the collector vouches for a service; empty: only look again for what proves it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[PlainText, Field(max_length=500)] = ""


class VerdictIn(BaseModel):
    """What the second person says; a refusal needs a reason."""

    model_config = ConfigDict(extra="forbid")

    approved: bool
    reason: Annotated[PlainText, Field(max_length=500)] = ""


class ReleaseColumns(Answer):
    """A waiver's or refund's own columns, as the audit log keeps them."""

    release_id: int
    kind: ReleaseKind
    fee_id: int | None
    payment_id: int | None
    amount_vnd: int
    previous_vnd: int | None
    applied_vnd: int
    method: PaymentMethod | None
    collector: Collector
    gate_id: str
    reason: str
    status: ReleaseStatus
    asked_at: datetime
    decided_at: datetime | None
    decision_reason: str | None


class ReleaseOut(ReleaseColumns):
    """A waiver or refund that waits for a second person; `own` marks what the caller asked for."""

    reference: str | None
    asked_by_name: str
    own: bool


class OpenPaymentOut(PaymentOut):
    """A payment that no rule settles, with the fee it may belong to and what of it is over."""

    reference: str | None
    fee_vnd: int | None
    fee_status: str | None
    excess_vnd: int


class AttachIn(BaseModel):
    """Whose an unmatched transfer is; with `amount_vnd` only that much of it, the rest stays unmatched."""

    model_config = ConfigDict(extra="forbid")

    reference: Annotated[PlainText, Field(min_length=1, max_length=40)]
    reason: Reason
    amount_vnd: Amount | None = None


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


class SumsOut(Answer):
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
    receipts: list[ReceiptRun]
    accounts: list[CashierSums]


class PreviewOut(SumsOut):
    """What a closing would hold now."""

    closed: bool
    expected_cash_vnd: int


class ClosingColumns(SumsOut):
    """A closing's own columns, as the audit log keeps them."""

    closing_id: int
    collector: Collector
    gate_id: str
    closed_at: datetime
    counted_cash_vnd: int
    difference_vnd: int
    difference_reason: str | None


class ClosingOut(ClosingColumns):
    """A closed day."""

    closed_by_name: str


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

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    collecting_account_id: int
    created_at: datetime


class AccountWithKey(AccountOut):
    """A bank account just entered, with the key of its webhook: shown here only."""

    webhook_key: str


class TariffIn(BaseModel):
    """A tariff's definition, as the shipped ones in `app/fees/tariffs_shipped` have it; what is in it is checked."""

    model_config = ConfigDict(extra="forbid")

    rules: JsonObject = Field(max_length=30)


class TariffOut(Answer):
    """One version of a tariff."""

    tariff_id: int
    code: str
    version: int
    valid_from: date
    valid_to: date | None
    complete: bool
    source: str
    status: DocumentStatus
    edit: int
    created_at: datetime
    published_at: datetime | None


class TariffDetail(TariffOut):
    """A tariff with its rules."""

    rules: JsonObject
