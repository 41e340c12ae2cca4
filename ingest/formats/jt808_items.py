"""The additional items behind a JT/T 808 location: id u8, length u8, value; those of the standard and those makers add.

The standard's (01, 02, 03, 11–14, 25, 2A, 2B, 30, 31; JT/T 808-2019, table 27) and the ones that trackers on the
market send beside them, as far as their meaning is known from messages seen. An item that is not known, or not of a
length that it can have, is skipped by its length; one that is cut short ends the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from geo.units import kmh_to_mps
from ingest.formats.report import MAX_TEXT_LENGTH, Report

_OBD_MARK: Final = 0x80
"""After this item those of `_OBD_ITEMS` mean what an on-board diagnosis adapter says."""

Reader = Callable[[Report, bytes], None]


def read_items(report: Report, data: bytes) -> None:
    """Put what the items say into `report`: its battery, and attributes."""
    table: Mapping[int, Reader] = _ITEMS
    for item_id, value in split_items(data):
        if item_id == _OBD_MARK and table is _ITEMS:
            table = _OBD_ITEMS
        elif (read := table.get(item_id)) is not None:
            read(report, value)


def split_items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Id and value of each whole item."""
    at = 0
    while at + 2 <= len(data):
        length = data[at + 1]
        value = data[at + 2 : at + 2 + length]
        if len(value) < length:
            return
        yield data[at], value
        at += 2 + length


def text_of(value: bytes) -> str:
    """ASCII of a fixed width as text."""
    return value.decode("ascii", "replace").strip("\x00 ")


def _number(name: str, *, factor: float = 1.0, offset: float = 0.0, lengths: tuple[int, ...] = (1, 2, 3, 4)) -> Reader:
    """An unsigned number of one of `lengths` bytes, made SI."""
    is_whole = factor == int(factor) and offset == int(offset)

    def read(report: Report, value: bytes) -> None:
        if len(value) in lengths:
            raw = int.from_bytes(value, "big")
            report.keep(name, int(raw * factor + offset) if is_whole else round(raw * factor + offset, 6))

    return read


def _text(name: str, replace: str = "") -> Reader:
    def read(report: Report, value: bytes) -> None:
        words = text_of(value)
        report.keep(name, (words.replace(replace, " ") if replace else words)[:MAX_TEXT_LENGTH])

    return read


def _speed(report: Report, value: bytes) -> None:
    if len(value) == 2:
        report.keep("recorder_speed_mps", round(kmh_to_mps(int.from_bytes(value, "big") / 10.0), 3))


def _fuel(report: Report, value: bytes) -> None:
    """In 0.1 l; with the top bit set in per cent."""
    if len(value) == 2:
        raw = int.from_bytes(value, "big")
        report.keep("fuel_percent" if raw & 0x8000 else "fuel_l", raw & 0x7FFF if raw & 0x8000 else raw / 10.0)


def _battery_percent(report: Report, value: bytes) -> None:
    if value == b"\xff":
        report.keep("charge", True)
    elif len(value) == 1 and value[0] <= 100:
        report.battery = value[0] / 100.0


def _battery_tenths(report: Report, value: bytes) -> None:
    if len(value) == 2 and value[0] <= 10:
        report.battery = value[0] / 10.0


def _charge_and_percent(report: Report, value: bytes) -> None:
    if len(value) == 2:
        if value[0] == 0:
            report.keep("charge", True)
        _battery_percent(report, value[1:])


def _percent_and_volts(report: Report, value: bytes) -> None:
    if len(value) >= 4:
        _battery_percent(report, value[1:2])
        report.keep("battery_v", int.from_bytes(value[2:4], "big") / 100.0)


def _battery_record(report: Report, value: bytes) -> None:
    """Millivolts u32, state (2, 3: charging), per cent."""
    if len(value) == 2:
        report.keep("humidity_percent", int.from_bytes(value, "big") / 10.0)
    elif len(value) >= 4:
        report.keep("battery_v", int.from_bytes(value[:4], "big") / 1000.0)
        if len(value) > 4 and value[4] in (2, 3):
            report.keep("charge", True)
        _battery_percent(report, value[5:6])


def _lock_sentence(report: Report, value: bytes) -> None:
    """`*M00,45,1138600…`: digits 3 to 5 of the lock's state are hundredths of a volt."""
    sentence = text_of(value)
    if len(value) == 1:
        report.keep("mode", value[0])
    elif sentence.startswith("*M00") and sentence[10:13].isdecimal():
        report.keep("battery_v", int(sentence[10:13]) / 100.0)


