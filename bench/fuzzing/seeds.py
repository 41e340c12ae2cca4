"""Real messages and files that inputs of the fuzzer grow from, each behind the byte that says how it comes."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from app.integrations.export_messages import ExportData, ExportReceipt
from app.integrations.forms import codec
from app.integrations.messages import Body, JsonCodec, Message
from app.integrations.simulators.exports import make_export
from bench.fuzzing.targets import (
    ADDRESSED,
    BOUNDARY,
    CAMERA_TARGETS,
    GPS_TARGETS,
    MESSAGE_TARGETS,
    PAYLOAD,
    TERMINAL_TARGETS,
)
from geo.clock import FixedClock
from ingest.traces.files import write_trace

DATA: Final = Path(__file__).parents[2] / "tests/ingest/data"
_PICTURE: Final = "/9j/4AAQSkZJRg=="

GPS_SEEDS: Final = (
    b"\x00id=abc&timestamp=1772420400&lat=21.97&lon=106.71&speed=10&bearing=20&batt=80&hdop=1.2&valid=true",
    b"\x00id=123456&timestamp=1377177267&cell=257,02,16,2224&cell=257,02,16,2223,-90&wifi=00-14-22-01-23-45,-80",
    b"\x00lat=49.60688&lon=6.15788&timestamp=2014-06-04+09%3A10%3A11&altitude=384.7&speed=0.0&id=353861053849681",
    b"\x00lat=21.97&lon=106.71&timestamp=%TIME&acc=%ACC&spd=%SPD&sat={sat}&bat=80.0&id=abc&alt=250&bearing=nan",
    b"\x01id=abc&timestamp=2026-03-02T10:00:00Z&location=21.97,106.71&cell=1,2,3&wifi=aa",
    b'\x02{"_type":"location","tid":"ab","tst":1772420400,"lat":21.97,"lon":106.71,"acc":8,"vel":36,"cog":20,"batt":80}',
    b'\x02{"device":"abc","time":"2026-03-02T10:00:00+07:00","lat":21.97,"lon":106.71,"speed_mps":5,"heading_deg":9}\n',
    b'\x02{"device_id":"abc","location":{"timestamp":"2026-03-02T10:00:00Z","coords":{"latitude":21.9,"longitude":1e2,'
    b'"speed":-1,"heading":-1},"battery":{"level":1,"is_charging":false},"extras":{"text":"a"}}}',
    b'\x02{"position":{"fixTime":"2026-03-02T10:00:00Z","latitude":21.9,"longitude":106.7,"speed":10,"attributes":'
    b'{"batteryLevel":80,"alarm":"sos"}},"device":{"uniqueId":"abc"}}',
    b'\x02{"locations":[{"type":"Feature","geometry":{"type":"Point","coordinates":[106.7,21.9]},"properties":'
    b'{"timestamp":"2026-03-02T10:00:00Z","battery_level":0.8,"device_id":"abc"}}]}',
    b'\x02{"type":"update_location","data":{"gps":[21.9,106.7],"gps_accuracy":10,"battery":80,"speed":5}}',
    b'\x02[{"id":"a","latlng":"21.9,106.7","time":1772420400000},{"id":"a","coordinates":[106.7,21.9]}]',
    b'\x03owntracks/driver/29c\n{"_type":"transition","event":"enter","desc":"yard","tst":1772420400,"tid":"ab"}',
    b'\x03owntracks/driver/29c/event\n{"_type":"location","tst":1551874878,"lat":46.06,"lon":11.15,"t":"u","vac":2}',
    bytes([ADDRESSED]) + b'token/29c YTpi d=x&u=y\n{"lat":21.9,"lng":106.7,"vel":36,"timestamp":"2026-03-02 10:00:00"}',
)

_ANPR: Final = """<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0" xmlns="http://www.hikvision.com/ver20/XMLSchema"><ipAddress>10.0.0.7</ipAddress>
<dateTime>2026-03-02T10:00:00+07:00</dateTime><eventType>ANPR</eventType><channelName>Gate</channelName><UUID>u</UUID>
<ANPR><country>3</country><licensePlate>29C-123.45</licensePlate><confidenceLevel>97</confidenceLevel>
<direction>reverse</direction></ANPR><isDataRetransmission>true</isDataRetransmission></EventNotificationAlert>"""
_STREAM: Final = {
    "data": {
        "camera_id": "camera-1",
        "timestamp": "2026-03-02T02:59:58.250000Z",
        "results": [
            {
                "plate": "29c12345",
                "score": 0.91,
                "direction": 225,
                "candidates": [{"plate": "29c1z345", "score": 0.4}],
            },
            {"plate": {"props": {"plate": [{"value": "12r00123", "score": 0.7}]}}, "direction": None},
        ],
    }
}
_REKOR: Final = {
    "data_type": "alpr_group",
    "best_plate_number": "29C12345",
    "best_confidence": 92.5,
    "camera_id": 7,
    "epoch_start": 1772420399000,
    "best_uuid": "gate-1",
    "travel_direction": 12.5,
    "candidates": [{"plate": "29C1234S", "confidence": 71.0}],
    "best_plate": {"plate_crop_jpeg": _PICTURE},
    "is_parked": False,
}
_DAHUA: Final = {
    "Picture": {
        "Plate": {"IsExist": True, "PlateNumber": "桂F·A1234", "Confidence": 93},
        "SnapInfo": {"AccurateTime": "2026-03-02 10:00:00.250", "DeviceID": "d", "LanNo": 1, "Direction": "Obverse"},
        "NormalPic": {"PicName": "a.jpg", "Content": _PICTURE},
    },
    "ParkingInfo": {"SnapTime": "2026-03-02 10:00:00"},
}
_AXIS: Final = {
    "plateUTF8": "29C12345",
    "plateConfidence": "0.9",
    "carID": "9",
    "carState": "new",
    "carMoveDirection": "in",
    "capture_timestamp": "1772420399000",
    "datetime": "20260302 100000250",
    "camera_info": {"SerialNumber": "B8A44F000000"},
    "ImageArray": [{"ImageType": "vehicle", "BinaryImage": _PICTURE}],
}
_FRIGATE: Final = {
    "type": "lpr",
    "id": "1772420399.7-abc",
    "plate": "29C 12345",
    "score": 0.95,
    "camera": "gate_in",
    "timestamp": 1772420399.748393,
}


def _multipart(name: str, kind: str, data: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\nContent-Type: {kind}'
    picture = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="upload"\r\nContent-Type: image/jpeg\r\n\r\n'
    return head.encode() + b"\r\n\r\n" + data + f"\r\n{picture}\xff\xd8\r\n--{BOUNDARY}--\r\n".encode("latin-1")


def _camera_seeds() -> list[bytes]:
    stream = json.dumps(_STREAM).encode()
    texts = [json.dumps(each, ensure_ascii=False) for each in (_REKOR, _DAHUA, _AXIS, _FRIGATE, [_AXIS, _AXIS])]
    return [
        b"\x00" + stream,
        b"\x01" + _multipart("json", "application/json", stream),
        b"\x01" + _multipart("event", "application/json", json.dumps(_AXIS).encode()),
        b"\x01" + _multipart("anpr.xml", "text/xml", _ANPR.encode()),
        b"\x02" + _ANPR.encode(),
        b"\x02" + _ANPR.replace("UTF-8", "GB2312").replace("Gate", "友谊关").encode("gb18030"),
        b"\x05" + _ANPR.encode("utf-16"),
        b"\x04" + texts[1].encode("gb18030"),
        *[b"\x00" + text.encode() for text in texts],
    ]


def _terminal_seeds(protocol: str) -> list[bytes]:
    """Frames that others have published, those of GT06 behind a login; and what stands inside them."""
    from ingest.formats.registry import TERMINAL_FORMATS

    login = bytes.fromhex("78780d0103534190360660610003c3df0d0a") if protocol == "gt06" else b""
    published = json.loads((DATA / "published_frames.json").read_text(encoding="utf-8"))
    own = [frame for frame in published if frame["protocol"] == protocol]
    if protocol == "jt808":
        own += json.loads((DATA / "jt808_vectors.json").read_text(encoding="utf-8"))
    frames = [
        login + (bytes.fromhex(frame["hex"]) if "hex" in frame else frame["text"].encode("ascii")) for frame in own
    ]
    messages = [message for frame in frames for message in TERMINAL_FORMATS[protocol].open().feed(frame)]
    payloads = [message.payload for message in messages if message.payload]
    return [*[b"\x10" + frame for frame in frames], *[bytes([PAYLOAD]) + payload for payload in payloads]]


_XML: Final = '<?xml version="1.0"?>\n'
_TIME: Final = "2026-03-01T00:00:0{}Z"
_GPX: Final = f"""{_XML}<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>29C-1</name><trkseg>
<trkpt lat="21.5" lon="106.3"><time>{_TIME.format(0)}</time><speed>5</speed><course>9</course></trkpt>
<trkpt lat="abc" lon="106.3"><time>yesterday</time></trkpt></trkseg></trk><wpt lat="1" lon="2"/></gpx>"""
_KML: Final = f"""{_XML}<kml xmlns:gx="http://www.google.com/kml/ext/2.2"><Placemark><name>29C-1</name><gx:Track>
<when>{_TIME.format(0)}</when><when>{_TIME.format(1)}</when><gx:coord>106.3 21.5 0</gx:coord>
<gx:coord>106.4 21.6 0</gx:coord></gx:Track></Placemark><Placemark><TimeStamp><when>{_TIME.format(2)}</when></TimeStamp>
<Point><coordinates>106.5,21.7,0</coordinates></Point></Placemark></kml>"""
_TCX: Final = f"""{_XML}<TrainingCenterDatabase>
<Activities><Activity><Lap><Track><Trackpoint><Time>{_TIME.format(0)}</Time>
<Position><LatitudeDegrees>21.5</LatitudeDegrees><LongitudeDegrees>106.3</LongitudeDegrees></Position></Trackpoint>
</Track></Lap></Activity></Activities></TrainingCenterDatabase>"""
_GEOJSON: Final = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [106.3, 21.5]},
            "properties": {"device": "29C-1", "time": 1772323220, "speed": 5},
        },
        {
            "type": "Feature",
            "geometry": {"type": "MultiLineString", "coordinates": [[[106.4, 21.6], [106.5, 21.7]]]},
            "properties": {"coordTimes": [[_TIME.format(1), _TIME.format(2)]], "heading_deg": [1, 2]},
        },
    ],
}
_NMEA: Final = """$GPRMC,081836,A,3751.65,S,14507.36,E,000.0,360.0,130998,011.3,E*62
$GPRMC,225446,A,4916.45,N,12311.12,W,000.5,054.7,191194,020.3,E*68
$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76
$GPRMC,092751.000,A,5321.6802,N,00630.3371,W,0.06,31.66,280511,,,A*45
$GPRMC,000015.00,V,,,,,,,010326,,,N*79
"""
_CSV: Final = """device,time,lat,lon,speed,heading
29C-1,2026-03-01T00:00:00Z,21.5,106.3,5,90
29C-1,1772323220,"21,5",106.3,,
29C-1,soon,21.5
"""
_NDJSON: Final = """{"device":"29C-1","time":"2026-03-01T00:00:00Z","lat":21.5,"lon":106.3}
{"id":"29C-1","tst":1772323220,"latitude":21.6,"lng":106.4,"speed":"5","accuracy":1e9}
"""
_FIT: Final = bytes.fromhex(
    "0c203408290000002e464954400000140003fd04860004850104850000e404449ff4490f0e53974b000ae40444f5285c0f6587a94b2c15"
)
"""Two records of a time and a place each."""
_POINT: Final = bytes.fromhex("010100000033333333335b5a400000000000803540")
"""WKB of a point at 105.425° E, 21.5° N."""


def _points() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "device": ["29C-1", "29C-2"],
            "time": pd.to_datetime([_TIME.format(0), _TIME.format(1)], utc=True),
            "lat": [21.5, 21.6],
            "lon": [106.3, 106.4],
            "speed_mps": [5.0, np.nan],
            "heading_deg": [10.0, np.nan],
            "accuracy_m": [np.nan, 8.0],
        }
    )


def _parquet(columns: dict[str, list[object]]) -> bytes:
    """Without dictionaries, statistics and packing: a byte that is exchanged is one of a value or of the layout."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="none", use_dictionary=False, write_statistics=False)
    return buffer.getvalue()


