"""Time: aware UTC everywhere, and a clock that is passed in.

`SystemClock` is the wall clock. `ScaledClock` runs faster than it, for a demonstration in which
a whole platform, every process alike, lives through a day in an hour. `FixedClock` is for tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from geo.errors import InvalidInputError

LOCAL_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
"""Where opening hours apply and what people are shown; never used to store."""


class Clock(Protocol):
    """Tells the platform's time."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class ScaledClock:
    """A clock that showed `origin` at wall time `origin` and runs `speed` times as fast since."""

    origin: datetime
    speed: float

    def now(self) -> datetime:
        """The present moment of the scaled time, aware, UTC."""
        return self.origin + (datetime.now(UTC) - self.origin) * self.speed


@dataclass
class FixedClock:
    """A clock that stands still until it is moved."""

    moment: datetime

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.moment

    def advance(self, seconds: float) -> None:
        """Move the clock by `seconds`."""
        self.moment += timedelta(seconds=seconds)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name in the IANA database, such as Asia/Ho_Chi_Minh.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            "{value} is not a time zone; write it as in Asia/Ho_Chi_Minh.", field="tz", value=name
        ) from None


def parse_time(text: str, *, field: str = "time") -> datetime:
    """Read an RFC 3339 time with offset as an aware UTC datetime.

    Raises
    ------
    InvalidInputError
        If `text` is no time, or has no offset: a naive time is refused, not guessed.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError("{value} is not an RFC 3339 time.", field=field, value=text) from None
    if moment.tzinfo is None:
        raise InvalidInputError(
            "{value} has no time zone offset; add one, such as +07:00 or Z.", field=field, value=text
        )
    return moment.astimezone(UTC)
