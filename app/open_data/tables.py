"""Tables of what the public board said: its last word in each five minutes."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base


class NoticeKept(TypedDict):
    """A ban or an outage that is in force."""

    kind: str
    cause: str
    starts_at: str
    ends_at: str | None


class PublicGateRow(Base):
    """A gate as everybody saw it at `as_of`, the last moment of the five minutes that begin at `slot`.

    `wait_*_s` and `severity` are of the forecast made at `forecast_made_at`: a null wait is longer than the `reach_s`
    that it looks ahead. `travel_s` is how long a truck drives over the last `approach_km` before the gate at the speeds
    of the last quarter of an hour, known by positions for `measured_share` of it; `free_travel_s` on an empty road.
    `notices` are the bans and outages in force.
    """

    __tablename__ = "public_gate"
    __table_args__ = (Index("ix_public_gate_slot", "slot"), {"schema": "app"})

    gate_id: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[datetime] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    is_open: Mapped[bool]
    queue_veh: Mapped[float | None]
    tail_km: Mapped[float | None]
    measured_at: Mapped[datetime | None]
    booked_veh: Mapped[int]
    free_veh: Mapped[int]
    wait_low_s: Mapped[float | None]
    wait_s: Mapped[float | None]
    wait_high_s: Mapped[float | None]
    forecast_made_at: Mapped[datetime | None]
    reach_s: Mapped[float | None]
    severity: Mapped[str | None]
    approach_km: Mapped[float | None]
    measured_share: Mapped[float | None]
    travel_s: Mapped[float | None]
    free_travel_s: Mapped[float | None]
    notices: Mapped[list[NoticeKept]] = mapped_column(JSONB)
    simulated: Mapped[bool]


class PublicYardRow(Base):
    """A yard as everybody saw it."""

    __tablename__ = "public_yard"
    __table_args__ = (Index("ix_public_yard_slot", "slot"), {"schema": "app"})

    yard_id: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[datetime] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    gate_id: Mapped[str]
    kind: Mapped[str]
    is_open: Mapped[bool]
    capacity_veh: Mapped[int]
    free_veh: Mapped[int]
    next_free_at: Mapped[datetime | None]
    simulated: Mapped[bool]


class PublicForecastRow(Base):
    """What was foreseen of a gate for the moment `target_at`, `lead_s` ahead; the quantiles 0.1, 0.5 and 0.9."""

    __tablename__ = "public_forecast"
    __table_args__ = (Index("ix_public_forecast_slot", "slot"), {"schema": "app"})

    gate_id: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[datetime] = mapped_column(primary_key=True)
    lead_s: Mapped[int] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    target_at: Mapped[datetime]
    queue_low_veh: Mapped[float | None]
    queue_veh: Mapped[float | None]
    queue_high_veh: Mapped[float | None]
    wait_low_s: Mapped[float | None]
    wait_s: Mapped[float | None]
    wait_high_s: Mapped[float | None]
    simulated: Mapped[bool]
