"""Tables of the skill of forecasts: what waits for its hour, how each forecast fares of late, the scores by hour."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import REAL, BigInteger, CheckConstraint, Float, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.forecasting.skill_vocabulary import Quantity, Source
from geo.database import Base, one_of


class CheckRow(Base):
    """A forecast for one horizon whose hour has not come; it goes when it is scored.

    `key` is the second of the epoch at which the forecast was made, or the trip it is for; `place_id` a gate or a
    yard; `target_at` is null where the hour is that of a truck's entry. The arrays are by `sources`; `published` is
    the source that was published.
    """

    __tablename__ = "forecast_check"
    __table_args__ = (
        CheckConstraint(one_of("quantity", Quantity), name="quantity"),
        Index("ix_forecast_check_target_at", "target_at"),
        Index("ix_forecast_check_made_at", "made_at", postgresql_where=text("target_at IS NULL")),
        {"schema": "app"},
    )

    quantity: Mapped[str] = mapped_column(primary_key=True)
    place_id: Mapped[str] = mapped_column(primary_key=True)
    lead_s: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    made_at: Mapped[datetime]
    target_at: Mapped[datetime | None]
    published: Mapped[str]
    sources: Mapped[list[str]] = mapped_column(ARRAY(Text))
    centre: Mapped[list[float]] = mapped_column(ARRAY(Float))
    low: Mapped[list[float]] = mapped_column(ARRAY(Float))
    middle: Mapped[list[float]] = mapped_column(ARRAY(Float))
    high: Mapped[list[float]] = mapped_column(ARRAY(Float))
    width_below: Mapped[list[float]] = mapped_column(ARRAY(Float))
    width_above: Mapped[list[float]] = mapped_column(ARRAY(Float))
    raw_low: Mapped[float]
    raw_high: Mapped[float]


class TrackRow(Base):
    """How a source fares of late at a horizon (`routing.calibration.Track`); one of them is published."""

    __tablename__ = "forecast_track"
    __table_args__ = (
        CheckConstraint(one_of("quantity", Quantity), name="quantity"),
        CheckConstraint(one_of("source", Source), name="source"),
        {"schema": "app"},
    )

    quantity: Mapped[str] = mapped_column(primary_key=True)
    place_id: Mapped[str] = mapped_column(primary_key=True)
    lead_s: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    histogram: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    level_below: Mapped[float]
    level_above: Mapped[float]
    mean_error: Mapped[float]
    evidence_h: Mapped[float]
    time_h: Mapped[float | None]
    is_published: Mapped[bool]
    published_since: Mapped[datetime | None]


class SkillRow(Base):
    """Sums of the scores of a source's forecasts for the hour that begins at `hour`."""

    __tablename__ = "forecast_skill"
    __table_args__ = (
        CheckConstraint(one_of("quantity", Quantity), name="quantity"),
        CheckConstraint(one_of("source", Source), name="source"),
        Index("ix_forecast_skill_hour", "hour"),
        {"schema": "app"},
    )

    quantity: Mapped[str] = mapped_column(primary_key=True)
    place_id: Mapped[str] = mapped_column(primary_key=True)
    lead_s: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    n: Mapped[int]
    error: Mapped[float]
    abs_error: Mapped[float]
    pinball_low: Mapped[float]
    pinball_middle: Mapped[float]
    pinball_high: Mapped[float]
    below_n: Mapped[int]
    above_n: Mapped[int]
