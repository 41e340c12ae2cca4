"""OsmAnd's live tracking and Traccar Client: query, form and JSON.

Field names, the units (knots in the query, m/s in JSON) and the reading of timestamps follow what the public
Traccar server accepts on its OsmAnd port, and https://www.traccar.org/osmand/.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from geo.errors import MalformedError
from geo.units import knots_to_mps
from ingest.formats import flat
from ingest.formats.gps_format import GpsFormat, RawMessage
from ingest.formats.report import (
    BYTE_ORDER_MARK,
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

_MAX_FIELDS = 200
_REPEATED = {"cell", "wifi"}
"""Keys that say what radio the phone receives; sent once a tower or access point."""


def decode(query: bytes, body: bytes, content_type: str) -> list[Report]:
    """The reports in one request.

    Arguments: the raw query string, the body, its media type. JSON is told by its media type or its first
    character, a form adds to the query. Result: one report, or several if a JSON client sends a list of locations.

    Raises
    ------
    MalformedError
        If the device is not named or a value cannot be read.
    """
    if "json" in content_type.lower() or body.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"["):
        return decode_json(body, fallback_device=_device_of(query))
    pairs = _pairs(query)
    if body:
        pairs += _pairs(body.strip())
    return [decode_pairs(pairs)]


def _device_of(query: bytes) -> str | None:
    values = dict(_pairs(query))
    return values.get("id") or values.get("deviceid")


def decode_pairs(pairs: Iterable[tuple[str, str]]) -> Report:
    """The report in the key-value pairs of a query or form.

    Raises
    ------
    MalformedError
        If the device is not named or a value cannot be read.
    """
    values: dict[str, str] = {}
    radio: dict[str, list[str]] = {}
    for key, value in pairs:
        if key in _REPEATED:
            radio.setdefault(key, []).append(value)
        elif value != "" or key not in values:
            values[key] = value
    device = read_identifier(values.pop("id", None) or values.pop("deviceid", None), key="id")
    values.pop("deviceid", None)
    lat_text, lon_text = values.pop("lat", None), values.pop("lon", None)
    if location := values.pop("location", None):
        lat_text, separator, lon_text = location.partition(",")
        if not separator:
            raise MalformedError("location={value} is not lat,lon.", field="location", value=clean(lat_text)[:40])
    speed_kn = read_unsigned(values.pop("speed", None), key="speed")
    bearing, heading = values.pop("bearing", None), values.pop("heading", None)
    battery = read_unsigned(values.pop("batt", None), key="batt")
    report = Report(
        device=device,
        time=read_time(values.pop("timestamp", None), key="timestamp"),
        speed_mps=None if speed_kn is None else knots_to_mps(speed_kn),
        heading_deg=read_heading(bearing if bearing is not None else heading, key="bearing"),
        accuracy_m=read_unsigned(values.pop("accuracy", None), key="accuracy"),
        altitude_m=read_measured(values.pop("altitude", None), key="altitude"),
        battery=None if battery is None else battery / 100.0,
        mock=read_flag(values.pop("mock", None)),
    )
    if "valid" not in values or read_flag(values["valid"]):
        _place(report, lat_text, lon_text, ("lat", "lon"))
    else:
        report.keep("valid", False)
    values.pop("valid", None)
    report.keep("hdop", read_measured(values.pop("hdop", None), key="hdop"))
    for key, value in values.items():
        report.keep(key, _typed(value))
    for key, stations in radio.items():
        report.keep(key, ";".join(stations))
    return report


def decode_json(body: bytes, *, fallback_device: str | None = None) -> list[Report]:
    """The reports in the JSON body of a newer Traccar Client, or in a list of such bodies.

    Raises
    ------
    MalformedError
        If the body is not such JSON, the device is not named, or a value cannot be read.
    """
    document = read_document(body)
    if isinstance(document, list):
        return [report for item in document for report in _decode_listed(item, fallback_device)]
    if not isinstance(document, dict):
        raise MalformedError("The body is JSON but not an object.")
    return _decode_document(document, fallback_device)


def _decode_listed(item: object, fallback_device: str | None) -> list[Report]:
    """The reports of one document of a list; one that cannot be read is a report with its `fault`."""
    try:
        if not isinstance(item, dict):
            raise MalformedError("{value} is not a JSON object.", value=clean(str(item))[:40])
        return _decode_document(item, fallback_device)
    except MalformedError as error:
        return [Report(fallback_device or "", fault=str(error))]


def _decode_document(document: JsonObject, fallback_device: str | None) -> list[Report]:
    locations = document.get("location")
    if locations is None and flat.is_flat(document):
        return [flat.decode_object(document, [fallback_device] if fallback_device else [])]
    device = read_identifier(document.get("device_id") or fallback_device, key="device_id")
    if locations is None:
        return [Report(device)]
    if isinstance(locations, dict):
        return [_decode_location(device, locations)]
    if not isinstance(locations, list):
        raise MalformedError("location is not an object.", field="location")
    return [_decode_item(device, location) for location in locations]


def _decode_item(device: str, location: object) -> Report:
    """One location of several; one that cannot be read is a report with its `fault`."""
    try:
        if not isinstance(location, dict):
            raise MalformedError("location is not an object.", field="location")
        return _decode_location(device, location)
    except MalformedError as error:
        return Report(device, fault=str(error))


def _decode_location(device: str, location: JsonObject) -> Report:
    coords = _object(location, "coords")
    battery = _object(location, "battery")
    level = read_unsigned(battery.get("level"), key="battery.level")
    report = Report(
        device=device,
        time=read_time(location.get("timestamp"), key="timestamp"),
        speed_mps=read_unsigned(coords.get("speed"), key="coords.speed"),
        heading_deg=read_heading(coords.get("heading"), key="coords.heading"),
        accuracy_m=read_unsigned(coords.get("accuracy"), key="coords.accuracy"),
        altitude_m=read_measured(coords.get("altitude"), key="coords.altitude"),
        battery=level,
        mock=read_flag(location.get("mock")) or read_flag(coords.get("mock")),
    )
    _place(report, coords.get("latitude"), coords.get("longitude"), ("coords.latitude", "coords.longitude"))
    report.keep("motion", location.get("is_moving"))
    report.keep("charge", battery.get("is_charging"))
    report.keep("activity", _object(location, "activity").get("type"))
    for key in ("event", "odometer"):
        report.keep(key, location.get(key))
    for key, value in _object(location, "extras").items():
        report.keep(key, value)
    known = {"timestamp", "coords", "battery", "mock", "is_moving", "activity", "event", "odometer", "extras", "_"}
    for key, value in location.items():
        if key not in known:
            report.keep(key, value)
    return report


def _pairs(encoded: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            encoded.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise MalformedError("More than {limit} fields in one message.", limit=_MAX_FIELDS) from None


def _object(parent: JsonObject, key: str) -> JsonObject:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _place(report: Report, lat: object, lon: object, keys: tuple[str, str]) -> None:
    report.lat, report.lon = read_number(lat, key=keys[0]), read_number(lon, key=keys[1])
    if (report.lat is None) != (report.lon is None):
        missing = keys[0] if report.lat is None else keys[1]
        raise MalformedError("{missing} is missing: a position needs both.", field=missing, missing=missing)


def _typed(value: str) -> str | float | bool:
    if value in {"true", "false"}:
        return value == "true"
    try:
        number = read_number(value, key="attribute")
    except MalformedError:
        return value
    return value if number is None else number


def _decode_message(message: RawMessage) -> list[Report]:
    return decode(message.query, message.payload, message.content_type)


FORMAT = GpsFormat(
    name="osmand",
    title="OsmAnd and Traccar Client",
    description="One position as query, form or JSON. 200 when it is durable, or refused for good.",
    decode=_decode_message,
    methods=("GET", "POST"),
    aliases=("/",),
)
