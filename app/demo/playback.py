"""Which recorded fixes are due, and how trucks that obey an order differ from the recording.

A truck that is told to wait stands, and does the rest of its recorded journey that much later. All of it is
simulated: the others do not see the gap it leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from app.demo.recording import DAY_S, Recording, Timeline
from app.platform.json import JsonObject
from geo.geodesy import METRES_PER_DEGREE

STANDING_REPORT_S = 120
"""How often a truck that was told to wait reports."""
NEAR_SITE_M = 700.0
SAME_PLACE_M = 120.0


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

    `stop_s` is the recorded second from which the truck stands; `stood_at` the moment since which it does. A truck
    diverted to another gate goes its own way until second `own_until_s`, then that of the truck `donor` from the
    donor's second `donor_from_s` on.
    """

    day: int
    delay_s: float = 0.0
    order_id: int | None = None
    stop_s: float | None = None
    lon: float = 0.0
    lat: float = 0.0
    stood_at: datetime | None = None
    donor: int | None = None
    own_until_s: float = 0.0
    donor_from_s: float = 0.0

    def to_json(self) -> JsonObject:
        """As JSON values."""
        values: JsonObject = _SHIFTS.dump_python(self, mode="json")
        return values

    @classmethod
    def from_json(cls, values: JsonObject) -> Shift:
        """From what `to_json` made."""
        return _SHIFTS.validate_python(values)


_SHIFTS: Final[TypeAdapter[Shift]] = TypeAdapter(Shift)


