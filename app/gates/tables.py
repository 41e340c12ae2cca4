"""The tables of gate profiles with their versions, and of what is announced of gates."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.service import Account
from app.gates.vocabulary import NoticeChange, NoticeKind, System
from app.platform.json import JsonObject
from geo.database import Base, one_of


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
    profile: Mapped[JsonObject] = mapped_column(JSONB)
    effective_from: Mapped[datetime | None]
    based_on: Mapped[int | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey(Account.account_id))
    created_at: Mapped[datetime]
    published_by: Mapped[int | None] = mapped_column(ForeignKey(Account.account_id))
    published_at: Mapped[datetime | None]


class GateServedPlaceRow(Base):
    """Where a gate serves trucks, as learned last (`app.gates.served_place.ServedPlace`)."""

    __tablename__ = "gate_served_place"
    __table_args__ = (CheckConstraint("stops > 0", name="stops"), {"schema": "app"})

    gate_id: Mapped[str] = mapped_column(primary_key=True)
    km: Mapped[float]
    stops: Mapped[int]
    learned_at: Mapped[datetime]


class GateNoticeRow(Base):
    """An intake ban or an outage of a gate, or a weather warning (`app.gates.notice.GateNotice`).

    `source_ref` and `source_version` are what the service that warns calls it and its newest word.

    `announced` is what people were told of it last: control tells of its beginning and of an end that comes by itself.
    """

    __tablename__ = "gate_notice"
    __table_args__ = (
        CheckConstraint(one_of("kind", NoticeKind), name="kind"),
        CheckConstraint(one_of("system", System), name="system"),
        CheckConstraint("(kind = 'outage') = (system IS NOT NULL)", name="outage"),
        CheckConstraint("(kind = 'weather') = (source_ref IS NOT NULL)", name="weather"),
        CheckConstraint("ends_at > starts_at", name="ends_at"),
        UniqueConstraint("source_ref", "gate_id"),
        CheckConstraint(one_of("announced", NoticeChange), name="announced"),
        Index("ix_gate_notice_not_over", "gate_id", "starts_at", postgresql_where=text("over_at IS NULL")),
        {"schema": "app"},
    )

    notice_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    gate_id: Mapped[str]
    cause: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    over_at: Mapped[datetime | None]
    over_reason: Mapped[str] = mapped_column(server_default="")
    goods: Mapped[list[str]] = mapped_column(ARRAY(Text))
    regimes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    system: Mapped[str | None]
    paper_mode: Mapped[bool] = mapped_column(server_default=text("false"))
    announced: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey(Account.account_id))
    created_role: Mapped[str]
    created_at: Mapped[datetime]
    source_ref: Mapped[str | None]
    source_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    is_simulated: Mapped[bool] = mapped_column(server_default=text("false"))
    over_by: Mapped[int | None] = mapped_column(ForeignKey(Account.account_id))
    version: Mapped[int] = mapped_column(server_default=text("1"))
