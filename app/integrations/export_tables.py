"""Tables of exports that were said to the other side and by it, and of how both sides' days compare."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.integrations.vocabulary import ExportDirection
from app.platform.json import JsonObject
from geo.database import Base, one_of


class ExportRow(Base):
    """A version of an export declaration that was said to a neighbour (`out`) or by it (`in`).

    `issued_at` is when its sender issued it, `receipt_at` when the receiver said that it has it; `sha256_digest` is of
    what it says, `trip_id` of our exports.
    """

    __tablename__ = "export_exchange"
    __table_args__ = (
        CheckConstraint(one_of("direction", ExportDirection), name="direction"),
        UniqueConstraint("neighbour", "direction", "reference", "version"),
        Index("ix_export_exchange_trip_id", "trip_id", "version"),
        Index("ix_export_exchange_issued_at", "issued_at"),
        {"schema": "app"},
    )

    export_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    neighbour: Mapped[str]
    direction: Mapped[str]
    reference: Mapped[str]
    version: Mapped[int]
    function: Mapped[str]
    sha256_digest: Mapped[str] = mapped_column(server_default="")
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    issued_at: Mapped[datetime]
    receipt_at: Mapped[datetime | None]


class ReconciliationRow(Base):
    """A day of a neighbour compared with ours: how many exports each side sent and has, and where they differ.

    `differences` are of `direction`, `reference`, and the newest version here and there, `null` where it is missing.
    """

    __tablename__ = "export_reconciliation"
    __table_args__ = ({"schema": "app"},)

    neighbour: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    sent_here: Mapped[int] = mapped_column(server_default=text("0"))
    received_there: Mapped[int] = mapped_column(server_default=text("0"))
    sent_there: Mapped[int] = mapped_column(server_default=text("0"))
    received_here: Mapped[int] = mapped_column(server_default=text("0"))
    differences: Mapped[list[JsonObject]] = mapped_column(JSONB, server_default=text("'[]'"))
