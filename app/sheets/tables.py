"""Tables of procedures and of the steps of trips."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.procedures.steps import StepStatus
from geo.database import Base, one_of

IS_WORK = f"is_live AND {one_of('status', StepStatus.to_do())}"
"""What a station has before it: steps still to be done of trips that are not over."""


class TripStepRow(Base):
    """One step of one trip, its status as the graph gives it.

    `is_live` falls with the end of the trip (a trigger sees to it), so that what was left open does not stay on a
    station's list and the index of work does not grow with history.
    """

    __tablename__ = "trip_step"
    __table_args__ = (
        CheckConstraint(one_of("status", StepStatus), name="status"),
        Index("ix_trip_step_work", "step", "status", "trip_id", postgresql_where=text(IS_WORK)),
        {"schema": "app"},
    )

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    since: Mapped[datetime]
    done_at: Mapped[datetime | None]
    done_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    is_live: Mapped[bool] = mapped_column(server_default=text("true"))
