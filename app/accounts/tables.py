"""Tables of people: organisations, powers of attorney among them, accounts, sessions."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.vocabulary import SignInMethod
from app.platform.permissions import Role
from geo.database import Base, one_of

ORGANISATION_KINDS = ("authority", "enterprise", "customs_agent", "yard")
LOCALES = ("vi", "en", "zh")


class Organisation(Base):
    """A company or an authority that accounts, vehicles and trips belong to."""

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint(one_of("kind", ORGANISATION_KINDS), name="kind"),
        Index("uq_organisation_tax_number", "tax_number", unique=True, postgresql_where=text("tax_number <> ''")),
        {"schema": "app"},
    )

    organisation_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    is_authorised_operator: Mapped[bool] = mapped_column(server_default=text("false"))
    """Recognised by customs as an authorised economic operator."""
    tax_number: Mapped[str] = mapped_column(server_default="")
    """In its usual form (`app.accounts.tax_number`); empty: not known."""


class PowerOfAttorney(Base):
    """An agent may act for an organisation from one day to another, both included, unless it was revoked."""

    __tablename__ = "power_of_attorney"
    __table_args__ = (
        CheckConstraint("valid_from <= valid_to", name="dates"),
        CheckConstraint("organisation_id <> agent_id", name="parties"),
        Index("ix_power_of_attorney_agent_id", "agent_id", postgresql_where=text("revoked_at IS NULL")),
        Index("ix_power_of_attorney_organisation_id", "organisation_id"),
        {"schema": "app"},
    )

    power_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    agent_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    granted_at: Mapped[datetime]
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    revoked_at: Mapped[datetime | None]


class Account(Base):
    """Somebody who may sign in. `gate_id` and `vehicle_id` bind station staff and drivers to what is theirs."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(one_of("role", tuple(Role)), name="role"),
        CheckConstraint(one_of("locale", LOCALES), name="locale"),
        Index("ix_account_vehicle_id", "vehicle_id"),
        Index("ix_account_person_id", "person_id", postgresql_where=text("person_id IS NOT NULL")),
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
    password_set_at: Mapped[datetime | None]
    must_change_password: Mapped[bool] = mapped_column(server_default=text("false"))
    """Somebody else set the password: it opens nothing until its owner has set one of their own."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    """The first account of the person whose account this is as well; `None`: it is that one."""
    failed_sign_ins: Mapped[int] = mapped_column(server_default=text("0"))
    """Since the last sign-in that succeeded."""
    failed_sign_in_at: Mapped[datetime | None]
    sign_in_changes: Mapped[list[list[str]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """What its owner has not seen yet: a `SignInChange` and when, oldest first."""


class SessionRow(Base):
    """One signed-in browser or one bearer token; only the SHA-256 of its secret is kept."""

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint(one_of("kind", ("browser", "token")), name="kind"),
        CheckConstraint(one_of("method", tuple(SignInMethod)), name="method"),
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
    method: Mapped[str] = mapped_column(server_default=SignInMethod.PASSWORD)
    ends_at: Mapped[datetime]
    """However much it is used."""
    idle_s: Mapped[int]
    lock_after_s: Mapped[int | None]
    """How long nobody may touch it before it asks for a proof again; `None`: it never does."""
    proof_lasts_s: Mapped[int | None]
    """How long a proof counts for acts that need a fresh one; `None`: as long as the session."""
    active_at: Mapped[datetime]
    """When a person last did something in it; what pages ask for by themselves does not count."""
    proved_at: Mapped[datetime]
    failed_sign_ins: Mapped[int] = mapped_column(server_default=text("0"))
    """Failures before it was opened, until its owner has seen them."""
    failed_sign_in_at: Mapped[datetime | None]
