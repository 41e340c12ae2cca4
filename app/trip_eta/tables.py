"""The tables of expected arrivals and of places in queues."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, Float, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from app.trip_eta.queue_places import MoveRecord
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


class QueuePlaceRow(Base):
    """The place of a waiting truck in the queue of its gate: see `queue_places.QueuePlace`. Those of one minute."""

    __tablename__ = "queue_place"
    __table_args__ = (
        Index("ix_queue_place_trip_id", "trip_id", postgresql_where=text("trip_id IS NOT NULL")),
        {"schema": "app"},
    )

    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"), primary_key=True)
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    gate_id: Mapped[str]
    made_at: Mapped[datetime]
    number: Mapped[int]
    joined_at: Mapped[datetime]
    by_gps: Mapped[bool]
    held_until: Mapped[datetime | None]
    perishable: Mapped[bool]
    is_first: Mapped[bool]
    enter_at: Mapped[list[datetime | None] | None] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))
    moves: Mapped[list[MoveRecord]] = mapped_column(JSONB)
