"""H02 (HQ, Sinotrack, many cheap trackers): sentences `*HQ,IMEI,V1,…#` and packets `$…` of 32 bytes over TCP.

`*HQ,id,V1,hhmmss,A,ddmm.mmmm,N,dddmm.mmmm,E,knots,course,ddmmyy,status…#`, times in UTC; in the status word a bit of 0
is an alarm. What cannot be kept now is not answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from geo.units import knots_to_mps
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

_MAX_SENTENCE_BYTES: Final = 1_024
_PACKET_BYTES: Final = 32
_MAX_PACKET_BYTES: Final = 64
_LONG_ID_PACKET_BYTES: Final = 42
"""A packet of this length names its terminal by 8 bytes and not by 5."""
_DEGREES = r"-?\d{1,3}-\d{1,2}\.\d+|\d{1,5}\.\d*|\d{4,10}"
_SENTENCE = re.compile(
    rf",(?:(?P<time>\d{{6}}),)?(?P<valid>[ABV01]?),(?P<lat>{_DEGREES}),(?P<ns>[NS]),(?P<lon>{_DEGREES}),(?P<ew>[EW]),"
    r"(?P<speed>\d*\.?\d*),(?P<course>\d*\.?\d*),(?:\d{1,2},)?(?P<date>\d{6})(?:,(?P<status>[0-9A-Fa-f]{8})\b)?",
    re.ASCII,
)
"""A position, whatever stands before it: the kind of the sentence, or what a terminal answers."""
_NO_FIX = re.compile(r"\*\w{2},\w+,V(?:[1256]|I1|P1|19),(?:\d{6})?,?[V0]?,", re.ASCII)
_HEAD = re.compile(r"\*\w{2},(\w{5,20}),(\w+)", re.ASCII)
_ALIVE: Final = frozenset({"XT", "HTBT", "LINK", "NBR", "SMS"})
_IGNITION_BIT: Final = 10
_ALARM_BITS: Final = ((0, "vibration"), (1, "sos"), (18, "sos"), (2, "overspeed"), (19, "powerCut"))


def decode(payload: bytes, device: str) -> list[Report]:
    """The report in a sentence or packet.

    Raises
    ------
    MalformedError
        If it is not of this form, or its time is none.
    """
    return [_decode_packet(payload, device) if payload[:1] == b"$" else _decode_sentence(payload, device)]


def _decode_sentence(payload: bytes, device: str) -> Report:
    sentence = payload.decode("ascii", "replace")
    match = _SENTENCE.search(sentence)
    if match is None and _NO_FIX.match(sentence):
        report = Report(device)
        report.keep("valid", False)
        return report
    if match is None:
        raise damaged("it is no position of H02")
    speed, course = match["speed"], match["course"]
    return _report(
        device,
        date=match["date"],
        time=match["time"],
        place=(
            _degrees(match["lat"], 2) * (-1 if match["ns"] == "S" else 1),
            _degrees(match["lon"], 3) * (-1 if match["ew"] == "W" else 1),
        ),
        is_fixed=match["valid"] == "A",
        speed_kn=float(speed) if speed.strip(".") else None,
        course_deg=float(course) if course.strip(".") else None,
        status=int(match["status"], 16) if match["status"] else None,
    )


def _decode_packet(payload: bytes, device: str) -> Report:
    """`$`, id BCD5 (or 8), time, date, latitude BCD4, a byte, longitude BCD4½ and flags, speed, course, status."""
    if len(payload) == _LONG_ID_PACKET_BYTES:
        payload = payload[:1] + payload[4:]
    digits = payload.hex()
    lat, lon, motion = digits[24:32], digits[34:43], digits[44:50]
    if len(payload) < _PACKET_BYTES - 1 or not (digits[12:32] + lon + motion).isdecimal():
        raise damaged("it is no packet of H02")
    flags = payload[21] & 0x0F
    return _report(
        device,
        date=digits[18:24],
        time=digits[12:18],
        place=(
            _degrees(f"{lat[:4]}.{lat[4:]}", 2) * (1 if flags & 0x4 else -1),
            _degrees(f"{lon[:5]}.{lon[5:]}", 3) * (1 if flags & 0x8 else -1),
        ),
        is_fixed=bool(flags & 0x2),
        speed_kn=float(motion[:3]),
        course_deg=float(motion[3:]),
        status=int(digits[50:58], 16),
    )


def _report(
    device: str,
    *,
    date: str,
    time: str | None,
    place: tuple[float, float],
    is_fixed: bool,
    speed_kn: float | None,
    course_deg: float | None,
    status: int | None,
) -> Report:
    try:  # a sentence without a time is of now
        moment = time and datetime.strptime(date + time, "%d%m%y%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise damaged(f"time={date} {time} is not a date and time") from None
    report = Report(
        device,
        time=moment or None,
        speed_mps=None if speed_kn is None else knots_to_mps(speed_kn),
        heading_deg=None if course_deg is None or course_deg > 360 else course_deg % 360.0,
    )
    if is_fixed:
        report.lat, report.lon = place
    else:
        report.keep("valid", False)
    if status is not None:
        report.keep("ignition", bool(status >> _IGNITION_BIT & 1))
        for bit, name in _ALARM_BITS:
            if not status >> bit & 1:
                add_alarm(report, name)
    return report


def _degrees(written: str, degree_digits: int) -> float:
    """Degrees of `dddmm.mmmm`, of `-ddd-mm.mmmm`, or without a point behind `degree_digits` and two of minutes."""
    if "-" in written:
        degrees, _, minutes = written.lstrip("-").partition("-")
    else:
        at = written.index(".") - 2 if "." in written else degree_digits
        degrees, minutes = written[: max(at, 0)], written[max(at, 0) :]
        if "." not in minutes:
            minutes = f"{minutes[:2]}.{minutes[2:]}"
    return round(float(degrees or 0) + float(f"0{minutes}") / 60.0, 7)


class H02Conversation(WholeMessages):
    """One terminal's connection. Its packets are all of one length, which the first shows by coming alone."""

    def __init__(self) -> None:
        super().__init__()
        self._packet_bytes = _PACKET_BYTES

    def feed(self, data: bytes) -> list[TerminalMessage]:
        """The messages that these bytes complete."""
        if not self._pending and data[:1] == b"$" and _PACKET_BYTES < len(data) < _MAX_PACKET_BYTES:
            self._packet_bytes = len(data)
        return super().feed(data)

    def _cut(self) -> Iterator[TerminalMessage]:
        while self._pending:
            start = next((at for at, byte in enumerate(self._pending) if byte in b"*$"), len(self._pending))
            noise = bytes(self._pending[:start])
            del self._pending[:start]
            if noise.strip():
                yield _unreadable("No message.")
            if self._pending[:1] == b"$":
                if len(self._pending) < self._packet_bytes:
                    return
                packet = bytes(self._pending[: self._packet_bytes])
                del self._pending[: self._packet_bytes]
                has_long_id = len(packet) == _LONG_ID_PACKET_BYTES
                number = packet[1:9].hex()[:15] if has_long_id else packet[1:6].hex()
                yield TerminalMessage(MessageKind.REPORTS, number.lstrip("0") or "0", packet)
            elif self._pending:
                end = self._pending.find(b"#")
                if end < 0 and len(self._pending) <= _MAX_SENTENCE_BYTES:
                    return
                length = end + 1 if 0 <= end <= _MAX_SENTENCE_BYTES else 1
                sentence = bytes(self._pending[:length])
                del self._pending[:length]
                yield _message(sentence) if length > 1 else _unreadable("Longer than any sentence.")


