"""JT/T 808 without a socket: frames that trackers sent, and every field of those we make.

The frames in `VECTORS` are test vectors of traccar/traccar (Apache-2.0), given after their escapes were undone.
"""

from __future__ import annotations

import contextlib
import json
import random
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import MalformedError
from ingest.formats import jt808
from ingest.formats.jt808 import FORMAT, Jt808Conversation, encode_text
from ingest.formats.jt808_frame import (
    MAX_FRAME_BYTES,
    Header,
    checksum,
    escape,
    luhn_digit,
    read_frame,
    unescape,
    write_frame,
)
from ingest.formats.report import EncryptedError, RefusalReason, Report
from ingest.formats.terminal_format import MessageKind, Outcome
from tests.ingest.terminals import DAY, batch, frame, location

VECTORS = json.loads((Path(__file__).parent / "data" / "jt808_vectors.json").read_text())
PHONE = "013800001111"


def one(data: bytes):
    """The only message that these bytes make."""
    (message,) = Jt808Conversation().feed(data)
    return message


def read(body: bytes) -> Report:
    (report,) = jt808.decode(one(frame(0x0200, body, PHONE)).payload)
    return report


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{number}" for number in range(len(VECTORS))])
def test_frames_of_real_trackers(vector) -> None:
    data = bytes.fromhex(vector["hex"])[1:-1]
    assert (checksum(data) == 0) is vector["checksum_ok"]
    reports = jt808.decode(data)
    assert len(reports) == vector["reports"]
    if reports:
        first, wanted = reports[0], vector["first"]
        assert first.time == datetime.fromisoformat(wanted["time"])
        assert first.has_position is wanted["fixed"]
        place = (
            (first.lat, first.lon) if wanted["fixed"] else (first.attributes["last_lat"], first.attributes["last_lon"])
        )
        assert place == pytest.approx((wanted["lat"], wanted["lon"]), abs=1e-9)
    for name, value in (vector["says"] or {}).items():
        found = reports[0].battery if name == "battery" else reports[0].attributes[name]
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{number}" for number in range(len(VECTORS))])
def test_frames_of_real_trackers_as_they_are_sent(vector) -> None:
    data = bytes.fromhex(vector["hex"])[1:-1]
    message = one(b"\x7e" + escape(data) + b"\x7e")
    if vector["checksum_ok"]:
        assert message.payload == data
        assert message.kind is not MessageKind.UNREADABLE
    else:
        assert (message.kind, message.reason) == (MessageKind.UNREADABLE, RefusalReason.MALFORMED)
        assert unescape(message.answer(Outcome.UNREADABLE, "")[1:-1])[-2] == 2


def test_a_location_with_every_field() -> None:
    items = bytes.fromhex("0104000000640202006403020320300114310109") + b"\xee\x03abc" + b"\x99\x00"
    report = read(location(21.9, 106.7, speed_kmh=36.0, course=359, altitude=250, items=items))
    assert report.device == PHONE.lstrip("0")
    assert (report.lat, report.lon, report.altitude_m, report.heading_deg) == (21.9, 106.7, 250.0, 359.0)
    assert report.speed_mps == pytest.approx(10.0)
    assert report.time == datetime(2026, 3, 2, 3, 0, tzinfo=UTC), "10:00 in GMT+8 is 02:00, 11:00 is 03:00"
    assert report.attributes == {
        "ignition": True,
        "odometer_m": 10_000,
        "fuel_l": 10.0,
        "recorder_speed_mps": 22.222,
        "signal": 20,
        "satellites": 9,
    }


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"status": 0x03}, (21.9, 106.7)),
        ({"status": 0x07}, (-21.9, 106.7)),
        ({"status": 0x0B}, (21.9, -106.7)),
        ({"status": 0x0F}, (-21.9, -106.7)),
        ({"status": 0x01}, (None, None)),
        ({"status": 0x0D}, (None, None)),
    ],
)
def test_hemispheres_and_a_receiver_without_a_fix(more, wanted) -> None:
    report = read(location(21.9, 106.7, **more))
    assert (report.lat, report.lon) == wanted
    assert report.attributes.get("valid", True) is (wanted[0] is not None)


