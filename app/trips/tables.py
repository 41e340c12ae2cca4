"""Tables of trips and their timeline, and of requests that may be repeated."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.trips.vocabulary import Channel, Direction, Regime, Stage
from geo.database import Base, one_of

IS_OPEN = one_of("stage", Stage.open())


class Trip(Base):
    """One vehicle, its driver, its goods and one crossing.

    Later steps of the procedure hang on `trip_id`; what is here is what every agency reads.
    """

    __tablename__ = "trip"
    __table_args__ = (
        CheckConstraint(one_of("stage", Stage), name="stage"),
        CheckConstraint(one_of("regime", Regime), name="regime"),
        CheckConstraint(one_of("direction", Direction), name="direction"),
        CheckConstraint(one_of("channel", Channel), name="channel"),
        Index("uq_trip_open_vehicle", "vehicle_id", unique=True, postgresql_where=text(IS_OPEN)),
        Index("ix_trip_open_gate", "gate_id", "stage", "planned_arrival", postgresql_where=text(IS_OPEN)),
        Index("ix_trip_organisation_id", "organisation_id", "trip_id"),
        Index("ix_trip_vehicle_id", "vehicle_id", "trip_id"),
        Index("ix_trip_driver_id", "driver_id", "trip_id"),
        Index(
            "ix_trip_undeclared",
            "gate_id",
            "arrived_at",
            postgresql_where=text(f"procedure_id IS NULL AND {IS_OPEN}"),
        ),
        {"schema": "app"},
    )

    trip_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    trailer_plate: Mapped[str | None]
    driver_id: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    goods: Mapped[str]
    goods_class: Mapped[str]
    perishable: Mapped[bool]
    regime: Mapped[str]
    direction: Mapped[str]
    gate_id: Mapped[str]
    planned_arrival: Mapped[datetime]
    stage: Mapped[str] = mapped_column(server_default=Stage.PLANNED)
    stage_since: Mapped[datetime]
    simulated: Mapped[bool] = mapped_column(server_default=text("false"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    procedure_id: Mapped[int | None] = mapped_column(ForeignKey("app.procedure.procedure_id"))
    """The procedure it began under; null until it is declared."""
    channel: Mapped[str | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """`app.procedures.procedure.Facts` as JSON, and since when a truck that came undeclared has been waiting."""
    arrived_at: Mapped[datetime | None]
    """When its truck was first seen at the gate area."""


class TripEvent(Base):
    """One line of a trip's timeline: what happened, when, and by whom if by a person."""

    __tablename__ = "trip_event"
    __table_args__ = (Index("ix_trip_event_trip_id", "trip_id", "event_id"), {"schema": "app"})

    event_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
