"""Whether a report may be believed: its place is on earth, its time plausible once its clock is corrected. Pure.

One report at a time or many in columns by the same rules, which a test compares.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.clocks import unroll_weeks
from ingest.fixes import FIX, FLAG_CLOCK, FLAG_RECEIPT_TIME, FixArray
from ingest.formats.report import (
    MAX_LISTED,
    NO_TIME,
    NULL_ISLAND_DEG,
    AttributeValues,
    Refusal,
    RefusalReason,
    Refusals,
    Report,
    ReportColumns,
    from_microseconds,
    to_microseconds,
)
from ingest.store import DeviceBinding

_MAX_FLOAT32: Final = 3e38
MAX_SHOWN_US: Final = 6e16
"""Beyond this a time is outside of what `datetime` can hold."""
DETAILS: Final[Mapping[RefusalReason, str]] = {
    RefusalReason.UNKNOWN_DEVICE: "No device is enrolled with this identifier.",
    RefusalReason.OUT_OF_RANGE: "lat={lat}, lon={lon} is not on earth: −90 ≤ lat ≤ 90, −180 ≤ lon ≤ 180.",
    RefusalReason.NO_POSITION: "lat={lat}, lon={lon} is what receivers send that have no position.",
    RefusalReason.MOCK: "The position was faked on the phone.",
    RefusalReason.FUTURE: "time={time} is in the future.",
    RefusalReason.TOO_OLD: "time={time} is older than positions are kept.",
}


VERDICTS: Final[tuple[RefusalReason | None, ...]] = (
    None,
    RefusalReason.UNKNOWN_DEVICE,
    RefusalReason.NO_POSITION,
    RefusalReason.OUT_OF_RANGE,
    RefusalReason.MOCK,
    RefusalReason.FUTURE,
    RefusalReason.TOO_OLD,
)
"""What is looked for, in this order."""
_NOBODY: Final = DeviceBinding(-1, -1)
Rows: TypeAlias = npt.NDArray[np.intp]


class HeldFix(NamedTuple):
    """A fix in the order of `ingest.stream.pack_row`, without its flags."""

    vehicle_id: int
    device_id: int
    time_us: int
    received_us: int
    lon: float
    lat: float
    speed_mps: float
    heading_deg: float
    accuracy_m: float


class ReportTime(NamedTuple):
    """When a report was made, its flag, and whether its date was 1,024 weeks early."""

    time_us: int
    flag: int
    is_rolled: bool


@dataclass(frozen=True)
class JudgedColumns:
    """What became of reports in columns (n).

    The fixes and the refused; of shape (n,) the devices' numbers, times as corrected and verdicts, which are places
    in `VERDICTS`; and the devices that date their reports 1,024 weeks early.
    """

    fixes: FixArray
    refusals: Refusals
    device_id: npt.NDArray[np.int64]
    time_us: npt.NDArray[np.int64]
    verdict: npt.NDArray[np.int8]
    rolled: frozenset[int]
    vehicle_id: npt.NDArray[np.int64]

    def refused_of_known(self) -> Iterator[tuple[int, RefusalReason, int]]:
        """For each known device and reason for which reports of it were refused: the row of the last, and how many."""
        rows = np.flatnonzero((self.verdict > 0) & (self.device_id >= 0))[::-1]
        kinds = self.device_id[rows] * len(VERDICTS) + self.verdict[rows]
        _, firsts, counts = np.unique(kinds, return_index=True, return_counts=True)
        for row, count in zip(rows[firsts].tolist(), counts.tolist(), strict=True):
            reason = VERDICTS[self.verdict[row]]
            assert reason is not None
            yield row, reason, count

    def held(self, columns: ReportColumns, row: int, now_us: int) -> HeldFix:
        """The fix of a row of `columns`, whatever was found about it."""
        measured = [
            float(getattr(columns, name)[row]) for name in ("lon", "lat", "speed_mps", "heading_deg", "accuracy_m")
        ]
        time_us = int(self.time_us[row])
        return HeldFix(int(self.vehicle_id[row]), int(self.device_id[row]), time_us, now_us, *measured)


@dataclass(frozen=True)
class Judge:
    """Believes times from `retention_us` before until `tolerance_us` after the receipt."""

    retention_us: int
    tolerance_us: int

    def time(self, report: Report, bound: DeviceBinding, now_us: int) -> ReportTime:
        """The time of a report received at `now_us`, by its device's clock as far as that is known to be wrong."""
        if report.time is None:
            return ReportTime(now_us, FLAG_RECEIPT_TIME, is_rolled=False)
        said_us = to_microseconds(report.time)
        true_us = said_us
        if said_us < now_us - self.retention_us:
            true_us = int(unroll_weeks(np.array([said_us]), *self._span_us(now_us))[0])
        is_rolled = true_us != said_us
        flag = FLAG_CLOCK if is_rolled or bound.clock_shift_s else 0
        return ReportTime(true_us - bound.clock_shift_s * 1_000_000, flag, is_rolled)

    def report(self, report: Report, bound: DeviceBinding, now_us: int) -> RefusalReason | None:
        """Why a report received at `now_us` is not believed; `None` if it is."""
        if report.lat is None or report.lon is None or max(abs(report.lat), abs(report.lon)) < NULL_ISLAND_DEG:
            return RefusalReason.NO_POSITION
        if not (-90.0 <= report.lat <= 90.0 and -180.0 <= report.lon <= 180.0):
            return RefusalReason.OUT_OF_RANGE
        if report.mock:
            return RefusalReason.MOCK
        time_us = self.time(report, bound, now_us).time_us
        if time_us > now_us + self.tolerance_us:
            return RefusalReason.FUTURE
        if time_us < now_us - self.retention_us:
            return RefusalReason.TOO_OLD
        return None

    def columns(self, columns: ReportColumns, known: Mapping[str, DeviceBinding | None], now_us: int) -> JudgedColumns:
        """The fixes among reports received at `now_us`, and what was wrong with the others; as `report`, for many."""
        device_id, vehicle_id, shift_us = _bindings(columns.names, known)[:, columns.name]
        unnamed = columns.time_us == NO_TIME
        unrolled_us = unroll_weeks(np.where(unnamed, now_us, columns.time_us), *self._span_us(now_us))
        time_us = np.where(unnamed, now_us, unrolled_us - shift_us)
        wrong_clock = ~unnamed & (time_us != columns.time_us)
        rolled = device_id[~unnamed & (unrolled_us != columns.time_us) & (device_id >= 0)]
        lat, lon = columns.lat, columns.lon
        faults = {
            RefusalReason.UNKNOWN_DEVICE: device_id < 0,
            RefusalReason.NO_POSITION: np.maximum(np.abs(lat), np.abs(lon)) < NULL_ISLAND_DEG,
            RefusalReason.OUT_OF_RANGE: ~((lat >= -90.0) & (lat <= 90.0) & (lon >= -180.0) & (lon <= 180.0)),
            RefusalReason.MOCK: columns.mock,
            RefusalReason.FUTURE: time_us > now_us + self.tolerance_us,
            RefusalReason.TOO_OLD: time_us < now_us - self.retention_us,
        }
        verdict = np.zeros(len(lat), dtype=np.int8)
        for place, reason in reversed(list(enumerate(VERDICTS))):
            if reason is not None:
                verdict[faults[reason]] = place  # the first fault is what is told
        bad = verdict > 0
        good = ~bad if bad.any() else slice(None)
        fixes = np.empty(len(lat) - int(bad.sum()), FIX)
        fixes["device_id"], fixes["vehicle_id"] = device_id[good], vehicle_id[good]
        fixes["time_us"], fixes["received_us"] = time_us[good], now_us
        for name in ("lon", "lat", "speed_mps", "heading_deg", "accuracy_m"):
            fixes[name] = getattr(columns, name)[good]
        fixes["flags"] = np.where(unnamed, FLAG_RECEIPT_TIME, np.where(wrong_clock, FLAG_CLOCK, 0))[good]
        refusals = _refusals(columns, verdict, time_us)
        return JudgedColumns(fixes, refusals, device_id, time_us, verdict, frozenset(rolled.tolist()), vehicle_id)

    def _span_us(self, now_us: int) -> tuple[int, int]:
        """From when to when a time can be true."""
        return now_us - self.retention_us, now_us + self.tolerance_us


