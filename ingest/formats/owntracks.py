"""OwnTracks' JSON over HTTP (and, with a topic, over MQTT).

Field names and units as in https://owntracks.org/booklet/tech/json/ (`vel` in km/h, `tst` in seconds).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from urllib.parse import parse_qsl

import orjson

from geo.errors import CuaKhauError, MalformedError
from geo.units import kmh_to_mps
from ingest.formats.gps_format import GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import (
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

_READ = {"_type", "lat", "lon", "tst", "acc", "alt", "batt", "cog", "vel", "topic", "mock"}
_SUBTOPICS = {"event", "waypoint", "waypoints", "step", "beacon", "card", "info", "dump", "status", "cmd"}
"""What may stand behind the device in a topic of MQTT."""


def decode(body: bytes, senders: Sequence[str] = (), *, topic: str | None = None) -> list[Report]:
    """The reports in one message, or in a list of them; none if it is no position and no transition.

    The device is the one of the topic `owntracks/<user>/<device>` (in the message, else of MQTT), else one of
    `senders`, else `tid`; the user of the topic counts as well. A waypoint, `lwt`, `status` or empty message makes no
    report.

    Raises
    ------
    MalformedError
        If the body is not such JSON, the device is not named, or a value cannot be read.
    EncryptedError
        If the payload is encrypted: there is no key here to read it with.
    """
    if not body.strip():
        return []  # a friend was deleted in the app
    document = read_document(body)
    if isinstance(document, list):
        return _decode_list(document, senders, topic)
    if not isinstance(document, dict):
        raise MalformedError("The body is JSON but not an object.")
    report = _decode_one(document, senders, topic)
    return [] if report is None else [report]


def _decode_list(items: list[object], senders: Sequence[str], topic: str | None) -> list[Report]:
    reports: list[Report] = []
    for item in items:
        try:
            if not isinstance(item, dict):
                raise MalformedError("{value} is not a JSON object.", value=clean(str(item))[:40])
            report = _decode_one(item, senders, topic)
        except CuaKhauError as error:
            report = Report("", fault=str(error))
        if report is not None:
            reports.append(report)
    return reports


def _decode_one(message: JsonObject, senders: Sequence[str], topic: str | None) -> Report | None:
    kind = message.get("_type")
    if not isinstance(kind, str) or not kind:
        raise MalformedError("_type is missing: it says what the message is.", field="_type")
    if kind == "encrypted":
        raise EncryptedError(
            "The payload is encrypted; turn the encryption key off in OwnTracks, HTTPS already protects it.",
            field="_type",
        )
    if kind not in ("location", "transition"):
        return None
    if kind == "transition" and not (message.get("topic") or topic or senders or message.get("tid")):
        return None
    known = _devices(message, topic, senders)
    if kind == "transition":
        return _decode_transition(message, known)
    speed_kmh = read_unsigned(message.get("vel"), key="vel")
    battery = read_unsigned(message.get("batt"), key="batt")
    report = Report(
        device=known[0],
        alternatives=known[1:],
        time=read_time(message.get("tst"), key="tst"),
        lat=read_number(message.get("lat"), key="lat"),
        lon=read_number(message.get("lon"), key="lon"),
        speed_mps=None if speed_kmh is None else kmh_to_mps(speed_kmh),
        heading_deg=read_heading(message.get("cog"), key="cog"),
        accuracy_m=read_unsigned(message.get("acc"), key="acc"),
        altitude_m=read_measured(message.get("alt"), key="alt"),
        battery=None if battery is None else battery / 100.0,
        mock=read_flag(message.get("mock")),
    )
    for key, value in message.items():
        if key not in _READ:
            report.keep(key, value)
    if not report.has_position:
        raise MalformedError("lat and lon are missing: a location needs both.", field="lat")
    return report


def _decode_transition(message: JsonObject, known: tuple[str, ...]) -> Report:
    """A region entered or left (`event`, `desc`), which is an event and no position."""
    report = Report(known[0], alternatives=known[1:], time=read_time(message.get("tst"), key="tst"), is_event=True)
    report.keep("transition", message.get("event"))
    report.keep("region", message.get("desc"))
    return report


def _devices(message: JsonObject, topic: str | None, senders: Sequence[str]) -> tuple[str, ...]:
    """Names of the sender, the likeliest first."""
    named = message.get("topic") or topic
    of_topic: list[str] = []
    if isinstance(named, str) and named.strip("/ "):
        parts = named.strip("/ ").split("/")
        if len(parts) > 3 and parts[-1] in _SUBTOPICS:
            parts.pop()
        of_topic = [parts[-1], *parts[-2:-1]]
    names = [*of_topic[:1], *senders, *of_topic[1:]]
    if not names:
        return (read_identifier(message.get("tid"), key="tid"),)
    known = [read_identifier(name, key="topic") for name in names]
    if message.get("tid"):
        known.append(read_identifier(message["tid"], key="tid"))
    return tuple(dict.fromkeys(known))


def senders_of(message: RawMessage) -> list[str]:
    """What the request beside the message names its sender by: device before user, headers before query and Basic."""
    query = dict(parse_qsl(message.query.decode("utf-8", "replace"), max_num_fields=50)) if message.query else {}
    user = message.headers.get("authorization", "")
    names = (
        message.headers.get("x-limit-d"),
        query.get("d"),
        *message.path[::-1],
        message.headers.get("x-limit-u"),
        query.get("u"),
        _basic_user(user),
    )
    return [name for name in names if name and name.strip()]


def _basic_user(authorization: str) -> str | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "replace").partition(":")[0]
    except ValueError:
        return None


def _decode_message(message: RawMessage) -> list[Report]:
    try:
        senders = senders_of(message)
    except ValueError:
        raise MalformedError("More than {limit} fields in one message.", limit=50) from None
    return decode(message.payload, senders, topic=message.topic)


def _answer(_result: IntakeResult) -> bytes:
    """No commands for the phone, whatever became of its message."""
    return b"[]"


def write_commands(texts: Sequence[str]) -> list[dict[str, object]]:
    """Commands for the app: show each text, and say where the phone is now.

    `action` of https://owntracks.org/booklet/tech/json/#_typecmd; `reportLocation` shows whether an order worked.
    """
    shown: list[dict[str, object]] = [{"_type": "cmd", "action": "action", "content": text} for text in texts]
    return [*shown, {"_type": "cmd", "action": "reportLocation"}]


def _answer_commands(texts: Sequence[str]) -> bytes:
    return orjson.dumps(write_commands(texts))


FORMAT = GpsFormat(
    name="owntracks",
    title="OwnTracks over HTTP",
    description="One OwnTracks message; the answer is a JSON array of commands for the phone, mostly empty.",
    decode=_decode_message,
    answer=_answer,
    answer_commands=_answer_commands,
    takes_path=True,
    aliases=("/pub",),
)
