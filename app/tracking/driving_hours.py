"""How long a driver has driven without a break. Pure.

Four hours of driving without a break is the legal limit; the tracker warns five minutes before (QCVN 31:2014/BGTVT;
Law 36/2024/QH15 on road traffic order, article 64). A break lasts at least `MIN_BREAK`: shorter stops, as in a queue
that moves up, are part of the driving.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from geo.motion import MOVING_MPS

MAX_DRIVING: Final = timedelta(hours=4)
WARN_BEFORE: Final = timedelta(minutes=5)
MIN_BREAK: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Driving:
    """A time of driving without a break: when it began, when the truck last moved in it."""

    since: datetime
    moved_at: datetime

    @property
    def lasted(self) -> timedelta:
        """How long it has lasted."""
        return self.moved_at - self.since

    @property
    def is_too_long(self) -> bool:
        """Whether the limit is passed."""
        return self.lasted > MAX_DRIVING

    def is_over(self, now: datetime) -> bool:
        """Whether the driver has had a break since."""
        return now - self.moved_at >= MIN_BREAK

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to warn: the limit is five minutes away or passed, and there was no break since."""
        return now - self.since >= MAX_DRIVING - WARN_BEFORE and not self.is_over(now)

    def left(self, now: datetime) -> timedelta:
        """How long the driver may drive on; negative beyond the limit."""
        return self.since + MAX_DRIVING - now


def drive_on(known: Driving | None, time: datetime, speed_mps: float | None) -> Driving | None:
    """The driving after a position at `time`, in order of time; `None` while the truck has not moved."""
    moves = speed_mps is not None and speed_mps >= MOVING_MPS
    if not moves:
        return known
    if known is None or time - known.moved_at >= MIN_BREAK:
        return Driving(time, time)
    return Driving(known.since, max(known.moved_at, time))


def drivings(positions: Iterable[tuple[datetime, float | None]]) -> list[Driving]:
    """The times of driving without a break in positions (time, m/s) in order of time."""
    found: list[Driving] = []
    for time, speed_mps in positions:
        last = found[-1] if found else None
        now = drive_on(last, time, speed_mps)
        if now is not None and now != last:
            if last is not None and now.since == last.since:
                found[-1] = now
            else:
                found.append(now)
    return found
