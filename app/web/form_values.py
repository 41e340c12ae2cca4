"""Values as people, programs and files write them, read one by one: for records kept while incomplete. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from app.platform.written_times import WrittenTime, read_written_time
from app.web.forms import Field, Problem
from geo.clock import LOCAL_ZONE
from geo.text import nfc
from ingest.plates import display_plate, find_plate

TRUE_WORDS: Final = frozenset({"true", "yes", "1", "x", "on", "y", "có", "是"})
FALSE_WORDS: Final = frozenset({"false", "no", "0", "off", "n", "không", "否"})
TWO_WAYS: Final = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
"""`1.500` is one thousand five hundred in Vietnamese and one and a half in English."""
GROUPED: Final = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(?:\.\d{3}){2,}|(?:,\d{3}){2,}|(?:\.\d{3})+,\d+|(?:,\d{3})+\.\d+)", re.ASCII
)
"""Marks between thousands that can be nothing else: there are several, or another one marks decimals."""
_AROUND: Final = re.compile(r"[\s_'’]")
NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?", re.ASCII)


def read_fields(
    fields: Mapping[str, Field], written: Mapping[str, Any], problems: list[Problem], *, prefix: str = ""
) -> dict[str, Any]:
    """The values that can be read, by name; what cannot is added to `problems` under `prefix` and its name.

    Values may be text (also with Vietnamese dates, decimal commas and words for yes and no) or already of their type.
    """
    read = {name: _read(field, written.get(name), f"{prefix}{name}", problems) for name, field in fields.items()}
    return {name: value for name, value in read.items() if value is not None}


def is_given(value: Any) -> bool:
    """Whether anything is written."""
    return value is not None and (not isinstance(value, str) or bool(value.strip()))


def _read(field: Field, value: Any, name: str, problems: list[Problem]) -> Any:
    if not is_given(value):
        return None
    found = _READERS[field.kind](field, value)
    if isinstance(found, str) and found.startswith("\0"):
        problems.append(Problem(name, UNREADABLE[found[1:]], _values(field, value)))
        return None
    if isinstance(found, str) and len(found) > field.length:
        message = "{value}… takes {length} characters; shorten it to {limit}."
        problems.append(Problem(name, message, {"value": found[:20], "length": len(found), "limit": field.length}))
        return None
    return found


UNREADABLE: Final = {
    "plate": "{value} is not a Vietnamese or Chinese plate; write it like 29C-123.45, 12R-001.23 or 桂F·A1234.",
    "choice": "{value} is unknown here; use one of {known}.",
    "number": "{value} is not a number; write digits, such as 1250 or 12.5.",
    "two_ways": "{value} can be read in two ways; write it without a mark between thousands, such as 1500 or 1.5.",
    "whole": "{value} is not a whole number; write digits only.",
    "date": "{value} is not a date; write it like 31/12/2026 or 2026-12-31.",
    "time": "{value} is not a date and time; write it like 31/12/2026 14:30.",
    "flag": "{value} is neither yes nor no.",
    "sign": "The text holds a character that cannot be stored; type it again.",
}
"""What can be wrong with the writing of a value. A reader gives NUL and the key, which no text can be."""


def _values(field: Field, value: object) -> dict[str, object]:
    return {"value": str(value).replace("\0", "")[:40], "known": ", ".join(field.choices)}


def _text(_: Field, value: Any) -> str:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return "\0sign" if "\0" in text else nfc(" ".join(text.split()))


def _plate(_: Field, value: Any) -> str:
    norm = find_plate(str(value))
    return "\0plate" if norm is None else display_plate(norm)


def _choice(field: Field, value: Any) -> str:
    text = _text(field, value)
    return text if text in field.choices else text.lower() if text.lower() in field.choices else "\0choice"


def _decimal(_: Field, value: Any) -> float | str:
    if isinstance(value, bool):
        return "\0number"
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) and abs(value) < 1e12 else "\0number"
    text = _AROUND.sub("", str(value).replace("\u2212", "-"))
    if TWO_WAYS.fullmatch(text):
        return "\0two_ways"
    if GROUPED.fullmatch(text):
        text = _without_groups(text)
    return float(text.replace(",", ".")) if NUMBER.fullmatch(text) and len(text) < 20 else "\0number"


def _without_groups(text: str) -> str:
    last = max(text.rfind(","), text.rfind("."))
    mark = text[last]
    if text.count(mark) > 1:  # all marks are between thousands
        return text.replace(mark, "")
    return text[:last].replace("." if mark == "," else ",", "") + "." + text[last + 1 :]


def _whole(field: Field, value: Any) -> int | str:
    number = _decimal(field, value)
    if isinstance(number, str):
        return number
    return int(number) if number.is_integer() and abs(number) < 2**31 else "\0whole"


def _date(_: Field, value: Any) -> date | str:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    found = _parse_moment(str(value).strip())
    if found is None:
        return "\0date"
    is_day = (found.moment.hour, found.moment.minute, found.moment.second) == (0, 0, 0)
    return found.moment.date() if is_day else "\0date"


def _time(_: Field, value: Any) -> datetime | str:
    if isinstance(value, datetime):
        moment = value
    else:
        found = _parse_moment(str(value).strip())
        if found is None or not found.has_clock:  # a bare date is no time: midnight would be a guess
            return "\0time"
        moment = found.moment
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=LOCAL_ZONE)).astimezone(UTC)
    except OverflowError:
        return "\0time"


def _parse_moment(text: str) -> WrittenTime | None:
    if len(text) > 10:
        try:
            return WrittenTime(datetime.fromisoformat(text), has_clock=True)
        except ValueError:
            pass
    return read_written_time(text)


def _flag(_: Field, value: Any) -> bool | str:
    word = str(value).strip().lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else "\0flag"


_READERS: Final = {
    "text": _text,
    "plate": _plate,
    "choice": _choice,
    "whole": _whole,
    "decimal": _decimal,
    "date": _date,
    "time": _time,
    "flag": _flag,
}