def _bindings(names: Sequence[str], known: Mapping[str, DeviceBinding | None]) -> npt.NDArray[np.int64]:
    """Device, vehicle and what its clock is ahead (µs) by name (n), shape (3, n); −1 of names that are nobody's."""
    bindings = [known.get(name) or _NOBODY for name in names]
    found = (
        [bound.device_id for bound in bindings],
        [bound.vehicle_id for bound in bindings],
        [bound.clock_shift_s * 1_000_000 for bound in bindings],
    )
    return np.array(found, dtype=np.int64)


def fix_of(report: Report, bound: DeviceBinding, time_us: int, now_us: int) -> HeldFix:
    """The fix of a report that has a position."""
    assert report.lat is not None
    assert report.lon is not None
    measured = (_real(value) for value in (report.speed_mps, report.heading_deg, report.accuracy_m))
    return HeldFix(bound.vehicle_id, bound.device_id, time_us, now_us, report.lon, report.lat, *measured)


def attributes_of(report: Report) -> AttributeValues:
    """What else a report said."""
    kept = dict(report.attributes)
    if report.battery is not None:
        kept["battery"] = report.battery
    if report.altitude_m is not None:
        kept["altitude_m"] = report.altitude_m
    return kept


def refused_value(reason: RefusalReason, time_us: int, lat: float | None, lon: float | None) -> str:
    """What in a report was refused, as it is shown with its device in any language."""
    if reason in {RefusalReason.FUTURE, RefusalReason.TOO_OLD}:
        return f"time={from_microseconds(time_us).isoformat()}" if abs(time_us) < MAX_SHOWN_US else "time=?"
    return "lat=, lon=" if lat is None or lon is None else f"lat={lat:.9g}, lon={lon:.9g}"


