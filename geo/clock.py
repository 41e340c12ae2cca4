"""Time: aware UTC everywhere, and a clock that is passed in.

`SystemClock` is the wall clock, `SteadyClock` outlasts its jumps. `ScaledClock` runs faster than it, for a
demonstration in which a whole platform, every process alike, lives through a day in an hour. `FixedClock` is for tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
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


def boot_time_s() -> float:
    """Seconds since the machine was started, sleep included: setting the clock does not move it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SteadyClock:
    """A clock that does not follow another one where that jumps, for an hour; then it is believed.

    A machine whose clock is set wrong, or put right by a server of time, would else take all that is reported to it for
    early or late by the same hours. What differs by less than `max_step_s` is followed at once.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        elapsed_s: Callable[[], float] = boot_time_s,
        max_step_s: float = 60.0,
        hold_s: float = 3_600.0,
    ) -> None:
        self._clock, self._elapsed_s = clock, elapsed_s
        self._max_step, self._hold_s = timedelta(seconds=max_step_s), hold_s
        self._moment, self._at_s = clock.now(), elapsed_s()
        self._agreed_at_s = self._at_s

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        told, at_s = self._clock.now(), self._elapsed_s()
        self._moment += timedelta(seconds=at_s - self._at_s)
        self._at_s = at_s
        if abs(told - self._moment) <= self._max_step or at_s - self._agreed_at_s > self._hold_s:
            self._moment, self._agreed_at_s = told, at_s
        return self._moment


@dataclass(frozen=True)
class ScaledClock:
    """A clock that showed `origin` at wall time `origin` and runs `speed` times as fast since."""

    origin: datetime
    speed: float

    def now(self) -> datetime:
        """The present moment of the scaled time, aware, UTC."""
        return self.origin + (datetime.now(UTC) - self.origin) * self.speed


def speed_of(clock: Clock) -> float:
    """How many times faster than a watch a clock runs."""
    return clock.speed if isinstance(clock, ScaledClock) else 1.0


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


FIRST_YEAR, LAST_YEAR = 1900, 2200


def parse_time(text: str, *, field: str = "time") -> datetime:
    """Read an RFC 3339 time with offset as an aware UTC datetime.

    Raises
    ------
    InvalidInputError
        If `text` is no time, has no offset (a naive time is refused, not guessed), or is of a year that no clock of
        ours shows: what is a few days before or after must be a time too.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError("{value} is not an RFC 3339 time.", field=field, value=text) from None
    if moment.tzinfo is None:
        raise InvalidInputError(
            "{value} has no time zone offset; add one, such as +07:00 or Z.", field=field, value=text
        )
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InvalidInputError(
            "{value} is not between the years {first} and {last}.",
            field=field,
            value=text,
            first=FIRST_YEAR,
            last=LAST_YEAR,
        )
    return moment.astimezone(UTC)
