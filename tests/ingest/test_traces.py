"""Traces of every format: good points are kept, each bad one is told with its line and value, nothing ends badly."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InvalidInputError
from ingest.traces.files import READERS, TRACE_FORMATS, read_trace, write_trace
from ingest.traces.trace import FaultReason, Trace
from tests.profiles import examples

TIMES = ["2026-03-01T00:00:00Z", "2026-03-01T00:00:10Z", "2026-03-01T00:00:20Z"]
GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>29C-1</name><trkseg>
<trkpt lat="21.5" lon="106.3"><time>2026-03-01T00:00:00Z</time></trkpt>
<trkpt lat="abc" lon="106.3"><time>2026-03-01T00:00:10Z</time></trkpt>
<trkpt lat="21.5" lon="106.3"><time>yesterday</time></trkpt>
<trkpt lat="91.5" lon="106.3"><time>2026-03-01T00:00:10Z</time></trkpt>
<trkpt lat="21.5" lon="106.3"></trkpt>
<trkpt lat="21.6" lon="106.4"><time>2026-03-01T00:00:20Z</time></trkpt>
</trkseg></trk></gpx>
"""
KML = """<?xml version="1.0"?>
<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"><Document>
<Placemark><name>29C-1</name><gx:Track>
<when>2026-03-01T00:00:00Z</when><when>2026-03-01T00:00:10Z</when><when>2026-03-01T00:00:20Z</when>
<gx:coord>106.3 21.5 0</gx:coord><gx:coord>106.3 north 0</gx:coord><gx:coord>106.4 21.6 0</gx:coord>
</gx:Track></Placemark>
<Placemark><TimeStamp><when>2026-03-01T00:01:00Z</when></TimeStamp><Point><coordinates>106.5,21.7,0</coordinates></Point></Placemark>
<Placemark><name>way</name><LineString><coordinates>106.5,21.7 106.6,21.8</coordinates></LineString></Placemark>
</Document></kml>
"""
TCX = """<?xml version="1.0"?>
<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"><Activities><Activity><Lap><Track>
<Trackpoint><Time>2026-03-01T00:00:00Z</Time><Position><LatitudeDegrees>21.5</LatitudeDegrees><LongitudeDegrees>106.3</LongitudeDegrees></Position></Trackpoint>
<Trackpoint><Time>2026-03-01T00:00:05Z</Time></Trackpoint>
<Trackpoint><Time>noon</Time><Position><LatitudeDegrees>21.5</LatitudeDegrees><LongitudeDegrees>106.3</LongitudeDegrees></Position></Trackpoint>
<Trackpoint><Time>2026-03-01T00:00:20Z</Time><Position><LatitudeDegrees>21.6</LatitudeDegrees><LongitudeDegrees>106.4</LongitudeDegrees></Position></Trackpoint>
</Track></Lap></Activity></Activities></TrainingCenterDatabase>
"""


def sentence(body: str) -> str:
    checksum = 0
    for character in body:
        checksum ^= ord(character)
    return f"${body}*{checksum:02X}"


NMEA = "\n".join(
    [
        sentence("GPRMC,000000.00,A,2130.000,N,10618.000,E,10.0,45.0,010326,,,A"),
        sentence("GPGGA,000000.00,2130.000,N,10618.000,E,1,08,0.9,200.0,M,,M,,"),
        sentence("GPRMC,000010.00,A,2130.000,N,10618.000,E,10.0,45.0,010326,,,A").replace("2130", "2131"),
        sentence("GPRMC,000015.00,V,,,,,,,010326,,,N"),
        "noise",
        sentence("GPRMC,000020.00,A,2136.000,N,10624.000,E,20.0,45.0,010326,,,A"),
    ]
)
CSV = """device,time,lat,lon,speed
29C-1,2026-03-01T00:00:00Z,21.5,106.3,5
29C-1,soon,21.5,106.3,5
29C-1,2026-03-01T00:00:05Z,21.5
29C-1,2026-03-01T00:00:06Z,0,0,5
29C-1,2026-03-01T00:00:10Z,"21,5",106.3,5
29C-1,2026-03-01T00:00:20Z,21.6,106.4,fast
"""
NDJSON = "\n".join(
    [
        '{"device":"29C-1","time":"2026-03-01T00:00:00Z","lat":21.5,"lon":106.3}',
        "{broken",
        "[1, 2]",
        '{"device":"29C-1","time":"2026-03-01T00:00:10Z","lat":null,"lon":106.3}',
        '{"device":"29C-1","time":1772323220,"lat":21.6,"lon":106.4}',
    ]
)
GEOJSON = orjson.dumps(
    {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [106.3, 21.5]},
                "properties": {"device": "29C-1", "time": TIMES[0]},
            },
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [206.3, 21.5]},
                "properties": {"device": "29C-1", "time": TIMES[1]},
            },
            {"type": "Feature", "geometry": None, "properties": {}},
            {
                "type": "Feature",
                "geometry": {"type": "LineString", "coordinates": [[106.4, 21.6], [106.5, 21.7]]},
                "properties": {"device": "29C-1", "coordTimes": [TIMES[2]]},
            },
        ],
    }
).decode()


