"""Tables of people: organisations, accounts, sessions, the audit log, policy values."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.permissions import Role
from geo.database import Base, one_of

ORGANISATION_KINDS = ("authority", "enterprise", "customs_agent", "yard")
LOCALES = ("vi", "en", "zh")


class Organisation(Base):
    """A company or an authority that accounts, vehicles and trips belong to."""

    __tablename__ = "organisation"
    __table_args__ = (CheckConstraint(one_of("kind", ORGANISATION_KINDS), name="kind"), {"schema": "app"})

    organisation_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]


class Account(Base):
    """Somebody who may sign in. `gate_id` and `vehicle_id` bind station staff and drivers to what is theirs."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(one_of("role", tuple(Role)), name="role"),
        CheckConstraint(one_of("locale", LOCALES), name="locale"),
        Index("ix_account_vehicle_id", "vehicle_id"),
        {"schema": "app"},
    )

    account_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    full_name: Mapped[str]
    role: Mapped[str]
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    gate_id: Mapped[str | None]
    vehicle_id: Mapped[int | None]
    locale: Mapped[str] = mapped_column(server_default="vi")
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class SessionRow(Base):
    """One signed-in browser or one bearer token; only the SHA-256 of its secret is kept."""

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint(one_of("kind", ("browser", "token")), name="kind"),
        Index("ix_session_account_id", "account_id"),
        Index("ix_session_expires_at", "expires_at"),
        {"schema": "app"},
    )

    session_hash: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    kind: Mapped[str]
    csrf_token: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    user_agent: Mapped[str] = mapped_column(server_default="")
    address: Mapped[str] = mapped_column(server_default="")