@pytest.mark.parametrize(
    ("more", "field", "wanted"),
    [
        ({"altitude": -12}, "altitude_m", -12.0),
        ({"course": 360}, "heading_deg", 0.0),
        ({"course": 361}, "heading_deg", None),
        ({"speed_kmh": 6553.5}, "speed_mps", None),
        ({"items": bytes.fromhex("01040000")}, "attributes", {"ignition": True}),
        ({"items": bytes.fromhex("3001143101")}, "attributes", {"ignition": True, "signal": 20}),
        ({"items": b"\x30"}, "attributes", {"ignition": True}),
        ({"items": bytes.fromhex("010200010202800a")}, "attributes", {"ignition": True, "fuel_percent": 10}),
        ({"alarm": 0x1}, "attributes", {"ignition": True, "alarm": "sos"}),
        ({"alarm": 0x180}, "attributes", {"ignition": True, "alarm": "lowPower,powerCut"}),
        ({"status": 0x02}, "attributes", {"ignition": False}),
    ],
)
def test_fields_at_their_limits(more, field, wanted) -> None:
    assert getattr(read(location(21.9, 106.7, **more)), field) == wanted


@pytest.mark.parametrize(
    "digits",
    ["261302110000", "260230110000", "260302240000", "2603021160 00".replace(" ", ""), "26ab02110000", "0" * 12],
)
def test_impossible_dates_are_named(digits: str) -> None:
    with pytest.raises(MalformedError, match=digits):
        read(location(21.9, 106.7, time=bytes.fromhex(digits)))


def test_zeros_before_the_first_fix_are_no_fault() -> None:
    report = read(location(0, 0, status=0, time=bytes(6)))
    assert (report.time, report.lat) == (None, None)


def test_the_edition_of_2019_has_a_longer_number_and_a_version() -> None:
    message = one(frame(0x0200, location(21.9, 106.7), "00000000013800001111", is_2019=True))
    assert message.terminal == "13800001111"
    assert jt808.decode(message.payload)[0].lat == 21.9
    answer = unescape(message.answer(Outcome.DONE, "")[1:-1])
    assert answer[:5] == bytes.fromhex("8001400501"), "the answer speaks it too"
    assert answer[5:15].hex() == "00000000013800001111"


def test_a_number_that_is_not_decimal_is_an_imei() -> None:
    assert Header(0x0200, bytes.fromhex("4eb6fb4ad628"), 1).terminal == "865478070001047"
    assert luhn_digit("35386105384968") == "1"


@pytest.mark.parametrize("outcome", Outcome)
def test_what_the_general_reply_says(outcome: Outcome) -> None:
    answer = one(frame(0x0200, location(1, 1), PHONE, serial=0x7E7D)).answer(outcome, "")
    assert answer[0] == answer[-1] == 0x7E
    assert 0x7E not in answer[1:-1]
    reply = read_frame(unescape(answer[1:-1]))
    assert reply.header.message_id == 0x8001
    serial, message_id, result = struct.unpack(">HHB", reply.body)
    assert (serial, message_id) == (0x7E7D, 0x0200)
    assert result == {"done": 0, "unreadable": 2, "unsupported": 3}.get(outcome, 1)


