"""Each decoder of the registries and each reader of traces as a function of bytes that says how much it read of them.

A decoder reads any bytes or says what is wrong by an error of `geo.errors`; anything else it raises, and a result that
is none (half a position, a speed without end), is a fault. The first byte of an input says how the rest comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor
from typing import Final

import numpy as np

from app.declarations.form import Form
from app.integrations.bank import BankTransfer
from app.integrations.customs_messages import CustomsStatus
from app.integrations.export_messages import DayList, ExportData, ExportReceipt
from app.integrations.export_translation import to_form
from app.integrations.forms import codec
from app.integrations.forms.table import load
from app.integrations.messages import Body, JsonCodec, read_body
from app.integrations.registration_messages import RegistrationRecord
from app.integrations.seals import SealEventBody
from app.integrations.weather import WeatherWarningBody
from geo.errors import CuaKhauError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.gps_format import Decoded, GpsFormat, RawMessage
from ingest.formats.plate_read import PlateRead
from ingest.formats.registry import CAMERA_FORMATS, GPS_FORMATS, TERMINAL_FORMATS
from ingest.formats.report import Report, ReportColumns
from ingest.formats.terminal_format import (
    IDENTIFIER_HEADER,
    MAX_PENDING_BYTES,
    Outcome,
    TerminalFormat,
    TerminalMessage,
)
from ingest.signals import read_signals
from ingest.traces.files import READERS
from ingest.traces.trace import RawPoints, judge_points

Target = Callable[[bytes], int]
"""Bytes → how many reports, reads or points they were; raises whatever is a fault."""

BOUNDARY: Final = "b7f3"
CAMERA_TYPES: Final = (
    "application/json",
    f"multipart/form-data; boundary={BOUNDARY}",
    "application/xml",
    "",
    "application/json; charset=gb2312",
    'text/xml; charset="utf-16"',
)
"""Media type of a camera's message by the first byte of an input."""
QUERY, FORM, JSON, MQTT, ADDRESSED = range(5)
"""How a message of a GPS client comes, by the first byte; a payload over MQTT stands behind its topic and a line's
end, one that is addressed behind its path, user and device."""
PAYLOAD: Final = 0x80
"""From this first byte on, an input is what stands inside the frames of a protocol of trackers, not frames."""
JUDGED_POINTS: Final = 2_000
"""Points of traces are judged so many at once: a table of one costs as much as one of thousands."""


def gps_target(gps_format: GpsFormat) -> Target:
    """A format of GPS clients: over HTTP as query, form or JSON, with a path and names beside it, and over MQTT."""

    def target(data: bytes) -> int:
        try:
            decoded = gps_format.decode(gps_message(data))
        except CuaKhauError as error:
            return _said(error)
        return _check_reports(decoded)

    return target


def _said(error: CuaKhauError) -> int:
    """Nothing was read; what is wrong can be said."""
    assert str(error)
    return 0


def gps_message(data: bytes) -> RawMessage:
    """The message of a GPS client that an input stands for."""
    kind, rest = (data[0], data[1:]) if data else (QUERY, b"")
    if kind == QUERY:
        return RawMessage(query=rest)
    if kind == FORM:
        return RawMessage(rest, headers={"content-type": "application/x-www-form-urlencoded"})
    if kind == MQTT:
        topic, _, payload = rest.partition(b"\n")
        return RawMessage(payload, topic=topic.decode("utf-8", "replace"))
    if kind == ADDRESSED:
        line, _, payload = rest.partition(b"\n")
        path, user, device, *_ = [*line.decode("latin-1").split(" ", 2), "", "", ""]
        headers = {"authorization": f"Basic {user}", "x-limit-u": user, "x-limit-d": device}
        return RawMessage(payload, query=device.encode(), headers=headers, path=tuple(path.split("/")))
    return RawMessage(rest, query=b"id=abc", headers={"content-type": "application/json"}, topic="owntracks/a/b")


