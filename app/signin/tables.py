"""Tables of second factors, of identities at a provider, and of requests to take factors away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.encryption import EncryptedText
from app.signin.vocabulary import ResetStatus
from geo.database import Base, one_of


class AuthenticatorApp(Base):
    """A secret shared with an app that shows a code every half minute (RFC 6238)."""

    __tablename__ = "authenticator_app"
    __table_args__ = ({"schema": "app"},)

    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"), primary_key=True)
    secret: Mapped[str] = mapped_column(EncryptedText)
    made_at: Mapped[datetime]
    last_step: Mapped[int] = mapped_column(BigInteger)
    """The half minute, counted from 1970, of the last code that was accepted: none of it or before counts again."""
    last_used_at: Mapped[datetime | None]


class Passkey(Base):
    """A key pair in somebody's phone, computer or security key (WebAuthn); this is the public half."""

    __tablename__ = "passkey"
    __table_args__ = (Index("ix_passkey_account_id", "account_id"), {"schema": "app"})

    credential_id: Mapped[bytes] = mapped_column(primary_key=True)
    passkey_id: Mapped[int] = mapped_column(Identity(), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    name: Mapped[str]
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[str]] = mapped_column(ARRAY(Text))
    made_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that stands for a lost second factor, once; 80 random bits, of which the SHA-256 is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (Index("ix_recovery_code_account_id", "account_id"), {"schema": "app"})

    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ProviderIdentity(Base):
    """Somebody at an identity provider, by the two names that together never change (OpenID Connect Core, 5.7)."""

    __tablename__ = "provider_identity"
    __table_args__ = (Index("ix_provider_identity_account_id", "account_id"), {"schema": "app"})

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    sets_role: Mapped[bool] = mapped_column(server_default=text("false"))
    """The provider made the account, and says its role at each sign-in."""
    linked_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class FactorReset(Base):
    """An administrator asks that the second factors of somebody who lost them be taken away; another one decides."""

    __tablename__ = "factor_reset"
    __table_args__ = (
        CheckConstraint(one_of("status", tuple(ResetStatus)), name="status"),
        Index("ix_factor_reset_account_id_open", "account_id", unique=True, postgresql_where=text("status = 'asked'")),
        {"schema": "app"},
    )

    reset_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    reason: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=ResetStatus.ASKED)
    asked_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    asked_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    decided_at: Mapped[datetime | None]
