"""Tables of what is learned: how many trucks came in each hour, how long they stay in yards, how fast gates work."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Float, Integer
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base


class ArrivalHourRow(Base):
    """Trucks that GPS saw go in by any gate in an hour, each once a local day; `hour` is its beginning."""

    __tablename__ = "arrival_hour"
    __table_args__ = (CheckConstraint("trucks >= 0", name="trucks"), {"schema": "app"})

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    trucks: Mapped[int]


class StayEstimateRow(Base):
    """How long exports stay in a gate's yards (`app.forecasting.stays.StayEstimate`), as learned last."""

    __tablename__ = "stay_estimate"
    __table_args__ = (
        CheckConstraint("0 < low_s AND low_s <= mean_s AND mean_s <= high_s AND cv >= 0", name="mean"),
        {"schema": "app"},
    )

    gate_id: Mapped[str] = mapped_column(primary_key=True)
    learned_at: Mapped[datetime]
    mean_s: Mapped[float]
    low_s: Mapped[float]
    high_s: Mapped[float]
    cv: Mapped[float]
    trucks: Mapped[int]
    unfinished: Mapped[int]
    factors: Mapped[list[float]] = mapped_column(ARRAY(Float))
    group_trucks: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class LearnedPaceRow(Base):
    """How many exports a gate usually lets in an hour (`app.forecasting.pace_learning`), as it was known best."""

    __tablename__ = "learned_pace"
    __table_args__ = (
        CheckConstraint("usual_veh_per_h > 0 AND set_veh_per_h > 0 AND log_sd >= 0", name="usual"),
        {"schema": "app"},
    )

    gate_id: Mapped[str] = mapped_column(primary_key=True)
    learned_at: Mapped[datetime]
    usual_veh_per_h: Mapped[float]
    log_sd: Mapped[float]
    set_veh_per_h: Mapped[float]
    served_veh: Mapped[float]
