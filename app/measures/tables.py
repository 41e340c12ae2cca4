"""Tables of acts tried against a risk, and of what orders brought about."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.measures.records import ImpossibleRecord, RangeRecord, TriedRecord
from geo.database import Base


class TriedMeasures(Base):
    """The acts tried against a risk, the best first; `weight`, how many times an hour of perishable goods counted."""

    __tablename__ = "tried_measures"
    __table_args__ = ({"schema": "app"},)

    advisory_id: Mapped[int] = mapped_column(
        ForeignKey("app.advisory.advisory_id", ondelete="CASCADE"), primary_key=True
    )
    made_at: Mapped[datetime]
    took_s: Mapped[float]
    runs: Mapped[int]
    weight: Mapped[float]
    measures: Mapped[list[TriedRecord]] = mapped_column(JSONB)
    impossible: Mapped[list[ImpossibleRecord]] = mapped_column(JSONB)


class OrderEffect(Base):
    """What an order was to bring at a gate, as computed when it was sent, and what it brought.

    `without_veh` and `with_veh` [3][T]: the queue at 10, 50, 90 % every `step_s` from `made_at` on; `expected_h` and
    `realised_h`, truck-hours less in the queue until `until`, the second null before that or where nobody measured.
    """

    __tablename__ = "order_effect"
    __table_args__ = (
        Index("ix_order_effect_open", "until", postgresql_where=sa.text("scored_at IS NULL")),
        {"schema": "app"},
    )

    order_id: Mapped[int] = mapped_column(
        ForeignKey("app.dispatch_order.order_id", ondelete="CASCADE"), primary_key=True
    )
    gate_id: Mapped[str] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]
    until: Mapped[datetime]
    step_s: Mapped[float]
    runs: Mapped[int]
    without_veh: Mapped[list[list[float]]] = mapped_column(JSONB)
    with_veh: Mapped[list[list[float]]] = mapped_column(JSONB)
    expected_h: Mapped[RangeRecord] = mapped_column(JSONB)
    realised_h: Mapped[RangeRecord | None] = mapped_column(JSONB)
    scored_at: Mapped[datetime | None]
