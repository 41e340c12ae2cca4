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
    """A truck or trailer, known by its plate."""

    __tablename__ = "vehicle"
    __table_args__ = (CheckConstraint("kind IN ('truck', 'trailer')", name="kind"), {"schema": SCHEMA})

    vehicle_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    plate: Mapped[str]
    plate_norm: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    organisation_id: Mapped[int | None] = mapped_column(index=True)
    created_at: Mapped[datetime]


class Device(Base):
    """What reports for a vehicle. Only the hash of its identifier is kept, and the hint people tell it by."""

    __tablename__ = "device"
    __table_args__ = (CheckConstraint("kind IN ('phone', 'tracker')", name="kind"), {"schema": SCHEMA})

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
