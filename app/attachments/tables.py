"""The table of attachments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.attachments.vocabulary import AttachmentKind
from app.platform.encryption import EncryptedBytes, EncryptedText
from geo.database import Base, one_of


class AttachmentRow(Base):
    """A file kept with a trip. It stands in the database, so that a backup of it holds the files too.

    `content` is null once it was removed; who attached what, when, and its hash stay. Content and name are encrypted.
    """

    __tablename__ = "attachment"
    __table_args__ = (
        CheckConstraint(one_of("kind", AttachmentKind), name="kind"),
        CheckConstraint("(content IS NULL) = (removed_at IS NOT NULL)", name="removed"),
        Index("uq_attachment_content", "trip_id", "sha256", unique=True, postgresql_where=text("removed_at IS NULL")),
        {"schema": "app"},
    )

    attachment_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    trip_id: Mapped[int] = mapped_column(ForeignKey("app.trip.trip_id"))
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(EncryptedText)
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[bytes]
    content: Mapped[bytes | None] = deferred(mapped_column(EncryptedBytes))
    uploaded_at: Mapped[datetime]
    uploaded_by: Mapped[int] = mapped_column(ForeignKey("app.account.account_id"))
    uploaded_role: Mapped[str]
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    removed_reason: Mapped[str] = mapped_column(server_default="")
