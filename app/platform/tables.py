"""Tables that every feature stands on: audit log, policies, repeated requests, shared facts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base


class AuditRow(Base):
    """One act, chained to the one before by its hash; never changed, never deleted (a trigger refuses it)."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_object_type_object_id", "object_type", "object_id"),
        Index("ix_audit_actor_id", "actor_id"),
        Index("ix_audit_at", "at"),
        {"schema": "app"},
    )

    audit_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_id: Mapped[int | None]
    actor: Mapped[str]
    action: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str]
    before: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    address: Mapped[str] = mapped_column(server_default="")
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]


class AuditHeadRow(Base):
    """A signed head of the audit log that was written to a place off the database; added to, never changed."""

    __tablename__ = "audit_head"
    __table_args__ = {"schema": "app"}  # noqa: RUF012 - SQLAlchemy's own name

    place: Mapped[str] = mapped_column(primary_key=True)
    made_at: Mapped[datetime] = mapped_column(primary_key=True)
    audit_id: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]
    signature: Mapped[bytes]


class SharedFactRow(Base):
    """The version of what everybody reads and processes keep (see `app.platform.shared_facts`)."""

    __tablename__ = "shared_fact"
    __table_args__ = ({"schema": "app", "postgresql_with": {"fillfactor": "50"}},)

    fact: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[UUID]


class PolicyRow(Base):
    """A value that planners set, such as a threshold of the advice."""

    __tablename__ = "policy"
    __table_args__ = ({"schema": "app"},)

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime]
    updated_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))


class Idempotency(Base):
    """A request that a bad line may repeat: the thing its first arrival made.

    `fingerprint` is the SHA-256 of the body, so that one key is never taken for two requests.
    """

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"), {"schema": "app"})

    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"), primary_key=True)
    act: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    object_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
