"""Queries on announcements of gates. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from app.gates.notice import GateNotice
from app.gates.tables import GateNoticeRow
from app.gates.vocabulary import NoticeChange, NoticeKind


def known_notices(
    session: Session,
    *,
    gate_id: str | None = None,
    kind: str | None = None,
    not_over_at: datetime | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[GateNotice]:
    """Announcements by their beginning.

    Arguments: with `not_over_at`, those not over at that moment; with `since`, those that held at or after it.
    """
    query = select(GateNoticeRow).order_by(GateNoticeRow.starts_at, GateNoticeRow.notice_id)
    if gate_id is not None:
        query = query.where(GateNoticeRow.gate_id == gate_id)
    if kind is not None:
        query = query.where(GateNoticeRow.kind == kind)
    for moment in (not_over_at, since):
        if moment is not None:
            query = query.where(_ends_after(moment))
    if limit is not None:
        query = query.limit(limit)
    return [_read(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def find_notice(session: Session, notice_id: int) -> GateNotice | None:
    """An announcement, locked until the transaction ends."""
    query = select(GateNoticeRow).where(GateNoticeRow.notice_id == notice_id).with_for_update()
    row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    return None if row is None else _read(row)


def notices_of_source(session: Session, source_ref: str) -> dict[str, tuple[GateNotice, int]]:
    """What a service announced under one name, with the version of its newest word: by gate, locked."""
    query = select(GateNoticeRow).where(GateNoticeRow.source_ref == source_ref).with_for_update()
    rows = session.scalars(query.execution_options(populate_existing=True))
    return {row.gate_id: (_read(row), row.source_version) for row in rows}


def insert_notice(session: Session, values: Mapping[str, object]) -> GateNotice:
    """A new announcement."""
    row = GateNoticeRow(**values)
    session.add(row)
    session.flush()
    session.refresh(row)
    return _read(row)


def update_notice(session: Session, notice_id: int, values: Mapping[str, object]) -> GateNotice:
    """Change an announcement; it gets the next version."""
    session.execute(
        update(GateNoticeRow)
        .where(GateNoticeRow.notice_id == notice_id)
        .values(**values, version=GateNoticeRow.version + 1)
        .execution_options(synchronize_session=False)
    )
    found = find_notice(session, notice_id)
    assert found is not None
    return found


def mark_announced(session: Session, notice_id: int, change: str) -> None:
    """Note what people were told last."""
    session.execute(
        update(GateNoticeRow)
        .where(GateNoticeRow.notice_id == notice_id)
        .values(announced=change)
        .execution_options(synchronize_session=False)
    )


def notices_to_announce(session: Session, now: datetime) -> list[tuple[GateNotice, NoticeChange]]:
    """Announcements whose time has come to begin, or to end by itself, and nobody was told."""
    begins = and_(
        GateNoticeRow.announced == NoticeChange.PLANNED, GateNoticeRow.starts_at <= now, GateNoticeRow.over_at.is_(None)
    )
    ends = and_(
        GateNoticeRow.kind != NoticeKind.OUTAGE,
        GateNoticeRow.announced != NoticeChange.OVER,
        GateNoticeRow.over_at.is_(None),
        GateNoticeRow.ends_at <= now,
    )
    query = select(GateNoticeRow).where(or_(begins, ends)).order_by(GateNoticeRow.starts_at)
    rows = session.scalars(query.with_for_update(skip_locked=True).execution_options(populate_existing=True))
    return [
        (notice, NoticeChange.BEGUN if notice.is_in_force(now) else NoticeChange.OVER) for notice in map(_read, rows)
    ]


def _ends_after(moment: datetime) -> ColumnElement[bool]:
    has_ended = and_(GateNoticeRow.kind != NoticeKind.OUTAGE, GateNoticeRow.ends_at <= moment)
    return and_(or_(GateNoticeRow.over_at.is_(None), GateNoticeRow.over_at > moment), func.coalesce(~has_ended, True))


_NAMES: Final[Sequence[str]] = tuple(field.name for field in fields(GateNotice))
_LISTS: Final[Collection[str]] = ("goods", "regimes")


def _read(row: GateNoticeRow) -> GateNotice:
    values = {name: getattr(row, name) for name in _NAMES}
    return GateNotice(**values | {name: tuple(values[name]) for name in _LISTS})
