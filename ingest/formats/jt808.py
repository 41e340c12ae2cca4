"""JT/T 808: locations of Chinese commercial trackers, and what their terminal and the platform say to each other.

Bodies as in JT/T 808-2013 and -2019 (chapter 8); `jt808_frame` has the frames, `jt808_items` the additional items.
"""

from __future__ import annotations

import functools
import struct
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from geo.errors import MalformedError
from geo.text import fold
from geo.units import kmh_to_mps
from ingest.formats import jt808_lock
from ingest.formats.gps_format import GpsFormat, RawMessage
from ingest.formats.jt808_frame import (
    LOCK_MESSAGES,
    Frame,
    Header,
    MessageId,
    PlatformId,
    Splitter,
    read_frame,
    read_header,
    unescape,
    write_frame,
)
from ingest.formats.jt808_items import add_alarm, read_items
from ingest.formats.report import EncryptedError, RefusalReason, Report
from ingest.formats.terminal_format import (
    IDENTIFIER_HEADER,
    MessageKind,
    Outcome,
    Part,
    TerminalFormat,
    TerminalMessage,
    damaged,
)

BEIJING: Final = timezone(timedelta(hours=8))
"""In which terminals state times (JT/T 808-2013, 8.12)."""
_LOCATION = struct.Struct(">IIIIHHH6s")
_IGNITION, _FIXED, _SOUTH, _WEST = 0x01, 0x02, 0x04, 0x08
MAX_TEXT_BYTES: Final = 960
_CENTURY: Final = 2000
_ALARMS: Final = (
    (0, "sos"),
    (1, "overspeed"),
    (2, "fatigueDriving"),
    (4, "fault"),
    (5, "gpsAntennaCut"),
    (6, "gpsAntennaCut"),
    (7, "lowPower"),
    (8, "powerCut"),
    (9, "fault"),
    (10, "fault"),
    (11, "fault"),
    (20, "geofence"),
    (28, "movement"),
    (29, "accident"),
    (30, "accident"),
)
"""Bits of the alarm word (JT/T 808-2013, table 24), by the names that Traccar gives alarms."""
_RESULTS: Final = {
    Outcome.DONE: 0,
    Outcome.SEND_AGAIN: 1,
    Outcome.UNKNOWN_TERMINAL: 1,
    Outcome.WRONG_SECRET: 1,
    Outcome.UNREADABLE: 2,
    Outcome.UNSUPPORTED: 3,
}
_TERMINAL_NOT_KNOWN: Final = 4
_KINDS: Final[Mapping[int, MessageKind]] = {
    MessageId.GENERAL_REPLY: MessageKind.COMMAND_ANSWER,
    MessageId.HEARTBEAT: MessageKind.ALIVE,
    MessageId.LOGOUT: MessageKind.LOGOUT,
    MessageId.TIME_REQUEST: MessageKind.TIME,
    MessageId.REGISTER: MessageKind.REGISTER,
    MessageId.AUTHENTICATE: MessageKind.AUTHENTICATE,
    MessageId.LOCATION: MessageKind.REPORTS,
    MessageId.LOCATION_ANSWER: MessageKind.REPORTS,
    MessageId.CONTROL_ANSWER: MessageKind.REPORTS,
    MessageId.LOCATION_BATCH: MessageKind.REPORTS,
    MessageId.LOCATION_BATCH_SHORT: MessageKind.REPORTS,
    MessageId.LOCK_LOCATION: MessageKind.REPORTS,
    MessageId.LOCK_LOCATION_BLIND: MessageKind.REPORTS,
}


def decode(payload: bytes, identifier: str = "") -> list[Report]:
    """The reports in a message; none in one that carries no location.

    `payload` is a frame without its two ends, its escapes undone and its checksum looked at (or, of a split message,
    the first frame's header, all bodies and a byte), `identifier` its sender if that is known by another name than the
    terminal's number. A location of a batch that cannot be read is a report with its `fault`.

    Raises
    ------
    MalformedError
        If its header or its only location cannot be read.
    """
    header, body_at = read_header(payload)
    body, device = payload[body_at:-1], identifier or header.terminal
    match header.message_id:
        case MessageId.LOCATION:
            return [read_location(body, device)]
        case MessageId.LOCATION_ANSWER | MessageId.CONTROL_ANSWER:
            return [read_location(body[2:], device)]
        case MessageId.LOCATION_BATCH | MessageId.LOCATION_BATCH_SHORT:
            return _read_batch(body, device, is_short=header.message_id == MessageId.LOCATION_BATCH_SHORT)
        case MessageId.LOCK_LOCATION | MessageId.LOCK_LOCATION_BLIND:
            return [jt808_lock.read(body, device, is_blind=header.message_id == MessageId.LOCK_LOCATION_BLIND)]
    return []


