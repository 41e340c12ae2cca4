"""Parquet and FIT."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import fitdecode
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from geo.errors import InvalidInputError
from ingest.traces.text_files import choose_columns
from ingest.traces.trace import FaultReason, RawPoints

MAX_ROWS = 2_000_000
"""Of a Parquet file: three weeks of a fix every second. A few damaged bytes claim billions."""
_DEGREES_PER_SEMICIRCLE = 180.0 / 2**31
# The reader's own way to tell of damage is a warning in the log of the process, which whoever sent the file never sees.
_COMPUTED = fitdecode.CrcCheck.READONLY
_TOLERANT = fitdecode.ErrorHandling.IGNORE


def read_parquet(data: bytes) -> RawPoints:
    """Rows of a Parquet or GeoParquet file; a column `geometry` of points stands for `lon` and `lat`.

    Raises
    ------
    InvalidInputError
        If it is no Parquet file, or a column that a trace needs is missing.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        groups = (file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups))
        rows = max(file.metadata.num_rows, sum(groups))
        if rows > MAX_ROWS:
            raise ValueError(f"{rows} rows, more than {MAX_ROWS}")
        table = file.read()
        table.validate(full=True)  # a damaged file may hold text that is none, and lengths beyond its end
        frame = table.to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInputError("Not a Parquet file: {reason}.", field="file", reason=str(error)[:200]) from None
    header = [str(name).lower() for name in frame.columns]
    if "geometry" in header and "lat" not in header:
        points = shapely.from_wkb(frame.iloc[:, header.index("geometry")].to_numpy(), on_invalid="ignore")
        is_point = (shapely.get_type_id(points) == shapely.GeometryType.POINT) & ~shapely.is_empty(points)
        somewhere = np.where(is_point, points, None)
        lon, lat = shapely.get_x(somewhere), shapely.get_y(somewhere)
        frame, header = frame.assign(lon=lon, lat=lat), [*header, "lon", "lat"]
    raw = RawPoints(list(range(1, len(frame) + 1)))
    for name, number in choose_columns(header).items():
        values = frame.iloc[:, number]
        missing = values.isna()
        texts = values.astype(str) if pd.api.types.is_datetime64_any_dtype(values) else values
        raw.columns[name] = [
            None if gone else value for value, gone in zip(texts.tolist(), missing.tolist(), strict=True)
        ]
    return raw


def read_fit(data: bytes) -> RawPoints:
    """Record messages of a FIT file that bear a position; the line of a point is the number of its record.

    A checksum that does not match is a fault of the record before it: points are kept, any of them may be damaged.
    """
    raw = RawPoints()
    number = 0
    try:
        with fitdecode.FitReader(io.BytesIO(data), check_crc=_COMPUTED, error_handling=_TOLERANT) as frames:
            for frame in frames:
                if _is_damaged(frame):
                    raw.fault(max(number, 1), f"CRC={frame.crc:#06x}", FaultReason.WRONG_CHECKSUM)
                if not isinstance(frame, fitdecode.FitDataMessage) or frame.name != "record":
                    continue
                number += 1
                lat, lon = (frame.get_value(f"position_{axis}", fallback=None) for axis in ("lat", "long"))
                if lat is None and lon is None:
                    continue  # indoors: no point, no fault
                moment = frame.get_value("timestamp", fallback=None)
                speed = frame.get_value("enhanced_speed", fallback=None)
                raw.add(
                    number,
                    lat=_degrees(lat),
                    lon=_degrees(lon),
                    time=moment.astimezone(UTC).isoformat() if isinstance(moment, datetime) else moment,
                    speed_mps=frame.get_value("speed", fallback=None) if speed is None else speed,
                )
    except Exception as error:  # a decoder of many record layouts: whatever it fails with, what was read stays
        raw.fault(number + 1, f"{type(error).__name__}: {error}", FaultReason.BROKEN_FIT)
    return raw


def _is_damaged(frame: object) -> bool:
    if isinstance(frame, fitdecode.FitHeader):
        return frame.crc_matched is False  # none where the header bears no checksum
    return isinstance(frame, fitdecode.FitCRC) and not frame.matched


def _degrees(semicircles: object) -> object:
    return semicircles * _DEGREES_PER_SEMICIRCLE if isinstance(semicircles, int) else semicircles
