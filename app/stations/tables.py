"""The table of shift handovers."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict

from sqlalchemy import ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base


class PointRecord(TypedDict):
    """An open point: its kind (`PointKind`), what is told, and the truck it is about."""

    kind: str
    text: str
    trip_id: NotRequired[int]


class HandoverRow(Base):
    """A shift handed over at a station; `taken_at` null until the next officer took it. A station has one open."""

    __tablename__ = "shift_handover"
    __table_args__ = (
        Index("uq_shift_handover_open", "gate_id", "station", unique=True, postgresql_where=text("taken_at IS NULL")),
        Index("ix_shift_handover_station", "gate_id", "station", "handover_id"),
        {"schema": "app"},
    )

    handover_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    gate_id: Mapped[str]
    station: Mapped[str]
    points: Mapped[list[PointRecord]] = mapped_column(JSONB)
    note: Mapped[str]
    handed_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    handed_at: Mapped[datetime]
    taken_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    taken_at: Mapped[datetime | None]
    remark: Mapped[str] = mapped_column(server_default="")
