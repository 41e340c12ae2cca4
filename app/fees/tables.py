"""Tables of tariffs, fees, transfers, payments, remittances, releases, receipt series and closings."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.fees.records import CashierSums, Fact, LineRecord, LoadRecord, QuestionRecord, ReceiptRun
from app.fees.vocabulary import FeeStatus, PaymentStatus
from app.platform.encryption import EncryptedText
from app.platform.json import JsonObject
from app.platform.labels import DocumentStatus
from app.platform.versioned import VersionedColumns
from app.trips.vocabulary import Collector
from geo.database import Base, one_of

IS_OPEN = one_of("status", FeeStatus.open())
ACCOUNT = "app.account.account_id"
COLLECTING_ACCOUNT = "app.collecting_account.collecting_account_id"


class TariffRow(VersionedColumns, Base):
    """One version of a tariff; `rules` is its whole definition (see `app.fees.tariff`)."""

    __tablename__ = "tariff"
    __table_args__ = (
        CheckConstraint(one_of("status", DocumentStatus), name="status"),
        UniqueConstraint("code", "version"),
        {"schema": "app"},
    )

    tariff_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    code: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    complete: Mapped[bool]
    rules: Mapped[JsonObject] = mapped_column(JSONB)
    source: Mapped[str]


class CollectingAccount(Base):
    """The bank account of a collector at a gate; the key of its webhook follows from id and `key_generation`."""

    __tablename__ = "collecting_account"
    __table_args__ = (
        CheckConstraint(one_of("collector", Collector), name="collector"),
        Index(
            "uq_collecting_account_in_use",
            "collector",
            "gate_id",
            unique=True,
            postgresql_where=text("disabled_at IS NULL"),
        ),
        {"schema": "app"},
    )

    collecting_account_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    collector: Mapped[str]
    gate_id: Mapped[str]
    bank_bin: Mapped[str]
    bank_name: Mapped[str]
    account_number: Mapped[str]
    account_name: Mapped[str]
    simulated: Mapped[bool]
    key_generation: Mapped[int] = mapped_column(server_default=text("1"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey(ACCOUNT))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class FeeRow(Base):
    """What a trip owes. `load` is what the tariff was asked with, `answers` what the collector added to it.

    `collector` is empty and `question` set where only a person can say; `amount_vnd` is empty until it is known.
    """

    __tablename__ = "fee"
    __table_args__ = (
        CheckConstraint(one_of("status", FeeStatus), name="status"),
        CheckConstraint(one_of("collector", Collector), name="collector"),
        Index(
            "ix_fee_work",
            "gate_id",
            "status",
            "fee_id",
            postgresql_where=text(IS_OPEN),
        ),
        {"schema": "app"},
    )

    fee_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), unique=True)
    gate_id: Mapped[str]
    collector: Mapped[str | None]
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("app.tariff.tariff_id"))
    status: Mapped[str]
    load: Mapped[LoadRecord] = mapped_column(JSONB)
    answers: Mapped[dict[str, Fact]] = mapped_column(JSONB, server_default=text("'{}'"))
    question: Mapped[QuestionRecord | None] = mapped_column(JSONB(none_as_null=True))
    amount_vnd: Mapped[int | None]
    derivation: Mapped[list[LineRecord]] = mapped_column(JSONB, server_default=text("'[]'"))
    decided_by: Mapped[int | None] = mapped_column(ForeignKey(ACCOUNT))
    decision_reason: Mapped[str | None]
    reference: Mapped[str] = mapped_column(unique=True)
    opened_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[int | None] = mapped_column(ForeignKey(ACCOUNT))
    version: Mapped[int] = mapped_column(server_default=text("1"))


class ReceiptSeries(Base):
    """A series of receipt numbers: one of a collector, gate and year, counted without gaps under its row lock."""

    __tablename__ = "receipt_series"
    __table_args__ = (CheckConstraint(one_of("collector", Collector), name="collector"), {"schema": "app"})

    series: Mapped[str] = mapped_column(primary_key=True)
    collector: Mapped[str]
    gate_id: Mapped[str]
    last_number: Mapped[int] = mapped_column(server_default=text("0"))


class Payment(Base):
    """Money that came in for one fee. `applied_vnd` of it pays the fee; the rest is over and waits to be given back.

    It counts (and has a receipt) once a collector confirmed it. `detail` says why a transfer needs a person. The
    payments of one transfer over several fees have the same `transfer_id`; their amounts add up to the transfer's.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint(one_of("status", PaymentStatus), name="status"),
        UniqueConstraint("receipt_series", "receipt_number"),
        Index("ix_payment_fee_id", "fee_id"),
        Index("ix_payment_transfer_id", "transfer_id"),
        {"schema": "app"},
    )

    payment_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    fee_id: Mapped[int | None] = mapped_column(ForeignKey("app.fee.fee_id"))
    method: Mapped[str]
    source: Mapped[str]
    status: Mapped[str]
    detail: Mapped[str | None]
    amount_vnd: Mapped[int]
    applied_vnd: Mapped[int] = mapped_column(server_default=text("0"))
    refunded_vnd: Mapped[int] = mapped_column(server_default=text("0"))
    collector: Mapped[str]
    gate_id: Mapped[str]
    collecting_account_id: Mapped[int | None] = mapped_column(
        ForeignKey("app.collecting_account.collecting_account_id")
    )
    transfer_id: Mapped[int | None] = mapped_column(ForeignKey("app.bank_transfer.transfer_id"))
    bank_ref: Mapped[str | None]
    content: Mapped[str] = mapped_column(server_default="")
    payer: Mapped[str] = mapped_column(server_default="")
    received_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey(ACCOUNT))
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey(ACCOUNT))
    receipt_series: Mapped[str | None] = mapped_column(ForeignKey("app.receipt_series.series"))
    receipt_number: Mapped[int | None]
    closing_id: Mapped[int | None] = mapped_column(ForeignKey("app.closing.closing_id"))
    version: Mapped[int] = mapped_column(server_default=text("1"))


