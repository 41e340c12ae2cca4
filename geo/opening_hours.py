"""Opening hours: the one home of when something is open, for people's pages and for compiled engines alike.

A day is described by *intervals* of local time ("07:00–11:30, 13:00–19:00"). An interval belongs to the day on which
it begins; one that ends at or before its beginning runs past midnight, and equal times mean 24 hours. *Breaks* are
taken out of every regular interval. A *holiday*, given by date, replaces the regular day: its own intervals (none:
closed) begin on that date and have no breaks; what began on the evening before is worked to its end.

Local time is that of `zone`; moments are aware and come back in UTC. Changes of the clock are those of the zone: an
interval from 22:00 to 05:00 may last six or eight hours.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Final, Self, TypedDict

import numpy as np
import numpy.typing as npt

from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

DAY_S: Final = 86_400
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DASH: Final = re.compile(r"\s*[–—-]\s*")


@dataclass(frozen=True, order=True)
class Interval:
    """Local time from `opens_s` to `closes_s`, seconds since midnight; see the module for nights and equal times.

    Raises
    ------
    InvalidInputError
        If a time is outside the day (0 to 86,400 s; nothing opens at 24:00).
    """

    opens_s: int
    closes_s: int

    def __post_init__(self) -> None:
        for value, limit in ((self.opens_s, DAY_S - 1), (self.closes_s, DAY_S)):
            if not 0 <= value <= limit:
                raise InvalidInputError(
                    "A time of {value} s is outside the day (0 to 86,400 s).", field="hours", value=value
                )

    @property
    def end_s(self) -> int:
        """Its end in seconds since the midnight before its beginning: after `opens_s`, up to 48 hours."""
        return self.closes_s if self.closes_s > self.opens_s else self.closes_s + DAY_S

    def __str__(self) -> str:
        return f"{format_time(self.opens_s)}–{format_time(self.closes_s)}"


def parse_time(text: str, *, field: str = "time") -> int:
    """A local time of day such as "07:30", up to "24:00", in seconds since midnight.

    Raises
    ------
    InvalidInputError
        If it is no time of day.
    """
    found = _TIME.fullmatch(text.strip())
    if found is not None:
        hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3] or 0)
        value = hours * 3600 + minutes * 60 + seconds
        if minutes < 60 and seconds < 60 and value <= DAY_S:
            return value
    raise InvalidInputError("{value} is no time of day; write it like 07:30.", field=field, value=text)


def format_time(of_day_s: int) -> str:
    """Seconds since midnight as "07:30"; seconds are shown where there are some."""
    minutes, seconds = divmod(of_day_s, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def parse_intervals(text: str, *, field: str = "hours") -> tuple[Interval, ...]:
    """Intervals written like "07:00–11:30, 13:00–19:00"; any dash will do, and nothing means no interval.

    Raises
    ------
    InvalidInputError
        If a part is no interval, or two overlap.
    """
    found = []
    for part in (part.strip() for part in text.split(",") if text.strip()):
        times = _DASH.split(part)
        if len(times) != 2:
            raise InvalidInputError("{value} is no interval; write it like 07:00–19:00.", field=field, value=part)
        found.append(Interval(parse_time(times[0], field=field), parse_time(times[1], field=field)))
    return _checked(found, field)


def format_intervals(intervals: Iterable[Interval]) -> str:
    """The form that `parse_intervals` reads."""
    return ", ".join(str(interval) for interval in intervals)


def _checked(intervals: Iterable[Interval], name: str) -> tuple[Interval, ...]:
    """Intervals in the order of the day; refuses two that overlap, the evening's with the next morning's included."""
    ordered = tuple(sorted(intervals))
    for span, other in itertools.pairwise((*ordered, *ordered[:1])):
        begins_s = other.opens_s if other is not ordered[0] else other.opens_s + DAY_S
        if span.end_s > begins_s:
            raise InvalidInputError(
                "The intervals {first} and {second} overlap; join them or move one.",
                field=name,
                first=str(span),
                second=str(other),
            )
    return ordered


class HoursRecord(TypedDict):
    """Opening hours as text: intervals and breaks of a regular day, and the intervals of holidays by ISO date."""

    intervals: str
    breaks: str
    holidays: dict[str, str]


@dataclass(frozen=True)
class OpeningHours:
    """When something is open; see the module for what intervals, breaks and holidays mean.

    Raises
    ------
    InvalidInputError
        If two intervals or two breaks of a day overlap.
    """

    intervals: tuple[Interval, ...] = ()
    breaks: tuple[Interval, ...] = ()
    holidays: Mapping[date, tuple[Interval, ...]] = field(default_factory=dict)
    zone: tzinfo = LOCAL_ZONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "intervals", _checked(self.intervals, "hours"))
        object.__setattr__(self, "breaks", _checked(self.breaks, "breaks"))
        days = {day: _checked(own, "holidays") for day, own in sorted(self.holidays.items())}
        object.__setattr__(self, "holidays", days)

    def __hash__(self) -> int:
        return hash((self.intervals, self.breaks, tuple(self.holidays.items()), str(self.zone)))

    # Making and writing

    @classmethod
    def always(cls, zone: tzinfo = LOCAL_ZONE) -> Self:
        """Open round the clock."""
        return cls((Interval(0, DAY_S),), zone=zone)

    @classmethod
    def parse(
        cls,
        intervals: str,
        *,
        breaks: str = "",
        holidays: Mapping[str, str] | None = None,
        zone: tzinfo = LOCAL_ZONE,
    ) -> Self:
        """Opening hours from text, such as a form, a file or a column holds.

        Arguments: `intervals` and `breaks` like "07:00–11:30, 13:00–19:00"; `holidays`, ISO date → intervals
        ("" is closed).

        Raises
        ------
        InvalidInputError
            Naming the value that is no interval, no date, or overlaps another.
        """
        days: dict[date, tuple[Interval, ...]] = {}
        for day, own in (holidays or {}).items():
            try:
                days[date.fromisoformat(day)] = parse_intervals(own, field="holidays")
            except ValueError:
                raise InvalidInputError(
                    "{value} is no date; write it like 2026-02-17.", field="holidays", value=day
                ) from None
        return cls(parse_intervals(intervals), parse_intervals(breaks, field="breaks"), days, zone)

    def to_record(self) -> HoursRecord:
        """As plain JSON values, the keyword arguments of `parse` (without the zone)."""
        return {
            "intervals": format_intervals(self.intervals),
            "breaks": format_intervals(self.breaks),
            "holidays": {day.isoformat(): format_intervals(own) for day, own in self.holidays.items()},
        }

    def __str__(self) -> str:
        """What is worked on a regular day, breaks taken out: "07:00–11:30, 13:00–19:00"; "" when never open."""
        parts = (Interval(start % DAY_S, (end - 1) % DAY_S + 1) for start, end in self._regular)
        return format_intervals(sorted(parts))

    def without_holidays(self) -> Self:
        """The regular hours alone."""
        return replace(self, holidays={})

    # Asking

    @property
    def is_always_open(self) -> bool:
        """Whether it never closes, on no holiday either."""
        return self.daily_open_s == DAY_S and all(own == self.intervals for own in self.holidays.values())

    @property
    def daily_open_s(self) -> int:
        """Seconds it is open on a regular day."""
        return sum(end_s - start_s for start_s, end_s in self._regular)

    def open_at(self, moment: datetime) -> bool:
        """Whether it is open at an aware moment; at the second of closing it is closed."""
        return any(start <= moment < end for start, end in self._spans_of_days(moment, moment))

    def next_open(self, moment: datetime) -> datetime | None:
        """The first moment at or after `moment` at which it is open; None if it never is again."""
        for start, end in self._spans_from(moment):
            if moment < end:
                return max(start, moment.astimezone(UTC))
        return None

    def next_close(self, moment: datetime) -> datetime | None:
        """The first moment at or after `moment` at which it is closed; None if it never closes again."""
        at = moment.astimezone(UTC)
        for start, end in self._spans_from(moment):
            if start > at:
                return at
            at = max(at, end)
        return None if self.daily_open_s == DAY_S else at

    def open_seconds(self, start: datetime, end: datetime) -> float:
        """Seconds it is open between two moments; 0 if `end` is not after `start`."""
        return sum((b - a).total_seconds() for a, b in self.spans(start, end))

    def spans(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """When it is open between two moments, in order, as [from, to) in UTC; adjoining ones are one."""
        found: list[tuple[datetime, datetime]] = []
        for begins, ends in self._spans_of_days(start, end):
            a, b = max(begins, start.astimezone(UTC)), min(ends, end.astimezone(UTC))
            if a >= b:
                continue
            if found and a <= found[-1][1]:
                found[-1] = (found[-1][0], max(b, found[-1][1]))
            else:
                found.append((a, b))
        return found

    # As arrays

    def spans_s(self, start: datetime, horizon_s: float) -> Floats:
        """When it is open within `horizon_s` of `start`, in seconds since `start`, shape (spans, 2).

        In order and apart, [from, to). One that is open at `start` begins at 0 or before; round the clock is one span
        from minus to plus infinity. This is the form that a compiled engine takes.
        """
        if self.is_always_open:
            return np.array([[-np.inf, np.inf]])
        end = start.astimezone(UTC) + timedelta(seconds=horizon_s)
        spans = [[(a - start).total_seconds(), (b - start).total_seconds()] for a, b in self.spans(start, end)]
        return np.array(spans, np.float64).reshape(-1, 2)

    def open_at_s(self, start: datetime, times_s: npt.ArrayLike) -> Flags:
        """Whether it is open at each of `times_s` (any shape), seconds since `start`."""
        times = np.asarray(times_s, np.float64)
        first, last = float(times.min(initial=0.0)), float(times.max(initial=0.0))
        spans = self.spans_s(start.astimezone(UTC) + timedelta(seconds=first), last - first + 1.0) + first
        within = np.searchsorted(spans[:, 0], times, side="right") - 1
        ends = np.append(spans[:, 1], -np.inf)
        return np.asarray(times < ends[within])

    def open_seconds_by_step(self, start: datetime, step_s: float, steps: int) -> Floats:
        """Seconds it is open in each of `steps` steps of `step_s` from `start` on, shape (steps,)."""
        edges = np.arange(steps + 1) * step_s
        spans = np.clip(self.spans_s(start, float(edges[-1])), 0.0, edges[-1])
        overlap = np.minimum(spans[:, None, 1], edges[1:]) - np.maximum(spans[:, None, 0], edges[:-1])
        return np.asarray(np.maximum(overlap, 0.0).sum(axis=0))

    # Behind the functions above

    @cached_property
    def _regular(self) -> tuple[tuple[int, int], ...]:
        """What is worked of the intervals of a regular day, seconds since its midnight, up to 48 h."""
        worked = [(interval.opens_s, interval.end_s) for interval in self.intervals]
        for pause in self.breaks:
            for shift_s in (-DAY_S, 0, DAY_S):
                begins, ends = pause.opens_s + shift_s, pause.end_s + shift_s
                cut = [((a, min(b, begins)), (max(a, ends), b)) for a, b in worked]
                worked = [(a, b) for pair in cut for a, b in pair if a < b]
        return tuple(worked)

    @cached_property
    def _last_holiday(self) -> date:
        return max(self.holidays, default=date.min)

    def _spans_of(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """What begins on a local date, in UTC."""
        own = self.holidays.get(day)
        parts = self._regular if own is None else tuple((interval.opens_s, interval.end_s) for interval in own)
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        for start_s, end_s in parts:
            # Aware datetimes of one zone add wall time.
            start, end = ((midnight + timedelta(seconds=s)).astimezone(UTC) for s in (start_s, end_s))
            if start < end:
                yield start, end

    def _spans_of_days(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """What begins on the days from the one two before `start` to that of `end`, by beginning."""
        if start.tzinfo is None or end.tzinfo is None:
            naive = start if start.tzinfo is None else end
            raise InvalidInputError("{value} has no time zone; give an aware time.", field="time", value=str(naive))
        first = start.astimezone(self.zone).date() - timedelta(days=2)
        days = (end.astimezone(self.zone).date() - first).days
        return sorted(span for number in range(days + 1) for span in self._spans_of(first + timedelta(days=number)))

    def _spans_from(self, moment: datetime) -> list[tuple[datetime, datetime]]:
        """What is worked from `moment` until only regular days come, the first three of them included."""
        last = max(moment.astimezone(self.zone).date(), self._last_holiday) + timedelta(days=3)
        return self._spans_of_days(moment, datetime(last.year, last.month, last.day, tzinfo=self.zone))