def test_registration_and_authentication() -> None:
    register = one(
        frame(0x0100, struct.pack(">HH5s20s7sB", 45, 0, b"70111", b"M", b"ID", 1) + "桂F12345".encode("gbk"), PHONE)
    )
    assert register.kind is MessageKind.REGISTER
    told = read_frame(unescape(register.answer(Outcome.DONE, "secret")[1:-1]))
    assert (told.header.message_id, told.body) == (0x8100, b"\x00\x01\x00secret")
    assert read_frame(unescape(register.answer(Outcome.UNKNOWN_TERMINAL, "")[1:-1])).body == b"\x00\x01\x04"
    assert one(frame(0x0102, b"secret", PHONE)).secret == "secret"
    later = one(frame(0x0102, b"\x06secret" + b"353861053849681" + bytes(20), "1" * 20, is_2019=True))
    assert (later.kind, later.secret) == (MessageKind.AUTHENTICATE, "secret")
    assert one(frame(0x0102, b"", "1" * 20, is_2019=True)).secret == ""


def test_a_batch_keeps_its_good_locations() -> None:
    good, bad = location(21.9, 106.7), location(21.8, 106.7, time=bytes.fromhex("261399000000"))
    reports = jt808.decode(one(frame(0x0704, batch(good, bad, b"short", good), PHONE)).payload)
    assert [report.fault is None for report in reports] == [True, False, False, True]
    assert reports[0].attributes["archive"] is True
    cut = jt808.decode(one(frame(0x0704, batch(good, good)[:-3], PHONE)).payload)
    assert [report.fault is None for report in cut] == [True, False]
    fewer = jt808.decode(one(frame(0x0704, b"\x00\x05" + batch(good)[2:], PHONE)).payload)
    assert "says 5 locations" in fewer[1].fault
    with pytest.raises(MalformedError, match="no location"):
        jt808.decode(one(frame(0x0704, batch(bad), PHONE)).payload)


def test_bytes_arrive_as_they_like() -> None:
    first, second = frame(0x0200, location(21.9, 106.7), PHONE, serial=1), frame(0x0002, b"", PHONE, serial=2)
    conversation = Jt808Conversation()
    found = [message for byte in first + second for message in conversation.feed(bytes([byte]))]
    assert [message.kind for message in found] == [MessageKind.REPORTS, MessageKind.ALIVE]
    assert [m.kind for m in Jt808Conversation().feed(first + second)] == [MessageKind.REPORTS, MessageKind.ALIVE]
    shared = first[:-1] + second
    assert [m.kind for m in Jt808Conversation().feed(shared)] == [MessageKind.REPORTS, MessageKind.ALIVE]
    noisy = b"GET / HTTP/1.1\r\n" + first + b"\x00\xff" + second
    kinds = [message.kind for message in Jt808Conversation().feed(noisy)]
    assert kinds == [MessageKind.UNREADABLE, MessageKind.REPORTS, MessageKind.UNREADABLE, MessageKind.ALIVE]


@pytest.mark.parametrize("damage", ["xor", "longer", "shorter", "escape", "encrypted", "part"])
def test_damaged_frames(damage: str) -> None:
    data = bytearray(unescape(frame(0x0200, location(21.9, 106.7), PHONE)[1:-1]))
    if damage == "xor":
        data[-1] ^= 1
    elif damage == "longer":
        data[3] += 1
    elif damage == "shorter":
        del data[-5:-1]
    elif damage == "encrypted":
        data[2] |= 0x04
    elif damage == "part":
        data[2] |= 0x20
        data[12:12] = struct.pack(">HH", 2, 3)
    if damage != "xor":
        data[-1] ^= checksum(bytes(data))
    sent = b"\x7e" + escape(bytes(data)) + (b"\x7d\x7e" if damage == "escape" else b"\x7e")
    (message,) = Jt808Conversation().feed(sent)
    kind = MessageKind.UNSUPPORTED if damage == "encrypted" else MessageKind.UNREADABLE
    reason = RefusalReason.ENCRYPTED if damage == "encrypted" else RefusalReason.MALFORMED
    assert (message.kind, message.reason) == (kind, reason)
    assert message.fault