KEPT_VND = func.least(Payment.applied_vnd, Payment.amount_vnd - Payment.refunded_vnd)
"""What of a payment still pays its fee, as `app.fees.matching.Money.kept_vnd` says it."""


class BankTransfer(Base):
    """Money that a bank says came in, once, however often and by whomever it is reported.

    `has_time` is whether `received_at` is more than a day (then it is midnight in Viet Nam); `named` are the references
    in its content, of fees or remittances.
    """

    __tablename__ = "bank_transfer"
    __table_args__ = (
        CheckConstraint("amount_vnd > 0", name="amount_vnd"),
        Index("ix_bank_transfer_like", "collecting_account_id", "amount_vnd", "received_at"),
        Index("ix_bank_transfer_named", "named", postgresql_using="gin"),
        {"schema": "app"},
    )

    transfer_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    collecting_account_id: Mapped[int] = mapped_column(ForeignKey(COLLECTING_ACCOUNT))
    amount_vnd: Mapped[int]
    received_at: Mapped[datetime]
    has_time: Mapped[bool]
    content: Mapped[str]
    named: Mapped[list[str]] = mapped_column(ARRAY(Text))
    recorded_at: Mapped[datetime]


class BankReport(Base):
    """One report of a transfer: through which channel, under which name. `is_made_up`: the row named none itself."""

    __tablename__ = "bank_report"
    __table_args__ = (
        UniqueConstraint("collecting_account_id", "bank_ref", "channel"),
        Index("ix_bank_report_transfer_id", "transfer_id"),
        {"schema": "app"},
    )

    report_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    transfer_id: Mapped[int] = mapped_column(ForeignKey("app.bank_transfer.transfer_id"))
    collecting_account_id: Mapped[int] = mapped_column(ForeignKey(COLLECTING_ACCOUNT))
    channel: Mapped[str]
    bank_ref: Mapped[str]
    is_made_up: Mapped[bool]
    recorded_at: Mapped[datetime]


