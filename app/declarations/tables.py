"""Tables of declarations with their revisions, imports of many, and vehicles that came undeclared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.declarations.vocabulary import ImportStatus
from app.trips.vocabulary import DeclarationStatus
from geo.database import Base, one_of

IS_WAITING = "submitted_at IS NULL AND left_at IS NULL"


class DeclarationRow(Base):
    """One revision of what is declared of a trip. At most one is a draft, at most one submitted.

    `version` counts over all revisions of the trip, so that it tells any two states of the declaration apart.
    """

    __tablename__ = "declaration"
    __table_args__ = (
        CheckConstraint(one_of("status", DeclarationStatus), name="status"),
        Index("uq_declaration_draft", "trip_id", unique=True, postgresql_where=text("status = 'draft'")),
        Index("uq_declaration_submitted", "trip_id", unique=True, postgresql_where=text("status = 'submitted'")),
        {"schema": "app"},
    )

    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    submitted_at: Mapped[datetime | None]
    submitted_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    returned_at: Mapped[datetime | None]
    returned_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    return_reasons: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    version: Mapped[int] = mapped_column(server_default=text("1"))


class DeclarationImport(Base):
    """A file of declarations: each row with what was found wrong and what came of it."""

    __tablename__ = "declaration_import"
    __table_args__ = (
        CheckConstraint(one_of("status", ImportStatus), name="status"),
        Index("ix_declaration_import_organisation_id", "organisation_id", "import_id"),
        {"schema": "app"},
    )

    import_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    file_name: Mapped[str]
    status: Mapped[str]
    rows: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    created_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    done_at: Mapped[datetime | None]


class UndeclaredArrival(Base):
    """A vehicle that came undeclared and stands in the temporary yard `site_id` until it is declared or sent away.

    `arrived_at` when it came, `opened_at` when the desk began to declare with it, `submitted_at` when that was done.
    """

    __tablename__ = "undeclared_arrival"
    __table_args__ = (
        Index("uq_undeclared_arrival_waiting", "plate_norm", unique=True, postgresql_where=text(IS_WAITING)),
        Index("ix_undeclared_arrival_gate_id", "gate_id", "arrived_at"),
        Index("ix_undeclared_arrival_trip_id", "trip_id"),
        {"schema": "app"},
    )

    arrival_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    gate_id: Mapped[str]
    site_id: Mapped[str]
    plate_norm: Mapped[str]
    arrived_at: Mapped[datetime]
    registered_at: Mapped[datetime]
    registered_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    opened_at: Mapped[datetime | None]
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    submitted_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default="")
