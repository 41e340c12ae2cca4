"""JT/T 808-2011, -2013 and -2019: frames, their headers, and what the platform sends.

A frame is `7e | message id u16 | attributes u16 | [2019: version u8] | phone BCD6 (2019: BCD10) | serial u16 |
[total u16, index u16] | body | XOR | 7e`, with 7e sent as 7d02 and 7d as 7d01 between its ends (JT/T 808-2019, 4.4).
"""

from __future__ import annotations

import functools
import operator
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from ingest.formats.report import EncryptedError
from ingest.formats.terminal_format import damaged

MARK = 0x7E
_MARK_BYTES = b"\x7e"
_ESCAPE = b"\x7d"
MAX_BODY_BYTES = 1023
MAX_FRAME_BYTES = 2 * (MAX_BODY_BYTES + 21 + 1)
"""Of an escaped frame without its ends: each byte may have become two."""
MAX_PARTS = 255
_LENGTH_BITS, _ENCRYPTION_BITS, _SPLIT_BIT, _EDITION_2019_BIT = 0x03FF, 0x1C00, 0x2000, 0x4000
_MIN_FRAME_BYTES = 2 + 2 + 6 + 1 + 1


class MessageId(IntEnum):
    """The messages of a terminal that mean something here."""

    GENERAL_REPLY = 0x0001
    HEARTBEAT = 0x0002
    LOGOUT = 0x0003
    TIME_REQUEST = 0x0004
    REGISTER = 0x0100
    AUTHENTICATE = 0x0102
    LOCATION = 0x0200
    LOCATION_ANSWER = 0x0201
    LOCATION_BATCH_SHORT = 0x0210
    CONTROL_ANSWER = 0x0500
    LOCATION_BATCH = 0x0704
    LOCK_LOCATION = 0x5501
    LOCK_LOCATION_BLIND = 0x5502


LOCK_MESSAGES = frozenset({MessageId.LOCK_LOCATION, MessageId.LOCK_LOCATION_BLIND})
"""Messages of Jointech's GPS locks: a serial of one byte, and other meanings of the upper bits of the attributes."""


class PlatformId(IntEnum):
    """The messages of the platform."""

    LOCK_REPLY = 0x4401
    GENERAL_REPLY = 0x8001
    PARTS_REQUEST = 0x8003
    TIME_ANSWER = 0x8004
    REGISTER_ANSWER = 0x8100
    TEXT = 0x8300


@dataclass(frozen=True, slots=True)
class Header:
    """What a frame says before its body: `phone` are the raw BCD bytes, `part` index and total of a split message."""

    message_id: int
    phone: bytes
    serial: int
    is_2019: bool = False
    version: int = 1
    part: tuple[int, int] | None = None
    wants_answer: bool = True

    @property
    def terminal(self) -> str:
        """The terminal's number: the phone's digits without leading zeros, else the IMEI that is packed there.

        Bytes that are not decimal are a number of 48 bits: an IMEI without its check digit.
        """
        digits = self.phone.hex()
        if digits.isdecimal():
            return digits.lstrip("0") or "0"
        number = str(int.from_bytes(self.phone, "big"))
        return number + luhn_digit(number)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame with its escapes undone."""

    header: Header
    body: bytes


def luhn_digit(number: str) -> str:
    """The check digit that ISO/IEC 7812 puts after decimal digits, as IMEIs have it."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number)))
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def checksum(data: bytes) -> int:
    """XOR of all bytes."""
    return functools.reduce(operator.xor, data, 0)


def unescape(data: bytes) -> bytes:
    """What stands between the two ends of a frame, as it was before it was escaped.

    Raises
    ------
    MalformedError
        If 7d is followed by anything but 01 or 02.
    """
    first, *rest = data.split(_ESCAPE)
    parts = [first]
    for part in rest:
        if part[:1] not in (b"\x01", b"\x02"):
            raise damaged(f"7d{part[:1].hex() or ' at the end'} is not an escape")
        parts += (_ESCAPE if part[:1] == b"\x01" else _MARK_BYTES, part[1:])
    return b"".join(parts)


