"""What a recorded trace is, and the one judgement of its points, whatever format they came in. Pure.

A reader gives values as they stand in the file, with the line or number of each point. Here they become points or
faults: a point that is bad is told with its line and value, and costs no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ingest.formats.report import FINER_UNITS, NULL_ISLAND_DEG

COLUMNS: Final = {
    "device": ("device", "device_id", "deviceid", "id", "uniqueid"),
    "time": ("time", "timestamp", "fixtime", "tst", "datetime"),
    "lat": ("lat", "latitude", "y"),
    "lon": ("lon", "lng", "longitude", "x"),
    "speed_mps": ("speed_mps", "speed"),
    "heading_deg": ("heading_deg", "heading", "course", "bearing"),
    "accuracy_m": ("accuracy_m", "accuracy"),
}
"""Column of a trace → the names by which files call it. Speeds are m/s."""
NEEDED: Final = ("time", "lat", "lon")
MEASURED: Final = ("speed_mps", "heading_deg", "accuracy_m")
_SECONDS_LIMIT: Final = 2**31
_SAFE_SECONDS: Final = 9e9
"""Around 1970, the years 1684 to 2255: a time beyond is none, and cannot be counted in nanoseconds by pandas."""
_MAX_SHOWN: Final = 60


class FaultReason(StrEnum):
    """Why a point is not kept, in words; pages translate them."""

    MISSING = "missing"
    NO_TIME = "not a time: write ISO 8601, or seconds or milliseconds since 1970"
    NO_NUMBER = "not a number"
    NOT_ON_EARTH = "not on earth"
    NOWHERE = "a receiver without a position"
    NO_MEASUREMENT = "not a measurement; the point is kept without it"
    BROKEN_XML = "not well-formed XML from here on"
    LINE_WITHOUT_TIMES = "a line without times is not a trace"
    UNEVEN_TRACK = "a track has one time for each coordinate"
    FEW_COLUMNS = "too few columns"
    BROKEN_CSV = "not CSV from here on"
    NO_JSON = "not JSON"
    NO_OBJECT = "not a JSON object"
    NO_GEOJSON = "not GeoJSON"
    NO_GEOMETRY = "a feature without a geometry"
    OTHER_GEOMETRY = "not a point or line"
    NO_SENTENCE = "not an NMEA sentence"
    WRONG_CHECKSUM = "the checksum does not match"
    BROKEN_FIT = "not FIT from here on"


@dataclass(frozen=True, slots=True)
class Fault:
    """What was wrong with a point: its line or number in the file from 1, the value as it stands there, the reason."""

    line: int
    value: str
    reason: FaultReason


@dataclass
class RawPoints:
    """Points as they stand in a file, a list for each column that it has; `faults` are what was no point at all."""

    line: list[int] = field(default_factory=list)
    columns: dict[str, list[object]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, line: int, **values: object) -> None:
        """Add a point; columns that other points have not are empty in those."""
        count = len(self.line)
        for name in values.keys() - self.columns.keys():
            self.columns[name] = [None] * count
        for name, column in self.columns.items():
            column.append(values.get(name))
        self.line.append(line)

    def fault(self, line: int, value: object, reason: FaultReason) -> None:
        """Note what was no point."""
        self.faults.append(Fault(line, shown(value), reason))


@dataclass(frozen=True)
class Trace:
    """Points by time: `device`, `time` (UTC), `lat`, `lon`, `speed_mps`, `heading_deg`, `accuracy_m` (NaN unknown); and
    what was wrong, by line."""

    points: pd.DataFrame
    faults: list[Fault]


def shown(value: object) -> str:
    """A value as people are told of it: short, on one line."""
    text = " ".join(str(value).split())
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def judge_points(raw: RawPoints, default_device: str) -> Trace:
    """The good points among `raw`; a point that names no device is `default_device`'s."""
    count = len(raw.line)
    faults = list(raw.faults)
    bad = np.zeros(count, np.bool_)

    def column(name: str) -> list[object]:
        return raw.columns.get(name, [None] * count)

    def note(rows: npt.NDArray[np.bool_], name: str, reason: FaultReason, *, fatal: bool = True) -> None:
        values = column(name)
        for row in np.flatnonzero(rows & ~bad).tolist():
            value = values[row]
            missing = value is None or value == ""
            why = FaultReason.MISSING if missing else reason
            faults.append(Fault(raw.line[row], name if missing else f"{name}={shown(value)}", why))
        if fatal:
            bad[rows] = True

    times = _times(column("time"))
    note(np.asarray(times.isna()), "time", FaultReason.NO_TIME)
    numbers = {name: _numbers(column(name)) for name in ("lat", "lon", *MEASURED)}
    lat, lon = numbers["lat"], numbers["lon"]
    for name, limit in (("lat", 90.0), ("lon", 180.0)):
        note(np.isnan(numbers[name]), name, FaultReason.NO_NUMBER)
        note(np.abs(numbers[name]) > limit, name, FaultReason.NOT_ON_EARTH)
    note(
        np.maximum(np.abs(lat), np.abs(lon)) < NULL_ISLAND_DEG,
        "lat",
        FaultReason.NOWHERE,
    )
    for name in MEASURED:
        said = np.array([value is not None and value != "" for value in column(name)], np.bool_)
        wrong = said & (np.isnan(numbers[name]) | (numbers[name] < 0.0))
        if name == "heading_deg":
            wrong |= numbers[name] > 360.0
        if name in raw.columns and not _is_nan(column(name), wrong):
            note(wrong, name, FaultReason.NO_MEASUREMENT, fatal=False)
        numbers[name][wrong] = np.nan
    devices = [str(value).strip() if value not in (None, "") else default_device for value in column("device")]
    points = pd.DataFrame({"device": devices, "time": times, **numbers})
    kept = points[~bad].sort_values("time", kind="stable", ignore_index=True)
    return Trace(kept, sorted(faults, key=lambda fault: fault.line))