@dataclass(frozen=True, slots=True)
class Track:
    """The fixes of one journey: indices into the recording, and own and sending times (s of the truck's own day)."""

    indices: NDArray[np.int64]
    t_s: NDArray[np.float64]
    sent_s: NDArray[np.float64]


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
            found += self._fixes(day, indices[~own])
            for index in indices[own]:
                if day > self.shifts[int(self.recording.truck[index])].day:
                    found += self._fixes(day, np.array([index]))
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
            found += self._fixes(day, both)
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

    def hold(self, truck: int, order_id: int, now: datetime, spot: tuple[float, float] | None) -> Shift | None:
        """Let a truck stand, where it is or (with `spot`, lon and lat) once it comes by there.

        Returns `None` if it is on no journey, or is already past the spot: it cannot obey.
        """
        kept = self.shifts.get(truck)
        if kept is not None and kept.stood_at is not None:
            kept.order_id = order_id
            return kept
        shift = kept or Shift(self.timeline.journey_at(self.recording.trucks[truck], now))
        track = self._track(truck, shift)
        at_s = self._own_second(shift, now)
        ahead = int(np.searchsorted(track.t_s, at_s, side="right"))
        if not 0 < ahead < track.t_s.size:
            return None
        if spot is None:
            shift.lon, shift.lat = (float(column[track.indices[ahead - 1]]) for column in self._lon_lat)
            shift.stop_s, shift.stood_at = at_s, now
        else:
            coming = self._coming(track, ahead, spot)
            if coming is None:
                return None
            (shift.lon, shift.lat), shift.stop_s = spot, float(track.t_s[coming])
        shift.order_id = order_id
        self.shifts[truck] = shift
        return shift

    def divert(self, truck: int, gate_id: str, now: datetime, fork: tuple[float, float]) -> bool:
        """Let a truck go the way of another, one to `gate_id`, from the fork (lon, lat) on; whether it still can."""
        info = self.recording.trucks[truck]
        if info.gate == gate_id or info.direction != "export":
            return info.gate == gate_id
        shift = self.shifts.get(truck) or Shift(self.timeline.journey_at(info, now))
        track = self._track(truck, shift)
        ahead = int(np.searchsorted(track.t_s, self._own_second(shift, now), side="right"))
        coming = self._coming(track, ahead, fork) if 0 < ahead < track.t_s.size else None
        if shift.donor is not None or coming is None:
            return False
        shift.own_until_s = float(track.t_s[coming])
        passing = self._passing(gate_id, fork)
        shift.donor = min(passing, key=lambda donor: abs(passing[donor] - shift.own_until_s))
        shift.donor_from_s = passing[shift.donor]
        self.shifts[truck] = shift
        return True

    def release(self, truck: int, now: datetime) -> None:
        """Let a truck that stands, or was about to, go on."""
        shift = self.shifts.get(truck)
        if shift is None or shift.stop_s is None:
            return
        if shift.stood_at is not None:
            shift.delay_s += max(0.0, (now - shift.stood_at).total_seconds())
        shift.order_id = shift.stop_s = shift.stood_at = None
        if shift.delay_s == 0.0 and shift.donor is None:
            del self.shifts[truck]

    def held(self) -> dict[int, int]:
        """Trucks that stand or will for an order: truck → order."""
        return {truck: shift.order_id for truck, shift in self.shifts.items() if shift.order_id is not None}

    def _by_time(self, truck: int) -> NDArray[np.int64]:
        fixes = self.recording.fixes_of(truck)
        return fixes[np.argsort(self.recording.t_s[fixes], kind="stable")]

    def _own_second(self, shift: Shift, now: datetime) -> float:
        return self.timeline.seconds(now) - shift.day * DAY_S - shift.delay_s

    @property
    def _lon_lat(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.recording.lon, self.recording.lat

    def _track(self, truck: int, shift: Shift) -> Track:
        """The fixes of a journey in order of time, in seconds of the truck's own day."""
        own = self._by_time(truck)
        t_s, sent_s = self.recording.t_s, self.recording.sent_s
        if shift.donor is None:
            return Track(own, t_s[own].astype(np.float64), sent_s[own].astype(np.float64))
        own = own[t_s[own] <= shift.own_until_s]
        other = self._by_time(shift.donor)
        other = other[t_s[other] > shift.donor_from_s]
        later_s = np.repeat([0.0, shift.own_until_s - shift.donor_from_s], [own.size, other.size])
        both = np.concatenate([own, other])
        return Track(both, t_s[both] + later_s, sent_s[both] + later_s)

    def _coming(self, track: Track, ahead: int, spot: tuple[float, float]) -> int | None:
        """Which of the fixes from `ahead` on (and the one before it) is nearest to a place; `None` if none is near."""
        indices = track.indices[ahead - 1 :]
        away_m = _distance_m(self.recording.lon[indices], self.recording.lat[indices], spot)
        nearest = int(np.argmin(away_m))
        return ahead - 1 + nearest if away_m[nearest] <= NEAR_SITE_M else None

    def _passing(self, gate_id: str, fork: tuple[float, float]) -> dict[int, float]:
        """When each export to a gate passed the fork."""
        found = {}
        for truck in self.recording.trucks:
            if truck.gate == gate_id and truck.direction == "export":
                track = self._track(truck.truck, Shift(0))
                at = self._coming(track, 1, fork) if track.t_s.size else None
                if at is not None:
                    found[truck.truck] = float(track.t_s[at])
        return found

    def _shifted(self, truck: int, start: float, end: float) -> Iterable[tuple[float, Fix]]:
        shift, r = self.shifts[truck], self.recording
        offset = shift.day * DAY_S + shift.delay_s
        track = self._track(truck, shift)
        sent, seconds = track.sent_s + offset, track.t_s + offset
        next_day = (shift.day + 1) * DAY_S + int(r.t_s[r.fixes_of(truck)].min())
        stop = min(next_day, math.inf if shift.stop_s is None else shift.stop_s + offset)
        found = [
            (float(sent[at]), self._fix(track.indices[at], float(seconds[at]), truck))
            for at in np.flatnonzero((sent > start) & (sent <= min(end, stop)))
        ]
        if shift.stop_s is not None and end >= stop:
            if shift.stood_at is None:
                shift.stood_at = self.timeline.moment(0, stop)
            first = max(0, math.ceil((start - stop) / STANDING_REPORT_S))
            last = math.floor((min(end, next_day) - stop) / STANDING_REPORT_S)
            for count in range(first, last + 1):
                at_s = stop + count * STANDING_REPORT_S
                if at_s > start:
                    moment = self.timeline.moment(0, at_s)
                    found.append((at_s, Fix(truck, moment, shift.lon, shift.lat, 0.0, 0.0, 8.0)))
        if end > next_day or (shift.stop_s is None and sent.max() <= end):
            del self.shifts[truck]
        return found

    def _fixes(self, day: int, indices: NDArray[np.int64]) -> list[tuple[float, Fix]]:
        offset, r = day * DAY_S, self.recording
        return [(offset + float(r.sent_s[i]), self._fix(i, offset + float(r.t_s[i]), int(r.truck[i]))) for i in indices]

    def _fix(self, index: int, at_s: float, truck: int) -> Fix:
        r = self.recording
        return Fix(
            truck,
            self.timeline.moment(0, at_s),
            float(r.lon[index]),
            float(r.lat[index]),
            round(float(r.speed_mps[index]), 1),
            round(float(r.heading_deg[index]), 1),
            float(r.accuracy_m[index]),
        )


def _distance_m(lon: NDArray[np.float64], lat: NDArray[np.float64], spot: tuple[float, float]) -> NDArray[np.float64]:
    """Plane distance, good to a metre within a few kilometres."""
    east = (lon - spot[0]) * METRES_PER_DEGREE * math.cos(math.radians(spot[1]))
    distance: NDArray[np.float64] = np.hypot(east, (lat - spot[1]) * METRES_PER_DEGREE)
    return distance
