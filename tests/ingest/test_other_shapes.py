"""Shapes that apps, scripts and loggers send beside the usual ones: read as they are meant, or refused by name."""

from __future__ import annotations

import functools
import operator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from geo.errors import MalformedError
from ingest.formats.gps_format import RawMessage
from ingest.formats.registry import GPS_FORMATS
from ingest.formats.report import Report
from ingest.signals import SignalKind, read_signals
from ingest.traces.files import read_trace
from ingest.traces.trace import Trace

PLACE = (21.9, 106.7)
MOMENT = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
MARK = b"\xef\xbb\xbf"


def decode(name: str, body: object = None, query: str = "", path: tuple[str, ...] = ()) -> list[Report]:
    payload = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    headers = {"content-type": "application/json"} if payload else {}
    decoded = GPS_FORMATS[name].decode(RawMessage(payload, query=query.encode(), headers=headers, path=path))
    assert isinstance(decoded, list)
    return decoded


@pytest.mark.parametrize(
    "shape",
    [
        {"location": {"lat": 21.9, "lon": 106.7}},
        {"position": {"latitude": 21.9, "longitude": 106.7}},
        {"coords": {"latitude": 21.9, "longitude": 106.7}},
        {"gps": [21.9, 106.7]},
        {"gps": "21.9,106.7"},
        {"latlng": "21.9, 106.7"},
        {"latLng": [21.9, 106.7]},
        {"coordinates": [106.7, 21.9]},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [106.7, 21.9]}},
        {"location": {"coordinates": [106.7, 21.9]}},
        {"lat": "21.9", "lng": "106.7", "location": "Đồng Đăng"},
    ],
)
def test_a_place_is_found_wherever_it_stands(shape: dict[str, Any]) -> None:
    (report,) = decode("json", {"id": "a", "speed": 5, **shape})
    assert (report.lat, report.lon) == PLACE
    assert report.speed_mps == 5
    assert decode("json", [shape | {"id": "a"}])[0].lat == 21.9


@pytest.mark.parametrize("place", [[21.9], "21.9", [None, 106.7], {"lat": 21.9}, "here"])
def test_what_should_hold_a_place_and_does_not_is_named(place: object) -> None:
    with pytest.raises(MalformedError, match="gps"):
        decode("json", {"id": "a", "gps": place})


def test_objects_on_lines_of_their_own_are_a_list() -> None:
    body = MARK + b'{"id":"a","lat":21.9,"lon":106.7}\r\n\n{"id":"a","lat":}\n{"id":"a","lat":21.8,"lon":106.7}\n'
    assert [(report.lat, report.fault is None) for report in decode("json", body)] == [
        (21.9, True),
        (None, False),
        (21.8, True),
    ]
    pretty = orjson.dumps({"id": "a", "gps": [21.9, 106.7], "more": {"x": 1}}, option=orjson.OPT_INDENT_2)
    assert [report.lat for report in decode("json", pretty)] == [21.9]