def _message(sentence: bytes) -> TerminalMessage:
    head = _HEAD.match(sentence.decode("ascii", "replace"))
    if head is None:
        return _unreadable("No sentence.")
    number, kind = head[1].lstrip("0") or "0", head[2]
    message = TerminalMessage(MessageKind.REPORTS, number, sentence, answer=partial(_answer, head[1], kind))
    text = sentence.decode("ascii", "replace")
    if _SENTENCE.search(text) or _NO_FIX.match(text):
        return message
    return replace(message, kind=MessageKind.ALIVE if kind in _ALIVE else MessageKind.UNSUPPORTED)


def _answer(number: str, kind: str, outcome: Outcome, _told: str) -> bytes:
    """The confirmation V4; without a time of ours, which those that want it take from their receiver."""
    return f"*HQ,{number},V4,{kind}#".encode("ascii") if outcome is Outcome.DONE else b""


def _unreadable(fault: str) -> TerminalMessage:
    return TerminalMessage(MessageKind.UNREADABLE, reason=RefusalReason.MALFORMED, fault=fault)


def _decode_message(message: RawMessage) -> list[Report]:
    return decode(message.payload, message.headers.get(IDENTIFIER_HEADER, ""))


FORMAT = TerminalFormat(
    name="h02",
    title="H02",
    gps_format=GpsFormat(
        name="h02",
        title="H02 over TCP",
        description="One sentence or packet.",
        decode=_decode_message,
    ),
    open=H02Conversation,
)
