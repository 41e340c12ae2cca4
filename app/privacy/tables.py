"""Legal holds, requests for a person's data, and who was told how data are used."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.digest_columns import made_of
from app.platform.encryption import EncryptedJson
from app.platform.json import JsonObject
from app.platform.personal_fields import person_digest
from app.privacy.vocabulary import HoldSubject, RequestKind, RequestStatus
from geo.database import Base, one_of


class LegalHold(Base):
    """Keeps a trip, or what is kept of a person, from deletion and erasure until a moment; ended early by a person."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        CheckConstraint(one_of("subject", tuple(HoldSubject)), name="subject"),
        Index("ix_legal_hold_until", "until"),
        {"schema": "app"},
    )

    hold_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    subject: Mapped[str]
    subject_id: Mapped[int]
    reason: Mapped[str]
    placed_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    placed_at: Mapped[datetime]
    until: Mapped[datetime]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    ended_at: Mapped[datetime | None]


def _digest_of_person(values: JsonObject) -> str | None:
    """What stands for the driver that a request is of, as `Driver.to_record` keeps one."""
    person = values["person"]
    return person_digest(person["numbers"], person["name"]) if isinstance(person, dict) else None


class PrivacyRequest(Base):
    """Erasure or rectification of a person's data: asked by one administrator, decided by another.

    Of somebody without an account `person` says who it is (`app.privacy.drivers.Driver`) until the request is decided;
    the digest stays.
    """

    __tablename__ = "privacy_request"
    __table_args__ = (
        CheckConstraint(one_of("kind", tuple(RequestKind)), name="kind"),
        CheckConstraint(one_of("status", tuple(RequestStatus)), name="status"),
        CheckConstraint("decided_by <> asked_by", name="two_persons"),
        CheckConstraint("(account_id IS NULL) <> (person_digest IS NULL)", name="whose"),
        Index(
            "uq_privacy_request_open_person",
            "person_digest",
            "kind",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
        Index("uq_privacy_request_open", "account_id", "kind", unique=True, postgresql_where=text("status = 'open'")),
        {"schema": "app"},
    )

    request_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    person: Mapped[JsonObject | None] = mapped_column(EncryptedJson)
    person_digest: Mapped[str | None] = mapped_column(info=made_of(("person",), _digest_of_person))
    reason: Mapped[str]
    changes: Mapped[JsonObject | None] = mapped_column(EncryptedJson)
    status: Mapped[str]
    asked_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    asked_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    outcome: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))


class Consent(Base):
    """That a person was shown the notice of how data are used, in which version, and said yes."""

    __tablename__ = "consent"
    __table_args__ = {"schema": "app"}  # noqa: RUF012 - SQLAlchemy's own name

    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"), primary_key=True)
    notice_version: Mapped[str] = mapped_column(primary_key=True)
    locale: Mapped[str]
    given_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(server_default="")