def _locks(report: Report, value: bytes) -> None:
    """11 bytes a lock: id, millivolts, seal, two more."""
    for number in range(len(value) // 11):
        lock = value[11 * number : 11 * number + 11]
        name = f"lock{number + 1}"
        report.keep(f"{name}Id", lock[:6].hex())
        report.keep(f"{name}Battery", int.from_bytes(lock[6:8], "big") / 1000.0)
        report.keep(f"{name}Seal", lock[8] == 0x31)


def _locks_or_volts(report: Report, value: bytes) -> None:
    """Two bytes are hundredths of a volt; else a count and 13 bytes a lock: id, card, per cent, state (bit 5: open)."""
    if len(value) == 2:
        report.keep("battery_v", int.from_bytes(value, "big") / 100.0)
    for number in range(min(value[0] if value else 0, (len(value) - 1) // 13)):
        lock = value[1 + 13 * number : 14 + 13 * number]
        name = f"lock{number + 1}"
        report.keep(f"{name}Id", lock[:5].hex())
        report.keep(f"{name}Card", lock[5:10].hex())
        report.keep(f"{name}Battery", lock[10])
        report.keep(f"{name}Locked", not lock[12] & 0x20)


def _temperatures(report: Report, value: bytes) -> None:
    """Up to eight sensors in 0.1 °C, the top bit is the sign, ffff is none."""
    for number in range(len(value) // 2 if len(value) in (2, 16) else 0):
        raw = int.from_bytes(value[2 * number : 2 * number + 2], "big")
        if raw != 0xFFFF:
            report.keep(f"temperature{number + 1}_c", (-1 if raw & 0x8000 else 1) * (raw & 0x7FFF) / 10.0)


def _volts_of_ten(report: Report, value: bytes) -> None:
    if len(value) == 10:
        report.keep("battery_v", int.from_bytes(value[5:7], "big") / 100.0)


def _moving(report: Report, value: bytes) -> None:
    if len(value) == 1 and value[0] <= 1:
        report.keep("motion", bool(value[0]))


def _power_or_percent(report: Report, value: bytes) -> None:
    if len(value) == 1:
        _battery_percent(report, value)
    elif len(value) == 2:
        report.keep("power_v", int.from_bytes(value, "big") / 10.0)


def _network(report: Report, value: bytes) -> None:
    """Cells, a time zone as text, or pieces of length u16 and id u16."""
    if len(value) > 4 and value.isascii() and text_of(value).isprintable():
        report.keep("timezone", text_of(value))
        return
    if len(value) < 4 or int.from_bytes(value[:2], "big") > 200:
        return
    at = 0
    while at + 4 <= len(value):
        length = int.from_bytes(value[at : at + 2], "big")
        piece_id, piece = int.from_bytes(value[at + 2 : at + 4], "big"), value[at + 4 : at + 2 + length]
        if length < 2 or len(piece) < length - 2:
            return
        read = _PIECES.get(piece_id)
        if read is not None:
            read(report, piece)
        at += 2 + length


def _iccid(report: Report, value: bytes) -> None:
    report.keep("iccid", value[:10].hex().replace("f", ""))


def _low_battery(report: Report, value: bytes) -> None:
    if value[:1] in (b"\x03", b"\x04"):
        add_alarm(report, "lowBattery")


def add_alarm(report: Report, alarm: str) -> None:
    """Add to the alarms that a report carries, names separated by commas as Traccar writes them."""
    alarms = str(report.attributes.get("alarm", ""))
    if alarm not in alarms.split(","):
        report.keep("alarm", f"{alarms},{alarm}" if alarms else alarm)


_PIECES: Final[Mapping[int, Reader]] = {
    0x0001: lambda report, value: _number("fuel1_l", factor=0.1)(report, value[:2]),
    0x002D: _number("battery_v", factor=0.001, lengths=(2,)),
    0x00A8: _battery_percent,
    0x00B2: _iccid,
    0x00C6: _low_battery,
    0x00CE: _number("power_v", factor=0.01, lengths=(2,)),
    0x00E1: _battery_percent,
}
"""Pieces of item EB, by their id."""

_COMMON: Final[Mapping[int, Reader]] = {
    0x01: _number("odometer_m", factor=100, lengths=(4,)),
    0x02: _fuel,
    0x03: _speed,
    0x69: _number("battery_v", factor=0.01, lengths=(2,)),
    0xCC: _text("iccid"),
}
_OBD_ITEMS: Final[Mapping[int, Reader]] = {
    **_COMMON,
    0x61: _number("power_v", factor=0.01, lengths=(2,)),
    0x81: _number("rpm"),
    0x82: _number("power_v", factor=0.1, lengths=(2,)),
    0x83: _number("engine_load_percent"),
    0x84: _number("coolant_c", offset=-40),
    0x86: _number("intake_c", offset=-40),
    0x89: _number("throttle_percent"),
    0x8B: _text("vin"),
    0x8C: _number("obd_odometer_m", factor=100, lengths=(4,)),
    0x8D: _number("trip_m", factor=1000, lengths=(2,)),
    0xA0: _text("dtcs", replace=","),
}
_ITEMS: Final[Mapping[int, Reader]] = {
    **_COMMON,
    0x06: _battery_percent,
    0x14: _number("video_alarms", lengths=(4,)),
    0x25: _number("vehicle_signals", lengths=(4,)),
    0x2A: _number("io_state", lengths=(2,)),
    0x2B: _number("analog", lengths=(4,)),
    0x30: _number("signal", lengths=(1,)),
    0x31: _number("satellites", lengths=(1,)),
    0x33: _lock_sentence,
    0x51: _temperatures,
    0x56: _battery_tenths,
    0x63: _locks,
    0x68: lambda report, value: _battery_percent(report, bytes([min(int.from_bytes(value, "big") // 100, 255)])),
    0x82: _number("power_v", factor=0.1, lengths=(2,)),
    0xD3: _number("power_v", factor=0.1, lengths=(2,)),
    0xD4: _battery_percent,
    0xD5: _locks_or_volts,
    0xE1: _battery_percent,
    0xE3: _percent_and_volts,
    0xE4: _charge_and_percent,
    0xE5: _moving,
    0xE8: _volts_of_ten,
    0xE9: _battery_percent,
    0xEB: _network,
    0xED: _text("card"),
    0xF1: _number("power_v", factor=0.001, lengths=(4,)),
    0xF7: _battery_record,
    0xF8: _number("steps", lengths=(2,)),
    0xFE: _power_or_percent,
}
