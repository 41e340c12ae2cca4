"""Overland for iOS and Android: batches of GeoJSON features, repeated for ever unless answered `{"result":"ok"}`.

Names as in https://github.com/aaronpk/Overland-iOS#api: `speed` in m/s, `battery_level` 0–1, negative is unknown.
"""

from __future__ import annotations

from geo.errors import CuaKhauError, MalformedError
from ingest.formats.flat import names_beside
from ingest.formats.gps_format import GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import (
    JsonObject,
    Report,
    clean,
    read_heading,
    read_identifier,
    read_json,
    read_measured,
    read_number,
    read_time,
    read_unsigned,
)

_READ = frozenset(
    {"timestamp", "altitude", "speed", "course", "horizontal_accuracy", "battery_level", "device_id", "unique_id"}
)


def decode(body: bytes, devices: list[str]) -> list[Report]:
    """The reports in a batch; a feature that cannot be read is one with its `fault`. `devices` are more names of it.

    Raises
    ------
    MalformedError
        If the body is not such JSON.
    """
    if not body.strip():
        return []
    locations = read_json(body).get("locations")
    if not isinstance(locations, list):
        raise MalformedError("locations is missing: it is a list of GeoJSON features.", field="locations")
    reports: list[Report] = []
    for feature in locations:
        try:
            reports.append(_read_feature(feature, devices))
        except CuaKhauError as error:
            reports.append(Report(devices[0] if devices else "", fault=str(error)))
    return reports


def _read_feature(feature: object, devices: list[str]) -> Report:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    place = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(feature, dict) or not isinstance(place, list) or len(place) < 2:
        raise MalformedError("{value} is not a GeoJSON point.", value=clean(str(feature))[:60])
    properties: JsonObject = feature["properties"] if isinstance(feature.get("properties"), dict) else {}
    named = [properties[name] for name in ("device_id", "unique_id") if properties.get(name)]
    known = [read_identifier(value, key="device_id") for value in [*named, *devices]]
    if not known:
        raise MalformedError("{key} is missing: it names the device.", field="device_id", key="device_id")
    if place[0] is None or place[1] is None:
        raise MalformedError("{value} is not a GeoJSON point.", value=clean(str(place))[:60])
    battery = read_unsigned(properties.get("battery_level"), key="battery_level")
    report = Report(
        known[0],
        alternatives=tuple(known[1:]),
        time=read_time(properties.get("timestamp"), key="timestamp"),
        lat=read_number(place[1], key="coordinates"),
        lon=read_number(place[0], key="coordinates"),
        speed_mps=read_unsigned(properties.get("speed"), key="speed"),
        heading_deg=read_heading(properties.get("course"), key="course"),
        accuracy_m=read_unsigned(properties.get("horizontal_accuracy"), key="horizontal_accuracy"),
        altitude_m=read_measured(properties.get("altitude"), key="altitude"),
        battery=battery,
    )
    for key, value in properties.items():
        if key not in _READ:
            report.keep(key, value)
    return report


def _decode_message(message: RawMessage) -> list[Report]:
    try:
        names = names_beside(message)
    except ValueError:
        raise MalformedError("More than {limit} fields in one message.", limit=50) from None
    return decode(message.payload, [*names, *([message.gateway_token] if message.gateway_token else [])])


def _answer(_result: IntakeResult) -> bytes:
    return b'{"result":"ok"}'


FORMAT = GpsFormat(
    name="overland",
    title="Overland",
    description=(
        'A batch of GeoJSON features, answered `{"result":"ok"}`. The device is `device_id` of each, else behind the '
        "path, `?id=`, or the access token."
    ),
    decode=_decode_message,
    answer=_answer,
    takes_path=True,
    max_bytes=8 * 2**20,
)
