"""Positions forwarded by a Traccar server (`forward.type=json`, one POST a position).

Names and units of https://www.traccar.org/forward/ (`speed` in knots; a failed post is repeated, so the same
position can come twice).
"""

from __future__ import annotations

from geo.errors import MalformedError
from geo.units import knots_to_mps
from ingest.formats.gps_format import GpsFormat, RawMessage
from ingest.formats.report import (
    JsonObject,
    Report,
    read_flag,
    read_heading,
    read_identifier,
    read_json,
    read_measured,
    read_number,
    read_time,
    read_unsigned,
)


def decode(body: bytes) -> Report:
    """The report in one forwarded position.

    A position that Traccar marks `valid: false` is the last known one repeated: valid as a message, no position.
    Traccar writes 0 for an unknown accuracy.

    Raises
    ------
    MalformedError
        If the body is not such JSON, the device is not named, or a value cannot be read.
    """
    document = read_json(body)
    device = document.get("device")
    position = document.get("position")
    identifier = read_identifier(device.get("uniqueId") if isinstance(device, dict) else None, key="device.uniqueId")
    if position is None:
        return Report(identifier)
    if not isinstance(position, dict):
        raise MalformedError("position is not an object.", field="position")
    attributes: JsonObject = position["attributes"] if isinstance(position.get("attributes"), dict) else {}
    speed_kn = read_unsigned(position.get("speed"), key="position.speed")
    battery = read_unsigned(attributes.get("batteryLevel"), key="position.attributes.batteryLevel")
    report = Report(
        device=identifier,
        time=read_time(position.get("fixTime") or position.get("deviceTime"), key="position.fixTime"),
        lat=read_number(position.get("latitude"), key="position.latitude"),
        lon=read_number(position.get("longitude"), key="position.longitude"),
        speed_mps=None if speed_kn is None else knots_to_mps(speed_kn),
        heading_deg=read_heading(position.get("course"), key="position.course"),
        accuracy_m=read_unsigned(position.get("accuracy"), key="position.accuracy") or None,
        altitude_m=read_measured(position.get("altitude"), key="position.altitude"),
        battery=None if battery is None else battery / 100.0,
        mock=read_flag(attributes.get("mock")),
    )
    for key, value in attributes.items():
        if key not in {"batteryLevel", "mock"}:
            report.keep(key, value)
    if (report.lat is None) != (report.lon is None):
        raise MalformedError("A position needs both latitude and longitude.", field="position.latitude")
    if position.get("valid") is False:
        report.lat = report.lon = None
        report.keep("valid", False)
    return report


def _decode_message(message: RawMessage) -> list[Report]:
    return [decode(message.payload)]


FORMAT = GpsFormat(
    name="traccar",
    title="Position forwarding of a Traccar server",
    description="One forwarded position. Traccar repeats what is not answered 2xx; a repeat is kept once.",
    decode=_decode_message,
)