def test_what_never_ends_is_not_held() -> None:
    conversation = Jt808Conversation()
    for _ in range(50):
        found = conversation.feed(b"x" * 1000)
        assert conversation.pending_bytes <= MAX_FRAME_BYTES
    found += conversation.feed(b"x" * 5000)
    assert {message.kind for message in found} == {MessageKind.UNREADABLE}
    good = frame(0x0002, b"", PHONE)
    assert conversation.feed(good)[-1].kind is MessageKind.ALIVE


def test_the_pieces_of_a_long_message_are_told_by_their_first_serial() -> None:
    body = batch(*[location(21.9, 106.7 + step / 1000) for step in range(40)])
    pieces = [body[at : at + 500] for at in range(0, len(body), 500)]
    messages = [
        one(frame(0x0704, piece, PHONE, serial=0xFFFF + index, part=(len(pieces), index)))
        for index, piece in enumerate(pieces, 1)
    ]
    assert {message.kind for message in messages} == {MessageKind.PART}
    assert len({message.part.group for message in messages}) == 1
    conversation = Jt808Conversation()
    whole = conversation.join(messages[-1], [message.payload for message in messages])
    assert len(jt808.decode(whole.payload)) == 40
    wanted = read_frame(unescape(conversation.missing(messages[-1], [1, 2])[1:-1]))
    assert (wanted.header.message_id, wanted.body) == (0x8003, bytes.fromhex("0000020001 0002".replace(" ", "")))


def test_a_text_is_gbk_and_keeps_its_letters() -> None:
    assert encode_text("去 Hữu Nghị, Đ") == "去 Huu Nghi, D".encode("gbk")
    assert len(encode_text("车" * 1000)) <= 960
    conversation = Jt808Conversation()
    assert conversation.text("13800001111", "x") is None, "nobody has spoken yet"
    conversation.feed(frame(0x0002, b"", PHONE))
    number, sent = conversation.text("13800001111", "Hi")
    said = read_frame(unescape(sent[1:-1]))
    assert (said.header.message_id, said.header.serial, said.body) == (0x8300, number, b"\x0dHi")
    (answer,) = conversation.feed(frame(0x0001, struct.pack(">HHB", number, 0x8300, 0), PHONE))
    assert (answer.kind, answer.command, answer.is_obeyed) == (MessageKind.COMMAND_ANSWER, number, True)


@settings(deadline=None)
@given(body=st.binary(max_size=300), message_id=st.sampled_from([0x0200, 0x0704, 0x0210, 0x5501, 0x0201, 0x0102]))
def test_any_body_is_read_or_refused_by_name(body: bytes, message_id: int) -> None:
    (message,) = Jt808Conversation().feed(frame(message_id, body, PHONE))
    try:
        reports = FORMAT.gps_format.decode(message.raw("device"))
    except MalformedError:
        return
    assert all(report.device == "device" for report in reports)


@settings(deadline=None)
@given(data=st.binary(max_size=600), seed=st.integers(0, 2**32))
def test_any_bytes_make_messages_and_nothing_else(data: bytes, seed: int) -> None:
    rng = random.Random(seed)
    sent = bytearray(frame(0x0704, batch(location(21.9, 106.7), location(21.8, 106.6)), PHONE) + data)
    for _ in range(rng.randrange(4)):
        sent[rng.randrange(len(sent))] = rng.randrange(256)
    conversation = Jt808Conversation()
    for message in conversation.feed(bytes(sent)):
        assert isinstance(message.answer(Outcome.DONE, "260302110000"), bytes)
        if message.kind is MessageKind.REPORTS:
            with contextlib.suppress(MalformedError, EncryptedError):
                FORMAT.gps_format.decode(message.raw(message.terminal))


@given(data=st.binary(max_size=100))
def test_escapes_are_undone(data: bytes) -> None:
    assert unescape(escape(data)) == data
    assert b"\x7e" not in escape(data)
    header = Header(0x0002, bytes.fromhex(PHONE), 1)
    assert read_frame(unescape(write_frame(0x8001, header, 3, data)[1:-1])).body == data
    assert DAY.tzinfo is not None