@pytest.mark.parametrize(
    ("name", "text", "kept", "bad"),
    [
        ("a.gpx", GPX, 2, [(4, "lat=abc"), (5, "time=yesterday"), (6, "lat=91.5"), (7, "")]),
        ("a.kml", KML, 3, [(6, "lat=north"), (8, "way")]),
        ("a.tcx", TCX, 2, [(5, "time=noon")]),
        ("a.nmea", NMEA, 2, [(3, "$GPRMC,000010"), (4, "$GPRMC,000015"), (5, "noise")]),
        ("a.txt", NMEA, 2, [(3, "$GPRMC,000010"), (4, "$GPRMC,000015"), (5, "noise")]),
        (
            "a.csv",
            CSV,
            2,
            [(3, "time=soon"), (4, "29C-1,2026"), (5, "lat=0"), (6, "lat=21,5"), (7, "speed_mps=fast")],
        ),
        ("a.ndjson", NDJSON, 2, [(2, "{broken"), (3, "[1, 2]"), (4, "")]),
        ("a.json", NDJSON, 2, [(2, "{broken"), (3, "[1, 2]"), (4, "")]),
        ("a.geojson", GEOJSON, 2, [(2, "lon=206.3"), (3, ""), (4, "")]),
    ],
)
def test_good_points_are_kept_and_bad_ones_told(name: str, text: str, kept: int, bad: list[tuple[int, str]]) -> None:
    trace = read_trace(name, text.encode())
    assert len(trace.points) == kept
    assert trace.points["lat"].iloc[0] == pytest.approx(21.5)
    assert trace.points["time"].iloc[0] == pd.Timestamp(TIMES[0])
    assert trace.points["lon"].iloc[1] == pytest.approx(106.4)
    assert trace.points["time"].iloc[1] == pd.Timestamp(TIMES[2])
    assert [fault.line for fault in trace.faults] == [line for line, _ in bad]
    for fault, (_, value) in zip(trace.faults, bad, strict=True):
        assert value in fault.value
        assert fault.reason


def test_speeds_of_nmea_are_knots() -> None:
    assert read_trace("a.nmea", NMEA.encode()).points["speed_mps"].tolist() == pytest.approx(
        [5.1444, 10.2889], abs=0.01
    )


def test_a_track_names_its_device() -> None:
    assert set(read_trace("x.gpx", GPX.encode()).points["device"]) == {"29C-1"}
    assert read_trace("x.kml", KML.encode()).points["device"].tolist() == ["29C-1", "29C-1", "x"]
    assert set(read_trace("29C-9.tcx", TCX.encode()).points["device"]) == {"29C-9"}


def test_a_file_that_is_cut_short_keeps_what_came_before() -> None:
    trace = read_trace("a.gpx", GPX[: GPX.index('<trkpt lat="21.6"')].encode())
    assert len(trace.points) == 1
    assert any("well-formed" in fault.reason for fault in trace.faults)


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE gpx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n' + GPX.replace("29C-1", "&b;").split("\n", 1)[1]
    assert read_trace("a.gpx", bomb.encode()).faults


@pytest.mark.parametrize("kind", list(TRACE_FORMATS))
def test_out_and_in_again_is_the_same(kind: str) -> None:
    points = pd.DataFrame(
        {
            "device": ["29C-123.45"] * 3,
            "time": pd.to_datetime(TIMES, utc=True),
            "lat": [21.5, 21.51, 21.52],
            "lon": [106.3, 106.31, 106.32],
            "speed_mps": [5.0, np.nan, 7.0],
            "heading_deg": [10.0, np.nan, 30.0],
            "accuracy_m": [np.nan] * 3,
        }
    )
    trace = read_trace(f"a.{kind}", write_trace(points, kind))
    assert trace.faults == []
    assert trace.points["time"].tolist() == points["time"].tolist()
    assert trace.points["device"].tolist() == points["device"].tolist()
    for name in ("lat", "lon", "speed_mps", "heading_deg"):
        assert trace.points[name].to_numpy() == pytest.approx(points[name].to_numpy(), nan_ok=True)