def read_location(body: bytes, device: str) -> Report:
    """The report in a location: alarm, status, place, altitude, speed, course, time, then items.

    What a receiver without a fix sends is its last place or zeros: a report without position that keeps it beside.

    Raises
    ------
    MalformedError
        If it is cut short, or its time is none.
    """
    if len(body) < _LOCATION.size:
        raise damaged(f"a location of {len(body)} bytes is cut short")
    alarm, status, lat_e6, lon_e6, altitude, speed, course, time = _LOCATION.unpack_from(body)
    lat = (-lat_e6 if status & _SOUTH else lat_e6) / 1e6
    lon = (-lon_e6 if status & _WEST else lon_e6) / 1e6
    is_fixed = bool(status & _FIXED)
    report = Report(
        device,
        time=read_bcd_time(time) if is_fixed or any(time) else None,
        altitude_m=float(altitude - 0x10000 if altitude & 0x8000 else altitude),
        speed_mps=None if speed == 0xFFFF else kmh_to_mps(speed / 10.0),
        heading_deg=None if course > 360 else course % 360.0,
    )
    if is_fixed:
        report.lat, report.lon = lat, lon
    else:
        report.keep("valid", False)
        report.keep("last_lat", lat)
        report.keep("last_lon", lon)
    report.keep("ignition", bool(status & _IGNITION))
    for bit, name in _ALARMS:
        if alarm >> bit & 1:
            add_alarm(report, name)
    read_items(report, body[_LOCATION.size :])
    return report


def read_bcd_time(data: bytes) -> datetime:
    """The aware UTC time of `YYMMDDhhmmss` in BCD, which states Beijing's.

    Raises
    ------
    MalformedError
        If its digits are none, or no date.
    """
    digits = data.hex()
    try:
        year, month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(0, 12, 2))
        moment = datetime(_CENTURY + year, month, day, hour, minute, second, tzinfo=BEIJING)
    except ValueError:
        raise damaged(f"time={digits} is not a date and time") from None
    return moment.astimezone(UTC)


def _read_batch(body: bytes, device: str, *, is_short: bool) -> list[Report]:
    """Locations with their lengths; those of 0704 behind a count and what kind of batch it is (1: sent late)."""
    if not is_short and len(body) < 3:
        raise damaged(f"a batch of {len(body)} bytes is cut short")
    count = 0 if is_short else int.from_bytes(body[:2], "big")
    reports: list[Report] = []
    for piece in _pieces(body if is_short else body[3:], 1 if is_short else 2):
        try:
            if piece is None:
                raise damaged(f"location {len(reports) + 1} of the batch is cut short")
            report = read_location(piece, device)
        except MalformedError as error:
            report = Report(device, fault=str(error))
        if not is_short and body[2]:
            report.keep("archive", True)
        reports.append(report)
    if count > len(reports):
        reports.append(Report(device, fault=f"The batch says {count} locations and has {len(reports)}."))
    if reports and all(report.fault for report in reports):
        raise damaged(f"no location of the batch can be read: {reports[0].fault or ''}")
    return reports


def _pieces(data: bytes, length_bytes: int) -> Iterator[bytes | None]:
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        piece = data[at : at + length]
        yield piece if len(piece) == length and length else None
        at += length