def test_a_collection_of_features_is_a_list_of_positions() -> None:
    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [106.7, 21.9]}}
    listed = [{**feature, "properties": {"time": "2026-03-02T10:00:00+07:00", "speed": 3}}, {"type": "Feature"}]
    good, bad = decode("json", {"type": "FeatureCollection", "features": listed}, path=("tracker",))
    assert (good.device, good.lat, good.lon, good.time, good.speed_mps) == ("tracker", *PLACE, MOMENT, 3)
    assert bad.lat is None


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ({"battery": 0.85}, 0.85),
        ({"batt": 85}, 0.85),
        ({"bat": "100"}, 1.0),
        ({"battery": 1}, 0.01),
        ({"battery_level": 1}, 1.0),
        ({"battery_level": 55}, 0.55),
        ({"battery": 0}, 0.0),
        ({"battery": -1}, None),
        ({}, None),
    ],
)
def test_a_battery_is_a_share_or_per_cent(said: dict[str, object], share: float | None) -> None:
    (report,) = decode("json", {"id": "a", "lat": 21.9, "lon": 106.7, **said})
    assert report.battery == (None if share is None else pytest.approx(share))
    is_low = SignalKind.LOW_BATTERY in dict(read_signals(report))
    assert is_low is (share is not None and share < 0.15)


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
@pytest.mark.parametrize("name", ["json", "owntracks", "osmand"])
def test_times_since_1970_in_any_unit(name: str, unit: int) -> None:
    count = 1_772_420_400 * unit
    if name == "osmand":
        (report,) = decode(name, query=f"id=a&lat=21.9&lon=106.7&timestamp={count}")
    else:
        (report,) = decode(name, {"_type": "location", "tid": "a", "lat": 21.9, "lon": 106.7, "tst": count})
    assert report.time == MOMENT


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("json", {"id": "a", "lat": 21.9, "lon": 106.7}),
        ("owntracks", {"_type": "location", "tid": "a", "lat": 21.9, "lon": 106.7}),
        ("owntracks", [{"_type": "location", "tid": "a", "lat": 21.9, "lon": 106.7}]),
        ("osmand", {"device_id": "a", "location": {"coords": {"latitude": 21.9, "longitude": 106.7}}}),
        ("traccar", {"device": {"uniqueId": "a"}, "position": {"latitude": 21.9, "longitude": 106.7}}),
        (
            "overland",
            {"locations": [{"geometry": {"coordinates": [106.7, 21.9]}, "properties": {"device_id": "a"}}]},
        ),
    ],
)
def test_a_byte_order_mark_says_nothing(name: str, body: object) -> None:
    (report,) = decode(name, MARK + orjson.dumps(body))
    assert (report.device, report.lat, report.lon) == ("a", *PLACE)


def test_a_byte_order_mark_costs_a_batch_no_line() -> None:
    body = MARK + b'{"device":"a","time":1772420400,"lat":21.9,"lon":106.7}\r\n{"device":"a","lat":1}\r\n'
    columns: Any = GPS_FORMATS["batch"].decode(RawMessage(body))
    assert (columns.lat.tolist(), columns.line.tolist(), [fault.line for fault in columns.errors]) == ([21.9], [1], [2])


def test_half_a_position_of_overland_is_named_and_costs_no_other() -> None:
    features = [{"geometry": {"coordinates": place}} for place in ([106.7, None], [None, 21.9], [106.7, 21.9])]
    reports = decode("overland", {"locations": features}, path=("a",))
    assert [report.fault is None for report in reports] == [False, False, True]
    assert all((report.lat is None) == (report.lon is None) for report in reports)


@pytest.mark.parametrize("nothing", ["%SPD", "%25SPD", "%ACC", "{speed}", "N/A", "null", "-", ""])
def test_what_a_client_did_not_fill_in_is_unknown(nothing: str) -> None:
    query = f"lat=21.9&lon=106.7&timestamp=1772420400&speed={nothing}&acc={nothing}&bat={nothing}"
    (report,) = decode("phonetrack", query=query, path=("token",))
    assert (report.lat, report.lon, report.time) == (*PLACE, MOMENT)
    assert (report.speed_mps, report.accuracy_m, report.battery) == (None, None, None)


_TRACCAR = {"device": {"uniqueId": "a"}, "position": {"latitude": 21.9, "longitude": 106.7, "speed": "NaN"}}
_FEATURE = {"geometry": {"coordinates": [106.7, 21.9]}, "properties": {"device_id": "a", "speed": "NaN"}}


