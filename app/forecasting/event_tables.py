"""The table of events that planners know to change who comes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base


class DemandEventRow(Base):
    """From `starts_at` until `ends_at`, `factor` times as many undeclared trucks come to a gate, or to all if null."""

    __tablename__ = "demand_event"
    __table_args__ = (
        CheckConstraint("factor >= 0 AND factor <= 10", name="factor"),
        CheckConstraint("starts_at < ends_at", name="span"),
        Index("ix_demand_event_ends_at", "ends_at", postgresql_where=text("withdrawn_at IS NULL")),
        {"schema": "app"},
    )

    event_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    gate_id: Mapped[str | None]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    factor: Mapped[float]
    cause: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