def test_parquet_tells_rows() -> None:
    frame = pd.DataFrame({"time": [TIMES[0], "x", TIMES[2]], "lat": [21.5, 21.5, np.nan], "lon": [106.3] * 3})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    trace = read_trace("29C-1.parquet", buffer.getvalue())
    assert (len(trace.points), [fault.line for fault in trace.faults]) == (1, [2, 3])


def fit_file() -> bytes:
    """A FIT file of two records, as the FIT protocol 2.0 lays them out."""
    definition = bytes([0x40, 0, 0, 20, 0, 3, 253, 4, 0x86, 0, 4, 0x85, 1, 4, 0x85])
    records = b""
    for second, lat, lon in ((0, 21.5, 106.3), (10, 21.6, 106.4)):
        stamp = 1_141_171_200 + second  # since 1989-12-31 UTC
        records += struct.pack("<BIii", 0, stamp, int(lat / 180 * 2**31), int(lon / 180 * 2**31))
    data = definition + records
    header = struct.pack("<BBHI4s", 12, 0x20, 2100, len(data), b".FIT")

    def crc(content: bytes) -> int:
        table = [
            0x0,
            0xCC01,
            0xD801,
            0x1400,
            0xF001,
            0x3C00,
            0x2800,
            0xE401,
            0xA001,
            0x6C00,
            0x7800,
            0xB401,
            0x5000,
            0x9C01,
            0x8801,
            0x4400,
        ]
        value = 0
        for byte in content:
            for nibble in (byte & 0xF, byte >> 4):
                value = (value >> 4) & 0x0FFF ^ table[value & 0xF] ^ table[nibble]
        return value

    return header + data + struct.pack("<H", crc(header + data))


def test_fit_whole_and_cut_short() -> None:
    whole = read_trace("a.fit", fit_file())
    assert whole.points["lat"].tolist() == pytest.approx([21.5, 21.6], abs=1e-6)
    assert whole.faults == []
    cut = read_trace("a.fit", fit_file()[:-12])
    assert len(cut.points) == 1
    assert len(cut.faults) == 1


@pytest.mark.parametrize("has_checksum_in_header", [False, True])
def test_a_damaged_fit_file_is_said_to_be_so_and_keeps_its_points(has_checksum_in_header: bool) -> None:
    """Once for each checksum that does not match, to whoever sent the file; nothing is written into the log instead."""
    whole = bytearray(fit_file())
    if has_checksum_in_header:
        whole[:1] = bytes([14])
        whole[12:12] = b"\x01\x00"
    whole[-1] ^= 0x01
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        damaged = read_trace("a.fit", bytes(whole))
    assert damaged.points["lat"].tolist() == pytest.approx([21.5, 21.6], abs=1e-6)
    expected = [(1, FaultReason.WRONG_CHECKSUM)] * has_checksum_in_header + [(2, FaultReason.WRONG_CHECKSUM)]
    assert [(fault.line, fault.reason) for fault in damaged.faults] == expected
    assert all(fault.value.startswith("CRC=0x") for fault in damaged.faults)


def test_what_is_no_trace_at_all() -> None:
    with pytest.raises(InvalidInputError):
        read_trace("a.docx", b"")
    with pytest.raises(InvalidInputError, match="lon"):
        read_trace("a.csv", b"time,lat\n1,2\n")
    with pytest.raises(InvalidInputError):
        read_trace("a.parquet", b"PAR1 no")
    with pytest.raises(InvalidInputError):
        read_trace("a.geojson", b"{")


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=300), st.integers(0, 400), st.integers(0, 255))
@examples(2000)
def test_nothing_ends_in_a_traceback(ending: str, noise: bytes, at: int, byte: int) -> None:
    seeds = {".gpx": GPX, ".kml": KML, ".tcx": TCX, ".nmea": NMEA, ".csv": CSV, ".ndjson": NDJSON, ".geojson": GEOJSON}
    seed = bytearray(fit_file() if ending == ".fit" else seeds.get(ending, NDJSON).encode())
    seed[at % len(seed)] = byte
    for data in (noise, bytes(seed), bytes(seed[:at])):
        try:
            trace = read_trace("a" + ending, data)
        except InvalidInputError:
            continue
        assert isinstance(trace, Trace)
        assert trace.points["lat"].between(-90, 90).all()
        assert not trace.points["time"].isna().any()
