"""Types of the fields that callers send: text, times and JSON that the database can hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, AwareDatetime

from geo.text import nfc


def _check_plain(text: str) -> str:
    if "\x00" in text:
        raise ValueError("The text holds a NUL character; remove it.")
    return nfc(text)


PlainText = Annotated[str, AfterValidator(_check_plain)]
"""Text that the database can hold, in composed form."""


def _check_json(value: Any) -> Any:
    try:
        encoded = orjson.dumps(value)
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The value cannot be kept: {error}.") from error
    if b"\\u0000" in encoded:
        raise ValueError("The text holds a NUL character; remove it.")
    return value


StorableJson = AfterValidator(_check_json)
"""For JSON that goes to the database as it is: no NUL, no NaN, no number beyond 64 bits."""


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("The time is beyond the calendar; give one between the years 1 and 9999.") from None


Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A time with an offset, turned to UTC: the database refuses offsets that no place has."""
