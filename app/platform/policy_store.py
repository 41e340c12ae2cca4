"""Queries on values set for the whole platform. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.platform.tables import PolicyRow

# Policy


def find_policy(session: Session, key: str) -> PolicyRow | None:
    """A value that planners set."""
    query = select(PolicyRow).where(PolicyRow.key == key).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def save_policy(
    session: Session, key: str, value: Mapping[str, Any], edited_version: int, *, by: int, now: datetime
) -> bool:
    """Set a value if its version still is `edited_version` (0: nobody has set it); whether it was."""
    columns = {"value": dict(value), "version": edited_version + 1, "updated_at": now, "updated_by": by}
    if edited_version == 0:
        first = pg_insert(PolicyRow).values(key=key, **columns).on_conflict_do_nothing().returning(PolicyRow.key)
        return session.scalars(first).one_or_none() is not None
    later = (
        update(PolicyRow)
        .where(PolicyRow.key == key, PolicyRow.version == edited_version)
        .values(**columns)
        .returning(PolicyRow.key)
        .execution_options(synchronize_session=False)
    )
    return session.scalars(later).one_or_none() is not None
