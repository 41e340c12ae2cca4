"""The table of gate profiles and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.service import Account
from geo.database import Base


class GateProfileRow(Base):
    """One version of a gate's profile (`app.gates.profile.GateProfile`).

    The published version with the latest `effective_from` that has come is in force; a gate has one draft at most.
    `revision` counts all changes of a gate's versions: the ETag of its profile. `based_on` is the version that was
    the newest published one when a draft was written.
    """

    __tablename__ = "gate_profile"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published')", name="status"),
        CheckConstraint("(status = 'published') = (effective_from IS NOT NULL)", name="effective_from"),
        UniqueConstraint("gate_id", "version"),
        Index("uq_gate_profile_draft", "gate_id", unique=True, postgresql_where=text("status = 'draft'")),
        {"schema": "app"},
    )

    gate_profile_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    gate_id: Mapped[str]
    version: Mapped[int]
    revision: Mapped[int]
    status: Mapped[str]
    profile: Mapped[dict[str, Any]] = mapped_column(JSONB)
    effective_from: Mapped[datetime | None]
    based_on: Mapped[int | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey(Account.account_id))
    created_at: Mapped[datetime]
    published_by: Mapped[int | None] = mapped_column(ForeignKey(Account.account_id))
    published_at: Mapped[datetime | None]
