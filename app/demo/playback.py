"""Which recorded fixes are due, and how trucks that obey an order differ from the recording.

A truck that is told to wait stands, and does the rest of its recorded journey that much later. All of it is
simulated: the others do not see the gap it leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.demo.recording import DAY_S, Recording, Timeline

STANDING_REPORT_S = 120
"""How often a truck that was told to wait reports."""
NEAR_SITE_M = 700.0
SAME_PLACE_M = 120.0
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Fix:
    """One fix to send: the truck's number in the recording, and what its receiver says."""

    truck: int
    time: datetime
    lon: float
    lat: float
    speed_mps: float
    heading_deg: float
    accuracy_m: float


@dataclass
class Shift:
    """How one journey differs from the recording: late by `delay_s`, and standing or about to stand for an order.

    `stop_s` is the recorded second from which the truck stands; `stood_at` the moment since which it does.
    """

    day: int
    delay_s: float = 0.0
    order_id: int | None = None
    stop_s: float | None = None
    lon: float = 0.0
    lat: float = 0.0
    stood_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"stood_at": self.stood_at.isoformat() if self.stood_at else None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Shift:
        """From what `to_json` made."""
        stood_at = values["stood_at"]
        return cls(**values | {"stood_at": datetime.fromisoformat(stood_at) if stood_at else None})


