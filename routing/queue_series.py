"""Counted queues of border crossings, read from CSV files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from geo.errors import InvalidInputError, MalformedError
from routing.arrays import FloatArray

TIME_COLUMNS = ("checkpoint_time", "time_utc", "time", "timestamp", "datetime", "observed_at")
QUEUE_COLUMNS = ("vehicles_in_queue", "trucks_queued", "queue_veh", "queue")
WAIT_COLUMNS = ("wait_time", "wait_s", "wait")
SERVED_COLUMNS = ("served_last_hour", "served_veh", "trucks_per_hour", "throughput")
CROSSING_COLUMNS = ("crossing_id", "crossing", "gate")
SYNTHETIC_COLUMN = "ts_synthetic"
DEFAULT_CROSSING = "all"


@dataclass(frozen=True)
class QueueSeries:
    """What was counted at a crossing, in order of time; [n] each.

    `time_s` are seconds of the Unix epoch; `wait_s` and `served_veh` (trucks served in the last hour) are None where
    the file has no such column, and NaN where a cell is empty.
    """

    crossing_id: str
    time_s: FloatArray
    queue_veh: FloatArray
    wait_s: FloatArray | None = None
    served_veh: FloatArray | None = None


@dataclass(frozen=True)
class _Columns:
    time: str
    queue: str
    wait: str | None
    served: str | None
    crossing: str | None


def read_queue_series(path: Path) -> list[QueueSeries]:
    """The observed stamps of each crossing of a CSV file, crossings in order of name.

    Times without an offset are UTC. A row whose `ts_synthetic` is 1 has no time of its own and is left out, and so is a
    row without a queue; of two rows of a crossing with the same time the later one counts.

    Raises:
        MalformedError: No text, no header, no column of times or queues, or no row.
        InvalidInputError: A time or number cannot be read; the message names line and value.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _series(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedError("{file} is not a CSV file in UTF-8: {why}", file=path.name, why=str(error)) from error


def _series(reader: csv.DictReader[str]) -> list[QueueSeries]:
    columns = _columns(list(reader.fieldnames or ()))
    rows: dict[str, dict[float, tuple[float, float, float]]] = {}
    for line, row in _observed(reader):
        queue = _number(row, columns.queue, line)
        if math.isnan(queue):
            continue
        wait = _number(row, columns.wait, line)
        served = _number(row, columns.served, line)
        crossing = (row[columns.crossing] or "").strip() if columns.crossing else DEFAULT_CROSSING
        if not crossing:
            raise InvalidInputError("Line {line}: {column} is empty", line=line, column=columns.crossing)
        stamp_s = read_stamp(row[columns.time] or "", line=line).timestamp()
        rows.setdefault(crossing, {})[stamp_s] = (queue, wait, served)
    if not rows:
        raise MalformedError("The file has no row with an observed queue")
    return [_crossing(crossing, rows[crossing], columns) for crossing in sorted(rows)]


def _crossing(crossing: str, rows: Mapping[float, tuple[float, float, float]], columns: _Columns) -> QueueSeries:
    time_s = np.array(sorted(rows))
    queue_veh, wait_s, served_veh = np.array([rows[stamp] for stamp in time_s]).T
    return QueueSeries(
        crossing,
        time_s,
        queue_veh,
        wait_s if columns.wait else None,
        served_veh if columns.served else None,
    )


def _columns(names: list[str]) -> _Columns:
    def find(known: tuple[str, ...]) -> str | None:
        return next((name for name in known if name in names), None)

    time, queue = find(TIME_COLUMNS), find(QUEUE_COLUMNS)
    for what, found, known in (("times", time, TIME_COLUMNS), ("queues", queue, QUEUE_COLUMNS)):
        if found is None:
            raise MalformedError(
                "No column of {what}: name it one of {known}; the file has {names}",
                what=what,
                known=", ".join(known),
                names=", ".join(names) or "no header",
            )
    assert time is not None
    assert queue is not None
    return _Columns(time, queue, find(WAIT_COLUMNS), find(SERVED_COLUMNS), find(CROSSING_COLUMNS))


def _observed(reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Line number and cells of each row that has a time of its own."""
    for row in reader:
        if _number(row, SYNTHETIC_COLUMN, reader.line_num) != 1:
            yield reader.line_num, row


def _number(row: Mapping[str, str | None], column: str | None, line: int) -> float:
    """A cell as a number of at least zero; NaN if the column or the value is missing."""
    text = (row.get(column) or "").strip() if column else ""
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not 0 <= value < math.inf:
        raise InvalidInputError(
            "Line {line}: {column} is {value!r}, not a number of at least 0", line=line, column=column, value=text
        )
    return value


def read_stamp(text: str, *, line: int | None = None) -> datetime:
    """An ISO 8601 time as aware UTC; without an offset it is UTC already.

    Raises:
        InvalidInputError: It is not a time; the message names `line`, if given, and the value.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        where = "" if line is None else f"Line {line}: "
        raise InvalidInputError(
            "{where}{value!r} is not a time such as 2026-09-01T00:00:00Z", where=where, value=text
        ) from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
