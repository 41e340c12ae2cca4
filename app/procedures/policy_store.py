"""Queries on values set for the whole platform. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.platform.tables import PolicyRow


def find_policy(session: Session, key: str) -> Any:
    """A value that was set for the whole platform; `None` if nobody did."""
    return session.scalars(select(PolicyRow.value).where(PolicyRow.key == key)).one_or_none()


def save_policy(session: Session, key: str, value: Mapping[str, Any], *, by: int, now: datetime) -> None:
    """Set a value for the whole platform."""
    columns = {"value": dict(value), "updated_at": now, "updated_by": by}
    query = pg_insert(PolicyRow).values(key=key, version=1, **columns)
    session.execute(
        query.on_conflict_do_update(index_elements=["key"], set_={**columns, "version": PolicyRow.version + 1})
    )