def terminal_target(protocol: TerminalFormat) -> Target:
    """One connection of a protocol of trackers, fed in two pieces; or what stands inside its frames."""

    def target(data: bytes) -> int:
        first, rest = (data[0], data[1:]) if data else (0, b"")
        if first >= PAYLOAD:
            return _read_terminal(protocol, RawMessage(rest, headers={IDENTIFIER_HEADER: "353861053849681"}))
        read = 0
        conversation = protocol.open()
        pieces: dict[str, dict[int, bytes]] = {}
        for message in [*conversation.feed(rest[:first]), *conversation.feed(rest[first:])]:
            for outcome in Outcome:
                message.answer(outcome, "260302100000")
            conversation.text(message.terminal, "đi Chi Ma 友谊关")
            whole: TerminalMessage | None = message
            if message.part is not None:
                part = message.part
                own = pieces.setdefault(part.group, {})
                own[part.index] = message.payload
                missing = [index for index in range(1, min(part.total, 64) + 1) if index not in own]
                conversation.missing(message, missing)
                whole = None if missing else conversation.join(message, [own[index] for index in sorted(own)])
            if whole is not None:
                read += _read_terminal(protocol, whole.raw(whole.terminal or "x"))
        assert conversation.pending_bytes <= MAX_PENDING_BYTES
        return read

    return target


def _read_terminal(protocol: TerminalFormat, message: RawMessage) -> int:
    try:
        return _check_reports(protocol.gps_format.decode(message))
    except CuaKhauError as error:
        return _said(error)


def _check_reports(decoded: Decoded) -> int:
    if isinstance(decoded, ReportColumns):
        sizes = {len(column) for column in (decoded.device, decoded.time_us, decoded.lat, decoded.lon, decoded.line)}
        assert len(sizes) == 1, sizes
        assert np.isfinite(decoded.lat).all()
        assert np.isfinite(decoded.lon).all()
        assert not np.isinf(decoded.speed_mps).any()
        assert not (decoded.speed_mps < 0.0).any()
        return len(decoded.lat)
    for report in decoded:
        assert report.device or report.fault is not None, "a report without a device"
        assert (report.lat is None) == (report.lon is None)
        _check_measured(report)
        list(read_signals(report))
    return len(decoded)


def _check_measured(report: Report) -> None:
    known = (report.lat, report.lon, report.altitude_m)
    unsigned = (report.speed_mps, report.heading_deg, report.accuracy_m, report.battery)
    assert all(math.isfinite(value) for value in (*known, *unsigned) if value is not None), report
    assert all(value >= 0.0 for value in unsigned if value is not None), report
    assert report.time is None or report.time.tzinfo is not None


def camera_target(camera_format: CameraFormat) -> Target:
    """A format of plate cameras, of each media type that cameras name."""

    def target(data: bytes) -> int:
        kind, rest = (data[0], data[1:]) if data else (0, b"")
        try:
            reads = camera_format.decode(rest, CAMERA_TYPES[kind % len(CAMERA_TYPES)])
        except CuaKhauError as error:
            return _said(error)
        check_reads(reads)
        return len(reads)

    return target


def check_reads(reads: list[PlateRead]) -> None:
    """Whether reads are what `PlateRead` says of them.

    Raises
    ------
    AssertionError
        If one is not.
    """
    for read in reads:
        assert 0.0 <= read.confidence <= 1.0
        assert read.plate == read.candidates[0].plate != ""
        assert all(0.0 <= candidate.confidence <= 1.0 for candidate in read.candidates)
        assert "\x00" not in read.plate + read.source_ref + read.camera
        assert 0 < len(read.source_ref) <= 160
        assert read.time is None or read.time.tzinfo is not None
        assert read.heading_deg is None or 0.0 <= read.heading_deg < 360.0


class TraceTarget:
    """A reader of traces; what it reads is judged together with what it read before, thousands of points at once."""

    def __init__(self, read: Callable[[bytes], RawPoints]) -> None:
        self._read = read
        self._held: list[tuple[bytes, RawPoints]] = []
        self._points = 0

    def __call__(self, data: bytes) -> int:
        """Read `data`, and judge once there are enough points.

        Raises
        ------
        AssertionError
            If the judgement fails; names the input that brings it about.
        """
        try:
            raw = self._read(data)
        except CuaKhauError as error:
            return _said(error)
        assert all(len(column) == len(raw.line) for column in raw.columns.values())
        if raw.line:
            self._held.append((data, raw))
            self._points += len(raw.line)
        if self._points >= JUDGED_POINTS:
            self.judge()
        return len(raw.line)

    def judge(self) -> int:
        """Judge what was read since the last time; how many of its points are good."""
        held, self._held, self._points = self._held, [], 0
        joint = RawPoints()
        for _, raw in held:
            for row, line in enumerate(raw.line):
                joint.add(line, **{name: column[row] for name, column in raw.columns.items()})
        try:
            return _judge(joint)
        except Exception:  # whatever it is: told again with the input that brings it about, never passed over
            for data, raw in held:
                try:
                    _judge(raw)
                except Exception as error:
                    raise AssertionError(f"{data!r}: {error!r}") from error
            raise


