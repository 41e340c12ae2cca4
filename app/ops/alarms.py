"""What operators must see to: one judgement of each condition, for the page, the figures and those who are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.ops import alarm_store
from app.ops.tables import AlarmRow
from app.ops.vocabulary import AlarmKind

CALM_SHARE: Final = 0.8
"""An alarm ends below this share of its limit, so that it does not come and go around the limit."""
KEPT: Final = timedelta(days=400)


@dataclass(frozen=True)
class Reading:
    """A condition as measured: it is bad from `limit` on. `subject` tells those of a kind apart, a device's name."""

    kind: AlarmKind
    value: float
    limit: float
    subject: str = ""
    calm_share: float = CALM_SHARE

    def is_bad(self, *, was_bad: bool) -> bool:
        """Whether it calls for somebody; harder to end than to begin."""
        return self.value >= (self.limit * self.calm_share if was_bad else self.limit)


def follow(session: Session, readings: Iterable[Reading], measured: Iterable[AlarmKind], now: datetime) -> int:
    """Raise and end alarms by what was read; how many of both.

    `measured` are the kinds that could be looked at: of the others nothing is known, and nothing ends. What was read
    before and is not any more (a device that is gone) has ended.
    """
    before = {(AlarmKind.get(row.kind), row.subject): row for row in alarm_store.open_alarms(session)}
    bad = {
        (reading.kind, reading.subject): reading
        for reading in readings
        if reading.is_bad(was_bad=(reading.kind, reading.subject) in before)
    }
    looked_at = set(measured)
    ended = [row for key, row in before.items() if key not in bad and key[0] in looked_at]
    for row in ended:
        row.ended_at = now
    raised = [reading for key, reading in bad.items() if key not in before]
    for reading in raised:
        row = AlarmRow(kind=reading.kind, subject=reading.subject, value=reading.value, raised_at=now)
        alarm_store.insert_alarm(session, row)
    for key, row in before.items():
        if key in bad:
            row.value = bad[key].value
    alarm_store.forget_alarms(session, now - KEPT)
    session.flush()
    return len(ended) + len(raised)


def count_open(rows: Iterable[AlarmRow]) -> Mapping[AlarmKind, int]:
    """Open alarms of each kind, those of which there are none included."""
    counts = dict.fromkeys(AlarmKind, 0)
    for row in rows:
        counts[AlarmKind.get(row.kind)] += 1
    return counts
