"""JSON objects of one position each, with the names that apps, scripts and home automation give their fields.

`{"id","lat","lon",…}` in any of the spellings of `_ALIASES`, alone, in a list, in a list under one of `_LISTS`, or each
on a line of its own. The place stands as `lat` and `lon`, as `gps` or `latlng` (`[lat, lon]` or `"lat,lon"`), as
`coordinates` (`[lon, lat]`, RFC 7946), or as any of these inside one of `_NESTED`. Home Assistant's companion app sends
`{"type":"update_location","data":{"gps":[lat,lon]}}`.
Where a name says its unit that counts; `speed` alone is in m/s, `vel` in km/h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from geo.errors import CuaKhauError, MalformedError
from geo.units import kmh_to_mps, knots_to_mps
from ingest.formats.gps_format import GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import (
    BYTE_ORDER_MARK,
    EncryptedError,
    JsonObject,
    Report,
    clean,
    read_document,
    read_flag,
    read_heading,
    read_identifier,
    read_measured,
    read_number,
    read_time,
    read_unsigned,
)

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "device": ("id", "device", "device_id", "deviceid", "deviceId", "dev_id", "imei", "uniqueId", "uuid", "tid"),
    "lat": ("lat", "latitude", "Latitude"),
    "lon": ("lon", "lng", "long", "longitude", "Longitude"),
    "time": ("time", "timestamp", "tst", "ts", "datetime", "date", "gps_time", "fixTime", "recorded_at"),
    "accuracy": ("accuracy_m", "accuracy", "acc", "gps_accuracy", "horizontal_accuracy"),
    "altitude": ("altitude_m", "altitude", "alt", "elevation", "ele"),
    "heading": ("heading_deg", "heading", "bearing", "course", "cog", "dir", "direction"),
    "battery": ("battery", "batt", "bat", "battery_level", "batteryLevel"),
    "mock": ("mock", "is_mock", "isMock"),
}
_SPEEDS: Final = (
    ("speed_mps", 1.0),
    ("speed_kmh", kmh_to_mps(1.0)),
    ("speed_kph", kmh_to_mps(1.0)),
    ("speed_knots", knots_to_mps(1.0)),
    ("speed", 1.0),
    ("spd", 1.0),
    ("vel", kmh_to_mps(1.0)),
)
_LISTS: Final = ("locations", "points", "positions", "features")
_PAIRS: Final = ("gps", "latlng", "latLng")
"""A place as latitude and longitude in one value."""
_COORDINATES: Final = "coordinates"
_NESTED: Final = ("location", "position", "coords", "geometry", "properties")
"""Objects inside an object that say where it is, or what else is known."""
_READ: Final = (
    frozenset(name for names in _ALIASES.values() for name in names)
    | {name for name, _ in _SPEEDS}
    | {*_PAIRS, _COORDINATES}
)


def is_flat(document: JsonObject) -> bool:
    """Whether an object says where something is in this way."""
    names = (*_ALIASES["lat"], *_PAIRS, _COORDINATES)
    inner = [value for key in _NESTED if isinstance(value := document.get(key), dict)]
    return any(name in each for each in (document, *inner) for name in names)


def decode(body: bytes, devices: Sequence[str] = ()) -> list[Report]:
    """The reports in a body; `devices` are other names of the sender than those in it.

    One of several that cannot be read is a report with its `fault`.

    Raises
    ------
    MalformedError
        If it is not JSON of this shape, or its only position cannot be read.
    EncryptedError
        If the companion app encrypts what it sends.
    """
    if not body.strip():
        return []
    lines = [line for line in body.removeprefix(BYTE_ORDER_MARK).splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip()[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines):
        return _decode_lines(lines, devices)
    document = read_document(body)
    if isinstance(document, dict):
        kind, data = document.get("type"), document.get("data")
        if read_flag(document.get("encrypted")):
            raise EncryptedError("The payload is encrypted; HTTPS already protects it.", field="encrypted")
        for name in _LISTS:
            if isinstance(document.get(name), list):
                named = [document[key] for key in _ALIASES["device"] if isinstance(document.get(key), str)]
                return decode_list(document[name], [*named, *devices])
        if isinstance(kind, str) and not is_flat(document):
            return [decode_object(data, devices)] if kind == "update_location" and isinstance(data, dict) else []
        return [decode_object(document, devices)]
    if isinstance(document, list):
        return decode_list(document, devices)
    raise MalformedError("The body is JSON but not an object.")


def _decode_lines(lines: list[bytes], devices: Sequence[str]) -> list[Report]:
    """The reports of objects on lines of their own (NDJSON), each with its own `fault` if it cannot be read."""
    reports: list[Report] = []
    for line in lines:
        try:
            reports.append(decode_object(read_document(line), devices))
        except CuaKhauError as error:
            reports.append(Report(devices[0] if devices else "", fault=str(error)))
    return reports


def decode_list(items: list[object], devices: Sequence[str]) -> list[Report]:
    """The reports of a list, each with its own `fault` if it cannot be read."""
    reports: list[Report] = []
    for item in items:
        try:
            reports.append(decode_object(item, devices))
        except CuaKhauError as error:
            reports.append(Report(devices[0] if devices else "", fault=str(error)))
    return reports


def decode_object(item: object, devices: Sequence[str]) -> Report:
    """The report in one object.

    Raises
    ------
    MalformedError
        If it is no object, names no device, or a value cannot be read.
    """
    if not isinstance(item, dict):
        raise MalformedError("{value} is not a JSON object.", value=clean(str(item))[:40])
    candidates = [item.get(name) for name in _ALIASES["device"]]
    named = [value for value in candidates if isinstance(value, str | int) and value not in ("", True, False)]
    known = [read_identifier(value, key="id") for value in [*named, *devices][:8]]
    if not known:
        raise MalformedError("{key} is missing: it names the device.", field="id", key="id")
    for name in _NESTED:  # what stands beside a place inside counts as if it stood outside, which comes first
        inner = item.get(name)
        if isinstance(inner, dict):
            item = inner | {key: value for key, value in item.items() if value is not None}
    report = Report(
        known[0],
        alternatives=tuple(known[1:]),
        time=read_time(_find(item, "time")[1], key=_find(item, "time")[0]),
        speed_mps=_speed(item),
        heading_deg=read_heading(_find(item, "heading")[1], key=_find(item, "heading")[0]),
        accuracy_m=read_unsigned(_find(item, "accuracy")[1], key=_find(item, "accuracy")[0]),
        altitude_m=read_measured(_find(item, "altitude")[1], key=_find(item, "altitude")[0]),
        battery=_battery(item),
        mock=read_flag(_find(item, "mock")[1]),
    )
    (lat_key, lat), (lon_key, lon) = _place(item)
    report.lat, report.lon = read_number(lat, key=lat_key), read_number(lon, key=lon_key)
    if not report.has_position and (report.lat is not None or report.lon is not None):
        missing = lat_key if report.lat is None else lon_key
        raise MalformedError("{missing} is missing: a position needs both.", field=missing, missing=missing)
    for key, value in item.items():
        if key not in _READ:
            report.keep(key, value)
    return report


def _find(item: JsonObject, field: str) -> tuple[str, object]:
    """The spelling that `item` uses for a field, and its value."""
    for name in _ALIASES[field]:
        if item.get(name) is not None:
            return name, item[name]
    return _ALIASES[field][0], None


def _place(item: JsonObject) -> tuple[tuple[str, object], tuple[str, object]]:
    """Latitude and longitude, each with the name that it stands under.

    Raises
    ------
    MalformedError
        If what should hold both does not.
    """
    for name in (*_PAIRS, _COORDINATES):
        pair = item.get(name)
        if pair is None:
            continue
        values = pair.split(",") if isinstance(pair, str) else pair
        if not isinstance(values, list) or len(values) < 2 or None in values[:2]:
            raise MalformedError("{key}={value} is not a place.", field=name, key=name, value=clean(str(pair))[:40])
        first, second = (name, values[0]), (name, values[1])
        return (second, first) if name == _COORDINATES else (first, second)
    return _find(item, "lat"), _find(item, "lon")


def _battery(item: JsonObject) -> float | None:
    """As a share: `battery_level` up to 1 and fractions below 1 are shares, whole numbers are per cent."""
    key, value = _find(item, "battery")
    level = read_unsigned(value, key=key)
    is_share = level is not None and (0.0 < level < 1.0 or (key == "battery_level" and level <= 1.0))
    return level if level is None or is_share else level / 100.0


def _speed(item: JsonObject) -> float | None:
    for name, factor in _SPEEDS:
        if item.get(name) is not None:
            speed = read_unsigned(item[name], key=name)
            return None if speed is None else speed * factor
    return None


def names_beside(message: RawMessage) -> list[str]:
    """The names of a sender in its address: behind the path, then `id`, `device`, `d`, `token` of the query."""
    query = dict(parse_qsl(message.query.decode("utf-8", "replace"), max_num_fields=50)) if message.query else {}
    asked = [query[name] for name in ("id", "deviceid", "device", "device_id", "d", "token") if query.get(name)]
    return [name for name in (*message.path, *asked) if name.strip()][:4]


def _decode_message(message: RawMessage) -> list[Report]:
    try:
        names = names_beside(message)
    except ValueError:
        raise MalformedError("More than {limit} fields in one message.", limit=50) from None
    return decode(message.payload, names)


def _answer_nothing(_result: IntakeResult) -> bytes:
    return b"{}"


FORMAT = GpsFormat(
    name="json",
    title="Flat JSON",
    description=(
        "Positions as `{id, lat, lon, time, …}` in the usual spellings, alone or in a list, of which a bad one leaves "
        "the others; the device may stand behind the path or as `?id=`."
    ),
    decode=_decode_message,
    takes_path=True,
)
HOME_ASSISTANT = GpsFormat(
    name="homeassistant",
    title="Home Assistant companion app",
    description="`update_location` of the app; no location is answered 200 as well. The device is in the path.",
    decode=_decode_message,
    answer=_answer_nothing,
    takes_path=True,
    aliases=("/api/webhook",),
)
