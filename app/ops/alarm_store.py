"""Queries of alarms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from app.ops.tables import AlarmRow


def open_alarms(session: Session) -> Sequence[AlarmRow]:
    """Those that are not over, the oldest first."""
    return session.scalars(
        select(AlarmRow).where(AlarmRow.ended_at.is_(None)).order_by(AlarmRow.raised_at, AlarmRow.alarm_id)
    ).all()


def insert_alarm(session: Session, alarm: AlarmRow) -> None:
    """Keep a new one."""
    session.add(alarm)


def to_be_told(session: Session, repeat_before: datetime) -> Sequence[AlarmRow]:
    """Those that people must be told of: new, told last before a moment and not over, or over and known to them."""
    is_open = AlarmRow.ended_at.is_(None)
    begun = and_(is_open, or_(AlarmRow.told_at.is_(None), AlarmRow.told_at < repeat_before))
    over = and_(AlarmRow.ended_at.is_not(None), AlarmRow.told_at.is_not(None), AlarmRow.end_told_at.is_(None))
    return session.scalars(select(AlarmRow).where(or_(begun, over)).order_by(AlarmRow.alarm_id)).all()


def forget_alarms(session: Session, before: datetime) -> None:
    """Erase those that were over long ago."""
    session.execute(delete(AlarmRow).where(AlarmRow.ended_at < before))
