"""Columns of NumPy → the binary format of PostgreSQL's COPY, whole batches at once.

Format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". A row's bytes are fixed once the
lengths of its values are (NULL has none), so rows are grouped by their lengths and each group is written as one
structured array. Rows leave in the order of the groups, not of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_POSTGRES_EPOCH_US = 946_684_800_000_000
"""2000-01-01 UTC, from which PostgreSQL counts, in microseconds since 1970."""
_FEW_KEYS = 4_096
_EWKB_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("srid", "<u4"), ("x", "<f8"), ("y", "<f8")])


@dataclass(frozen=True)
class Column:
    """One column: values of one wire type, and each value's length in bytes (−1 is NULL)."""

    values: npt.NDArray[Any]
    lengths: npt.NDArray[np.int32]


def integers(values: npt.ArrayLike, size: int, null: npt.NDArray[np.bool_] | None = None) -> Column:
    """smallint, integer or bigint (`size` 2, 4 or 8 bytes)."""
    return _fixed(np.asarray(values).astype(f">i{size}"), null)


def reals(values: npt.ArrayLike) -> Column:
    """real; NaN becomes NULL."""
    array = np.asarray(values, dtype=np.float32)
    return _fixed(array.astype(">f4"), np.isnan(array))


def times(time_us: npt.ArrayLike) -> Column:
    """timestamptz from microseconds since 1970 UTC."""
    return _fixed((np.asarray(time_us, dtype=np.int64) - _POSTGRES_EPOCH_US).astype(">i8"), None)


def points(lon: npt.ArrayLike, lat: npt.ArrayLike) -> Column:
    """geometry(Point, 4326), as EWKB."""
    x = np.asarray(lon, dtype=np.float64)
    values = np.empty(len(x), _EWKB_POINT)
    values["order"], values["type"], values["srid"] = 1, 0x20000001, 4326
    values["x"], values["y"] = x, np.asarray(lat, dtype=np.float64)
    return _fixed(values, None)


def texts(values: Sequence[bytes | None]) -> Column:
    """text in UTF-8; `None` becomes NULL. Texts with the same lengths are written together: keep them few."""
    lengths = np.fromiter((-1 if value is None else len(value) for value in values), np.int32, len(values))
    width = max(1, int(lengths.max(initial=1)))
    return Column(np.array([value or b"" for value in values], dtype=f"S{width}"), lengths)


def coded_texts(codes: npt.NDArray[np.integer[Any]], names: Sequence[str]) -> Column:
    """text from `names` by code; a negative code becomes NULL."""
    encoded = [name.encode() for name in names]
    table = np.array([*encoded, b""], dtype=f"S{max(map(len, encoded), default=1) or 1}")
    lengths = np.array([*map(len, encoded), -1], dtype=np.int32)
    return Column(table[codes], lengths[codes])


def nulls(rows: int) -> Column:
    """A column of NULL only."""
    return Column(np.zeros(rows, dtype="S1"), np.full(rows, -1, dtype=np.int32))


def encode(columns: Sequence[Column]) -> bytes:
    """The COPY stream of rows with these columns."""
    rows = len(columns[0].lengths)
    key = np.zeros(rows, dtype=np.int64)
    for column in columns:
        low = int(column.lengths.min(initial=0))
        span = int(column.lengths.max(initial=0)) - low + 1
        if span > 1:
            key = _numbered(key * span + (column.lengths - low))
    groups = [np.flatnonzero(key == group) for group in range(int(key.max(initial=0)) + 1)] if key.any() else None
    parts = [_HEADER]
    for chosen in groups if groups is not None else [slice(None)]:
        parts.append(_encode_group(columns, chosen))
    parts.append(_TRAILER)
    return b"".join(parts)


def _fixed(values: npt.NDArray[Any], null: npt.NDArray[np.bool_] | None) -> Column:
    lengths = np.full(len(values), values.dtype.itemsize, dtype=np.int32)
    if null is not None:
        lengths[null] = -1
    return Column(values, lengths)


def _numbered(key: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Keys from 0 by their place among those that occur, so that many columns' lengths together never overflow.

    Most lengths differ by little and in few columns: then counting is less work than sorting.
    """
    if int(key.max(initial=0)) > 4 * len(key) + _FEW_KEYS:
        return np.unique(key, return_inverse=True)[1].astype(np.int64)
    is_present = np.bincount(key) > 0
    return (np.cumsum(is_present) - 1)[key]


def _encode_group(columns: Sequence[Column], chosen: Any) -> bytes:
    lengths = [column.lengths[chosen] for column in columns]
    if not len(lengths[0]):
        return b""
    layout: list[tuple[str, Any]] = [("fields", ">i2")]
    for number, (column, length) in enumerate(zip(columns, lengths, strict=True)):
        layout.append((f"length{number}", ">i4"))
        if length[0] > 0:
            wire = f"S{length[0]}" if column.values.dtype.kind == "S" else column.values.dtype
            layout.append((f"value{number}", wire))
    rows = np.empty(len(lengths[0]), np.dtype(layout))
    rows["fields"] = len(columns)
    for number, (column, length) in enumerate(zip(columns, lengths, strict=True)):
        rows[f"length{number}"] = length[0]
        if length[0] > 0:
            rows[f"value{number}"] = column.values[chosen]
    return rows.tobytes()
