"""Tables of procedures and of the steps of trips."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.trips.procedure import STATUSES
from app.trips.tables import DIRECTIONS, REGIMES, one_of
from geo.database import Base

PROCEDURE_STATUSES = ("draft", "published", "retired")
IS_WORK = "is_live AND status IN ('waiting', 'ready', 'returned')"
"""What a station has before it: steps still to be done of trips that are not over."""


class ProcedureRow(Base):
    """One version of the procedure of a gate, direction and regime; one of them at most is published at a time."""

    __tablename__ = "procedure"
    __table_args__ = (
        CheckConstraint(one_of("direction", DIRECTIONS), name="direction"),
        CheckConstraint(one_of("regime", REGIMES), name="regime"),
        CheckConstraint(one_of("status", PROCEDURE_STATUSES), name="status"),
        UniqueConstraint("gate_id", "direction", "regime", "version"),
        Index(
            "uq_procedure_published",
            "gate_id",
            "direction",
            "regime",
            unique=True,
            postgresql_where=text("status = 'published'"),
        ),
        {"schema": "app"},
    )

    procedure_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    gate_id: Mapped[str]
    direction: Mapped[str]
    regime: Mapped[str]
    version: Mapped[int]
    definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    edit: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts the changes of a draft, for `If-Match`."""
    status: Mapped[str]
    valid_from: Mapped[datetime | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    created_at: Mapped[datetime]
    published_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    published_at: Mapped[datetime | None]


class TripStepRow(Base):
    """One step of one trip, its status as the graph gives it.

    `is_live` falls with the end of the trip (a trigger sees to it), so that what was left open does not stay on a
    station's list and the index of work does not grow with history.
    """

    __tablename__ = "trip_step"
    __table_args__ = (
        CheckConstraint(one_of("status", STATUSES), name="status"),
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
