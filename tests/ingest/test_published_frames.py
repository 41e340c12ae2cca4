"""Frames that others have published, read to the published values, or to those that the protocols' tables give.

Sources: the decoder tests of Traccar (GT06, H02, JT/T 808), of xtream-codec and of go-jt808 (JT/T 808-2013 and -2019).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from geo.units import kmh_to_mps, knots_to_mps
from ingest.formats.jt808 import Jt808Conversation
from ingest.formats.registry import TERMINAL_FORMATS
from ingest.formats.terminal_format import MessageKind, Outcome

FRAMES = json.loads((Path(__file__).parent / "data" / "published_frames.json").read_text())
GT06_LOGIN = bytes.fromhex("78780d0103534190360660610003c3df0d0a")
SPLIT_REGISTRATION = (
    "7e010060240100000000013912344329000000030001000b00026964393837363534333231747970653030313233343536373831323334353637277e",
    "7e010060240100000000013912344329000100030002383837363534333231494430303030313233343536373831323334353637383837363534357e",
    "7e0100600e010000000001391234432900020003000333323101b8ca4a2d313233343539347e",
)


def data_of(frame: dict[str, Any]) -> bytes:
    return bytes.fromhex(frame["hex"]) if "hex" in frame else str(frame["text"]).encode("ascii")


@pytest.mark.parametrize("frame", FRAMES, ids=[f"{frame['protocol']}-{n}" for n, frame in enumerate(FRAMES)])
def test_a_published_frame(frame: dict[str, Any]) -> None:
    protocol = TERMINAL_FORMATS[frame["protocol"]]
    conversation = protocol.open()
    if frame["protocol"] == "gt06":
        conversation.feed(GT06_LOGIN)
    (message,) = conversation.feed(data_of(frame))
    assert message.kind is not MessageKind.UNREADABLE, message.fault
    assert conversation.pending_bytes == 0
    if "terminal" in frame:
        assert message.terminal == frame["terminal"]
    is_report = message.kind is MessageKind.REPORTS
    reports = protocol.gps_format.decode(message.raw(message.terminal)) if is_report else []
    assert isinstance(reports, list)
    assert len(reports) == len(frame["reports"])
    for report, wanted in zip(reports, frame["reports"], strict=True):
        assert report.fault is None
        assert report.time == (wanted["time"] and datetime.fromisoformat(wanted["time"]))
        assert report.has_position is (wanted["lat"] is not None)
        if report.has_position:
            assert (report.lat, report.lon) == pytest.approx((wanted["lat"], wanted["lon"]), abs=1e-5)
        for unit, to_mps in (("speed_kmh", kmh_to_mps), ("speed_kn", knots_to_mps)):
            if wanted.get(unit) is not None:
                assert report.speed_mps == pytest.approx(to_mps(wanted[unit]))
        if wanted["heading_deg"] is not None:
            assert report.heading_deg == wanted["heading_deg"]
    assert {name: reports[0].attributes.get(name) for name in frame["says"]} == frame["says"]


@pytest.mark.parametrize("protocol", ["gt06", "h02", "jt808"])
def test_published_frames_in_one_stream(protocol: str) -> None:
    """However the line cuts them; but for packets of H02, which tell their length by coming alone."""
    own = [frame for frame in FRAMES if frame["protocol"] == protocol and (protocol != "h02" or "text" in frame)]
    stream = b"".join(data_of(frame) for frame in own)
    for size in (1, 7, 1024):
        conversation = TERMINAL_FORMATS[protocol].open()
        messages = [
            message for at in range(0, len(stream), size) for message in conversation.feed(stream[at : at + size])
        ]
        assert len(messages) == len(own)
        assert all(message.kind is not MessageKind.UNREADABLE for message in messages)


def test_packets_of_h02_longer_than_32_bytes_come_one_after_the_other() -> None:
    long = [data_of(frame) for frame in FRAMES if frame["protocol"] == "h02" and len(frame.get("hex", "")) == 90]
    conversation = TERMINAL_FORMATS["h02"].open()
    (first,) = conversation.feed(long[0])
    rest = conversation.feed(long[1] + long[0] + long[1][:20]) + conversation.feed(long[1][20:])
    assert [message.payload for message in (first, *rest)] == [long[0], long[1], long[0], long[1]]


def test_a_registration_in_three_pieces() -> None:
    """Of 2019: no piece of it says enough to be registered by, and each is answered."""
    conversation = Jt808Conversation()
    messages = [message for piece in SPLIT_REGISTRATION for message in conversation.feed(bytes.fromhex(piece))]
    assert [message.terminal for message in messages] == ["13912344329"] * 3
    assert [message.part and (message.part.index, message.part.total) for message in messages] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]
    assert len({message.part.group for message in messages if message.part}) == 1
    joined = conversation.join(messages[-1], [message.payload for message in messages])
    assert joined.payload[:-1].endswith("甘J-123459".encode("gbk"))
    assert messages[0].answer(Outcome.UNSUPPORTED, "")[:5].hex() == "7e80014005"
