"""OwnTracks' JSON over HTTP (and, with a topic, over MQTT).

Field names and units as in https://owntracks.org/booklet/tech/json/ (`vel` in km/h, `tst` in seconds).
"""

from __future__ import annotations

from geo.errors import MalformedError
from geo.units import kmh_to_mps
from ingest.formats.gps_format import GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import (
    EncryptedError,
    JsonObject,
    Report,
    read_flag,
    read_heading,
    read_identifier,
    read_json,
    read_number,
    read_time,
    read_unsigned,
)

_READ = {"_type", "lat", "lon", "tst", "acc", "alt", "batt", "cog", "vel", "topic", "mock"}


def decode(body: bytes, *, topic: str | None = None, device_header: str | None = None) -> Report | None:
    """The report in one message, or `None` if the message is not a position (`lwt`, `waypoint`, `status`, …).

    The device is the last part of the topic (in the message, else of MQTT), else `device_header` (`X-Limit-D`),
    else `tid`.

    Raises
    ------
    MalformedError
        If the body is not such JSON, the device is not named, or a value cannot be read.
    EncryptedError
        If the payload is encrypted: there is no key here to read it with.
    """
    message = read_json(body)
    kind = message.get("_type")
    if not isinstance(kind, str) or not kind:
        raise MalformedError("_type is missing: it says what the message is.", field="_type")
    if kind == "encrypted":
        raise EncryptedError(
            "The payload is encrypted; turn the encryption key off in OwnTracks, HTTPS already protects it.",
            field="_type",
        )
    if kind != "location":
        return None
    speed_kmh = read_unsigned(message.get("vel"), key="vel")
    battery = read_unsigned(message.get("batt"), key="batt")
    report = Report(
        device=_device(message, topic, device_header),
        time=read_time(message.get("tst"), key="tst"),
        lat=read_number(message.get("lat"), key="lat"),
        lon=read_number(message.get("lon"), key="lon"),
        speed_mps=None if speed_kmh is None else kmh_to_mps(speed_kmh),
        heading_deg=read_heading(message.get("cog"), key="cog"),
        accuracy_m=read_unsigned(message.get("acc"), key="acc"),
        altitude_m=read_number(message.get("alt"), key="alt"),
        battery=None if battery is None else battery / 100.0,
        mock=read_flag(message.get("mock")),
    )
    for key, value in message.items():
        if key not in _READ:
            report.keep(key, value)
    if not report.has_position:
        raise MalformedError("lat and lon are missing: a location needs both.", field="lat")
    return report


def _device(message: JsonObject, topic: str | None, device_header: str | None) -> str:
    named = message.get("topic") or topic
    if isinstance(named, str) and named.strip("/ "):
        return read_identifier(named.strip("/ ").rpartition("/")[2], key="topic")
    return read_identifier(device_header or message.get("tid"), key="tid")


def _decode_message(message: RawMessage) -> list[Report]:
    report = decode(message.payload, topic=message.topic, device_header=message.headers.get("x-limit-d"))
    return [] if report is None else [report]


def _answer(_result: IntakeResult) -> bytes:
    """The commands for the phone: there are none, whatever became of its message."""
    return b"[]"


FORMAT = GpsFormat(
    name="owntracks",
    title="OwnTracks over HTTP",
    description="One OwnTracks message; the answer is an empty JSON array: there are no commands for the phone.",
    decode=_decode_message,
    answer=_answer,
)