def last_of_each(device_id: npt.NDArray[np.int64], rows: Rows, count: int) -> list[int]:
    """Of `rows`, ascending, at most the last `count` of each device, ascending; `device_id` (n,) is that of a row."""
    order = np.argsort(device_id[rows], kind="stable")
    own = device_id[rows][order]
    end = np.searchsorted(own, own, side="right")
    last: list[int] = np.sort(rows[order[end - np.arange(len(own)) <= count]]).tolist()
    return last


def _refusals(columns: ReportColumns, verdict: npt.NDArray[np.int8], time_us: npt.NDArray[np.int64]) -> Refusals:
    """What is told of refused reports, and of lines that could not be read."""
    refusals = Refusals()
    for place, count in enumerate(np.bincount(verdict, minlength=len(VERDICTS)).tolist()):
        reason = VERDICTS[place]
        if reason is not None and count:
            refusals.counts[reason] = count
    if columns.error_count:
        refusals.counts[RefusalReason.MALFORMED] = columns.error_count
    listed = list(columns.errors)
    for row in np.flatnonzero(verdict)[:MAX_LISTED].tolist():
        reason = VERDICTS[verdict[row]]
        assert reason is not None
        said = DETAILS[reason]
        if "{" in said:
            said = _said(said, columns.lat[row], columns.lon[row], int(time_us[row]))
        is_named = reason is not RefusalReason.OUT_OF_RANGE
        shown = f"{columns.names[columns.name[row]][:8]}…: {said}" if is_named else said
        listed.append(Refusal(int(columns.line[row]), reason, shown))
    refusals.listed = sorted(listed, key=attrgetter("line"))[:MAX_LISTED]
    return refusals


def _real(value: float | None) -> float:
    """`value` as a single-precision measurement: unknown, or beyond what such a number can hold, is NaN."""
    return math.nan if value is None or abs(value) > _MAX_FLOAT32 else value


def _said(detail: str, lat: float, lon: float, time_us: int) -> str:
    moment = from_microseconds(time_us).isoformat() if abs(time_us) < MAX_SHOWN_US else "?"
    return detail.format(lat=lat, lon=lon, time=moment)
