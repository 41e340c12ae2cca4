"""What is answered of attachments."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from app.attachments.store import NamedAttachment
from app.attachments.vocabulary import AttachmentKind


class AttachmentOut(BaseModel):
    """A file kept with a trip; `/api/v1/attachments/{attachment_id}/content` gives it."""

    attachment_id: int
    trip_id: int
    kind: AttachmentKind
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    uploaded_at: datetime
    uploaded_by: str
    uploaded_role: str
    may_remove: bool

    @classmethod
    def of(cls, named: NamedAttachment, *, may_remove: bool) -> Self:
        """An attachment with who attached it."""
        row = named.row
        return cls(
            attachment_id=row.attachment_id,
            trip_id=row.trip_id,
            kind=AttachmentKind.get(row.kind),
            name=row.name,
            media_type=row.media_type,
            size_bytes=row.size_bytes,
            sha256=row.sha256.hex(),
            uploaded_at=row.uploaded_at,
            uploaded_by=named.full_name,
            uploaded_role=row.uploaded_role,
            may_remove=may_remove,
        )


class AttachmentList(BaseModel):
    """Oldest first."""

    items: list[AttachmentOut]