@dataclass
class Playback:
    """The recording on a timeline, with the trucks that differ from it."""

    recording: Recording
    timeline: Timeline
    shifts: dict[int, Shift] = field(default_factory=dict)

    def due(self, after: datetime, until: datetime) -> list[Fix]:
        """Fixes to send at moments in (after, until], in the order in which receivers send them."""
        start, end = self.timeline.seconds(after), self.timeline.seconds(until)
        found: list[tuple[float, Fix]] = []
        shifted = np.array(sorted(self.shifts), dtype=np.int16)
        for day, indices in self.recording.sent_between(start, end):
            own = np.isin(self.recording.truck[indices], shifted)
            found += self._fixes(day, indices[~own], 0.0)
            for index in indices[own]:
                if day > self.shifts[int(self.recording.truck[index])].day:
                    found += self._fixes(day, np.array([index]), 0.0)
        for truck in list(self.shifts):
            found += self._shifted(truck, start, end)
        found.sort(key=lambda pair: pair[0])
        return [fix for _, fix in found]

    def newest(self, now: datetime, *, within_s: float) -> list[Fix]:
        """The newest fix of each truck at `now`, oldest first; for a quick first picture.

        Of trucks that stand also the fix with which they came to stand there, so that the time since then is known.
        """
        found: list[tuple[float, Fix]] = []
        for day, indices in self.recording.last_sent(self.timeline.seconds(now), within_s=within_s):
            arrived = [self._arrived(index) for index in indices if self.recording.speed_mps[index] == 0.0]
            both = np.union1d(indices, np.array(arrived, dtype=np.int64))
            found += self._fixes(day, both, 0.0)
        found.sort(key=lambda pair: pair[1].time)
        return [fix for _, fix in found]

    def _arrived(self, index: int) -> int:
        """The first of the fixes without a break before `index` in which the truck stood at the same place."""
        r = self.recording
        fixes = self._by_time(int(r.truck[index]))
        here = int(np.searchsorted(r.t_s[fixes], r.t_s[index]))
        before = fixes[: here + 1][::-1]
        away_m = _distance_m(r.lon[before], r.lat[before], (float(r.lon[index]), float(r.lat[index])))
        stood = (r.speed_mps[before] == 0.0) & (away_m < SAME_PLACE_M)
        return int(before[-1 if stood.all() else int(np.argmin(stood)) - 1])

    def hold(
        self, truck: int, order_id: int, now: datetime, spot: tuple[float, float] | None
    ) -> Shift | None:
        """Let a truck stand, where it is or (with `spot`, lon and lat) once it comes by there.

        Returns `None` if it is on no journey, or is already past the spot: it cannot obey.
        """
        info = self.recording.trucks[truck]
        shift = self.shifts.get(truck)
        day = shift.day if shift else self.timeline.journey_at(info, now)
        delay_s = shift.delay_s if shift else 0.0
        at_s = self.timeline.seconds(now) - day * DAY_S - delay_s
        fixes = self._by_time(truck)
        times = self.recording.t_s[fixes]
        ahead = int(np.searchsorted(times, at_s, side="right"))
        if shift is not None and shift.stood_at is not None:
            shift.order_id = order_id
            return shift
        if not 0 < ahead < fixes.size:
            return None
        shift = Shift(day, delay_s, order_id)
        if spot is None:
            here = fixes[ahead - 1]
            shift.lon, shift.lat = float(self.recording.lon[here]), float(self.recording.lat[here])
            shift.stop_s, shift.stood_at = at_s, now
        else:
            coming = fixes[ahead - 1 :]
            away_m = _distance_m(self.recording.lon[coming], self.recording.lat[coming], spot)
            nearest = int(np.argmin(away_m))
            if away_m[nearest] > NEAR_SITE_M:
                return None
            (shift.lon, shift.lat), shift.stop_s = spot, float(self.recording.t_s[coming[nearest]])
        self.shifts[truck] = shift
        return shift

    def release(self, truck: int, now: datetime) -> None:
        """Let a truck that stands, or was about to, go on."""
        shift = self.shifts.get(truck)
        if shift is None or shift.stop_s is None:
            return
        if shift.stood_at is not None:
            shift.delay_s += max(0.0, (now - shift.stood_at).total_seconds())
        shift.order_id = shift.stop_s = shift.stood_at = None
        if shift.delay_s == 0.0:
            del self.shifts[truck]

    def held(self) -> dict[int, int]:
        """Trucks that stand or will for an order: truck → order."""
        return {truck: shift.order_id for truck, shift in self.shifts.items() if shift.order_id is not None}

    def _by_time(self, truck: int) -> NDArray[np.int64]:
        fixes = self.recording.fixes_of(truck)
        return fixes[np.argsort(self.recording.t_s[fixes], kind="stable")]

    def _shifted(self, truck: int, start: float, end: float) -> Iterable[tuple[float, Fix]]:
        shift = self.shifts[truck]
        offset = shift.day * DAY_S + shift.delay_s
        fixes = self.recording.fixes_of(truck)
        sent = self.recording.sent_s[fixes] + offset
        stop = math.inf if shift.stop_s is None else shift.stop_s + offset
        next_day = (shift.day + 1) * DAY_S + int(self.recording.t_s[fixes].min())
        stop = min(stop, next_day)
        due = fixes[(sent > start) & (sent <= min(end, stop))]
        found = list(self._fixes(shift.day, due, shift.delay_s))
        if shift.stop_s is not None and end >= stop:
            if shift.stood_at is None:
                shift.stood_at = self.timeline.moment(shift.day, shift.stop_s + shift.delay_s)
            first = max(0, math.ceil((start - stop) / STANDING_REPORT_S))
            last = math.floor((min(end, next_day) - stop) / STANDING_REPORT_S)
            for count in range(first, last + 1):
                at = stop + count * STANDING_REPORT_S
                if at > start:
                    found.append((at, Fix(truck, self.timeline.moment(0, at), shift.lon, shift.lat, 0.0, 0.0, 8.0)))
        if end > next_day or (shift.stop_s is None and sent.max() <= end):
            del self.shifts[truck]
        return found

    def _fixes(self, day: int, indices: NDArray[np.int64], delay_s: float) -> list[tuple[float, Fix]]:
        r = self.recording
        offset = day * DAY_S + delay_s
        return [
            (
                offset + float(r.sent_s[i]),
                Fix(
                    int(r.truck[i]), self.timeline.moment(0, offset + float(r.t_s[i])),
                    float(r.lon[i]), float(r.lat[i]),
                    round(float(r.speed_mps[i]), 1), round(float(r.heading_deg[i]), 1), float(r.accuracy_m[i]),
                ),
            )
            for i in indices
        ]  # fmt: skip


def _distance_m(lon: NDArray[np.float64], lat: NDArray[np.float64], spot: tuple[float, float]) -> NDArray[np.float64]:
    """Plane distance, good to a metre within a few kilometres."""
    east = (lon - spot[0]) * METRES_PER_DEGREE * math.cos(math.radians(spot[1]))
    distance: NDArray[np.float64] = np.hypot(east, (lat - spot[1]) * METRES_PER_DEGREE)
    return distance