@pytest.mark.parametrize(
    ("name", "body", "query"),
    [
        ("osmand", None, "id=a&lat=21.9&lon=106.7&speed=NaN&bearing=nan&accuracy=-NaN&altitude=NaN&batt=inf&hdop=NaN"),
        (
            "osmand",
            {"device_id": "a", "location": {"coords": {"latitude": 21.9, "longitude": 106.7, "speed": "NaN"}}},
            "",
        ),
        ("owntracks", {"_type": "location", "tid": "a", "lat": 21.9, "lon": 106.7, "vel": "NaN", "alt": "nan"}, ""),
        ("traccar", _TRACCAR, ""),
        ("json", {"id": "a", "lat": 21.9, "lon": 106.7, "speed": "NaN", "altitude": "Infinity", "battery": "nan"}, ""),
        ("homeassistant", {"type": "update_location", "data": {"id": "a", "gps": [21.9, 106.7], "speed": "NaN"}}, ""),
        ("overland", {"locations": [_FEATURE]}, ""),
        ("phonetrack", None, "id=a&lat=21.9&lon=106.7&speed=NaN&acc=-nan"),
    ],
)
def test_a_measurement_that_is_no_number_is_unknown_and_costs_no_position(name: str, body: object, query: str) -> None:
    (report,) = decode(name, body, query)
    assert (report.lat, report.lon, report.speed_mps, report.altitude_m) == (*PLACE, None, None)
    assert (report.heading_deg, report.accuracy_m, report.battery) == (None, None, None)
    assert "hdop" not in report.attributes


def test_a_measurement_that_is_no_number_costs_a_batch_no_line() -> None:
    body = b'{"device":"a","lat":21.9,"lon":106.7,"speed_mps":"NaN"}\n{"device":"a","lat":"NaN","lon":106.7}\n'
    columns: Any = GPS_FORMATS["batch"].decode(RawMessage(body))
    assert (columns.lat.tolist(), columns.line.tolist(), [fault.line for fault in columns.errors]) == ([21.9], [1], [2])


def test_an_empty_location_leaves_latitude_and_longitude() -> None:
    (report,) = decode("osmand", query="id=a&location=&lat=21.9&lon=106.7")
    assert (report.lat, report.lon) == PLACE


def test_a_list_of_messages_of_traccar_client_keeps_the_good_ones() -> None:
    good = {"device_id": "a", "location": {"coords": {"latitude": 21.9, "longitude": 106.7}}}
    bad = {"device_id": "a", "location": {"coords": {"latitude": "x", "longitude": 106.7}}}
    reports = decode("osmand", [good, 7, bad, {"id": "a", "lat": 21.9, "lon": 106.7}])
    assert [report.fault is None for report in reports] == [True, False, False, True]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_csv_as_spreadsheets_write_it(encoding: str) -> None:
    text = "Time\tLat\tLon\r\n2026-03-02T03:00:00Z\t21.9\t106.7\r\nx\t21.9\t106.7\r\n"
    trace = read_trace("trip.csv", text.encode(encoding))
    assert (trace.points["lat"].tolist(), [fault.line for fault in trace.faults]) == ([21.9], [3])


GPX = (
    '<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>'
    '<trkpt lat="21.9" lon="106.7"><time>2026-03-02T03:00:00Z</time></trkpt>'
    '<trkpt lat="21.8" lon="106.7"><time>2026-03-02T03:00:10Z</time></trkpt></trkseg></trk></gpx>'
)


@pytest.mark.parametrize("missing", range(1, 22, 4))
def test_a_file_on_one_line_that_breaks_off_keeps_what_came_before(missing: int) -> None:
    trace = read_trace("cut.gpx", GPX.encode()[:-missing])
    assert trace.points["lat"].tolist() == [21.9, 21.8]
    assert [fault.reason.name for fault in trace.faults] == ["BROKEN_XML"]


def _track(order: str) -> Trace:
    """A track of KML: `t0` is a time of so many seconds, `p9` a coordinate at 21.9°."""
    parts = {
        "t": "<when>2026-03-02T03:00:0{}Z</when>",
        "p": "<gx:coord>106.7 21.{} 0</gx:coord>",
    }
    inner = "".join(parts[each[0]].format(each[1]) for each in order.split())
    kml = f'<kml xmlns:gx="http://www.google.com/kml/ext/2.2"><Placemark><gx:Track>{inner}</gx:Track></Placemark></kml>'
    return read_trace("a.kml", kml.encode())


