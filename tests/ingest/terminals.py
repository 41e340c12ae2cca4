"""Messages as terminals send them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

from ingest.formats.jt808_frame import checksum, escape

DAY = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def frame(
    message_id: int,
    body: bytes,
    phone: str,
    *,
    serial: int = 1,
    is_2019: bool = False,
    part: tuple[int, int] | None = None,
) -> bytes:
    """A JT/T 808 frame as it is sent; `part` is total and index."""
    attributes = len(body) | (0x4000 if is_2019 else 0) | (0x2000 if part else 0)
    data = struct.pack(">HH", message_id, attributes) + (b"\x01" if is_2019 else b"") + bytes.fromhex(phone)
    data += struct.pack(">H", serial & 0xFFFF) + (struct.pack(">HH", *part) if part else b"") + body
    return b"\x7e" + escape(data + bytes([checksum(data)])) + b"\x7e"


def location(
    lat: float,
    lon: float,
    *,
    moment: datetime = DAY,
    alarm: int = 0,
    status: int = 0x03,
    altitude: int = 0,
    speed_kmh: float = 0.0,
    course: int = 0,
    time: bytes | None = None,
    items: bytes = b"",
) -> bytes:
    """The body of a JT/T 808 location; `time` are its six bytes of BCD, by default those of `moment`."""
    if time is None:
        time = bytes.fromhex((moment.astimezone(UTC) + timedelta(hours=8)).strftime("%y%m%d%H%M%S"))
    place = (alarm, status, round(abs(lat) * 1e6), round(abs(lon) * 1e6))
    return struct.pack(">IIIIhHH", *place, altitude, round(speed_kmh * 10), course) + time + items


def batch(*locations: bytes) -> bytes:
    """The body of a JT/T 808 batch of locations sent late."""
    return struct.pack(">HB", len(locations), 1) + b"".join(struct.pack(">H", len(each)) + each for each in locations)
