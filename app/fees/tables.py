"""Tables of tariffs, fees, payments, releases, receipt series and closings."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.fees.records import CashierSums, Fact, LineRecord, LoadRecord, QuestionRecord, ReceiptRun
from app.fees.vocabulary import FeeStatus, PaymentStatus
from app.platform.json import JsonObject
from app.platform.labels import DocumentStatus
from app.platform.versioned import VersionedColumns
from app.trips.vocabulary import Collector
from geo.database import Base, one_of

IS_OPEN = one_of("status", FeeStatus.open())
ACCOUNT = "app.account.account_id"


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
    """Money that came in. `applied_vnd` of it pays the fee; the rest is over and waits to be given back.

    It counts (and has a receipt) once a collector confirmed it. `detail` says why a transfer needs a person.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint(one_of("status", PaymentStatus), name="status"),
        UniqueConstraint("collecting_account_id", "bank_ref"),
        UniqueConstraint("receipt_series", "receipt_number"),
        Index("ix_payment_fee_id", "fee_id"),
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


class Release(Base):
    """A waiver or refund: asked for by one person, decided by another. `applied_vnd` of it had paid the fee."""

    __tablename__ = "fee_release"
    __table_args__ = (
        CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="second_person"),
        Index(
            "uq_fee_release_asked_fee",
            "fee_id",
            unique=True,
            postgresql_where=text("status = 'asked' AND kind = 'waiver'"),
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
