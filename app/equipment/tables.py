"""Tables of equipment, what it reported and what it was told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.equipment.vocabulary import CommandStatus, ReadStatus
from app.gates.vocabulary import EquipmentKind, HistoryReason, ScanResult, SealEventKind, WeighingVerdict
from app.platform.encryption import EncryptedJson
from app.platform.json import JsonObject
from geo.database import Base, one_of

SCHEMA = {"schema": "app"}


class Equipment(Base):
    """One device with a credential of its own, of which only the hash is kept.

    `site_id` is where it stands (a site of the corridor), `station` the step of the procedure it serves. `config` and
    `secrets` hold what its kind needs, `secrets` what is never shown (see `app.equipment.config_secrets`).
    """

    __tablename__ = "equipment"
    __table_args__ = (
        CheckConstraint(one_of("kind", EquipmentKind), name="kind"),
        Index("ix_equipment_gate_id_station", "gate_id", "station"),
        SCHEMA,
    )

    equipment_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    gate_id: Mapped[str | None]
    site_id: Mapped[str | None]
    station: Mapped[str | None]
    vendor: Mapped[str]
    config: Mapped[JsonObject] = mapped_column(JSONB, server_default=text("'{}'"))
    secrets: Mapped[JsonObject | None] = mapped_column(EncryptedJson)
    key_hash: Mapped[bytes | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    alarm_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))

    def setting(self, name: str, default: float) -> float:
        """A number of its `config`, `default` where that says nothing."""
        value = self.config.get(name)
        return float(value) if isinstance(value, int | float) else default


class PlateReadRow(Base):
    """A plate as a camera read it, and whose it is thought to be; `decided_by` if a person said so.

    `candidates` holds the camera's readings and the trips considered with their probabilities. `track` is the camera's
    own number of the vehicle while it is in the picture. A repeat names by `passage_id` the read that stands for its
    passage. What is history says by `history_reason` why it opened and moved nothing.
    """

    __tablename__ = "plate_read"
    __table_args__ = (
        CheckConstraint(one_of("status", ReadStatus), name="status"),
        CheckConstraint(one_of("history_reason", HistoryReason), name="history_reason"),
        Index("ix_plate_read_passage_id", "passage_id", postgresql_where=text("passage_id IS NOT NULL")),
        UniqueConstraint("equipment_id", "source_ref"),
        Index("ix_plate_read_equipment_id_time", "equipment_id", "time"),
        Index("ix_plate_read_trip_id", "trip_id"),
        Index("ix_plate_read_doubtful", "read_id", postgresql_where=text("status = 'doubtful'")),
        Index("ix_plate_read_doubtful_time", "time", postgresql_where=text("status = 'doubtful'")),
        Index("ix_plate_read_decided_at", "decided_at", postgresql_where=text("decided_at IS NOT NULL")),
        SCHEMA,
    )

    read_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    equipment_id: Mapped[int] = mapped_column(ForeignKey("app.equipment.equipment_id"))
    time: Mapped[datetime]
    received_at: Mapped[datetime]
    plate_norm: Mapped[str]
    confidence: Mapped[float]
    candidates: Mapped[JsonObject] = mapped_column(JSONB, server_default=text("'{}'"))
    direction: Mapped[str | None]
    image_ref: Mapped[str | None]
    status: Mapped[str]
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    probability: Mapped[float | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    decided_at: Mapped[datetime | None]
    source_ref: Mapped[str]
    track: Mapped[str | None]
    passage_id: Mapped[int | None] = mapped_column(ForeignKey("app.plate_read.read_id"))
    history_reason: Mapped[str | None]

    @property
    def shown_plate(self) -> str:
        """The plate as the camera read it, whatever a person made of it."""
        readings = self.candidates.get("readings")
        first = readings[0] if isinstance(readings, list) and readings else None
        shown = first.get("plate") if isinstance(first, dict) else None
        return shown if isinstance(shown, str) else self.plate_norm


class _Report:
    """Columns that weighings, scans and seal events share: the device, the trip, when, under which name."""

    equipment_id: Mapped[int] = mapped_column(ForeignKey("app.equipment.equipment_id"))
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    plate_norm: Mapped[str | None]
    time: Mapped[datetime]
    received_at: Mapped[datetime]
    source_ref: Mapped[str]


class Weighing(_Report, Base):
    """A truck on a scale, beside what was declared. `verdict` is within, over, under or not_comparable."""

    __tablename__ = "weighing"
    __table_args__ = (
        CheckConstraint(one_of("verdict", WeighingVerdict), name="verdict"),
        UniqueConstraint("equipment_id", "source_ref"),
        Index("ix_weighing_trip_id", "trip_id"),
        SCHEMA,
    )

    weighing_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    gross_kg: Mapped[int]
    tare_kg: Mapped[int | None]
    declared_kg: Mapped[int | None]
    difference_kg: Mapped[int | None]
    tolerance_kg: Mapped[int | None]
    verdict: Mapped[str]


class Scan(_Report, Base):
    """A container through a scanner: the picture (kept here or in the scanner's archive) and what was found."""

    __tablename__ = "scan"
    __table_args__ = (
        CheckConstraint(one_of("result", ScanResult), name="result"),
        UniqueConstraint("equipment_id", "source_ref"),
        Index("ix_scan_trip_id", "trip_id"),
        SCHEMA,
    )

    scan_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    container: Mapped[str | None]
    result: Mapped[str]
    note: Mapped[str]
    archive_ref: Mapped[str | None]
    image_ref: Mapped[str | None]


class SealEvent(_Report, Base):
    """An electronic seal was closed, opened, or tampered with."""

    __tablename__ = "seal_event"
    __table_args__ = (
        CheckConstraint(one_of("kind", SealEventKind), name="kind"),
        UniqueConstraint("equipment_id", "source_ref"),
        Index("ix_seal_event_trip_id", "trip_id"),
        Index("ix_seal_event_seal_number", "seal_number", "event_id"),
        SCHEMA,
    )

    event_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    seal_number: Mapped[str]
    kind: Mapped[str]
    lon: Mapped[float | None]
    lat: Mapped[float | None]


class BarrierCommand(Base):
    """One order to open a barrier, or the note that a person opened it by hand."""

    __tablename__ = "barrier_command"
    __table_args__ = (
        CheckConstraint(one_of("status", CommandStatus), name="status"),
        Index("ix_barrier_command_equipment_id", "equipment_id", "command_id"),
        Index("ix_barrier_command_trip_id", "trip_id"),
        Index("ix_barrier_command_sent", "requested_at", postgresql_where=text("status = 'sent'")),
        SCHEMA,
    )

    command_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    equipment_id: Mapped[int] = mapped_column(ForeignKey("app.equipment.equipment_id"))
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    requested_at: Mapped[datetime]
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    status: Mapped[str]
    reason: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    detail: Mapped[str | None]
