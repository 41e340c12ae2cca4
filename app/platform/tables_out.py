"""Tables as files for spreadsheets and statistics: CSV with one form of numbers and times.

UTF-8 with a byte order mark, by which Excel knows it; commas, CRLF (RFC 4180); numbers with a point; times in ISO 8601
and UTC; nothing where there is no value. Columns are given, never derived from the rows, so that they stay.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Final

MEDIA_TYPE: Final = "text/csv; charset=utf-8"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The rows below a line of column names."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell_text(value) for value in row])
    return out.getvalue().encode("utf-8-sig")


def cell_text(value: object) -> str:
    """A value as it stands in a cell. Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return " ".join(cell_text(each) or "-" for each in value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def iso_utc(moment: datetime) -> str:
    """A moment as in `2026-03-02T03:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