@pytest.mark.parametrize(
    "order",
    ["t0 t1 t2 p9 p8 p7", "p9 p8 p7 t0 t1 t2", "t0 p9 t1 p8 t2 p7", "p9 t0 p8 t1 p7 t2"],
    ids=["times first", "coordinates first", "in turn", "in turn, the time behind"],
)
def test_a_track_of_kml_in_any_order(order: str) -> None:
    trace = _track(order)
    assert trace.points["time"].dt.second.tolist() == [0, 1, 2]
    assert trace.points["lat"].tolist() == [21.9, 21.8, 21.7]
    assert trace.faults == []


@pytest.mark.parametrize(
    ("order", "kept", "missing"),
    [
        ("t0 p9 p8 t2 p7", [(0, 21.9), (2, 21.7)], 1),
        ("p9 t0 p8 p7 t2", [(0, 21.9), (2, 21.7)], 1),
        ("t0 t1 p9 p8 p7", [], 3),
        ("t0 t1 t2 p9 p8", [], 2),
        ("p9 p8 p7 t0 t1", [], 3),
    ],
)
def test_a_track_of_kml_that_lacks_a_time_gives_no_point_the_time_of_another(
    order: str, kept: list[tuple[int, float]], missing: int
) -> None:
    trace = _track(order)
    assert list(zip(trace.points["time"].dt.second.tolist(), trace.points["lat"].tolist(), strict=True)) == kept
    assert [fault.reason.name for fault in trace.faults] == ["UNEVEN_TRACK", *["MISSING"] * missing]


@pytest.mark.parametrize(("lat", "lon"), [("2199.9", "10642.0"), ("2154.0", "10660.0")])
def test_minutes_of_nmea_end_at_sixty(lat: str, lon: str) -> None:
    def sentence(lat: str, lon: str) -> str:
        text = f"GPRMC,030000,A,{lat},N,{lon},E,1.0,400.0,020326,,"
        return f"${text}*{functools.reduce(operator.xor, text.encode(), 0):02X}"

    trace = read_trace("a.nmea", "\n".join([sentence(lat, lon), sentence("2154.0", "10642.0")]).encode())
    assert trace.points["lat"].tolist() == [21.9]
    assert trace.points["heading_deg"].isna().all(), "no direction is 400°"
    assert [(fault.line, fault.reason.name) for fault in trace.faults] == [(1, "NO_SENTENCE"), (2, "NO_MEASUREMENT")]


def test_csv_with_decimal_commas() -> None:
    trace = read_trace("a.csv", b"time;lat;lon;speed\n2026-03-02T03:00:00Z;21,9;106,7;5,5\n1772420410;21.8;1,2,3;1\n")
    assert trace.points[["lat", "lon", "speed_mps"]].to_numpy().tolist() == [[21.9, 106.7, 5.5]]
    assert [(fault.line, fault.value) for fault in trace.faults] == [(3, "lon=1,2,3")]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_times_of_traces_in_any_unit(unit: int) -> None:
    trace = read_trace("a.csv", f"time,lat,lon\n{1_772_420_400 * unit},21.9,106.7\n".encode())
    assert trace.points["time"].tolist() == [MOMENT]


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.geojson"])
def test_a_byte_order_mark_costs_a_trace_no_point(name: str) -> None:
    line = {"device": "a", "time": "2026-03-02T03:00:00Z", "lat": 21.9, "lon": 106.7}
    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [106.7, 21.9]}, "properties": line}
    trace = read_trace(name, MARK + orjson.dumps(feature if name == "a.geojson" else line))
    assert (trace.points["lat"].tolist(), trace.faults) == ([21.9], [])
