"""Days and moments as Vietnamese and Chinese offices, banks and spreadsheets write them: the day first. Pure.

One home for forms, files and statements. What could be two days is none: the month is never taken to stand before the
day. Zones are not read here, but those of Viet Nam behind a time are passed over; RFC 3339 is `datetime.fromisoformat`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError

MAX_LENGTH: Final = 60
CLOCK_ERROR: Final = timedelta(minutes=5)
"""By so much a moment that somebody writes down may lie on the wrong side of now: clocks and watches differ."""
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY: Final = (
    r"(?:(?P<day>\d{1,2})(?P<mark>[/.-])(?P<month>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})"
    rf"|(?P<named_day>\d{{1,2}})[ -](?P<named>{'|'.join(_MONTHS)})[a-z]*[ -](?P<named_year>\d{{4}}|\d{{2}})"
    r"|(?P<year_first>\d{4})(?P<mark_first>[/.-])(?P<month_next>\d{1,2})(?P=mark_first)(?P<day_last>\d{1,2})"
    r"|(?P<compact>(?:19|20)\d{6}))"
)
_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,6}))?)?"
_HALF: Final = r"(?: ?(?P<half>am|pm))?"
_MOMENT: Final = (
    re.compile(rf"{_DAY}(?:[t ]{_CLOCK}{_HALF})?", re.ASCII),
    re.compile(rf"{_CLOCK}{_HALF} {_DAY}", re.ASCII),
    re.compile(r"(?P<compact>(?:19|20)\d{6}) ?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})", re.ASCII),
)
_REWRITTEN: Final = (
    (re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日"), r"\1-\2-\3 "),
    (re.compile(r"\s*\(?\b(?:gmt|utc|ict)?\s*\+\s*0?7(?::?00)?\)?$|\s*\(?\bict\)?$"), ""),
    (re.compile(r"\b(?:ngày|ngay|lúc|luc|hồi|vào|giờ hà nội|thứ \w+|chủ nhật)\b"), " "),
    (re.compile(r"(?<=[\d\s])(?:sa|sáng|上午)(?=\s|$)"), " am"),
    (re.compile(r"(?<=[\d\s])(?:ch|chiều|tối|下午|晚上)(?=\s|$)"), " pm"),
    (re.compile(r"(\d{1,2})\s*(?:giờ|gio|h|g|点|时)\s*(\d{2})\b(?:\s*(?:phút|phut|p|分))?"), r"\1:\2"),
    (re.compile(r"(?<![\d:])(\d{1,2})\s*(?:giờ|gio|h|g|点|时)(?=\s|$)"), r"\1:00"),
    (re.compile(r"(?<=\s)(\d{1,2})\.(\d{2})$"), r"\1:\2"),
    (re.compile(r",(?=\s|$)|\s[-–|@](?=\s)|;"), " "),
)
"""What stands around the digits, in small letters, and what is read instead; in this order."""


@dataclass(frozen=True)
class WrittenTime:
    """A day with a clock, or a day alone (then at midnight); without a zone, as it was written."""

    moment: datetime
    has_clock: bool


def read_written_time(text: str) -> WrittenTime | None:
    """`31/12/2026 14:30`, `31-12-26`, `14h30 ngày 31/12/2026`, `31/12/2026 2:30 CH`, `2026年12月31日`; else `None`.

    Years of two digits are those of this century.
    """
    plain = _plain(text)
    found = next((match for pattern in _MOMENT if (match := pattern.fullmatch(plain))), None)
    if found is None:
        return None
    parts = found.groupdict()
    try:
        year, month, day = _day(parts)
        clock = _clock(parts)
        moment = datetime(year, month, day, *clock)  # noqa: DTZ001 - as written; who asks knows the zone
    except ValueError:
        return None
    return WrittenTime(moment, parts.get("hour") is not None)


def _plain(text: str) -> str:
    if len(text) > MAX_LENGTH:
        return ""
    plain = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    for pattern, instead in _REWRITTEN:
        plain = pattern.sub(instead, plain)
    return " ".join(plain.split())


def _day(parts: dict[str, str | None]) -> tuple[int, int, int]:
    if compact := parts.get("compact"):
        return int(compact[:4]), int(compact[4:6]), int(compact[6:])
    if parts.get("year_first"):
        return int(parts["year_first"] or 0), int(parts["month_next"] or 0), int(parts["day_last"] or 0)
    if named := parts.get("named"):
        return _year(parts["named_year"] or ""), _MONTHS.index(named) + 1, int(parts["named_day"] or 0)
    return _year(parts["year"] or ""), int(parts["month"] or 0), int(parts["day"] or 0)


def _year(written: str) -> int:
    return int(written) if len(written) == 4 else 2000 + int(written)


def _clock(parts: dict[str, str | None]) -> tuple[int, int, int, int]:
    """Hour, minute, second, microsecond; raises ValueError for `13:00 am` and `0:30 pm`."""
    hour, half = int(parts.get("hour") or 0), parts.get("half")
    if half is not None and hour <= 12:
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif half == "am":
        raise ValueError(hour)
    fraction = f"{parts.get('fraction') or '0':0<6}"
    return hour, int(parts.get("minute") or 0), int(parts.get("second") or 0), int(fraction)


def local_day(text: str, *, days: int = 0) -> datetime | None:
    """The beginning of a local day written YYYY-MM-DD, `days` later; `None` for an empty text.

    Raises
    ------
    InvalidInputError
        If it is no date.
    """
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=LOCAL_ZONE)
    except ValueError:
        raise InvalidInputError("{value} is no date; write it as 2026-03-31.", value=text) from None
    return day + timedelta(days=days)
