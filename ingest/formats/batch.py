"""The platform's own bulk format: NDJSON, one fix a line.

`{"device","time","lat","lon","speed_mps"?,"heading_deg"?,"accuracy_m"?}`; `time` is RFC 3339 with offset, or
seconds or milliseconds since 1970. A bad line is reported by number and value; the good ones are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from geo.errors import CuaKhauError, MalformedError
from ingest.formats.report import (
    MAX_IDENTIFIER_LENGTH,
    clean,
    read_heading,
    read_identifier,
    read_number,
    read_time,
    read_unsigned,
    to_microseconds,
)

_NUMBERS: frozenset[type] = frozenset({int, float})
_NUMBERS_OR_NONE = _NUMBERS | {type(None)}

Floats = npt.NDArray[np.float64]
NO_TIME = np.iinfo(np.int64).min
"""In `Batch.time_us`: the line named no time."""


@dataclass(frozen=True)
class LineError:
    """A line that was not accepted: its number from 1, why, and what exactly was wrong."""

    line: int
    reason: str
    detail: str


@dataclass
class Batch:
    """The lines of one body as columns; `line` is each fix's line number. Unknown measurements are NaN."""

    device: list[str]
    time_us: npt.NDArray[np.int64]
    lat: Floats
    lon: Floats
    speed_mps: Floats
    heading_deg: Floats
    accuracy_m: Floats
    line: npt.NDArray[np.int64]
    mock: npt.NDArray[np.bool_]
    errors: list[LineError] = field(default_factory=list)


def decode(body: bytes) -> Batch:
    """All lines of `body`; blank ones are skipped, bad ones end up in `errors`."""
    lines = body.split(b"\n")
    numbers = [number for number, line in enumerate(lines, 1) if line and not line.isspace()]
    texts = lines if len(numbers) == len(lines) else [lines[number - 1] for number in numbers]
    try:
        rows = orjson.loads(b"[" + b",".join(texts) + b"]")
        if len(rows) == len(texts):
            return _decode_columns(rows, np.array(numbers, dtype=np.int64))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, OverflowError, CuaKhauError):
        pass  # some line is bad: read them one by one to name it
    return _decode_lines(texts, numbers)


def _decode_columns(rows: list[dict[str, Any]], line: npt.NDArray[np.int64]) -> Batch:
    """The quick way, for a body without a bad line; raises anything if there is one."""
    device = [row["device"] for row in rows]
    if not {str}.issuperset(map(type, device)):
        raise TypeError("device")
    if rows and (max(map(len, device)) > MAX_IDENTIFIER_LENGTH or "" in map(str.strip, device)):
        raise ValueError("device")
    lat, lon = _column([row["lat"] for row in rows]), _column([row["lon"] for row in rows])
    speed_mps = _optional(rows, "speed_mps")
    heading_deg = _optional(rows, "heading_deg")
    accuracy_m = _optional(rows, "accuracy_m")
    speed_mps[speed_mps < 0] = np.nan
    accuracy_m[accuracy_m < 0] = np.nan
    heading_deg[(heading_deg < 0) | (heading_deg > 360)] = np.nan
    heading_deg %= 360.0
    mock = np.fromiter((row.get("mock") is True for row in rows), np.bool_, len(rows))
    return Batch(
        device, _times([row.get("time") for row in rows]), lat, lon, speed_mps, heading_deg, accuracy_m, line, mock
    )


def _column(values: list[Any], allowed: frozenset[type] = _NUMBERS) -> Floats:
    """Numbers as an array; where `None` is allowed it becomes NaN."""
    if not allowed.issuperset(map(type, values)):
        raise TypeError("not all numbers")
    column = np.array(values, dtype=np.float64)
    if np.isinf(column).any():
        raise ValueError("infinite")
    return column


def _optional(rows: list[dict[str, Any]], key: str) -> Floats:
    return _column([row.get(key) for row in rows], _NUMBERS_OR_NONE)


def _times(values: list[Any]) -> npt.NDArray[np.int64]:
    seen: dict[Any, int] = {}
    times = np.empty(len(values), dtype=np.int64)
    for row, value in enumerate(values):
        time_us = seen.get(value)
        if time_us is None:
            time_us = seen[value] = _time_us(value)
        times[row] = time_us
    return times


def _time_us(value: Any) -> int:
    """Microseconds of a time; unlike a device's own format, a text without an offset is refused."""
    if isinstance(value, str) and "T" in value.upper():
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None  # read_time names it
        if moment is not None:
            if moment.tzinfo is None:
                raise MalformedError(
                    "time={value} has no offset; add one, such as +07:00 or Z.", field="time", value=clean(value)[:40]
                )
            return to_microseconds(moment)
    read = read_time(value, key="time")
    return NO_TIME if read is None else to_microseconds(read)


def _decode_lines(texts: list[bytes], numbers: list[int]) -> Batch:
    good: list[tuple[Any, ...]] = []
    errors: list[LineError] = []
    for number, text in zip(numbers, texts, strict=True):
        try:
            good.append((*_decode_line(text), number))
        except CuaKhauError as error:
            errors.append(LineError(number, "malformed", str(error)))
    columns = list(zip(*good, strict=True)) if good else [()] * 9
    places = [np.array(column, dtype=np.float64) for column in columns[2:7]]
    return Batch(
        device=list(columns[0]),
        time_us=np.array(columns[1], dtype=np.int64),
        lat=places[0],
        lon=places[1],
        speed_mps=places[2],
        heading_deg=places[3],
        accuracy_m=places[4],
        mock=np.array(columns[7], dtype=np.bool_),
        line=np.array(columns[8], dtype=np.int64),
        errors=errors,
    )


def _decode_line(text: bytes) -> tuple[Any, ...]:
    shown = clean(text.decode("utf-8", "replace"))[:120]
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise MalformedError("{value} is not JSON.", value=shown) from None
    if not isinstance(row, dict):
        raise MalformedError("{value} is not a JSON object.", value=shown)
    device = read_identifier(row.get("device"), key="device")
    lat, lon = read_number(row.get("lat"), key="lat"), read_number(row.get("lon"), key="lon")
    if lat is None or lon is None:
        missing = "lat" if lat is None else "lon"
        raise MalformedError("{missing} is missing in {value}.", field=missing, missing=missing, value=shown)
    return (
        device,
        _time_us(row.get("time")),
        lat,
        lon,
        read_unsigned(row.get("speed_mps"), key="speed_mps"),
        read_heading(row.get("heading_deg"), key="heading_deg"),
        read_unsigned(row.get("accuracy_m"), key="accuracy_m"),
        row.get("mock") is True,
    )
