"""The table of expected arrivals."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, Float, ForeignKey
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base


class OutlookRow(Base):
    """When a truck under way is expected to reach the queue of its gate, and to be through the entrance.

    `arrive_at` and `enter_at` hold the quantiles 0.1, 0.5, 0.9 of the ensemble made at `made_at`; a quantile that
    lies beyond the forecast's horizon is null.
    """

    __tablename__ = "outlook"
    __table_args__ = ({"schema": "app"},)

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    made_at: Mapped[datetime]
    arrive_at: Mapped[list[datetime | None]] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))
    enter_at: Mapped[list[datetime | None]] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))
    wait_s: Mapped[list[float | None]] = mapped_column(ARRAY(Float))
