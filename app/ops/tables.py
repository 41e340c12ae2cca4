"""Tables of operating the platform: backups made, alarms raised."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.ops.vocabulary import AlarmKind
from geo.database import Base, one_of


class BackupRow(Base):
    """A backup that was made (`failure` empty) or not, and why."""

    __tablename__ = "backup"
    __table_args__ = ({"schema": "app"},)

    backup_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    file: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    failure: Mapped[str | None]


class AlarmRow(Base):
    """Something that operators must see to, from the moment it was found until it was over.

    `told_at` is when people were last told, of its beginning, that it lasts, or of its end (`end_told_at`).
    """

    __tablename__ = "alarm"
    __table_args__ = (
        CheckConstraint(one_of("kind", AlarmKind), name="kind"),
        Index("uq_alarm_open", "kind", "subject", unique=True, postgresql_where=text("ended_at IS NULL")),
        {"schema": "app"},
    )

    alarm_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    value: Mapped[float]
    raised_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    end_told_at: Mapped[datetime | None]
