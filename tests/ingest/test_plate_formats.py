"""Messages of plate cameras: what they say, and that no bytes whatever break a decoder."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fuzzing.targets import check_reads
from geo.errors import MalformedError
from ingest.formats import axis, dahua, frigate, hikvision, plate_recognizer, rekor
from ingest.formats.plate_read import split_multipart
from ingest.formats.registry import CAMERA_FORMATS
from tests.profiles import examples

JPEG = b"\xff\xd8\xff\xe0 a picture \r\n--not the boundary \xff\xd9"
BOUNDARY = "----a7f3"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def multipart(*parts: tuple[str, str, str, bytes]) -> bytes:
    body = b""
    for name, filename, kind, data in parts:
        file = f'; filename="{filename}"' if filename else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\nContent-Type: {kind}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


V1 = {
    "hook": {"target": "https://example.org", "id": "camera-1", "event": "recognition"},
    "data": {
        "camera_id": "camera-1",
        "timestamp": "2026-03-02T02:59:58.250000Z",
        "results": [
            {
                "plate": "29c12345",
                "score": 0.91,
                "dscore": 0.8,
                "direction": 225,
                "candidates": [
                    {"plate": "29c12345", "score": 0.91},
                    {"plate": "29c1z345", "score": 0.4},
                    {"plate": "x"},
                ],
            },
            {"plate": "", "score": 0.1, "candidates": []},
        ],
    },
}
V2_RESULT = {
    "plate": {
        "type": "Plate",
        "score": 0.95,
        "props": {"plate": [{"value": "12r00123", "score": 0.7}, {"value": "12r001z3", "score": 0.93}]},
    },
    "direction": None,
}


def test_plate_recognizer_version_1_with_picture():
    body = multipart(("json", "", "application/json", json.dumps(V1).encode()), ("upload", "a.jpg", "image/jpeg", JPEG))
    (read,) = plate_recognizer.decode(body, MULTIPART)
    assert (read.plate, read.confidence, read.camera, read.heading_deg) == ("29C12345", 0.91, "camera-1", 225.0)
    assert [candidate.plate for candidate in read.candidates] == ["29C12345", "29C1Z345", "X"]
    assert read.time == datetime(2026, 3, 2, 2, 59, 58, 250000, UTC)
    assert read.image == JPEG


def test_plate_recognizer_repeats_under_the_same_name_whatever_the_boundary():
    message = json.dumps(V1).encode()
    readings = plate_recognizer.decode(multipart(("json", "", "text/plain", message)), MULTIPART)
    other = plate_recognizer.decode(message, "application/json")
    assert readings == other


def test_plate_recognizer_version_2():
    message = {"data": {"camera_id": "gate", "timestamp": "2026-03-02 03:00:00+00:00", "results": [V2_RESULT]}}
    (read,) = plate_recognizer.decode(json.dumps(message).encode(), "application/json")
    assert (read.plate, read.confidence) == ("12R001Z3", 0.93)
    assert read.candidates[1].plate == "12R00123"
    assert read.heading_deg is None


def test_rekor_group():
    group = {
        "data_type": "alpr_group",
        "best_plate_number": "29C12345",
        "best_confidence": 92.5,
        "camera_id": 7,
        "epoch_start": 1772420399000,
        "best_uuid": "gate-1-cam7-1772420399000",
        "travel_direction": 12.5,
        "candidates": [{"plate": "29C12345", "confidence": 92.5}, {"plate": "29C1234S", "confidence": 71.0}],
        "best_plate": {"plate_crop_jpeg": base64.b64encode(JPEG).decode()},
    }
    (read,) = rekor.decode(json.dumps(group).encode())
    assert (read.plate, read.confidence, read.camera) == ("29C12345", 0.925, "7")
    assert read.candidates[1].confidence == 0.71
    assert read.time == datetime(2026, 3, 2, 2, 59, 59, tzinfo=UTC)
    assert (read.source_ref, read.image) == ("gate-1-cam7-1772420399000", JPEG)
    assert rekor.decode(b'{"data_type": "heartbeat"}') == []


ANPR = """<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0"{namespace}>
 <ipAddress>10.0.0.7</ipAddress><macAddress>44:19:b6:00:00:01</macAddress>
 <dateTime>{time}</dateTime><eventType>ANPR</eventType><channelName>{name}</channelName>
 <ANPR><country>3</country><licensePlate>{plate}</licensePlate><confidenceLevel>97</confidenceLevel>
 <direction>reverse</direction></ANPR>
