"""Queries of what the public board said. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.open_data.tables import PublicForecastRow, PublicGateRow, PublicYardRow

PublicRow = TypeVar("PublicRow", PublicGateRow, PublicYardRow, PublicForecastRow)


def save(session: Session, rows: Sequence[PublicRow]) -> None:
    """Keep the rows, in the place of what was said earlier in the same five minutes."""
    if not rows:
        return
    table = type(rows[0]).__table__
    names = [column.name for column in table.columns]
    given = insert(type(rows[0])).values([{name: getattr(row, name) for name in names} for row in rows])
    key = [column.name for column in table.primary_key]
    session.execute(
        given.on_conflict_do_update(
            index_elements=key, set_={name: given.excluded[name] for name in names if name not in key}
        )
    )


def rows_between(session: Session, of: type[PublicRow], since: datetime, until: datetime) -> Sequence[PublicRow]:
    """What was said in [since, until), by time and then by key."""
    key = of.__table__.primary_key
    rest = [column for column in key if column.name != "slot"]
    asked = select(of).where(of.slot >= since, of.slot < until).order_by(of.slot, *rest)
    return session.scalars(asked).all()


def newest_gates(session: Session) -> Sequence[PublicGateRow]:
    """What was said last, of each gate."""
    newest = select(func.max(PublicGateRow.slot)).scalar_subquery()
    return session.scalars(
        select(PublicGateRow).where(PublicGateRow.slot == newest).order_by(PublicGateRow.gate_id)
    ).all()


def newest_yards(session: Session) -> Sequence[PublicYardRow]:
    """What was said last, of each yard."""
    newest = select(func.max(PublicGateRow.slot)).scalar_subquery()
    return session.scalars(
        select(PublicYardRow).where(PublicYardRow.slot == newest).order_by(PublicYardRow.yard_id)
    ).all()
