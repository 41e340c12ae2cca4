"""GT06 and its many kin (Concox, Jimi, WanWay): small binary packets over TCP, after a login that names the IMEI.

`7878 | length u8 | protocol u8 | content | serial u16 | CRC-ITU u16 | 0d0a`, or `7979` with a length of two bytes
(GT06 communication protocol v1.8.1). There is no answer that says no: what cannot be kept now is not answered.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from geo.units import kmh_to_mps
from ingest.formats.gps_format import GpsFormat, RawMessage
from ingest.formats.jt808_items import add_alarm
from ingest.formats.report import RefusalReason, Report
from ingest.formats.terminal_format import (
    IDENTIFIER_HEADER,
    MessageKind,
    Outcome,
    TerminalFormat,
    TerminalMessage,
    WholeMessages,
    damaged,
)

_LOGIN, _STATUS, _STATUS_LONG, _COMMAND_ANSWERS = 0x01, 0x13, 0x23, frozenset({0x15, 0x21})
_COMMAND: Final = 0x80
_LOCATIONS: Final = frozenset({0x10, 0x11, 0x12, 0x22, 0x31, 0x32, 0x33, 0x34, 0x37, 0xA0, 0xA4})
_SIZED: Final = frozenset({0x32, 0x33})
"""Locations in which the place may stand behind its length, which is 0 where there is none (AZ735, packets of 7979)."""
_ALARM_FIRST: Final = frozenset({0x34})
"""Locations behind a word of alarms (X1)."""
_ALARMS: Final = frozenset({0x16, 0x26, 0x27})
"""Locations with what the terminal is like behind them; in 27 a byte says to which fence they belong."""
_TIMES: Final = frozenset({0x8A})
_MAX_PACKET_BYTES: Final = 2_048
_PLACE = struct.Struct(">6sBIIBH")
_TIME_BYTES: Final = 6
_PLACE_SIZE: Final = bytes([_PLACE.size - _TIME_BYTES])
_UNITS_PER_DEGREE: Final = 1_800_000.0
_FIXED, _WEST, _NORTH, _COURSE = 0x1000, 0x0800, 0x0400, 0x03FF
_ALARM_NAMES: Final = {
    0x01: "sos",
    0x02: "powerCut",
    0x03: "vibration",
    0x04: "geofenceEnter",
    0x05: "geofenceExit",
    0x06: "overspeed",
    0x0E: "lowPower",
    0x0F: "lowPower",
    0x19: "lowBattery",
    0x23: "fallDown",
}
_ALARM_BITS: Final = {1: "vibration", 2: "powerCut", 3: "lowBattery", 4: "sos"}
_BATTERY_OF_LEVEL: Final = (0.0, 0.02, 0.05, 0.2, 0.5, 0.8, 1.0)


def decode(packet: bytes, device: str) -> list[Report]:
    """The report in one packet without its start, checksum and stop: protocol, content, serial.

    Raises
    ------
    MalformedError
        If a location is cut short, or its time is none.
    """
    protocol, content = packet[0], packet[1:-2]
    if protocol == _STATUS:
        report = Report(device)
        _read_status(report, content)
        return [report]
    if protocol == _STATUS_LONG:
        return [_read_long_status(device, content)]
    if protocol not in _LOCATIONS | _ALARMS:
        return []
    if protocol in _ALARM_FIRST:
        content = content[4:]
    if protocol in _SIZED and content[_TIME_BYTES : _TIME_BYTES + 1] in (b"\x00", _PLACE_SIZE):
        content = content[:_TIME_BYTES] + content[_TIME_BYTES + 1 :] if content[_TIME_BYTES] else content[:_TIME_BYTES]
        if len(content) == _TIME_BYTES:
            return [Report(device, time=_read_time(content))]
    if len(content) < _PLACE.size:
        raise damaged(f"a location of {len(content)} bytes is cut short")
    time, satellites, lat, lon, speed_kmh, course = _PLACE.unpack_from(content)
    report = Report(
        device,
        time=_read_time(time),
        speed_mps=kmh_to_mps(float(speed_kmh)),
        heading_deg=float(course & _COURSE) % 360.0 if course & _COURSE <= 360 else None,
    )
    report.keep("satellites", satellites & 0x0F)
    place = (
        lat / _UNITS_PER_DEGREE * (1 if course & _NORTH else -1),
        lon / _UNITS_PER_DEGREE * (-1 if course & _WEST else 1),
    )
    if course & _FIXED:
        report.lat, report.lon = place
    else:
        report.keep("valid", False)
        report.keep("last_lat", place[0])
        report.keep("last_lon", place[1])
    rest = content[_PLACE.size :]
    if protocol in _ALARMS and rest:
        cells = 1 + rest[0] if protocol == 0x27 or rest[0] >= 9 else 9
        _read_status(report, rest[max(cells - 1, 8) + (1 if protocol == 0x27 else 0) :])
    elif protocol in (0x22, 0x32) and len(rest) >= 9:
        report.keep("ignition", bool(rest[8]))
    return [report]


def _read_time(data: bytes) -> datetime:
    year, month, day, hour, minute, second = data
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise damaged(f"time={data.hex()} is not a date and time") from None


def _read_long_status(device: str, status: bytes) -> Report:
    """Terminal information, voltage of the battery (u16, 0.01 V), signal; language and port follow, and no alarm."""
    report = Report(device)
    _read_status(report, status[:1])
    if len(status) >= 4:
        report.keep("battery_v", int.from_bytes(status[1:3], "big") / 100.0)
        report.keep("signal", status[3])
    return report


def _read_status(report: Report, status: bytes) -> None:
    """Terminal information, battery level 0–6, signal 0–4, and in alarms which."""
    if not status:
        return
    report.keep("ignition", bool(status[0] & 0x02))
    report.keep("charge", bool(status[0] & 0x04))
    bits = _ALARM_BITS.get(status[0] >> 3 & 0x07)
    if bits:
        add_alarm(report, bits)
    if len(status) > 1 and status[1] < len(_BATTERY_OF_LEVEL):
        report.battery = _BATTERY_OF_LEVEL[status[1]]
    if len(status) > 2:
        report.keep("signal", status[2])
    if len(status) > 3 and status[3] in _ALARM_NAMES:
        add_alarm(report, _ALARM_NAMES[status[3]])


def checksum(data: bytes) -> int:
    """CRC-16/X-25, which the protocol calls CRC-ITU: reflected CCITT, all ones before and inverted behind."""
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
    return int(f"{binascii.crc_hqx(mirrored, 0xFFFF):016b}"[::-1], 2) ^ 0xFFFF


def write_packet(protocol: int, serial: int, content: bytes = b"") -> bytes:
    """A packet of the platform."""
    data = bytes([len(content) + 5, protocol]) + content + struct.pack(">H", serial & 0xFFFF)
    return b"\x78\x78" + data + struct.pack(">H", checksum(data)) + b"\x0d\x0a"


class Gt06Conversation(WholeMessages):
    """One terminal's connection; its login says whose."""

    def __init__(self) -> None:
        super().__init__()
        self._terminal = ""
        self._serial = 0

    def text(self, terminal: str, text: str) -> tuple[int, bytes] | None:
        """A text for the terminal's screen (protocol 80), as far as it has one."""
        if not terminal or terminal != self._terminal:
            return None
        self._serial = (self._serial + 1) & 0x7FFF
        words = text.encode("ascii", "replace")[:200]
        content = bytes([len(words) + 4]) + struct.pack(">I", self._serial) + words
        return self._serial, write_packet(_COMMAND, self._serial, content)

    def _cut(self) -> Iterator[TerminalMessage]:
        while len(self._pending) >= 5:
            start = self._find_start()
            if start:
                del self._pending[:start]
                yield TerminalMessage(MessageKind.UNREADABLE, reason=RefusalReason.MALFORMED, fault="No packet.")
                continue
            is_long = self._pending[0] == 0x79
            head = 4 if is_long else 3
            length = int.from_bytes(self._pending[2:head], "big")
            end = head + length + 2
            if not 5 <= length <= _MAX_PACKET_BYTES:
                del self._pending[:2]
                yield TerminalMessage(MessageKind.UNREADABLE, reason=RefusalReason.MALFORMED, fault="Wrong length.")
                continue
            if len(self._pending) < end:
                return
            packet = bytes(self._pending[:end])
            is_whole = packet.endswith(b"\r\n")
            del self._pending[: end if is_whole else 2]
            body = packet[2:-4]
            if not is_whole or checksum(body) != int.from_bytes(packet[-4:-2], "big"):
                yield TerminalMessage(MessageKind.UNREADABLE, reason=RefusalReason.MALFORMED, fault="Wrong checksum.")
                continue
            yield self._message(body[head - 2 :])

    def _find_start(self) -> int:
        """How many bytes before the next start there are; all but the last if there is none."""
        found = [at for at in (self._pending.find(b"\x78\x78"), self._pending.find(b"\x79\x79")) if at >= 0]
        return min(found) if found else len(self._pending) - 1

    def _message(self, packet: bytes) -> TerminalMessage:
        protocol, serial = packet[0], int.from_bytes(packet[-2:], "big")
        answer: Callable[[Outcome, str], bytes] = partial(_answer, protocol, serial)
        message = TerminalMessage(MessageKind.REPORTS, self._terminal, packet, answer=answer)
        if protocol == _LOGIN:
            digits = packet[1:9].hex()
            if not digits.isdecimal():
                return replace(message, kind=MessageKind.UNREADABLE, fault="The login names no IMEI.")
            self._terminal = digits.lstrip("0") or "0"
            return replace(message, kind=MessageKind.REGISTER, terminal=self._terminal)
        if protocol in _COMMAND_ANSWERS and len(packet) >= 8:
            number = int.from_bytes(packet[2:6] if protocol == 0x15 else packet[1:5], "big")
            return replace(message, kind=MessageKind.COMMAND_ANSWER, command=number, is_obeyed=True)
        if protocol in _TIMES:
            return replace(message, kind=MessageKind.TIME)
        if protocol in _LOCATIONS | _ALARMS | {_STATUS, _STATUS_LONG}:
            return message if self._terminal else replace(message, kind=MessageKind.UNSUPPORTED)
        return replace(message, kind=MessageKind.UNSUPPORTED)


def _answer(protocol: int, serial: int, outcome: Outcome, told: str) -> bytes:
    if outcome is not Outcome.DONE or protocol in _COMMAND_ANSWERS:
        return b""
    if protocol in _TIMES:
        return write_packet(protocol, serial, bytes(int(told[at : at + 2]) for at in range(0, 12, 2)))
    return write_packet(protocol, serial)


def _decode_message(message: RawMessage) -> list[Report]:
    if len(message.payload) < 3:
        raise damaged("a packet has at least a protocol and a serial")
    return decode(message.payload, message.headers.get(IDENTIFIER_HEADER, ""))


FORMAT = TerminalFormat(
    name="gt06",
    title="GT06, Concox, Jimi",
    gps_format=GpsFormat(
        name="gt06",
        title="GT06 over TCP",
        description="One packet without its start, checksum and stop.",
        decode=_decode_message,
    ),
    open=Gt06Conversation,
)
