"""CSV, NDJSON, GeoJSON and NMEA: read line by line where the format has lines."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import cast

import orjson
import pynmea2

from geo.errors import InvalidInputError
from geo.units import MPS_PER_KNOT
from ingest.formats.report import BYTE_ORDER_MARK
from ingest.traces.trace import COLUMNS, NEEDED, FaultReason, RawPoints

Values = Mapping[str, object]
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)


def read_csv(data: bytes) -> RawPoints:
    """Rows of a CSV file with a header; separated by comma, semicolon or tab.

    Raises
    ------
    InvalidInputError
        If it is no CSV at all, or a column that a trace needs is missing.
    """
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))  # "Unicode text" of spreadsheets
    text = data.decode("utf-16" if is_utf16 else "utf-8-sig", "replace").replace("\x00", "")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)  # whatever ends its lines
    raw = RawPoints()
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        chosen = choose_columns(header)
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) < len(header):
                raw.fault(rows.line_num, delimiter.join(row), FaultReason.FEW_COLUMNS)
                continue
            cells = {name: row[number].strip() for name, number in chosen.items()}
            raw.add(rows.line_num, **{name: _read_cell(name, cell, delimiter) for name, cell in cells.items()})
    except csv.Error as error:
        raw.fault(rows.line_num, error, FaultReason.BROKEN_CSV)
    return raw


def _read_cell(name: str, text: str, delimiter: str) -> str:
    """A cell; where commas separate nothing, spreadsheets of many countries write numbers with one."""
    is_number = delimiter != "," and name not in ("device", "time") and _DECIMAL_COMMA.fullmatch(text)
    return text.replace(",", ".") if is_number else text


def choose_columns(header: Sequence[str]) -> dict[str, int]:
    """Column of a trace → its number in a file's header, names in lower case.

    Raises
    ------
    InvalidInputError
        If one that a trace needs is missing.
    """
    found = {
        name: next((header.index(alias) for alias in aliases if alias in header), -1)
        for name, aliases in COLUMNS.items()
    }
    missing = [name for name in NEEDED if found[name] < 0]
    if missing:
        raise InvalidInputError("There is no column {missing}.", field="file", missing=", ".join(missing))
    return {name: number for name, number in found.items() if number >= 0}


def read_ndjson(data: bytes) -> RawPoints:
    """One JSON object a line, as `/gps/batch` takes them."""
    raw = RawPoints()
    for number, line in enumerate(data.removeprefix(BYTE_ORDER_MARK).splitlines(), 1):
        if not line.strip():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            raw.fault(number, line.decode("utf-8", "replace"), FaultReason.NO_JSON)
            continue
        if not isinstance(document, dict):
            raw.fault(number, line.decode("utf-8", "replace"), FaultReason.NO_OBJECT)
            continue
        raw.add(number, **_named({str(key).lower(): value for key, value in document.items()}))
    return raw


def read_json(data: bytes) -> RawPoints:
    """GeoJSON if it is one document of that kind, a JSON array of objects, else NDJSON."""
    try:
        document = orjson.loads(data.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        return read_ndjson(data)
    if isinstance(document, dict) and "type" in document:
        return _read_geojson(document)
    if isinstance(document, list):
        return read_ndjson(b"\n".join(orjson.dumps(each) for each in document))
    return read_ndjson(data)


def read_geojson(data: bytes) -> RawPoints:
    """Points of an RFC 7946 document that bear times; the line of a point is the number of its feature.

    Times stand in a point's properties, or beside a line's coordinates as `times`, `coordTimes` or
    `coordinateProperties.times`.

    Raises
    ------
    InvalidInputError
        If it is no JSON at all.
    """
    try:
        document = orjson.loads(data.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise InvalidInputError("Not JSON: {reason}.", field="file", reason=str(error)) from None
    return _read_geojson(document)


def _read_geojson(document: object) -> RawPoints:
    raw = RawPoints()
    if not isinstance(document, dict):
        raw.fault(1, document, FaultReason.NO_GEOJSON)
        return raw
    features = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    if not isinstance(features, list):
        raw.fault(1, features, FaultReason.NO_GEOJSON)
        return raw
    for number, feature in enumerate(features, 1):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if not isinstance(geometry, dict):
            raw.fault(number, feature, FaultReason.NO_GEOMETRY)
            continue
        properties = feature.get("properties")
        known = {str(key).lower(): value for key, value in properties.items()} if isinstance(properties, dict) else {}
        _take_geometry(raw, number, geometry, known)
    return raw


def _take_geometry(raw: RawPoints, number: int, geometry: Values, known: Values) -> None:
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if not isinstance(coordinates, list):
        raw.fault(number, kind, FaultReason.NO_GEOMETRY)
    elif kind == "Point":
        raw.add(number, **{**_named(known), **_position(coordinates)})
    elif kind in {"LineString", "MultiPoint", "MultiLineString"}:
        beside = known.get("coordinateproperties")
        more = {str(key).lower(): value for key, value in beside.items()} if isinstance(beside, dict) else {}
        times = known.get("times") or known.get("coordtimes") or more.get("times") or more.get("coordtimes")
        points, moments = coordinates, times if isinstance(times, list) else []
        if kind == "MultiLineString":
            points = [point for line in coordinates if isinstance(line, list) for point in line]
            if moments and isinstance(moments[0], list):
                moments = [moment for own in moments if isinstance(own, list) for moment in own]
        device = _named(known).get("device") or known.get("plate")
        for at, point in enumerate(points):
            measured = {name: known.get(name) for name in ("speed_mps", "heading_deg", "accuracy_m")}
            own = {
                name: values[at] for name, values in measured.items() if isinstance(values, list) and at < len(values)
            }
            moment = moments[at] if at < len(moments) else None
            raw.add(number, device=device, time=moment, **_position(point), **own)
    else:
        raw.fault(number, kind, FaultReason.OTHER_GEOMETRY)


def _position(coordinates: object) -> dict[str, object]:
    if isinstance(coordinates, list) and len(coordinates) >= 2:
        return {"lon": coordinates[0], "lat": coordinates[1]}
    return {"lon": coordinates if not isinstance(coordinates, list) else None, "lat": None}


def _named(values: Values) -> dict[str, object]:
    found = {}
    for name, aliases in COLUMNS.items():
        alias = next((alias for alias in aliases if values.get(alias) is not None), None)
        if alias is not None:
            found[name] = values[alias]
    return found


def read_nmea(data: bytes) -> RawPoints:
    """RMC sentences of an NMEA 0183 log: they alone bear date, time and place. Checksums are checked."""
    raw = RawPoints()
    for number, line in enumerate(data.splitlines(), 1):
        text = line.decode("ascii", "replace").strip()
        if not text:
            continue
        begin = text.find("$")
        if begin < 0:
            raw.fault(number, text, FaultReason.NO_SENTENCE)
            continue
        try:
            sentence = pynmea2.parse(text[begin:], check=True)
        except (pynmea2.ParseError, ValueError, TypeError) as error:
            reason = FaultReason.WRONG_CHECKSUM if isinstance(error, pynmea2.ChecksumError) else FaultReason.NO_SENTENCE
            raw.fault(number, text, reason)
            continue
        if getattr(sentence, "sentence_type", "") != "RMC":
            continue
        try:
            _take_rmc(raw, number, sentence)
        except (ValueError, TypeError, AttributeError):
            raw.fault(number, text, FaultReason.NO_SENTENCE)
    return raw


def _take_rmc(raw: RawPoints, number: int, sentence: pynmea2.RMC) -> None:
    if sentence.status != "A" or not sentence.lat or not sentence.lon:
        raw.fault(number, str(sentence), FaultReason.NOWHERE)
        return
    if any(float(value) % 100.0 >= 60.0 for value in (sentence.lat, sentence.lon)):
        raise ValueError("minutes of an angle end at 60")
    moment = None
    if sentence.datestamp is not None and sentence.timestamp is not None:
        moment = datetime.combine(sentence.datestamp, cast(time, sentence.timestamp).replace(tzinfo=None), UTC)
    speed, course = sentence.spd_over_grnd, sentence.true_course
    raw.add(
        number,
        lat=sentence.latitude,
        lon=sentence.longitude,
        time=None if moment is None else moment.isoformat(),
        speed_mps=None if speed is None else float(speed) * MPS_PER_KNOT,
        heading_deg=course,
    )
