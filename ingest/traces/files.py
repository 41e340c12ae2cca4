"""Recorded traces as files: what kind a file is, its points, and points as a file again."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import gpxpy.gpx
import numpy as np
import orjson
import pandas as pd

from geo.errors import InvalidInputError
from ingest.traces import binary_files, text_files
from ingest.traces.trace import MEASURED, RawPoints, Trace, judge_points
from ingest.traces.xml_files import XML_READERS

READERS: Final[Mapping[str, Callable[[bytes], RawPoints]]] = {
    ".gpx": XML_READERS["gpx"],
    ".tcx": XML_READERS["tcx"],
    ".kml": XML_READERS["kml"],
    ".geojson": text_files.read_geojson,
    ".json": text_files.read_json,
    ".ndjson": text_files.read_ndjson,
    ".jsonl": text_files.read_ndjson,
    ".csv": text_files.read_csv,
    ".txt": text_files.read_csv,
    ".nmea": text_files.read_nmea,
    ".nma": text_files.read_nmea,
    ".log": text_files.read_nmea,
    ".parquet": binary_files.read_parquet,
    ".pq": binary_files.read_parquet,
    ".fit": binary_files.read_fit,
}
"""Ending of a file's name → its reader."""
KINDS: Final = "GPX, GeoJSON, KML, NMEA, CSV, NDJSON, Parquet, FIT, TCX"


def read_trace(name: str, data: bytes) -> Trace:
    """The points of a recorded trace, and what was wrong with others; `name` is the file's, its ending says the kind.

    Raises
    ------
    InvalidInputError
        If the kind is not known, or the file as a whole is not of its kind.
    """
    path = PurePath(name)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InvalidInputError("{name} is not {kinds} by its ending.", field="file", name=path.name[:80], kinds=KINDS)
    if reader is text_files.read_csv and data.lstrip()[:1] == b"$":
        reader = text_files.read_nmea  # loggers call their sentences .txt
    return judge_points(reader(data), path.stem)


@dataclass(frozen=True)
class TraceFormat:
    """A format in which traces are given out: its media type, and points as its bytes."""

    media_type: str
    write: Callable[[pd.DataFrame], bytes]


def _write_csv(points: pd.DataFrame) -> bytes:
    return points.assign(time=_texts(points)).to_csv(index=False).encode()


def _write_parquet(points: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    points.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _write_gpx(points: pd.DataFrame) -> bytes:
    document = gpxpy.gpx.GPX()
    document.creator = "Cửa Khẩu Số"
    for device, own in points.groupby("device", sort=False):
        segment = gpxpy.gpx.GPXTrackSegment()
        columns = (own[name].tolist() for name in ("lat", "lon", "speed_mps", "heading_deg"))
        for moment, lat, lon, speed_mps, heading_deg in zip(own["time"].dt.to_pydatetime(), *columns, strict=True):
            point = gpxpy.gpx.GPXTrackPoint(lat, lon, time=moment)
            # GPX 1.0 has a speed and a course, 1.1 has not: the elements are those of 1.0
            point.speed = None if np.isnan(speed_mps) else speed_mps
            setattr(point, "course", None if np.isnan(heading_deg) else heading_deg)  # noqa: B010 - untyped there
            segment.points.append(point)
        track = gpxpy.gpx.GPXTrack(name=str(device))
        track.segments.append(segment)
        document.tracks.append(track)
    return document.to_xml(version="1.0").encode()


def _write_geojson(points: pd.DataFrame) -> bytes:
    moments = _texts(points)
    columns = [points[name].astype(object).where(points[name].notna(), None).tolist() for name in MEASURED]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {"device": device, "time": moment, **dict(zip(MEASURED, measured, strict=True))},
        }
        for lon, lat, device, moment, *measured in zip(
            points["lon"].tolist(), points["lat"].tolist(), points["device"].tolist(), moments, *columns, strict=True
        )
    ]
    return orjson.dumps({"type": "FeatureCollection", "features": features})


def _texts(points: pd.DataFrame) -> list[str]:
    moments = points["time"].dt.tz_convert(None).to_numpy("datetime64[ms]")
    return [str(moment) for moment in np.datetime_as_string(moments, timezone="UTC").tolist()]


TRACE_FORMATS: Final[Mapping[str, TraceFormat]] = {
    "gpx": TraceFormat("application/gpx+xml", _write_gpx),
    "geojson": TraceFormat("application/geo+json", _write_geojson),
    "csv": TraceFormat("text/csv; charset=utf-8", _write_csv),
    "parquet": TraceFormat("application/vnd.apache.parquet", _write_parquet),
}
"""Name, which is the ending of its files too → format."""


def write_trace(points: pd.DataFrame, name: str) -> bytes:
    """Points, as `Trace` has them, as a file of the format `name`.

    Raises
    ------
    InvalidInputError
        If there is no such format.
    """
    trace_format = TRACE_FORMATS.get(name)
    if trace_format is None:
        raise InvalidInputError(
            "format={value} is not one of {formats}.", field="format", value=name[:20], formats=", ".join(TRACE_FORMATS)
        )
    return trace_format.write(points)