class BankGateway(Base):
    """The key that a gateway gave out for its webhook on an account; it is encrypted, and never shown again."""

    __tablename__ = "bank_gateway"
    __table_args__ = ({"schema": "app"},)

    collecting_account_id: Mapped[int] = mapped_column(ForeignKey(COLLECTING_ACCOUNT), primary_key=True)
    gateway: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(EncryptedText)
    entered_by: Mapped[int | None] = mapped_column(ForeignKey(ACCOUNT))
    entered_at: Mapped[datetime]


class Remittance(Base):
    """Fees of one enterprise at one office that are paid by one transfer; `fee_key` names the set of them."""

    __tablename__ = "remittance"
    __table_args__ = (CheckConstraint(one_of("collector", Collector), name="collector"), {"schema": "app"})

    remittance_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    collector: Mapped[str]
    gate_id: Mapped[str]
    fee_key: Mapped[str] = mapped_column(unique=True)
    created_by: Mapped[int | None] = mapped_column(ForeignKey(ACCOUNT))
    created_at: Mapped[datetime]


class RemittanceFee(Base):
    """A fee of a remittance; money fills them in the order of `place`."""

    __tablename__ = "remittance_fee"
    __table_args__ = (Index("ix_remittance_fee_fee_id", "fee_id"), {"schema": "app"})

    remittance_id: Mapped[int] = mapped_column(ForeignKey("app.remittance.remittance_id"), primary_key=True)
    fee_id: Mapped[int] = mapped_column(ForeignKey("app.fee.fee_id"), primary_key=True)
    place: Mapped[int]


class Release(Base):
    """A waiver, refund or correction: asked for by one person, decided by another.

    `amount_vnd` is what is forgiven, given back, or the corrected fee, which was `previous_vnd` before. `applied_vnd`
    of a refund had paid the fee.
    """

    __tablename__ = "fee_release"
    __table_args__ = (
        CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="second_person"),
        Index(
            "uq_fee_release_asked_fee",
            "fee_id",
            unique=True,
            postgresql_where=text("status = 'asked' AND kind IN ('waiver', 'correction')"),
        ),
        Index(
            "uq_fee_release_asked_payment",
            "payment_id",
            unique=True,
            postgresql_where=text("status = 'asked' AND kind = 'refund'"),
        ),
        {"schema": "app"},
    )

    release_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    fee_id: Mapped[int | None] = mapped_column(ForeignKey("app.fee.fee_id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("app.payment.payment_id"))
    amount_vnd: Mapped[int]
    previous_vnd: Mapped[int | None]
    applied_vnd: Mapped[int] = mapped_column(server_default=text("0"))
    method: Mapped[str | None]
    collector: Mapped[str]
    gate_id: Mapped[str]
    reason: Mapped[str]
    status: Mapped[str]
    asked_by: Mapped[int] = mapped_column(ForeignKey(ACCOUNT))
    asked_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey(ACCOUNT))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    closing_id: Mapped[int | None] = mapped_column(ForeignKey("app.closing.closing_id"))


class Closing(Base):
    """The end of a collector's day at a gate: what was taken and given back since the closing before.

    `held_vnd` is money on the account that pays no fee: transfers that a person has yet to deal with.
    """

    __tablename__ = "closing"
    __table_args__ = (UniqueConstraint("collector", "gate_id", "day"), {"schema": "app"})

    closing_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    collector: Mapped[str]
    gate_id: Mapped[str]
    day: Mapped[date]
    closed_at: Mapped[datetime]
    closed_by: Mapped[int] = mapped_column(ForeignKey(ACCOUNT))
    payments: Mapped[int]
    refunds: Mapped[int]
    cash_vnd: Mapped[int]
    transfer_vnd: Mapped[int]
    cash_refund_vnd: Mapped[int]
    transfer_refund_vnd: Mapped[int]
    net_vnd: Mapped[int]
    counted_cash_vnd: Mapped[int]
    difference_vnd: Mapped[int]
    difference_reason: Mapped[str | None]
    held_vnd: Mapped[int]
    receipts: Mapped[list[ReceiptRun]] = mapped_column(JSONB)
    accounts: Mapped[list[CashierSums]] = mapped_column(JSONB)