def _judge(raw: RawPoints) -> int:
    points = judge_points(raw, "x").points
    assert points["lat"].between(-90, 90).all()
    assert points["lon"].between(-180, 180).all()
    assert not points["time"].isna().any()
    assert not (points["speed_mps"] < 0.0).any()
    return len(points)


def _read_sentences(data: bytes) -> RawPoints:
    """NMEA with the checksum of each sentence made right: else nearly every input ends there."""
    lines = []
    for line in data.splitlines():
        body = line.partition(b"$")[2].rpartition(b"*")[0]
        lines.append(b"$%b*%02X" % (body, reduce(xor, body, 0)) if body else line)
    return READERS[".nmea"](b"\n".join(lines))


def _trace_readers() -> dict[str, Callable[[bytes], RawPoints]]:
    """Each reader once, by the first ending of a name that it is for."""
    found: dict[Callable[[bytes], RawPoints], str] = {}
    for ending, read in READERS.items():
        found.setdefault(read, f"trace{ending}")
    return {name: read for read, name in found.items()} | {"trace.nmea-whole": _read_sentences}


def declaration_target(data: bytes) -> int:
    """A declaration in the names of the WCO Data Model, XML or JSON, and what it fills in of a form here."""
    try:
        form = to_form(codec.read(data), load())
    except CuaKhauError as error:
        return _said(error)
    kept = Form.from_record(form.to_record())
    assert Form.from_record(kept.to_record()) == kept, "what was kept is read otherwise"
    return max(len(form.lines), 1)


def messages_target(data: bytes) -> int:
    """Messages of a neighbour as they come over the wire, and what each says by the model of its kind."""
    try:
        messages = JsonCodec().decode(data)
    except CuaKhauError as error:
        return _said(error)
    for message in messages:
        try:
            body = read_body(BODIES[message.kind], message.body) if message.kind in BODIES else None
            if isinstance(body, ExportData):
                to_form(body.record(), load())
        except CuaKhauError as error:
            _said(error)
    assert JsonCodec().decode(JsonCodec().encode_all(messages)) == messages
    return len(messages)


BODIES: Final[Mapping[str, type[Body]]] = {
    model.KIND: model
    for model in (
        CustomsStatus,
        RegistrationRecord,
        ExportData,
        ExportReceipt,
        DayList,
        BankTransfer,
        SealEventBody,
        WeatherWarningBody,
    )
}
"""What neighbours say, by kind."""
MESSAGE_TARGETS: Final[Mapping[str, Target]] = {
    "message.wco-dec": declaration_target,
    "message.neighbour": messages_target,
}
GPS_TARGETS: Final[Mapping[str, Target]] = {name: gps_target(each) for name, each in GPS_FORMATS.items()}
TERMINAL_TARGETS: Final[Mapping[str, Target]] = {name: terminal_target(each) for name, each in TERMINAL_FORMATS.items()}
CAMERA_TARGETS: Final[Mapping[str, Target]] = {name: camera_target(each) for name, each in CAMERA_FORMATS.items()}
TRACE_TARGETS: Final[Mapping[str, TraceTarget]] = {name: TraceTarget(read) for name, read in _trace_readers().items()}
TARGETS: Final[Mapping[str, Target]] = {
    **GPS_TARGETS,
    **TERMINAL_TARGETS,
    **CAMERA_TARGETS,
    **TRACE_TARGETS,
    **MESSAGE_TARGETS,
}
"""Every decoder by the name of its format; a reader of traces by `trace` and an ending, of messages by `message`."""
