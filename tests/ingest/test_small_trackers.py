"""GT06 and H02 without a socket."""

from __future__ import annotations

import contextlib
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import MalformedError
from ingest.formats import gt06, h02
from ingest.formats.gps_format import RawMessage
from ingest.formats.gt06 import Gt06Conversation, checksum, write_packet
from ingest.formats.h02 import H02Conversation
from ingest.formats.registry import TERMINAL_FORMATS
from ingest.formats.terminal_format import MAX_PENDING_BYTES, MessageKind, Outcome

IMEI = "353861053849681"
LOGIN = write_packet(0x01, 1, bytes.fromhex("0" + IMEI))


def place(protocol: int = 0x12, *, flags: int = 0x1400, rest: bytes = b"", day: int = 2) -> bytes:
    """A location of GT06: 21.9 N, 106.7 E, 36 km/h, course 90."""
    at = struct.pack(">6BBIIBH", 26, 3, day, 3, 0, 0, 0xC9, 39_420_000, 192_060_000, 36, flags | 90)
    return write_packet(protocol, 7, at + rest)


def test_the_checksum_is_the_protocols_own_example() -> None:
    assert checksum(bytes.fromhex("05010001")) == 0xD9DC
    assert write_packet(0x01, 1).hex() == "787805010001d9dc0d0a"


def test_gt06_login_then_location() -> None:
    conversation = Gt06Conversation()
    login, location = conversation.feed(LOGIN + place())
    assert (login.kind, login.terminal) == (MessageKind.REGISTER, IMEI)
    assert login.answer(Outcome.DONE, "x").hex() == "787805010001d9dc0d0a"
    assert login.answer(Outcome.UNKNOWN_TERMINAL, "") == b""
    (report,) = gt06.decode(location.payload, location.terminal)
    assert (report.lat, report.lon, report.heading_deg) == (21.9, 106.7, 90.0)
    assert report.speed_mps == pytest.approx(10.0)
    assert report.time == datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    assert report.attributes == {"satellites": 9}


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [(0x1400, (21.9, 106.7)), (0x1000, (-21.9, 106.7)), (0x1C00, (21.9, -106.7)), (0x0400, (None, None))],
)
def test_gt06_hemispheres_and_no_fix(flags: int, wanted) -> None:
    report = gt06.decode(Gt06Conversation().feed(LOGIN + place(flags=flags))[1].payload, "x")[0]
    assert (report.lat, report.lon) == wanted


def test_gt06_alarms_ignition_and_battery() -> None:
    cells = bytes.fromhex("09 01c4 04 287d 001fb8".replace(" ", ""))
    status = bytes([0b0010_0110, 3, 4, 0x01, 2])
    alarm = gt06.decode(Gt06Conversation().feed(LOGIN + place(0x16, rest=cells + status))[1].payload, "x")[0]
    assert alarm.attributes["alarm"] == "sos"
    assert alarm.attributes["ignition"] is True
    assert alarm.battery == 0.2
    on = gt06.decode(Gt06Conversation().feed(LOGIN + place(0x22, rest=cells[1:] + b"\x01\x00\x00"))[1].payload, "x")[0]
    assert on.attributes["ignition"] is True


def test_gt06_what_is_damaged_or_comes_before_the_login() -> None:
    wrong = bytearray(place())
    wrong[-3] ^= 1
    kinds = [message.kind for message in Gt06Conversation().feed(b"noise" + bytes(wrong) + LOGIN)]
    assert kinds == [MessageKind.UNREADABLE, MessageKind.UNREADABLE, MessageKind.REGISTER]
    assert Gt06Conversation().feed(place())[0].kind is MessageKind.UNSUPPORTED
    byte_by_byte = Gt06Conversation()
    found = [message for byte in LOGIN + place() for message in byte_by_byte.feed(bytes([byte]))]
    assert [message.kind for message in found] == [MessageKind.REGISTER, MessageKind.REPORTS]
    with pytest.raises(MalformedError, match="not a date"):
        gt06.decode(Gt06Conversation().feed(LOGIN + place(day=32))[1].payload, "x")


SENTENCE = b"*HQ,353861053849681,V1,030000,A,2154.0000,N,10642.0000,E,19.44,090,020326,FFFFFFFF,452,01,0,0#"


def test_h02_sentences() -> None:
    (message,) = H02Conversation().feed(SENTENCE)
    assert (message.kind, message.terminal) == (MessageKind.REPORTS, IMEI)
    assert message.answer(Outcome.DONE, "") == b"*HQ,353861053849681,V4,V1#"
    (report,) = h02.decode(message.payload, IMEI)
    assert (report.lat, report.lon, report.heading_deg) == (21.9, 106.7, 90.0)
    assert report.speed_mps == pytest.approx(10.0, abs=0.01)
    assert report.time == datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    assert report.attributes == {"ignition": True}


@pytest.mark.parametrize(
    ("old", "new", "field", "wanted"),
    [
        (b",N,", b",S,", "lat", -21.9),
        (b",E,", b",W,", "lon", -106.7),
        (b",A,", b",V,", "lat", None),
        (b"FFFFFFFF", b"FFFFFBFD", "attributes", {"ignition": False, "alarm": "sos"}),
        (b",19.44,090,", b",,,", "speed_mps", None),
    ],
)
def test_h02_fields(old: bytes, new: bytes, field: str, wanted) -> None:
    assert getattr(h02.decode(SENTENCE.replace(old, new), "x")[0], field) == wanted


def test_h02_packets_and_noise() -> None:
    packet = bytes.fromhex("24 4109200001 030000 020326 21540000 06 106420000e 019090 fffffbff".replace(" ", ""))
    packet += bytes(32 - len(packet))
    conversation = H02Conversation()
    kinds = [message.kind for message in conversation.feed(b"xx\r\n" + packet + SENTENCE + b"*HQ,123456,XT#*nonsense#")]
    wanted = [MessageKind.UNREADABLE, MessageKind.REPORTS, MessageKind.REPORTS, MessageKind.ALIVE]
    assert kinds == [*wanted, MessageKind.UNREADABLE]
    (report,) = h02.decode(packet, "x")
    assert (report.lat, report.lon, report.heading_deg) == (21.9, 106.7, 90.0)
    assert report.attributes["ignition"] is False
    with pytest.raises(MalformedError):
        h02.decode(SENTENCE.replace(b"020326", b"320326"), "x")


@settings(deadline=None)
@given(data=st.binary(max_size=400), name=st.sampled_from(sorted(TERMINAL_FORMATS)), cut=st.integers(0, 60))
def test_any_bytes_make_messages_and_nothing_else(data: bytes, name: str, cut: int) -> None:
    conversation = TERMINAL_FORMATS[name].open()
    good = {"gt06": LOGIN + place(0x16), "h02": SENTENCE}.get(name, b"")
    for message in conversation.feed(good[:cut] + data + good):
        assert isinstance(message.answer(Outcome.DONE, "260302110000"), bytes)
        if message.kind is MessageKind.REPORTS:
            with contextlib.suppress(MalformedError):
                TERMINAL_FORMATS[name].gps_format.decode(message.raw("x"))
    assert conversation.pending_bytes <= MAX_PENDING_BYTES


@settings(deadline=None)
@given(payload=st.binary(max_size=120), name=st.sampled_from(sorted(TERMINAL_FORMATS)))
def test_any_payload_is_decoded_or_refused_by_name(payload: bytes, name: str) -> None:
    message = TERMINAL_FORMATS[name].gps_format
    with contextlib.suppress(MalformedError):
        message.decode(RawMessage(payload))
