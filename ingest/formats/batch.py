"""The platform's own bulk format: NDJSON, one fix a line.

`{"device","time","lat","lon","speed_mps"?,"heading_deg"?,"accuracy_m"?}`; `time` is RFC 3339 with offset, or
seconds or milliseconds since 1970. A bad line is reported by number and value; the good ones are kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import orjson

from geo.errors import CuaKhauError, MalformedError
from ingest.formats.gps_format import GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import (
    MAX_IDENTIFIER_LENGTH,
    NO_TIME,
    Floats,
    JsonObject,
    Refusal,
    RefusalReason,
    ReportColumns,
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


def decode(body: bytes) -> ReportColumns:
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


def _decode_columns(rows: list[JsonObject], line: npt.NDArray[np.int64]) -> ReportColumns:
    """The quick way, for a body without a bad line; raises anything if there is one."""
    device = cast("list[str]", [row["device"] for row in rows])
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
    return ReportColumns(
        device, _times([row.get("time") for row in rows]), lat, lon, speed_mps, heading_deg, accuracy_m, line, mock
    )


def _column(values: list[object], allowed: frozenset[type] = _NUMBERS) -> Floats:
    """Numbers as an array; where `None` is allowed it becomes NaN."""
    if not allowed.issuperset(map(type, values)):
        raise TypeError("not all numbers")
    column = np.array(values, dtype=np.float64)
    if np.isinf(column).any():
        raise ValueError("infinite")
    return column


def _optional(rows: list[JsonObject], key: str) -> Floats:
    return _column([row.get(key) for row in rows], _NUMBERS_OR_NONE)


def _times(values: list[object]) -> npt.NDArray[np.int64]:
    seen: dict[object, int] = {}
    times = np.empty(len(values), dtype=np.int64)
    for row, value in enumerate(values):
        time_us = seen.get(value)
        if time_us is None:
            time_us = seen[value] = _time_us(value)
        times[row] = time_us
    return times


def _time_us(value: object) -> int:
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


class _Line(NamedTuple):
    """What one line says, in the order of the columns."""

    device: str
    time_us: int
    lat: float
    lon: float
    speed_mps: float | None
    heading_deg: float | None
    accuracy_m: float | None
    mock: bool


def _decode_lines(texts: list[bytes], numbers: list[int]) -> ReportColumns:
    good: list[_Line] = []
    good_numbers: list[int] = []
    errors: list[Refusal] = []
    for number, text in zip(numbers, texts, strict=True):
        try:
            good.append(_decode_line(text))
            good_numbers.append(number)
        except CuaKhauError as error:
            errors.append(Refusal(number, RefusalReason.MALFORMED, str(error)))
    return ReportColumns(
        device=[line.device for line in good],
        time_us=np.array([line.time_us for line in good], dtype=np.int64),
        lat=np.array([line.lat for line in good], dtype=np.float64),
        lon=np.array([line.lon for line in good], dtype=np.float64),
        speed_mps=np.array([line.speed_mps for line in good], dtype=np.float64),
        heading_deg=np.array([line.heading_deg for line in good], dtype=np.float64),
        accuracy_m=np.array([line.accuracy_m for line in good], dtype=np.float64),
        mock=np.array([line.mock for line in good], dtype=np.bool_),
        line=np.array(good_numbers, dtype=np.int64),
        errors=errors,
    )


def _decode_line(text: bytes) -> _Line:
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
    return _Line(
        device=device,
        time_us=_time_us(row.get("time")),
        lat=lat,
        lon=lon,
        speed_mps=read_unsigned(row.get("speed_mps"), key="speed_mps"),
        heading_deg=read_heading(row.get("heading_deg"), key="heading_deg"),
        accuracy_m=read_unsigned(row.get("accuracy_m"), key="accuracy_m"),
        mock=row.get("mock") is True,
    )


def _answer(result: IntakeResult) -> bytes:
    return orjson.dumps({"accepted": result.accepted, "refused": list(result.refusals)})


def _decode_message(message: RawMessage) -> ReportColumns:
    return decode(message.payload)


FORMAT = GpsFormat(
    name="batch",
    title="Many fixes as NDJSON",
    description=(
        'NDJSON of `{"device","time","lat","lon","speed_mps"?,"heading_deg"?,"accuracy_m"?}`. Good lines are kept; '
        "`refused` names each bad one by line, reason and value."
    ),
    decode=_decode_message,
    answer=_answer,
    max_bytes=8 * 2**20,
)