def _trace_seeds(name: str) -> list[bytes]:
    seeds: dict[str, list[bytes]] = {
        "trace.gpx": [_GPX.encode(), write_trace(_points(), "gpx")],
        "trace.kml": [_KML.encode()],
        "trace.tcx": [_TCX.encode()],
        "trace.nmea": [_NMEA.encode()],
        "trace.nmea-whole": [_NMEA.encode()],
        "trace.csv": [_CSV.encode(), _CSV.replace(",", "\t").encode("utf-16"), write_trace(_points(), "csv")],
        "trace.parquet": [
            _parquet({"time": [1772323220, 5], "lat": [21.5, None], "lon": [106.3, 1.0], "speed": ["5", None]}),
            _parquet({"time": ["2026-03-01T00:00:00Z"], "geometry": [_POINT]}),
        ],
        "trace.fit": [_FIT, _FIT[:-12]],
    }
    documents = [json.dumps(_GEOJSON).encode(), _NDJSON.encode(), write_trace(_points(), "geojson")]
    return seeds.get(name, documents)


def _message_seeds(name: str) -> list[bytes]:
    """An export of the other side in both syntaxes, or as messages with those of the other neighbours."""
    clock, moment = FixedClock(datetime(2026, 3, 2, 3, tzinfo=UTC)), "2026-03-02T03:00:00Z"
    record = make_export(random.Random(5), clock, consignee="Nông sản", gate="huu-nghi", reference="NN00000000017")
    if name == "message.wco-dec":
        return [codec.write(record, "xml"), codec.write(record, "json")]
    bodies: list[Body] = [
        ExportData.of(record, "json"),
        ExportData.of(record, "xml"),
        ExportReceipt(reference=record.reference, version=1),
    ]
    said = [(body.KIND, body.model_dump(mode="json")) for body in bodies]
    said += [
        ("customs.status", {"number": "305123456780", "state": "registered", "channel": "yellow"}),
        ("registration.record", {"plate": "29C12345", "payload_kg": 30000, "inspection_expires": "2026-12-01"}),
        ("seal.event", {"seal_number": "VN7", "event": "locked", "at": moment, "plate": "29C12345"}),
        (
            "weather.warning",
            {
                "identifier": "1",
                "headline": "Mưa to",
                "onset": moment,
                "expires": "2026-03-02T09:00:00Z",
                "gates": ["a"],
            },
        ),
        (
            "bank.transfer",
            {"account_number": "1", "bank_ref": "2", "amount_vnd": 3, "received_at": moment, "content": "c"},
        ),
    ]
    messages = [
        Message(id=f"m{number}", kind=kind, about="a", sent_at=clock.now(), version=1, body=body)
        for number, (kind, body) in enumerate(said)
    ]
    return [JsonCodec().encode_all(messages), *(JsonCodec().encode(each) for each in messages)]


def seeds_of(name: str) -> list[bytes]:
    """Inputs for a target of `bench.fuzzing.targets`, by its name."""
    if name in GPS_TARGETS:
        return list(GPS_SEEDS)
    if name in TERMINAL_TARGETS:
        return _terminal_seeds(name)
    if name in MESSAGE_TARGETS:
        return _message_seeds(name)
    return _camera_seeds() if name in CAMERA_TARGETS else _trace_seeds(name)
