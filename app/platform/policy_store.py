"""Queries on values set for the whole platform. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.platform.json import JsonObject
from app.platform.tables import PolicyRow


@dataclass(frozen=True)
class StoredValue:
    """A value as it was set: `updated_by` is an account, `version` counts from 1."""

    value: JsonObject
    version: int
    updated_at: datetime
    updated_by: int | None


def find_value(session: Session, key: str) -> StoredValue | None:
    """The value of a key; `None` if nobody has set it."""
    query = select(PolicyRow).where(PolicyRow.key == key).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    return None if row is None else StoredValue(row.value, row.version, row.updated_at, row.updated_by)


def save_value(
    session: Session, key: str, value: Mapping[str, object], expected_version: int, *, by: int, now: datetime
) -> bool:
    """Set a value if its version still is `expected_version` (0: nobody has set it); whether it was."""
    columns = {"value": dict(value), "version": expected_version + 1, "updated_at": now, "updated_by": by}
    if expected_version == 0:
        first = pg_insert(PolicyRow).values(key=key, **columns).on_conflict_do_nothing().returning(PolicyRow.key)
        return session.scalars(first).one_or_none() is not None
    later = (
        update(PolicyRow)
        .where(PolicyRow.key == key, PolicyRow.version == expected_version)
        .values(**columns)
        .returning(PolicyRow.key)
        .execution_options(synchronize_session=False)
    )
    return session.scalars(later).one_or_none() is not None
