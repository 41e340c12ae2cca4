"""Tables of the schema `ingest`: what may report, what it reported, where it was last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base
from ingest.formats.report import AttributeValues

SCHEMA = "ingest"
MOTIONS = ("moving", "slow", "stopped", "off_road", "yard", "staging", "gate")


class Vehicle(Base):
    """A truck or trailer, known by its plate. Whose it is, the registers of the platform say."""

    __tablename__ = "vehicle"
    __table_args__ = (CheckConstraint("kind IN ('truck', 'trailer')", name="kind"), {"schema": SCHEMA})

    vehicle_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    plate: Mapped[str]
    plate_norm: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    created_at: Mapped[datetime]


class Device(Base):
    """What reports for a vehicle. Only the hash of its identifier is kept, and the hint people tell it by."""

    __tablename__ = "device"
    __table_args__ = (
        CheckConstraint("kind IN ('phone', 'tracker')", name="kind"),
        Index("ix_device_number", text("ltrim(imei, '0')")),
        {"schema": SCHEMA},
    )

    device_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    key_hint: Mapped[str]
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"), index=True)
    kind: Mapped[str]
    imei: Mapped[str | None] = mapped_column(unique=True)
    created_by: Mapped[int | None]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]


class Gateway(Base):
    """A server that may report devices by their IMEI."""

    __tablename__ = "gateway"
    __table_args__ = ({"schema": SCHEMA},)

    gateway_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class _Placed:
    """Columns that a fix and a last position share."""

    device_id: Mapped[int] = mapped_column(BigInteger)
    geom: Mapped[Any] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    speed_mps: Mapped[float | None] = mapped_column(REAL)
    heading_deg: Mapped[float | None] = mapped_column(REAL)
    accuracy_m: Mapped[float | None] = mapped_column(REAL)
    road_id: Mapped[int | None]
    offset_m: Mapped[float | None] = mapped_column(REAL)
    km: Mapped[float | None] = mapped_column(REAL)
    direction: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[int] = mapped_column(SmallInteger)
    flags: Mapped[int]
    received_at: Mapped[datetime]
    attributes: Mapped[AttributeValues | None] = mapped_column(JSONB)


class FixRow(_Placed, Base):
    """A stored fix; partitioned by UTC day."""

    __tablename__ = "fix"
    __table_args__ = (
        Index("ix_fix_time", "time", postgresql_using="brin"),
        {"schema": SCHEMA, "postgresql_partition_by": "RANGE (time)"},
    )

    vehicle_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[datetime] = mapped_column(primary_key=True)


class LastPosition(_Placed, Base):
    """The newest trusted fix of a vehicle. Columns that change bear no index, so that updates stay in place (HOT)."""

    __tablename__ = "last_position"
    __table_args__ = (
        CheckConstraint(f"motion IN {MOTIONS!r}", name="motion"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    vehicle_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[datetime]
    edge_id: Mapped[str | None]
    site_id: Mapped[str | None]
    motion: Mapped[str]
    passage: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class SiteEvent(Base):
    """A vehicle entered or left a site."""

    __tablename__ = "site_event"
    __table_args__ = (
        CheckConstraint("kind IN ('enter', 'leave')", name="kind"),
        CheckConstraint("source IN ('gps', 'camera', 'manual')", name="source"),
        UniqueConstraint("vehicle_id", "site_id", "kind", "time"),
        Index("ix_site_event_site_id_time", "site_id", "time"),
        {"schema": SCHEMA},
    )

    event_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    vehicle_id: Mapped[int]
    site_id: Mapped[str]
    kind: Mapped[str]
    time: Mapped[datetime]
    source: Mapped[str]


class DeadLetter(Base):
    """A fix that no worker can store, or a whole entry that none can read, with the reason.

    `fields` are those of the stream entry that carries it, in base64; `door` names the doors that its entry came
    through.
    """

    __tablename__ = "dead_letter"
    __table_args__ = (
        CheckConstraint("kind IN ('unreadable', 'refused', 'deadly', 'unsent')", name="kind"),
        UniqueConstraint("stream", "entry_id", "row"),
        {"schema": SCHEMA},
    )

    dead_letter_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    stream: Mapped[str]
    entry_id: Mapped[str]
    row: Mapped[int]
    kind: Mapped[str]
    reason: Mapped[str]
    door: Mapped[str | None]
    device_id: Mapped[int | None] = mapped_column(BigInteger)
    vehicle_id: Mapped[int | None]
    fields: Mapped[dict[str, str]] = mapped_column(JSONB)
    died_at: Mapped[datetime]
    replayed_at: Mapped[datetime | None]


class DeviceTrait(Base):
    """What is known of a device's clock and unit of speed, and when it was last heard and kept."""

    __tablename__ = "device_trait"
    __table_args__ = ({"schema": SCHEMA, "postgresql_with": {"fillfactor": "70"}},)

    device_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    clock_shift_s: Mapped[int] = mapped_column(server_default=text("0"))
    weeks_rolled: Mapped[bool] = mapped_column(server_default=text("false"))
    clock_offset_s: Mapped[float | None] = mapped_column(REAL)
    clock_learned_at: Mapped[datetime | None]
    speed_factor: Mapped[float] = mapped_column(server_default=text("1"))
    speed_set: Mapped[bool] = mapped_column(server_default=text("false"))
    speed_learned_at: Mapped[datetime | None]
    last_received_at: Mapped[datetime | None]
    last_kept_at: Mapped[datetime | None]


class DeviceRefusal(Base):
    """Reports of a device that were refused for a reason."""

    __tablename__ = "device_refusal"
    __table_args__ = ({"schema": SCHEMA},)

    device_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    detail: Mapped[str]
