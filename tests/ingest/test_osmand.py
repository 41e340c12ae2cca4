"""OsmAnd and Traccar Client. Messages marked (Traccar) are test vectors of traccar/traccar, Apache-2.0."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import CuaKhauError, MalformedError
from ingest.formats import osmand
from ingest.formats.report import Report
from tests.profiles import examples


def query(text: str) -> Report:
    [report] = osmand.decode(text.encode(), b"", "")
    return report


def body(document: dict[str, Any]) -> Report:
    [report] = osmand.decode(b"", json.dumps(document).encode(), "application/json")
    return report


# (Traccar)
POSITIONS = [
    "id=902064&lat=42.06288&lon=-88.23412&timestamp=2016-01-27T18%3A55%3A47Z&hdop=6.0&altitude=224.0&speed=0.0",
    "id=902064&lat=42.06288&lon=-88.23412&timestamp=1442068686579&hdop=6.0&altitude=224.0&speed=0.0",
    "lat=49.60688&lon=6.15788&timestamp=2014-06-04+09%3A10%3A11&altitude=384.7&speed=0.0&id=353861053849681",
    "id=123456&timestamp=1377177267&lat=60.0&lon=30.0&speed=0.0&bearing=0.0&altitude=0&hdop=0.0",
    "id=123456&timestamp=1377177267&lat=60.0&lon=30.0",
    "lat=60.0&lon=30.0&speed=0.0&heading=0.0&vacc=0&hacc=0&altitude=0&deviceid=123456",
    "id=861001000719969&lat=41.666667&lon=-0.883333&altitude=350.059479&speed=0.000000&batt=87",
    "id=123456&timestamp=1377177267&location=60.0,30.0",
    "id=123456789012345&timestamp=1504763810&lat=40.7232948571&lon=-74.0061408571&bearing=7.19889788244&speed=40"
    "&ignition=true&rpm=933&fuel=24",
]


@pytest.mark.parametrize("text", POSITIONS)
def test_positions_of_stock_clients(text: str) -> None:
    report = query(text)
    assert report.has_position
    assert report.device


def test_cells_and_access_points_are_a_message_but_no_position() -> None:
    report = query(  # (Traccar)
        "id=123456&timestamp=1377177267&cell=257,02,16,2224&cell=257,02,16,2223,-90&wifi=00-14-22-01-23-45,-80"
    )
    assert report.device == "123456"
    assert not report.has_position
    assert report.attributes["cell"] == "257,02,16,2224;257,02,16,2223,-90"


@pytest.mark.parametrize("text", ["timestamp=1377177267&lat=60.0&lon=30.0", "", "id=&lat=1&lon=2", "id=%20&lat=1"])
def test_missing_id(text: str) -> None:
    with pytest.raises(MalformedError, match="id is missing"):
        query(text)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1377177267", datetime(2013, 8, 22, 13, 14, 27, tzinfo=UTC)),
        ("1442068686579", datetime(2015, 9, 12, 14, 38, 6, 579000, tzinfo=UTC)),
        ("2016-01-27T18:55:47Z", datetime(2016, 1, 27, 18, 55, 47, tzinfo=UTC)),
        ("2016-01-27T18:55:47.5+07:00", datetime(2016, 1, 27, 11, 55, 47, 500000, tzinfo=UTC)),
        ("2016-01-27T18:55:47 07:00", datetime(2016, 1, 27, 11, 55, 47, tzinfo=UTC)),
        ("2016-01-27T18:55:47+0700", datetime(2016, 1, 27, 11, 55, 47, tzinfo=UTC)),
        ("2014-06-04 09:10:11", datetime(2014, 6, 4, 9, 10, 11, tzinfo=UTC)),
        ("", None),
    ],
)
def test_timestamps(timestamp: str, expected: datetime | None) -> None:
    assert query(urlencode({"id": "1", "lat": "1", "lon": "2", "timestamp": timestamp})).time == expected


def test_speed_is_in_knots_in_the_query_and_mps_in_json() -> None:
    assert query("id=1&lat=1&lon=2&speed=40").speed_mps == pytest.approx(40 * 1852 / 3600)
    report = body({"device_id": "1", "location": {"coords": {"latitude": 1, "longitude": 2, "speed": 18.67}}})
    assert report.speed_mps == 18.67


def test_query_fields() -> None:
    report = query(
        "id=1&lat=1&lon=2&bearing=370&heading=12&accuracy=7.5&altitude=-3&batt=87&ignition=true&rpm=933&driver=An&speed=-1"
    )
    assert report.heading_deg is None  # beyond 360 is unknown; bearing goes before heading
    assert query("id=1&lat=1&lon=2&heading=360").heading_deg == 0.0
    assert (report.accuracy_m, report.altitude_m, report.battery, report.speed_mps) == (7.5, -3.0, 0.87, None)
    assert report.attributes == {"ignition": True, "rpm": 933.0, "driver": "An"}


def test_form() -> None:
    [report] = osmand.decode(b"", b"id=7&lat=21.9&lon=106.7&timestamp=1700000000", "application/x-www-form-urlencoded")
    assert (report.device, report.lat, report.lon) == ("7", 21.9, 106.7)
    [report] = osmand.decode(b"id=8", b"lat=21.9&lon=106.7", "application/x-www-form-urlencoded")
    assert report.device == "8"
    assert report.has_position


def test_not_valid_is_no_position() -> None:
    assert not query("id=1&lat=1&lon=2&valid=false").has_position
    assert query("id=1&lat=1&lon=2&valid=1").has_position


@pytest.mark.parametrize(
    "text",
    [
        "id=1&lat=nan&lon=2",
        "id=1&lat=inf&lon=2",
        "id=1&lat=1e999&lon=2",
        "id=1&lat=21,9&lon=106,7",
        "id=1&lat=1",
        "id=1&lat=1_0&lon=2",
        "id=1&lat=1&lon=2&speed=fast",
        "id=1&lat=1&lon=2&timestamp=yesterday",
        "id=1&location=5",
        "id=1&lat=1&lon=2&timestamp=1e300",
        "id=" + "x" * 200,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        query(text)


# (Traccar)
JSON = {
    "location": {
        "timestamp": "2025-06-15T13:45:12.862Z",
        "coords": {
            "latitude": 37.4219983,
            "longitude": -122.084,
            "accuracy": 5,
            "speed": 0,
            "heading": -1,
            "altitude": 5,
        },
        "is_moving": False,
        "odometer": 0,
        "event": "motionchange",
        "battery": {"level": 1, "is_charging": False},
        "activity": {"type": "still"},
        "extras": {"text": "long_device_id", "yes": True, "number": 1.345},
        "_": "&id=48241179&lat=37.4219983&lon=-122.084&timestamp=2025-06-15T13:45:12.862Z&",
    },
    "device_id": "48241179",
}


def test_json() -> None:
    report = body(JSON)
    assert report.device == "48241179"
    assert report.time == datetime(2025, 6, 15, 13, 45, 12, 862000, tzinfo=UTC)
    assert (report.lat, report.lon, report.speed_mps, report.heading_deg) == (37.4219983, -122.084, 0, None)
    assert (report.accuracy_m, report.altitude_m, report.battery, report.mock) == (5, 5, 1, False)
    assert report.attributes == {
        "motion": False,
        "charge": False,
        "activity": "still",
        "event": "motionchange",
        "odometer": 0,
        "text": "long_device_id",
        "yes": True,
        "number": 1.345,
    }


def test_json_of_a_faked_position_with_unknown_values() -> None:
    location = {  # (Traccar)
        "extras": {},
        "mock": True,
        "coords": {
            "speed_accuracy": -1,
            "speed": -1,
            "longitude": -122.406417,
            "floor": None,
            "heading_accuracy": -1,
            "latitude": 37.785834000000001,
            "accuracy": 5,
            "altitude": 0,
            "heading": -1,
        },
        "is_moving": False,
        "odometer": 0,
        "battery": {"level": -1, "is_charging": False},
        "activity": {"type": "unknown", "confidence": 100},
        "timestamp": "2025-05-09T04:11:30.579Z",
    }
    report = body({"location": location, "device_id": "658765"})
    assert report.mock
    assert (report.speed_mps, report.heading_deg, report.battery) == (None, None, None)


@pytest.mark.parametrize("value", ["37.5", 37.5])
def test_numbers_as_text(value: Any) -> None:
    assert body({"device_id": 5, "location": {"coords": {"latitude": value, "longitude": "2"}}}).lat == 37.5


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"device_id": ""},
        {"location": {}},
        {"device_id": "1", "location": 5},
        {"device_id": True},
        {"device_id": "1", "location": {"coords": {"latitude": True, "longitude": 2}}},
        {"device_id": "1", "location": {"coords": {"latitude": [1], "longitude": 2}}},
    ],
)
def test_json_refused(document: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        body(document)


@examples(300)
@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(["", "application/json", "text/plain"]))
def test_any_bytes_give_a_report_or_our_error(raw_query: bytes, raw_body: bytes, content_type: str) -> None:
    with contextlib.suppress(CuaKhauError):
        osmand.decode(raw_query, raw_body, content_type)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@examples(300)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "device_id": VALUES,
            "location": st.fixed_dictionaries(
                {},
                optional={
                    "timestamp": VALUES,
                    "mock": VALUES,
                    "battery": VALUES,
                    "extras": VALUES,
                    "coords": st.fixed_dictionaries(
                        {},
                        optional={
                            "latitude": VALUES,
                            "longitude": VALUES,
                            "speed": VALUES,
                            "heading": VALUES,
                            "accuracy": VALUES,
                        },
                    ),
                },
            ),
        },
    )
)
def test_any_json_gives_a_report_or_our_error(document: dict[str, Any]) -> None:
    with contextlib.suppress(CuaKhauError):
        osmand.decode_json(json.dumps(document).encode())
