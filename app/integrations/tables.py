"""Tables of what is exchanged with neighbours: the outbox, the inbox, and how each neighbour does."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.integrations.vocabulary import InStatus, OutStatus
from app.platform.encryption import EncryptedText
from geo.database import Base, one_of


class NeighbourRow(Base):
    """How a neighbour does; `is_connected` says whether settings name an address of it, `is_pushing` that they name its
    secret alone: it is asked and told nothing, what it pushes is taken in.

    `cursor` is how far its messages were fetched, as it says itself.
    """

    __tablename__ = "neighbour"
    __table_args__ = ({"schema": "app"},)

    name: Mapped[str] = mapped_column(primary_key=True)
    is_connected: Mapped[bool] = mapped_column(server_default=text("false"))
    is_pushing: Mapped[bool] = mapped_column(server_default=text("false"))
    pushed_at: Mapped[datetime | None]
    """When it last pushed."""
    is_simulated: Mapped[bool] = mapped_column(server_default=text("false"))
    cursor: Mapped[str] = mapped_column(server_default="")
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    down_since: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    ok_at: Mapped[datetime | None]
    took_ms: Mapped[int | None]
    error: Mapped[str] = mapped_column(server_default="")
    returned_at: Mapped[datetime | None]
    """When it answered again the last time after having been down."""
    away_since: Mapped[datetime | None]
    """Since when it had been down by then."""


class OutMessageRow(Base):
    """A message to a neighbour, written in the transaction of the act that it tells of; `subject` is said once."""

    __tablename__ = "neighbour_outbox"
    __table_args__ = (
        CheckConstraint(one_of("status", OutStatus), name="status"),
        UniqueConstraint("message_id"),
        UniqueConstraint("neighbour", "subject"),
        Index("ix_neighbour_outbox_waiting", "neighbour", "next_try_at", postgresql_where=text("status = 'waiting'")),
        Index("ix_neighbour_outbox_dead", "neighbour", "out_id", postgresql_where=text("status = 'dead'")),
        Index("ix_neighbour_outbox_created_at", "created_at"),
        {"schema": "app"},
    )

    out_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    neighbour: Mapped[str]
    message_id: Mapped[str]
    subject: Mapped[str]
    kind: Mapped[str]
    about: Mapped[str]
    body: Mapped[str] = mapped_column(EncryptedText)
    """The body as JSON; encrypted, for much of it names people."""
    created_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(server_default=OutStatus.WAITING)
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime]
    tried_at: Mapped[datetime | None]
    took_ms: Mapped[int | None]
    error: Mapped[str] = mapped_column(server_default="")
    mended_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    mended_at: Mapped[datetime | None]


class InMessageRow(Base):
    """A message of a neighbour, known by its own identity: however often it comes, it is here and acts once."""

    __tablename__ = "neighbour_inbox"
    __table_args__ = (
        CheckConstraint(one_of("status", InStatus), name="status"),
        UniqueConstraint("neighbour", "message_id"),
        Index("ix_neighbour_inbox_waiting", "next_try_at", postgresql_where=text("status = 'waiting'")),
        Index("ix_neighbour_inbox_dead", "neighbour", "in_id", postgresql_where=text("status = 'dead'")),
        Index("ix_neighbour_inbox_received_at", "received_at"),
        {"schema": "app"},
    )

    in_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    neighbour: Mapped[str]
    message_id: Mapped[str]
    kind: Mapped[str]
    about: Mapped[str]
    reply_to: Mapped[str | None]
    version: Mapped[int | None] = mapped_column(BigInteger)
    sent_at: Mapped[datetime]
    body: Mapped[str] = mapped_column(EncryptedText)
    received_at: Mapped[datetime]
    repeats: Mapped[int] = mapped_column(server_default=text("0"))
    """How often it came again."""
    status: Mapped[str] = mapped_column(server_default=InStatus.WAITING)
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default="")
    mended_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    mended_at: Mapped[datetime | None]
