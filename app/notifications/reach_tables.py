"""Tables of reaching drivers whose page is closed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.notifications.vocabulary import MessageStatus, ReachChannel, ReachKind
from app.platform.encryption import EncryptedText
from geo.database import Base, one_of


class PushKey(Base):
    """The key pair that push services know the platform by (VAPID); one row. The key is encrypted."""

    __tablename__ = "push_key"
    __table_args__ = (CheckConstraint("key_id = 1", name="key_id"), {"schema": "app"})

    key_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    private_key: Mapped[str] = mapped_column(EncryptedText)
    made_at: Mapped[datetime]


class PushSubscription(Base):
    """A browser that takes push messages for an account. Its address and keys are encrypted: who has them can write
    to it. `endpoint_hash` finds it again."""

    __tablename__ = "push_subscription"
    __table_args__ = (Index("ix_push_subscription_account_id", "account_id"), {"schema": "app"})

    subscription_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    endpoint: Mapped[str] = mapped_column(EncryptedText)
    endpoint_hash: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str] = mapped_column(EncryptedText)
    secret: Mapped[str] = mapped_column(EncryptedText)
    language: Mapped[str]
    created_at: Mapped[datetime]


class ReachMessage(Base):
    """One message to a driver about an order, its recall, or what a notification tells; `subscription_id` 0: a text
    message."""

    __tablename__ = "reach_message"
    __table_args__ = (
        CheckConstraint(one_of("kind", ReachKind), name="kind"),
        CheckConstraint(one_of("channel", ReachChannel), name="channel"),
        CheckConstraint(one_of("status", MessageStatus), name="status"),
        CheckConstraint("num_nonnulls(order_id, notification_id) = 1", name="subject"),
        UniqueConstraint("order_id", "vehicle_id", "kind", "channel", "subscription_id"),
        UniqueConstraint("notification_id", "channel", "subscription_id"),
        Index("ix_reach_message_waiting", "next_try_at", postgresql_where=text("status = 'waiting'")),
        {"schema": "app"},
    )

    message_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("app.dispatch_order.order_id", ondelete="CASCADE"))
    notification_id: Mapped[int | None] = mapped_column(
        ForeignKey("app.notification.notification_id", ondelete="CASCADE")
    )
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("ingest.vehicle.vehicle_id"))
    kind: Mapped[str]
    channel: Mapped[str]
    subscription_id: Mapped[int] = mapped_column(server_default=text("0"))
    made_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(server_default=MessageStatus.WAITING)
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]
