"""Locations of Jointech's GPS locks, which speak JT/T 808 with a body of their own (0x5501, and 0x5502 without a fix).

Time DDMMYYhhmmss in UTC, latitude BCD `ddmmmmmm`, longitude BCD `dddmmmmmm` of 4½ bytes whose last half byte says
valid, north, east; speed in knots (BCD), course / 2; then signal, satellites, km, per cent, cell, product, status,
alarms, and items of the lock. Read from messages that such locks sent.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Final

from geo.units import knots_to_mps
from ingest.formats.jt808_items import add_alarm, split_items, text_of
from ingest.formats.report import Report
from ingest.formats.terminal_format import damaged

_HEAD: Final = struct.Struct(">6s4s5sBBBBIBIHBHH")
_VALID, _NORTH, _EAST = 0x1, 0x2, 0x4
_CHARGING: Final = (0xAA, 0xAB)
_ALARMS_OF_PRODUCT: Final = {
    1: ((0, "lowPower"),),
    2: ((0, "lowPower"),),
    3: (
        (0, "overspeed"),
        (1, "lowPower"),
        (2, "vibration"),
        (3, "lowBattery"),
        (5, "geofenceEnter"),
        (6, "geofenceExit"),
    ),
}


def read(body: bytes, device: str, *, is_blind: bool) -> Report:
    """The report in a lock's location; with `is_blind` the place is an old one.

    Raises
    ------
    MalformedError
        If it is cut short, or its time or place are no numbers.
    """
    if len(body) < _HEAD.size:
        raise damaged(f"a location of {len(body)} bytes is cut short")
    time, lat_bcd, lon_bcd, speed_bcd, course, *rest = _HEAD.unpack_from(body)
    signal, satellites, km, battery, _cell, _area, product, status, alarms = rest
    digits = time.hex()
    flags = lon_bcd[4] & 0x0F
    try:
        day, month, year, hour, minute, second = (int(digits[at : at + 2]) for at in range(0, 12, 2))
        moment = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
        lat, lon = _degrees(lat_bcd.hex()), _degrees(lon_bcd.hex()[:9])
        speed_kn = int(f"{speed_bcd:02x}")
    except ValueError:
        raise damaged(f"{body[:15].hex()} is not the time and place of a lock") from None
    report = Report(
        device, time=moment, speed_mps=knots_to_mps(speed_kn), heading_deg=None if course > 180 else course * 2 % 360.0
    )
    lat, lon = lat if flags & _NORTH else -lat, lon if flags & _EAST else -lon
    if flags & _VALID and not is_blind:
        report.lat, report.lon = lat, lon
    else:
        report.keep("valid", False)
        report.keep("last_lat", lat)
        report.keep("last_lon", lon)
    report.keep("signal", signal)
    report.keep("satellites", satellites)
    report.keep("odometer_m", km * 1000)
    if battery <= 100:
        report.battery = battery / 100.0
    elif battery in _CHARGING:
        report.keep("charge", True)
    report.keep("status", status)
    for bit, name in _ALARMS_OF_PRODUCT.get(product, ()):
        if alarms >> bit & 1:
            add_alarm(report, name)
    for item_id, value in split_items(body[_HEAD.size :]):
        _read_item(report, item_id, value)
    return report


def _degrees(digits: str) -> float:
    """Degrees of `d…dmmmmmm`: minutes in ten-thousandths; raises ValueError if they are none."""
    degrees, minutes = int(digits[:-6]), int(digits[-6:]) / 10_000.0
    return round(degrees + minutes / 60.0, 7)


def _read_item(report: Report, item_id: int, value: bytes) -> None:
    if item_id == 0x02 and len(value) == 2:
        report.altitude_m = float(int.from_bytes(value, "big", signed=True))
    elif item_id == 0x0B and value:
        report.keep("lockCommand", value[0])
        rest = value[1:]
        if 5 <= len(value) <= 6:
            report.keep("lockCard", int.from_bytes(rest[:4], "big"))
            rest = rest[4:]
        elif len(value) >= 7:
            report.keep("lockPassword", text_of(rest[:6]))
            rest = rest[6:]
        if len(value) % 2 == 0 and rest:
            report.keep("unlockResult", rest[0])
    elif item_id == 0x0C and len(value) == 6:
        report.keep("tilt", "[{},{},{}]".format(*struct.unpack(">hhh", value)))
    elif item_id == 0x10 and len(value) == 1:
        report.keep("wakeSource", value[0])
