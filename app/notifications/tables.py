"""Tables of what follows trips."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.notifications.vocabulary import DeliveryStatus
from app.platform.encryption import EncryptedText
from app.platform.json import JsonObject
from geo.database import Base, one_of


class EventFeed(Base):
    """How far a reader of the outbox has come."""

    __tablename__ = "event_feed"
    __table_args__ = ({"schema": "app"},)

    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class NotificationRow(Base):
    """What one account is told; `subject` says what of, so that nobody is told the same thing twice."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("account_id", "subject"),
        Index("ix_notification_account_id", "account_id", "notification_id"),
        Index("ix_notification_unread", "account_id", postgresql_where=text("read_at IS NULL")),
        Index("ix_notification_at", "at"),
        {"schema": "app"},
    )

    notification_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    subject: Mapped[str]
    at: Mapped[datetime]
    kind: Mapped[str]
    trip_id: Mapped[int | None] = mapped_column(ForeignKey("app.trip.trip_id"))
    data: Mapped[JsonObject] = mapped_column(JSONB, server_default=text("'{}'"))
    read_at: Mapped[datetime | None]


class WebhookRow(Base):
    """Where an enterprise's system is told. Its secret follows from `salt` and the platform's key; it is not kept.

    The address is encrypted: many carry a token in their path or query.
    """

    __tablename__ = "webhook"
    __table_args__ = (
        Index("ix_webhook_organisation_id", "organisation_id", postgresql_where=text("removed_at IS NULL")),
        {"schema": "app"},
    )

    webhook_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("app.organisation.organisation_id"))
    url: Mapped[str] = mapped_column(EncryptedText)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class DeliveryRow(Base):
    """One message to one webhook, tried until it is delivered or given up."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint(one_of("status", DeliveryStatus), name="status"),
        UniqueConstraint("webhook_id", "subject"),
        Index("ix_webhook_delivery_waiting", "next_try_at", postgresql_where=text("status = 'waiting'")),
        Index("ix_webhook_delivery_webhook_id", "webhook_id", "delivery_id"),
        Index("ix_webhook_delivery_created_at", "created_at"),
        {"schema": "app"},
    )

    delivery_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("app.webhook.webhook_id"))
    subject: Mapped[str]
    type: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(server_default=DeliveryStatus.WAITING)
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime]
    tried_at: Mapped[datetime | None]
    answer_status: Mapped[int | None]
    answer: Mapped[str | None]
    took_ms: Mapped[int | None]
