"""The platform's own bulk format: NDJSON, one fix a line.

`{"device","time","lat","lon","speed_mps"?,"heading_deg"?,"accuracy_m"?}`; `time` is RFC 3339 with offset, or
seconds or milliseconds since 1970. A bad line is reported by number and value; the good ones are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from geo.errors import CuaKhauError, MalformedError
from ingest.formats.gps_format import GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import (
    BYTE_ORDER_MARK,
    MAX_IDENTIFIER_LENGTH,
    NO_TIME,
    Floats,
    Refusal,
    RefusalReason,
    Refusals,
    ReportColumns,
    clean,
    number_names,
    read_heading,
    read_identifier,
    read_number,
    read_time,
    read_unsigned,
    to_microseconds,
)


class _Fix(msgspec.Struct, gc=False):
    """A line without a fault; anything else is left to `_decode_line`, which names what is wrong."""

    device: str
    lat: float
    lon: float
    time: str | int | float | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None
    accuracy_m: float | None = None
    mock: bool | None = False


MAX_LINES = 200_000
"""Lines of a body, blank ones too: 8 MiB of fixes with an identifier and a time are 90,000."""
_LINES = msgspec.json.Decoder(_Fix)


def decode(body: bytes) -> ReportColumns:
    """All lines of `body`; blank ones are skipped, bad ones end up in `errors`.

    Raises
    ------
    MalformedError
        If there are more than `MAX_LINES`.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    if body.count(b"\n") > MAX_LINES:
        raise MalformedError("The body has more than {limit} lines; send smaller pieces.", limit=MAX_LINES)
    try:
        fixes = _LINES.decode_lines(body)
        if fixes and len(fixes) == body.count(b"\n") + (not body.endswith(b"\n")):
            return _decode_columns(fixes, np.arange(1, len(fixes) + 1))
    except (msgspec.MsgspecError, RecursionError, ValueError, TypeError, OverflowError, CuaKhauError):
        pass  # some line is bad: read them one by one to name it
        fixes = []
    lines = body.split(b"\n")
    numbers = [number for number, line in enumerate(lines, 1) if line and not line.isspace()]
    if fixes and len(fixes) == len(numbers):
        try:
            return _decode_columns(fixes, np.array(numbers, dtype=np.int64))
        except (ValueError, TypeError, OverflowError, CuaKhauError):
            pass  # likewise
    return _decode_lines([lines[number - 1] for number in numbers], numbers)


def _decode_columns(fixes: list[_Fix], line: npt.NDArray[np.int64]) -> ReportColumns:
    """The quick way, for a body without a bad line; raises anything if there is one."""
    names, name = number_names([fix.device for fix in fixes])
    unusual = [each for each in names if not each.isalnum()]
    if max(map(len, names)) > MAX_IDENTIFIER_LENGTH or any(not each or each != clean(each).strip() for each in unusual):
        raise ValueError("device")
    speed_mps = _column([fix.speed_mps for fix in fixes])
    heading_deg = _column([fix.heading_deg for fix in fixes])
    accuracy_m = _column([fix.accuracy_m for fix in fixes])
    speed_mps[speed_mps < 0] = np.nan
    accuracy_m[accuracy_m < 0] = np.nan
    heading_deg[(heading_deg < 0) | (heading_deg > 360)] = np.nan
    heading_deg %= 360.0
    return ReportColumns(
        names,
        name,
        _times([fix.time for fix in fixes]),
        _column([fix.lat for fix in fixes]),
        _column([fix.lon for fix in fixes]),
        speed_mps,
        heading_deg,
        accuracy_m,
        line,
        np.array([fix.mock for fix in fixes], dtype=np.bool_),
    )


def _column(values: Sequence[float | None]) -> Floats:
    """Numbers as an array, `None` as NaN."""
    column = np.array(values, dtype=np.float64)
    if np.isinf(column).any():
        raise ValueError("infinite")
    return column


def _times(values: Sequence[str | int | float | None]) -> npt.NDArray[np.int64]:
    seen: dict[str | int | float | None, int] = {}
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
    errors = Refusals()
    for number, text in zip(numbers, texts, strict=True):
        try:
            good.append(_decode_line(text))
            good_numbers.append(number)
        except CuaKhauError as error:
            errors.add(Refusal(number, RefusalReason.MALFORMED, str(error)))
    names, name = number_names([line.device for line in good])
    return ReportColumns(
        names=names,
        name=name,
        time_us=np.array([line.time_us for line in good], dtype=np.int64),
        lat=np.array([line.lat for line in good], dtype=np.float64),
        lon=np.array([line.lon for line in good], dtype=np.float64),
        speed_mps=np.array([line.speed_mps for line in good], dtype=np.float64),
        heading_deg=np.array([line.heading_deg for line in good], dtype=np.float64),
        accuracy_m=np.array([line.accuracy_m for line in good], dtype=np.float64),
        mock=np.array([line.mock for line in good], dtype=np.bool_),
        line=np.array(good_numbers, dtype=np.int64),
        errors=errors.listed,
        error_count=errors.counts[RefusalReason.MALFORMED],
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
    answer: dict[str, object] = {"accepted": result.accepted, "refused": list(result.refusals)}
    if result.refused_count > len(result.refusals):
        answer["refused_count"] = result.refused_count
    return orjson.dumps(answer)


def _decode_message(message: RawMessage) -> ReportColumns:
    return decode(message.payload)


FORMAT = GpsFormat(
    name="batch",
    title="Many fixes as NDJSON",
    description=(
        'NDJSON of `{"device","time","lat","lon","speed_mps"?,"heading_deg"?,"accuracy_m"?}`. Good lines are kept; '
        "`refused` names each bad one by line, reason and value, up to 2,000; of more `refused_count` says how many."
    ),
    decode=_decode_message,
    answer=_answer,
    max_bytes=8 * 2**20,
)