def _is_nan(values: Sequence[object], rows: npt.NDArray[np.bool_]) -> bool:
    """Whether all values of some rows are NaN or negative by convention: then they are unknown, not wrong."""
    return all(_is_unknown(values[row]) for row in np.flatnonzero(rows).tolist())


def _is_unknown(value: object) -> bool:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return number != number or number < 0.0  # noqa: PLR0124 - NaN


def _numbers(values: list[object]) -> npt.NDArray[np.float64]:
    numbers = np.asarray(pd.to_numeric(pd.Series(values, dtype=object), errors="coerce"), np.float64).copy()
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _times(values: list[object]) -> pd.Series[pd.Timestamp]:
    series = pd.Series(values, dtype=object)
    numbers = np.asarray(pd.to_numeric(series.where(series.map(_may_be_epoch)), errors="coerce"), np.float64)
    unit = np.select([np.abs(numbers) >= least for least, _ in FINER_UNITS], [unit for _, unit in FINER_UNITS], 1e3)
    seconds = np.where(np.abs(numbers) < _SECONDS_LIMIT, numbers, numbers / unit)
    count_us = np.round(np.where(np.abs(seconds) < _SAFE_SECONDS, seconds, np.nan) * 1e6)
    epoch = pd.Series(pd.to_datetime(count_us, unit="us", utc=True)).dt.as_unit("us")
    written = series.where(np.isnan(numbers)).map(_written_time)
    text = pd.to_datetime(written, utc=True, format="ISO8601", errors="coerce").dt.as_unit("us")
    moments = epoch.where(~np.isnan(numbers), text)
    return moments.where(np.abs(moments.to_numpy("datetime64[us]").astype(np.int64) / 1e6) < _SAFE_SECONDS)


def _written_time(value: object) -> str | None:
    """A text that may be a time of ISO 8601; pandas takes `now` and `today` for one as well."""
    text = "" if value is None else str(value).strip()
    return text if text[:1].isdigit() else None


def _may_be_epoch(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
