"""Clocks of devices that are wrong: by whole hours, by 1,024 weeks, or by a constant. Pure.

A time in the future cannot be true; one in the past may be a late report. So:

- A date 1,024 (or 2,048) weeks early is a receiver whose week number has rolled over (GPS counts weeks in 10 bits,
  IS-GPS-200, 20.3.3.3.1.1): nothing else puts a fix into a retention of weeks. Each is corrected by itself.
- A clock ahead by whole hours sends local time as UTC. `MIN_HOUR_REPORTS` reports that agree, each heard within
  `MAX_LIVE_S` of the time it would then have, are believed. A clock ahead by anything else is believed when reports of
  a minute agree to `MAX_SPREAD_S`.
- A clock behind by whole hours looks like a buffer. A buffer empties, or is heard all at once: only reports that stay
  behind by the same hours for `BEHIND_FOR_S` are a clock's.

What was learned is a shift, seconds to take from every time the device names. A clock that is mended shows as one that
is wrong by the opposite, and the two shifts add up to none.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

ROLLOVER_US: Final = 1024 * 7 * 86_400 * 1_000_000
HOUR_S: Final = 3600
MAX_HOURS: Final = 14
"""No time zone is further from UTC."""
MAX_LIVE_S: Final = 120.0
"""A live report is heard within the two minutes in which the regulation wants it relayed (TT 09/2015, article 4)."""
MIN_HOUR_REPORTS: Final = 3
MIN_CONSTANT_REPORTS: Final = 5
CONSTANT_FOR_S: Final = 60.0
MAX_SPREAD_S: Final = 10.0
MIN_BEHIND_REPORTS: Final = 10
BEHIND_FOR_S: Final = 600.0
_BEHIND_FROM_S: Final = HOUR_S - MAX_LIVE_S
_MAX_AHEAD_S: Final = 60.0
"""What a clock may be ahead beside its whole hours."""
MAX_REMEMBERED: Final = 10_000


def unroll_weeks(time_us: Integers, oldest_us: int, newest_us: int) -> Integers:
    """Times, of which those 1,024 or 2,048 weeks before a time in [`oldest_us`, `newest_us`] are moved there."""
    if not bool((time_us < oldest_us).any()):
        return time_us
    for weeks in (1, 2):
        moved = time_us + weeks * ROLLOVER_US
        time_us = np.where((time_us < oldest_us) & (moved >= oldest_us) & (moved <= newest_us), moved, time_us)
    return time_us


def hours_ahead(offset_s: float) -> int | None:
    """By how many whole hours a clock is ahead whose report is `offset_s` ahead of its receipt; `None` if by none."""
    hours = int(-(-(offset_s - _MAX_AHEAD_S) // HOUR_S))
    delay_s = hours * HOUR_S - offset_s
    return hours if 1 <= hours <= MAX_HOURS and delay_s <= MAX_LIVE_S else None


@dataclass
class _Ahead:
    """Reports of a device from the future: hours that agree, or the last offsets with their receipts."""

    hours: int | None = None
    times_us: set[int] = field(default_factory=set)
    offsets: list[tuple[float, int]] = field(default_factory=list)


class ClocksAhead:
    """What the reports from the future show of their devices' clocks. Lives in one event loop."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, _Ahead] = OrderedDict()

    def note(self, device_id: int, time_us: int, received_us: int) -> int | None:
        """Take note of a report from the future; by how many seconds the device's clock is ahead once that is sure."""
        seen = self._seen.setdefault(device_id, _Ahead())
        self._seen.move_to_end(device_id)
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        offset_s = (time_us - received_us) / 1e6
        found = self._by_hours(seen, offset_s, time_us) or self._by_constant(seen, offset_s, received_us)
        if found is not None:
            del self._seen[device_id]
        return found

    @staticmethod
    def _by_hours(seen: _Ahead, offset_s: float, time_us: int) -> int | None:
        hours = hours_ahead(offset_s)
        if hours is None:
            return None
        if hours != seen.hours:
            seen.hours, seen.times_us = hours, set()
        seen.times_us.add(time_us)
        return hours * HOUR_S if len(seen.times_us) >= MIN_HOUR_REPORTS else None

    @staticmethod
    def _by_constant(seen: _Ahead, offset_s: float, received_us: int) -> int | None:
        if seen.offsets and seen.offsets[-1][1] == received_us:
            return None  # one message: a buffer says nothing of the clock
        seen.offsets = [*seen.offsets[1 - MIN_CONSTANT_REPORTS :], (offset_s, received_us)]
        offsets = [offset for offset, _ in seen.offsets]
        is_long = (seen.offsets[-1][1] - seen.offsets[0][1]) / 1e6 >= CONSTANT_FOR_S
        is_constant = len(offsets) >= MIN_CONSTANT_REPORTS and max(offsets) - min(offsets) <= MAX_SPREAD_S
        return round(max(offsets)) if is_long and is_constant else None


@dataclass
class _Behind:
    hours: int
    since_us: int
    heard_us: int
    reports: int = 1


class ClocksBehind:
    """What reports that are hours late show of their devices' clocks, as the worker that owns their vehicles sees."""

    def __init__(self) -> None:
        self._seen: dict[int, _Behind] = {}

    def note(self, device_id: Integers, time_us: Integers, received_us: Integers) -> dict[int, int]:
        """Take note of fixes (n); of devices whose clock is behind for sure, by how many seconds."""
        late_s = (received_us - time_us) / 1e6
        found: dict[int, int] = {}
        if self._seen:
            for device in set(device_id[late_s < _BEHIND_FROM_S].tolist()) & self._seen.keys():
                del self._seen[device]
        for row in np.flatnonzero(late_s >= _BEHIND_FROM_S).tolist():
            hours = int((late_s[row] + _MAX_AHEAD_S) // HOUR_S)
            device, heard_us = int(device_id[row]), int(received_us[row])
            is_live = late_s[row] - hours * HOUR_S <= MAX_LIVE_S and hours <= MAX_HOURS
            seen = self._seen.get(device)
            if not is_live or (seen is not None and seen.hours != hours):
                self._seen.pop(device, None)
                continue
            if seen is None:
                if len(self._seen) >= MAX_REMEMBERED:
                    self._seen.clear()
                self._seen[device] = _Behind(hours, heard_us, heard_us)
            elif heard_us - seen.heard_us >= 5_000_000:
                seen.heard_us, seen.reports = heard_us, seen.reports + 1
                if seen.reports >= MIN_BEHIND_REPORTS and heard_us - seen.since_us >= BEHIND_FOR_S * 1e6:
                    found[device] = hours * HOUR_S
                    del self._seen[device]
        return found
