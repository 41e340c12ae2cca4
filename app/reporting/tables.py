"""Tables of time in each step and of the daily bulletins."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypedDict

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    Integer,
    SmallInteger,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.reporting.vocabulary import StayKind
from geo.database import Base, one_of


class StayRow(Base):
    """How long a trip stood in one step: kept by a trigger as it ends, thrown away after some weeks.

    `agency` is the role of who ended it, null where the platform did. What is older lives on in `step_day`, which sums
    up the time in stages too: that is read off where the trip's truck was.
    """

    __tablename__ = "stay"
    __table_args__ = (
        CheckConstraint(one_of("kind", StayKind), name="kind"),
        Index("ix_stay_ended_at", "ended_at"),
        {"schema": "app"},
    )

    stay_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    trip_id: Mapped[int]
    gate_id: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    outcome: Mapped[str]
    agency: Mapped[str | None]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime]


class StepDayRow(Base):
    """The stays of one local day by gate, step, agency and local hour of their end; `trips` counts them by length."""

    __tablename__ = "step_day"
    __table_args__ = ({"schema": "app"},)

    day: Mapped[date] = mapped_column(primary_key=True)
    gate_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    agency: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    trips: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    total_s: Mapped[float]
    longest_s: Mapped[float]


class BulletinFigures(TypedDict):
    """What a bulletin keeps: counts of trucks by name, `None` where not known, and whether any was simulated."""

    veh: dict[str, int | None]
    simulated: bool


class BulletinRow(Base):
    """The bulletin of a gate for a local day that is over."""

    __tablename__ = "bulletin"
    __table_args__ = ({"schema": "app"},)

    day: Mapped[date] = mapped_column(primary_key=True)
    gate_id: Mapped[str] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]
    figures: Mapped[BulletinFigures] = mapped_column(JSONB)


class DayFigureRow(Base):
    """The province's figures of a gate and a class of goods for a day that is over (`app.reporting.day_figures`)."""

    __tablename__ = "day_figure"
    __table_args__ = (
        CheckConstraint(
            "standing = standing_before + arrivals - went_in - went_out - turned_back",
            name="adds_up",
        ),
        {"schema": "app"},
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    gate_id: Mapped[str] = mapped_column(primary_key=True)
    goods_class: Mapped[str] = mapped_column(primary_key=True)
    standing_before: Mapped[int]
    arrivals: Mapped[int]
    went_in: Mapped[int]
    went_out: Mapped[int]
    turned_back: Mapped[int]
    sent_on: Mapped[int]
    standing: Mapped[int]
    outside: Mapped[int]
    simulated: Mapped[bool]
    made_at: Mapped[datetime]
