"""Documents of which people write new versions: a draft is edited, published and in the end retired.

Procedures and tariffs are such. The columns are those of `VersionedColumns`; what a document holds, when it may be
published and what that retires are its feature's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.platform.actions import ActionContext
from app.platform.labels import DocumentStatus
from geo.errors import ConflictError, NotFoundError
from geo.versions import check_version


class VersionedColumns:
    """The columns that every document with versions has; `edit` counts the changes of a draft, for `If-Match`."""

    version: Mapped[int]
    edit: Mapped[int] = mapped_column(server_default=text("1"))
    status: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    created_at: Mapped[datetime]
    published_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.account_id"))
    published_at: Mapped[datetime | None]


Document = TypeVar("Document", bound=VersionedColumns)


@dataclass(frozen=True)
class Versioned(Generic[Document]):
    """The versions of one kind of document: rows of `table`; `no_such` makes the error of an id that is unknown."""

    table: type[Document]
    no_such: Callable[[int], NotFoundError]

    def get(self, session: Session, number: int) -> Document:
        """One version; raises NotFoundError."""
        row = session.get(self.table, number, populate_existing=True)
        if row is None:
            raise self.no_such(number)
        return row

    def lock_draft(self, action: ActionContext, number: int, expected_version: int) -> Document:
        """A draft, locked until the transaction ends.

        Raises
        ------
        NotFoundError, StaleError, ConflictError
            If there is none, it was changed since, or it is no draft any more.
        """
        row = action.session.get(self.table, number, populate_existing=True, with_for_update=True)
        if row is None:
            raise self.no_such(number)
        check_version(row.edit, expected_version)
        if row.status != DocumentStatus.DRAFT:
            raise ConflictError(
                "This version is {status}; make a new draft to change something.", status=DocumentStatus.get(row.status)
            )
        return row

    def save(self, action: ActionContext, row: Document, changes: Mapping[str, Any]) -> None:
        """Change a locked draft."""
        for name, value in changes.items():
            setattr(row, name, value)
        row.edit += 1
        action.session.flush()

    def publish(self, action: ActionContext, row: Document, changes: Mapping[str, Any] | None = None) -> None:
        """Put a locked draft in force; `changes` are what else that sets."""
        published = {"published_by": action.actor.account_id, "published_at": action.now}
        self.save(action, row, {"status": DocumentStatus.PUBLISHED, **published, **(changes or {})})
