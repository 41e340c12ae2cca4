"""Tables of what devices tell beside positions, and of commands to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.tracking.vocabulary import CommandStatus, DeviceEventKind
from geo.database import Base, one_of


class DeviceEvent(Base):
    """What a device told; `seen_at` is when somebody of the traffic police said that an emergency was seen."""

    __tablename__ = "device_event"
    __table_args__ = (
        CheckConstraint(one_of("kind", DeviceEventKind), name="kind"),
        UniqueConstraint("device_id", "kind", "time", "detail"),
        Index("ix_device_event_vehicle_id", "vehicle_id", "time"),
        Index("ix_device_event_time", "time"),
        Index(
            "ix_device_event_unseen",
            "event_id",
            postgresql_where=text("seen_at IS NULL AND kind IN ('sos', 'accident')"),
        ),
        {"schema": "app"},
    )

    event_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    device_id: Mapped[int] = mapped_column(BigInteger)
    vehicle_id: Mapped[int]
    kind: Mapped[str]
    time: Mapped[datetime]
    received_at: Mapped[datetime]
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    detail: Mapped[str] = mapped_column(server_default="")
    seen_by: Mapped[int | None]
    seen_at: Mapped[datetime | None]


class DeviceCommand(Base):
    """An order's text for the device of a truck whose driver has no page of ours open."""

    __tablename__ = "device_command"
    __table_args__ = (
        CheckConstraint(one_of("status", CommandStatus), name="status"),
        UniqueConstraint("order_id", "vehicle_id"),
        Index("ix_device_command_waiting", "vehicle_id", postgresql_where=text("status = 'waiting'")),
        {"schema": "app"},
    )

    command_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int]
    vehicle_id: Mapped[int]
    text: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(server_default=CommandStatus.WAITING)
    protocol: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