class Jt808Conversation:
    """One terminal's connection."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._serial = 0
        self._header: Header | None = None

    @property
    def pending_bytes(self) -> int:
        """How much of a frame has come that is not complete yet."""
        return self._splitter.pending_bytes

    def feed(self, data: bytes) -> list[TerminalMessage]:
        """The messages that these bytes complete."""
        return [self._read(piece) for piece in self._splitter.feed(data)]

    def join(self, last: TerminalMessage, payloads: Sequence[bytes]) -> TerminalMessage:
        """The whole message of pieces, as `decode` takes it."""
        bodies = [payload[read_header(payload)[1] : -1] for payload in payloads]
        head = payloads[0][: read_header(payloads[0])[1]]
        return replace(last, kind=MessageKind.REPORTS, payload=b"".join([head, *bodies, b"\x00"]), part=None)

    def missing(self, last: TerminalMessage, indices: Sequence[int]) -> bytes:
        """Asks for the pieces that did not come (0x8003)."""
        header = read_header(last.payload)[0]
        first = header.serial - (last.part.index - 1 if last.part else 0)
        count = struct.pack(">H" if header.is_2019 else ">B", len(indices))
        numbers = b"".join(struct.pack(">H", index) for index in indices)
        return self._write(PlatformId.PARTS_REQUEST, header, struct.pack(">H", first & 0xFFFF) + count + numbers)

    def text(self, terminal: str, text: str) -> tuple[int, bytes] | None:
        """A text for the driver (0x8300): shown, and read out."""
        if self._header is None or self._header.terminal != terminal or self._header.message_id in LOCK_MESSAGES:
            return None
        serial = self._serial
        flags = b"\x0d\x01" if self._header.is_2019 else b"\x0d"
        return serial, self._write(PlatformId.TEXT, self._header, flags + encode_text(text))

    def _read(self, piece: bytes | None) -> TerminalMessage:
        if piece is None:
            return _unreadable("Longer than any frame.")
        try:
            data = unescape(piece)
            header = read_header(data)[0]
        except MalformedError as error:
            return _unreadable(str(error))
        answer = functools.partial(self._answer, header)
        try:
            frame = read_frame(data)
        except EncryptedError as error:
            return replace(
                _unreadable(str(error)),
                kind=MessageKind.UNSUPPORTED,
                reason=RefusalReason.ENCRYPTED,
                terminal=header.terminal,
                answer=answer,
            )
        except MalformedError as error:
            # Noise between frames names no message that anybody waits to see answered.
            is_noise = header.message_id not in _KINDS
            return _unreadable(str(error)) if is_noise else replace(_unreadable(str(error)), answer=answer)
        self._header = header
        return self._message(frame, data, answer)

    def _message(self, frame: Frame, data: bytes, answer: Callable[[Outcome, str], bytes]) -> TerminalMessage:
        header, body = frame.header, frame.body
        kind = _KINDS.get(header.message_id, MessageKind.UNSUPPORTED)
        message = TerminalMessage(kind, header.terminal, data, answer=answer)
        if header.part is not None and header.part[1] > 1:
            index, total = header.part
            first = (header.serial - index + 1) & 0xFFFF
            part = Part(f"{header.terminal}:{header.message_id:04x}:{first}:{total}", index, total)
            kept = MessageKind.PART if kind is MessageKind.REPORTS else MessageKind.UNSUPPORTED
            return replace(message, kind=kept, part=part)
        if kind is MessageKind.AUTHENTICATE:
            return replace(message, secret=read_secret(header, body))
        if kind is MessageKind.COMMAND_ANSWER and len(body) >= 5:
            return replace(message, command=int.from_bytes(body[:2], "big"), is_obeyed=body[4] == 0)
        return message

    def _answer(self, header: Header, outcome: Outcome, told: str) -> bytes:
        """What the standard answers a message with, by what became of it."""
        result = bytes([_RESULTS[outcome]])
        match header.message_id:
            case MessageId.GENERAL_REPLY:
                return b""
            case MessageId.REGISTER if outcome in (Outcome.DONE, Outcome.UNKNOWN_TERMINAL):
                is_known = outcome is Outcome.DONE
                registered = b"\x00" + told.encode("ascii") if is_known else bytes([_TERMINAL_NOT_KNOWN])
                return self._write(PlatformId.REGISTER_ANSWER, header, struct.pack(">H", header.serial) + registered)
            case MessageId.TIME_REQUEST if outcome is Outcome.DONE:
                return self._write(PlatformId.TIME_ANSWER, header, bytes.fromhex(told))
            case MessageId.LOCK_LOCATION | MessageId.LOCK_LOCATION_BLIND:
                if not header.wants_answer:
                    return b""
                return self._write(PlatformId.LOCK_REPLY, header, struct.pack(">H", header.message_id) + result)
        body = struct.pack(">HH", header.serial, header.message_id) + result
        return self._write(PlatformId.GENERAL_REPLY, header, body)

    def _write(self, message_id: int, header: Header, body: bytes) -> bytes:
        serial, self._serial = self._serial, (self._serial + 1) & 0xFFFF
        return write_frame(message_id, header, serial, body)


def read_secret(header: Header, body: bytes) -> str:
    """The code by which a terminal authenticates itself (0x0102); since 2019 its length stands before it."""
    if header.is_2019:
        body = body[1 : 1 + body[0]] if body else b""
    return body.decode("ascii", "replace").strip("\x00 ")


def encode_text(text: str) -> bytes:
    """`text` in GBK, letters that it has not without their accents; cut to what one frame takes."""
    encoded = b"".join(_gbk(character) for character in unicodedata.normalize("NFC", text))
    return encoded[:MAX_TEXT_BYTES].decode("gbk", "ignore").encode("gbk")


def _gbk(character: str) -> bytes:
    try:
        return character.encode("gbk")
    except UnicodeEncodeError:
        bare = fold(character)
        return (bare.upper() if character.isupper() else bare).encode("gbk", "replace")


def _unreadable(fault: str) -> TerminalMessage:
    return TerminalMessage(MessageKind.UNREADABLE, reason=RefusalReason.MALFORMED, fault=fault)


def _decode_message(message: RawMessage) -> list[Report]:
    return decode(message.payload, message.headers.get(IDENTIFIER_HEADER, ""))


FORMAT = TerminalFormat(
    name="jt808",
    title="JT/T 808",
    gps_format=GpsFormat(
        name="jt808",
        title="JT/T 808 over TCP",
        description="One frame of JT/T 808-2013 or -2019, its escapes undone.",
        decode=_decode_message,
    ),
    open=Jt808Conversation,
)
