"""The table of procedures and their versions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.json import JsonObject
from app.platform.labels import DocumentStatus
from app.platform.versioned import VersionedColumns
from app.trips.vocabulary import Direction, Regime
from geo.database import Base, one_of


class ProcedureRow(VersionedColumns, Base):
    """One version of the procedure of a gate, direction and regime; one of them at most is published at a time."""

    __tablename__ = "procedure"
    __table_args__ = (
        CheckConstraint(one_of("direction", Direction), name="direction"),
        CheckConstraint(one_of("regime", Regime), name="regime"),
        CheckConstraint(one_of("status", DocumentStatus), name="status"),
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
    definition: Mapped[JsonObject] = mapped_column(JSONB)
    valid_from: Mapped[datetime | None]
