"""Queries on attachments. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.attachments.tables import AttachmentRow
from app.trips.service import Trip
from app.trips.vocabulary import Stage


@dataclass(frozen=True)
class NamedAttachment:
    """An attachment without its content, with who attached it."""

    row: AttachmentRow
    full_name: str


def list_attachments(session: Session, trip_id: int) -> list[NamedAttachment]:
    """What is attached to a trip, oldest first."""
    query = (
        select(AttachmentRow, Account.full_name)
        .join(Account, Account.account_id == AttachmentRow.uploaded_by)
        .where(AttachmentRow.trip_id == trip_id, AttachmentRow.removed_at.is_(None))
        .order_by(AttachmentRow.attachment_id)
    )
    return [NamedAttachment(*row) for row in session.execute(query.execution_options(populate_existing=True))]


def find_attachment(session: Session, attachment_id: int) -> NamedAttachment | None:
    """An attachment that was not removed."""
    query = (
        select(AttachmentRow, Account.full_name)
        .join(Account, Account.account_id == AttachmentRow.uploaded_by)
        .where(AttachmentRow.attachment_id == attachment_id, AttachmentRow.removed_at.is_(None))
    )
    row = session.execute(query.execution_options(populate_existing=True)).one_or_none()
    return None if row is None else NamedAttachment(*row)


def find_content(session: Session, trip_id: int, sha256: bytes) -> int | None:
    """The attachment of a trip that has this content."""
    query = select(AttachmentRow.attachment_id).where(
        AttachmentRow.trip_id == trip_id, AttachmentRow.sha256 == sha256, AttachmentRow.removed_at.is_(None)
    )
    return session.scalar(query)


def count_attachments(session: Session, trip_id: int) -> int:
    """How many are attached to a trip."""
    query = select(func.count()).where(AttachmentRow.trip_id == trip_id, AttachmentRow.removed_at.is_(None))
    return session.scalar(query) or 0


def insert_attachment(session: Session, values: Mapping[str, object]) -> int:
    """A new attachment; its id."""
    row = AttachmentRow(**values)
    session.add(row)
    session.flush()
    return row.attachment_id


def read_content(session: Session, attachment_id: int) -> bytes:
    """The bytes of an attachment that was not removed."""
    content = session.scalar(select(AttachmentRow.content).where(AttachmentRow.attachment_id == attachment_id))
    assert content is not None
    return content


def erase_content(session: Session, attachment_id: int, *, at: datetime, by: int | None, reason: str) -> None:
    """Erase the bytes of an attachment; that it was there stays."""
    session.execute(
        update(AttachmentRow)
        .where(AttachmentRow.attachment_id == attachment_id)
        .values(content=None, removed_at=at, removed_by=by, removed_reason=reason)
        .execution_options(synchronize_session=False)
    )


def list_expired(session: Session, before: datetime, limit: int, kept: Collection[int] = ()) -> list[AttachmentRow]:
    """Attachments of trips that were over before a moment, without those of the trips `kept`."""
    query = (
        select(AttachmentRow)
        .join(Trip, Trip.trip_id == AttachmentRow.trip_id)
        .where(AttachmentRow.removed_at.is_(None), Trip.stage.not_in(Stage.open()), Trip.stage_since < before)
        .where(AttachmentRow.trip_id.not_in(kept))
        .order_by(AttachmentRow.attachment_id)
        .limit(limit)
    )
    return list(session.scalars(query))
