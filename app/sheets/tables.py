"""Tables of procedures and of the steps of trips."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.json import JsonObject
from app.platform.personal_fields import OFFICERS_TEXT
from app.platform.sealed_json import SealedJson
from app.procedures.steps import StepStatus
from app.sheets.vocabulary import CorrectionKind, CorrectionStatus
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
    data: Mapped[JsonObject] = mapped_column(SealedJson(also=OFFICERS_TEXT), server_default=text("'{}'"))
    is_live: Mapped[bool] = mapped_column(server_default=text("true"))


class Correction(Base):
    """What an officer asks to be corrected of a confirmed step, and what a second person of the office said to it.

    `old` is the step as it stood, `new` what was noted instead; neither changes once it is decided.
    """

    __tablename__ = "correction"
    __table_args__ = (
        CheckConstraint(one_of("kind", CorrectionKind), name="kind"),
        CheckConstraint(one_of("status", CorrectionStatus), name="status"),
        CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="second_person"),
        Index("uq_correction_asked", "trip_id", "step", unique=True, postgresql_where=text("status = 'asked'")),
        Index("ix_correction_trip_id", "trip_id", "correction_id"),
        Index("ix_correction_waiting", "gate_id", "role", postgresql_where=text("status = 'asked'")),
        {"schema": "app"},
    )

    correction_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    step: Mapped[str]
    kind: Mapped[str]
    gate_id: Mapped[str]
    role: Mapped[str]
    old: Mapped[JsonObject] = mapped_column(SealedJson(also=OFFICERS_TEXT))
    new: Mapped[JsonObject] = mapped_column(SealedJson(also=OFFICERS_TEXT), server_default=text("'{}'"))
    reason: Mapped[str]
    status: Mapped[str]
    asked_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    asked_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