def escape(data: bytes) -> bytes:
    """`data` as it is sent between the two ends of a frame."""
    return data.replace(_ESCAPE, b"\x7d\x01").replace(_MARK_BYTES, b"\x7d\x02")


def read_header(data: bytes) -> tuple[Header, int]:
    """The header of an unescaped frame without its ends, and where its body begins.

    Raises
    ------
    MalformedError
        If it is too short, or numbers a part that cannot be.
    """
    if len(data) < _MIN_FRAME_BYTES:
        raise damaged(f"a frame of {len(data)} bytes is too short")
    message_id, attributes = struct.unpack_from(">HH", data)
    if message_id in LOCK_MESSAGES:
        return Header(message_id, data[4:10], data[10], wants_answer=bool(attributes & 0x8000)), 11
    is_2019 = bool(attributes & _EDITION_2019_BIT)
    start = 5 if is_2019 else 4
    end = start + (10 if is_2019 else 6)
    is_split = bool(attributes & _SPLIT_BIT)
    body_at = end + 2 + (4 if is_split else 0)
    if len(data) < body_at + 1:
        raise damaged(f"a frame of {len(data)} bytes is shorter than its header")
    part = None
    if is_split:
        total, index = struct.unpack_from(">HH", data, end + 2)
        if not 1 <= index <= total <= MAX_PARTS:
            raise damaged(f"part {index} of {total} cannot be")
        part = (index, total)
    serial = int.from_bytes(data[end : end + 2], "big")
    return Header(message_id, data[start:end], serial, is_2019, data[4] if is_2019 else 1, part), body_at


def read_frame(data: bytes, *, verify: bool = True) -> Frame:
    """The frame in unescaped bytes without the two ends, its checksum last; `verify=False` believes a wrong checksum.

    Raises
    ------
    MalformedError
        If it is cut short, or its length or checksum is wrong.
    EncryptedError
        If its body is encrypted: there is no key here to read it with.
    """
    header, body_at = read_header(data)
    body = data[body_at:-1]
    attributes = int.from_bytes(data[2:4], "big")
    if verify and checksum(data):
        raise damaged(f"checksum {data[-1]:02x} is wrong: the bytes before it make {checksum(data[:-1]):02x}")
    declared = attributes & _LENGTH_BITS
    if declared != len(body):
        raise damaged(f"the body has {len(body)} bytes and not {declared}")
    if attributes & _ENCRYPTION_BITS and header.message_id not in LOCK_MESSAGES:
        raise EncryptedError("The body is encrypted; turn the terminal's encryption off.", field="attributes")
    return Frame(header, body)


def write_frame(message_id: int, header: Header, serial: int, body: bytes) -> bytes:
    """A message of the platform for the terminal of `header`, in its edition, escaped and with both ends."""
    head = struct.pack(">HH", message_id, len(body) | (_EDITION_2019_BIT if header.is_2019 else 0))
    if header.is_2019:
        head += bytes([header.version])
    number = bytes([serial & 0xFF]) if message_id == PlatformId.LOCK_REPLY else struct.pack(">H", serial & 0xFFFF)
    data = head + header.phone + number + body
    return _MARK_BYTES + escape(data + bytes([checksum(data)])) + _MARK_BYTES


class Splitter:
    """Cuts the bytes of a connection at 7e, however they arrive; holds at most `MAX_FRAME_BYTES` of them."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._skipped_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._pending) + self._skipped_bytes

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """What stood between two marks, escaped; `None` for each `MAX_FRAME_BYTES` that no frame can be."""
        for number, piece in enumerate(data.split(_MARK_BYTES)):
            if number:
                if self._pending:
                    yield bytes(self._pending)
                self._pending.clear()
                self._skipped_bytes = 0
            if not self._skipped_bytes and len(self._pending) + len(piece) <= MAX_FRAME_BYTES:
                self._pending += piece
                continue
            before = self._skipped_bytes // MAX_FRAME_BYTES
            self._skipped_bytes += len(self._pending) + len(piece)
            self._pending.clear()
            yield from [None] * (self._skipped_bytes // MAX_FRAME_BYTES - before)
            self._skipped_bytes = min(self._skipped_bytes, MAX_FRAME_BYTES)