</EventNotificationAlert>"""
NAMESPACES = ["", ' xmlns="http://www.hikvision.com/ver20/XMLSchema"', ' xmlns="http://www.isapi.org/ver20/XMLSchema"']


def anpr(namespace: str = "", plate: str = "29C-123.45", time: str = "2026-03-02T10:00:00+07:00", name: str = "Gate"):
    return ANPR.format(namespace=namespace, plate=plate, time=time, name=name).encode()


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("time", ["2026-03-02T10:00:00+07:00", "2026-03-02T03:00:00Z", "2026-03-02T10:00:00"])
def test_hikvision_in_any_namespace(namespace, time):
    body = multipart(
        ("anpr.xml", "anpr.xml", "text/xml", anpr(namespace, time=time)),
        ("licensePlatePicture.jpg", "licensePlatePicture.jpg", "image/jpeg", b"\xff\xd8small"),
        ("detectionPicture.jpg", "detectionPicture.jpg", "image/jpeg", JPEG),
    )
    (read,) = hikvision.decode(body, MULTIPART)
    assert (read.plate, read.confidence, read.direction, read.camera) == ("29C12345", 0.97, "away", "Gate")
    assert read.time == datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert read.image == JPEG


def test_hikvision_without_pictures_without_plate_and_with_a_bare_ampersand():
    assert hikvision.decode(anpr(name="Lane 1 & 2"), "application/xml")[0].camera == "Lane 1 & 2"
    assert hikvision.decode(anpr(plate="unknown"), "application/xml") == []
    assert (
        hikvision.decode(b"<EventNotificationAlert><eventType>videoloss</eventType></EventNotificationAlert>", "") == []
    )


def test_hikvision_refuses_entities():
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + anpr(plate="&a;").partition(b"?>")[2]
    with pytest.raises(MalformedError):
        hikvision.decode(bomb, "application/xml")


def test_frigate():
    message = {
        "type": "lpr",
        "id": "1772420399.7-abc",
        "plate": "29C 12345",
        "score": 0.95,
        "camera": "gate_in",
        "timestamp": 1772420399.748393,
    }
    (read,) = frigate.decode(json.dumps(message).encode())
    assert (read.plate, read.confidence, read.camera) == ("29C12345", 0.95, "gate_in")
    assert read.time == datetime(2026, 3, 2, 2, 59, 59, 748393, UTC)
    assert frigate.decode(b'{"type": "face", "camera": "gate_in"}') == []


def test_multipart_keeps_bytes():
    (part,) = split_multipart(multipart(("a", "b.jpg", "image/jpeg", JPEG)), MULTIPART)
    assert (part.name, part.filename, part.content_type, part.data) == ("a", "b.jpg", "image/jpeg", JPEG)


# Whatever is sent is decoded or refused by name; nothing else ever comes out of a decoder.

DECODERS = [camera_format.decode for camera_format in CAMERA_FORMATS.values()]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(
    ["application/json", "", MULTIPART, "multipart/form-data", "multipart/mixed; boundary=", "x/y; é"]
)


def attempt(decode, body: bytes, content_type: str) -> None:
    try:
        reads = decode(body, content_type)
    except MalformedError:
        return
    check_reads(reads)


@pytest.mark.parametrize("decode", DECODERS)
@examples(150)
@given(body=st.binary(max_size=300), content_type=TYPES)
def test_any_bytes(decode, body, content_type):
    attempt(decode, body, content_type)


def _graft(document, path, value):
    if not path or not isinstance(document, dict | list) or not document:
        return value
    keys = list(document) if isinstance(document, dict) else range(len(document))
    key = keys[path[0] % len(keys)]
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[key] = _graft(document[key], path[1:], value)
    return copy


VALID = [
    (plate_recognizer.decode, V1),
    (plate_recognizer.decode, {"data": {"camera_id": "c", "results": [V2_RESULT]}}),
    (
        rekor.decode,
        {
            "data_type": "alpr_group",
            "best_plate_number": "29C12345",
            "best_confidence": 90.0,
            "camera_id": 1,
            "epoch_start": 1772420399000,
            "best_uuid": "u",
            "candidates": [{"plate": "A", "confidence": 1}],
            "best_plate": {"plate_crop_jpeg": "////"},
            "travel_direction": 3.0,
        },
    ),
    (
        dahua.decode,
        {
            "Picture": {
                "Plate": {"IsExist": True, "PlateNumber": "29C12345", "Confidence": 93},
                "SnapInfo": {
                    "AccurateTime": "2026-03-02 10:00:00.250",
                    "DeviceID": "d",
                    "LanNo": 1,
                    "Direction": "Obverse",
                },
                "NormalPic": {"PicName": "a.jpg", "Content": "////"},
            }
        },
    ),
    (
        axis.decode,
        {
            "plateUTF8": "29C12345",
            "plateConfidence": "0.9",
            "carID": "9",
            "carState": "new",
            "capture_timestamp": "1772420399000",
            "camera_info": {"SerialNumber": "B8A44F000000"},
            "ImageArray": [{"ImageType": "vehicle", "BinaryImage": "////"}],
        },
    ),
    (frigate.decode, {"type": "lpr", "id": "a", "plate": "29C12345", "score": 0.9, "camera": "c", "timestamp": 1.0}),
]


@examples(400)
@given(case=st.sampled_from(VALID), path=st.lists(st.integers(0, 9), max_size=6), value=JSON)
def test_messages_with_one_strange_value(case, path, value):
    decode, document = case
    attempt(decode, json.dumps(_graft(document, path, value)).encode("utf-8", "surrogatepass"), "application/json")


@examples(200)
@given(
    name=st.text(max_size=10),
    cut=st.integers(0, 400),
    plate=st.text(max_size=12),
    time=st.text(max_size=24),
    data=st.binary(max_size=60),
)
def test_multipart_that_was_cut_or_changed(name, cut, plate, time, data):
    xml = ANPR.format(namespace="", plate=plate, time=time, name=name).encode("utf-8", "replace")
    body = multipart(("anpr.xml", "anpr.xml", "text/xml", xml), ("p.jpg", "p.jpg", "image/jpeg", data))
    attempt(hikvision.decode, body[: len(body) - cut], MULTIPART)
    attempt(plate_recognizer.decode, body[cut:], MULTIPART)


@pytest.mark.parametrize(
    "document",
    [
        b"<EventNotificationAlert>" + b"<a/>" * 4_000_000 + b"</EventNotificationAlert>",
        b"<a>" * 5_000_000,
        b"&" * 16_000_000,
        b"<a " + b"x='1' " * 2_000_000 + b"/>",
    ],
    ids=["elements", "depth", "ampersands", "attributes"],
)
def test_xml_that_is_much_larger_once_it_is_read_is_not_read(document: bytes) -> None:
    in_parts = multipart(("anpr.xml", "anpr.xml", "text/xml", document))
    began_s = time.process_time()
    for body, kind in ((document, "application/xml"), (in_parts, MULTIPART)):
        with pytest.raises(MalformedError, match="larger than"):
            hikvision.decode(body, kind)
    assert time.process_time() - began_s < 1.0
