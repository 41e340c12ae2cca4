"""OwnTracks and Traccar forwarding. Messages marked (Traccar) are test vectors of traccar/traccar, Apache-2.0."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import CuaKhauError, InvalidInputError, MalformedError
from ingest.formats import owntracks, traccar
from ingest.formats.report import Report
from tests.ingest.test_osmand import VALUES
from tests.profiles import examples


def location(document: dict[str, Any], *senders: str, topic: str | None = None) -> Report:
    (report,) = owntracks.decode(json.dumps(document).encode(), senders, topic=topic)
    return report


# (Traccar)
LOCATIONS: list[dict[str, Any]] = [
    {
        "_type": "location",
        "acc": 15,
        "alt": 440,
        "batt": 46,
        "conn": "w",
        "lat": 46.0681247,
        "lon": 11.1512805,
        "t": "u",
        "tid": "5t",
        "tst": 1551874878,
        "vac": 2,
        "vel": 0,
    },
    {"lon": 2.29513, "lat": 48.85833, "tst": 1497349316, "_type": "location", "tid": "JJ"},
    {
        "cog": 271,
        "lon": 2.29513,
        "acc": 5,
        "vel": 61,
        "vac": 21,
        "lat": 48.85833,
        "tst": 1497349316,
        "alt": 167,
        "_type": "location",
        "tid": "JJ",
        "t": "u",
        "batt": 67,
    },
    {
        "lon": -122,
        "acc": 5,
        "created_at": 1736161415,
        "lat": 37,
        "topic": "owntracks/ckrey/22A67880-15C3",
        "t": "u",
        "m": 1,
        "tst": 1736161169,
        "conn": "w",
        "alt": 0,
        "_type": "location",
        "tid": "AC",
    },
    {
        "topic": "owntracks/qtripp/865284041968706",
        "lat": 47.420051,
        "lon": 13.654704,
        "vel": 0,
        "cog": 113,
        "tst": 1736519167,
        "mcc": 232,
        "lac": "4F4D",
        "_type": "location",
        "acc": 10,
        "alt": 1113,
        "t": "I",
        "tid": "CS",
    },
]


@pytest.mark.parametrize("document", LOCATIONS)
def test_locations(document: dict[str, Any]) -> None:
    assert location(document).has_position


def test_fields() -> None:
    report = location(LOCATIONS[2])
    assert report.time == datetime(2017, 6, 13, 10, 21, 56, tzinfo=UTC)
    assert report.speed_mps == pytest.approx(61 / 3.6)
    assert (report.heading_deg, report.accuracy_m, report.altitude_m, report.battery) == (271, 5, 167, 0.67)
    assert report.attributes["t"] == "u"


def test_device_is_last_of_topic_then_header_then_tid() -> None:
    assert location(LOCATIONS[3], "phone").device == "22A67880-15C3"
    assert location(LOCATIONS[0], "phone", "an").device == "phone"
    assert location(LOCATIONS[0], "phone", "an").alternatives == ("an", "5t")
    assert location(LOCATIONS[0], topic="owntracks/an/abc").device == "abc"
    assert location(LOCATIONS[0], topic="owntracks/an/abc/event").device == "abc"
    assert location(LOCATIONS[0], "x", topic="owntracks/an/abc").alternatives == ("x", "an", "5t")
    assert location(LOCATIONS[0]).device == "5t"


@pytest.mark.parametrize("kind", ["lwt", "waypoint", "transition", "status", "card", "cmd"])
def test_other_types_are_no_position(kind: str) -> None:
    assert owntracks.decode(json.dumps({"_type": kind}).encode()) == []


def test_a_transition_is_an_event_and_no_position() -> None:
    message = {
        "_type": "transition",
        "event": "enter",
        "desc": "Yard",
        "tst": 1551874878,
        "lat": 1,
        "lon": 2,
        "tid": "x",
    }
    report = location(message, topic="owntracks/an/abc/event")
    assert (report.device, report.is_event, report.has_position) == ("abc", True, False)
    assert report.attributes == {"transition": "enter", "region": "Yard"}


def test_a_list_of_messages_keeps_its_good_ones() -> None:
    body = json.dumps([LOCATIONS[0], {"_type": "location", "tid": "A"}, 5, {"_type": "lwt"}]).encode()
    assert [report.fault is None for report in owntracks.decode(body)] == [True, False, False]
    assert owntracks.decode(b"") == owntracks.decode(b" \n") == []


def test_encrypted_is_refused_clearly() -> None:
    with pytest.raises(InvalidInputError, match="encrypted"):
        owntracks.decode(b'{"_type":"encrypted","data":"xxxx"}')


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"_type": 5},
        {"_type": "location", "tid": "A"},
        {"_type": "location", "lat": 1, "lon": 2},
        {"_type": "location", "tid": "A", "lat": 1, "lon": 2, "tst": "x"},
    ],
)
def test_owntracks_refused(document: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        owntracks.decode(json.dumps(document).encode())


FORWARDED = {
    "position": {
        "fixTime": "2024-05-10T10:45:34.984+00:00",
        "latitude": 21.85,
        "longitude": 106.76,
        "speed": 10,
        "course": 90,
        "altitude": 250,
        "accuracy": 0,
        "valid": True,
        "attributes": {"batteryLevel": 50, "ignition": True},
    },
    "device": {"uniqueId": "abc", "name": "Truck"},
}


def forwarded(**position: Any) -> Report:
    return traccar.decode(json.dumps({**FORWARDED, "position": {**FORWARDED["position"], **position}}).encode())


def test_forwarded_position() -> None:
    report = forwarded()
    assert report.device == "abc"
    assert report.time == datetime(2024, 5, 10, 10, 45, 34, 984000, tzinfo=UTC)
    assert report.speed_mps == pytest.approx(10 * 1852 / 3600)
    assert (report.lat, report.lon, report.heading_deg, report.accuracy_m) == (21.85, 106.76, 90, None)
    assert report.battery == 0.5
    assert report.attributes == {"ignition": True}


def test_forwarded_variants() -> None:
    assert forwarded(fixTime="2024-05-10T10:45:34.984+0000").time == forwarded().time
    assert forwarded(fixTime=1715337934984).time == forwarded().time
    assert not forwarded(valid=False).has_position
    assert traccar.decode(b'{"device":{"uniqueId":"1"}}').has_position is False


@pytest.mark.parametrize("document", [{}, {"device": {}}, {"device": {"uniqueId": "1"}, "position": []}])
def test_forwarded_refused(document: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        traccar.decode(json.dumps(document).encode())


@examples(200)
@given(
    st.binary(max_size=200)
    | st.fixed_dictionaries(
        {"_type": st.just("location")},
        optional=dict.fromkeys(("lat", "lon", "tst", "acc", "vel", "cog", "topic", "tid", "batt"), VALUES),
    ).map(lambda document: json.dumps(document).encode())
)
def test_any_input_gives_a_report_or_our_error(body: bytes) -> None:
    for decode in (owntracks.decode, traccar.decode):
        with contextlib.suppress(CuaKhauError):
            decode(body)


@examples(200)
@given(VALUES, VALUES)
def test_any_forwarded_json_gives_a_report_or_our_error(position: Any, device: Any) -> None:
    with contextlib.suppress(CuaKhauError):
        traccar.decode(json.dumps({"position": position, "device": device}).encode())
