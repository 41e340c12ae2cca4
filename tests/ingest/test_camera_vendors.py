"""Dahua ITSAPI and AXIS License Plate Verifier; what every vendor writes where it read no plate; what is no passage."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from geo.errors import MalformedError
from ingest.formats import axis, dahua, frigate, hikvision, plate_recognizer, rekor
from ingest.formats.plate_read import read_confidence, tidy_plate
from ingest.formats.registry import CAMERA_FORMATS
from tests.ingest.test_plate_formats import JPEG, MULTIPART, anpr, multipart

PICTURE = base64.b64encode(JPEG).decode()
TIME = datetime(2026, 3, 2, 3, 0, 0, 250_000, UTC)


def dahua_message(plate: object = "29C-123.45", **more: object) -> dict:
    return {
        "Picture": {
            "Plate": {
                "BoundingBox": [1, 2, 3, 4],
                "Channel": 0,
                "Confidence": 93,
                "IsExist": True,
                "PlateColor": "Yellow",
                "PlateNumber": plate,
                "PlateType": "",
                "Region": "VNM",
                "UploadNum": 1,
            },
            "SnapInfo": {
                "AccurateTime": "2026-03-02 10:00:00.250",
                "DeviceID": "7F0A1B2C",
                "Direction": "Obverse",
                "LanNo": 1,
                "SnapTime": "2026-03-02 10:00:00",
                "TimeZone": 12,
                "TriggerSource": "Video",
            },
            "Vehicle": {"VehicleType": "HeavyTruck"},
            "NormalPic": {"PicName": "a.jpg", "Content": PICTURE},
            "CutoutPic": {"PicName": "b.jpg", "Content": base64.b64encode(b"\xff\xd8\xffsmall").decode()},
        },
        **more,
    }


def test_dahua() -> None:
    (read,) = dahua.decode(json.dumps(dahua_message()).encode())
    assert (read.plate, read.confidence, read.camera, read.direction) == ("29C12345", 0.93, "7F0A1B2C", "toward")
    assert (read.time, read.image, read.circumstance) == (TIME, JPEG, None)


def test_dahua_sent_again_has_the_same_name_whatever_it_wrote_beside() -> None:
    again = dahua_message(SendTime="2026-03-02 10:05:00")
    again["Picture"].pop("NormalPic")
    (first,), (second,) = (dahua.decode(json.dumps(message).encode()) for message in (dahua_message(), again))
    assert first.source_ref == second.source_ref
    (other,) = dahua.decode(json.dumps(dahua_message("29C-123.46")).encode())
    assert other.source_ref != first.source_ref


def test_dahua_with_its_snap_information_beside_the_picture() -> None:
    message = dahua_message()
    message["SnapInfo"] = message["Picture"].pop("SnapInfo")
    message["SnapInfo"] |= {"Direction": "Reverse"}
    del message["SnapInfo"]["AccurateTime"]
    (read,) = dahua.decode(json.dumps(message).encode())
    assert (read.camera, read.direction, read.time) == ("7F0A1B2C", "away", TIME.replace(microsecond=0))


@pytest.mark.parametrize(
    "message",
    [
        {"Active": "keepAlive", "DeviceID": "7F0A1B2C"},
        {"DeviceName": "Gate", "DeviceModel": "ITC", "DeviceID": "7F0A1B2C", "Manufacturer": "Dahua"},
        {"AlarmInfo": {"Time": "2026-03-02 10:00:00", "Type": 1}, "DeviceID": "7F0A1B2C"},
        {"Picture": {}},
        {"Picture": {"Plate": {"IsExist": False, "PlateNumber": "29C12345"}}},
        {"Picture": {"Plate": {"IsExist": "false", "PlateNumber": "29C12345"}}},
        {"Picture": {"Plate": {"IsExist": 0, "PlateNumber": "29C12345"}}},
    ],
)
def test_dahua_without_a_plate(message) -> None:
    assert dahua.decode(json.dumps(message).encode()) == []


@pytest.mark.parametrize(
    ("value", "scale", "share"),
    [
        (95, 100.0, 0.95),
        ("95", 100.0, 0.95),
        (0.95, 100.0, 0.95),
        (1, 100.0, 0.01),
        (100, 100.0, 1.0),
        (0.921, 1.0, 0.921),
        ("92.1", 1.0, 0.921),
        (1.0, 1.0, 1.0),
        (1.01, 1.0, 1.0),
        (-1, 1.0, 0.0),
        (None, 1.0, 0.0),
    ],
)
def test_confidences_in_percent_and_as_shares(value: object, scale: float, share: float) -> None:
    assert read_confidence(value, scale=scale) == pytest.approx(share)


def test_dahua_of_a_parking_place_is_of_a_parked_vehicle() -> None:
    message = dahua_message(
        ParkingInfo={"SnapTime": "2026-03-02 10:00:00", "ParkingStallsNo": "A1", "ParkingStatus": 1}
    )
    del message["Picture"]["SnapInfo"]
    (read,) = dahua.decode(json.dumps(message).encode())
    assert (read.circumstance, read.time) == ("parked", TIME.replace(microsecond=0))


AXIS = {
    "packetCounter": "13046",
    "capture_timestamp": "1772420400250",
    "frame_timestamp": "1772420400250641",
    "capture_ts": "1772420400250000000",
    "datetime": "20260302 100000250",
    "plateText": "29C12345",
    "plateUnicode": "29C12345",
    "plateUTF8": "29C12345",
    "plateASCII": "29C12345",
    "plateCountry": "VNM",
    "plateConfidence": "0.937210",
    "carState": "update",
    "roiID": "1",
    "carMoveDirection": "in",
    "carID": "1327",
    "imageType": "vehicle",
    "sensorProviderID": "defaultID",
    "camera_info": {"SerialNumber": "B8A44F960ACE", "ProdShortName": "AXIS Q1805-LE", "MACAddress": ""},
    "ImageArray": [
        {"ImageType": "plate", "ImageFormat": "jpg", "BinaryImage": base64.b64encode(b"\xff\xd8\xffsmall").decode()},
        {"ImageType": "vehicle", "ImageFormat": "jpg", "BinaryImage": PICTURE},
    ],
}


def test_axis() -> None:
    (read,) = axis.decode(json.dumps(AXIS).encode())
    assert (read.plate, read.confidence, read.camera, read.direction) == ("29C12345", 0.93721, "B8A44F960ACE", "toward")
    assert (read.time, read.image, read.track) == (TIME, JPEG, "1327")


@pytest.mark.parametrize("dropped", [["capture_timestamp"], ["capture_timestamp", "capture_ts"]])
def test_axis_times(dropped) -> None:
    (read,) = axis.decode(json.dumps({key: value for key, value in AXIS.items() if key not in dropped}).encode())
    assert read.time == TIME


def test_axis_with_its_picture_beside_it_and_many_at_once() -> None:
    event = {key: value for key, value in AXIS.items() if key != "ImageArray"}
    body = multipart(
        ("event", "event.json", "application/json", json.dumps(event).encode()),
        ("image", "a.jpg", "image/jpeg", JPEG),
    )
    (read,) = axis.decode(body, MULTIPART)
    assert (read.plate, read.image) == ("29C12345", JPEG)
    two = axis.decode(json.dumps([event, {**event, "carID": "1328", "plateUTF8": "桂F·A1234"}]).encode())
    assert [(read.plate, read.track) for read in two] == [("29C12345", "1327"), ("桂FA1234", "1328")]
    with pytest.raises(MalformedError, match="event"):
        axis.decode(multipart(("image", "a.jpg", "image/jpeg", JPEG)), MULTIPART)


def test_axis_sends_each_state_of_a_vehicle_once() -> None:
    new, lost = ({**AXIS, "carState": state} for state in ("new", "lost"))
    refs = [axis.decode(json.dumps(message).encode())[0].source_ref for message in (new, lost, new)]
    assert refs[0] == refs[2] != refs[1]


# No plate

NO_PLATES = [
    "",
    " ",
    "unknown",
    "UNKNOWN",
    "Unknown ",
    "noPlate",
    "NoPlate",
    "NO PLATE",
    "no_plate",
    "_NO_PLATE_",
    "No-Plate",
    "NOPLATE1",
    "unlicensed",
    "Unlicensed",
    "unlicenced",
    "无车牌",
    "无牌",
    "无牌车",
    "無車牌",
    "無牌",
    "没有车牌",
    "未识别",
    "未知",
    "车牌",
    "无",
    "none",
    "None",
    "null",
    "NULL",
    "N/A",
    "n.a.",
    "-",
    "--",
    "?",
    "???",
    "***",
    "0",
    "00000000",
    "<unknown>",
    "[UNKNOWN]",
    "not read",
    "NOREAD",
    "NotRecognized",
    "unrecognised",
    "not detected",
    "Unknown 1",
    "no license plate",
    "Không có biển",
    "không biển số",
    "Chưa rõ",
    "No number plate",
    "Sin placa",
    "Без номера",
    "번호판없음",
    None,
    0,
    False,
]


def send_hikvision(plate: object) -> list:
    return hikvision.decode(anpr(plate="" if plate is None else str(plate).replace("<", "&lt;")), "application/xml")


SENDERS: dict[str, Callable[[object], list]] = {
    "plate-recogniser": lambda plate: plate_recognizer.decode(
        json.dumps({"data": {"camera_id": "c", "results": [{"plate": plate, "score": 0.9}]}}).encode(),
        "application/json",
    ),
    "rekor": lambda plate: rekor.decode(json.dumps({"best_plate_number": plate, "best_confidence": 90}).encode()),
    "hikvision": send_hikvision,
    "dahua": lambda plate: dahua.decode(json.dumps(dahua_message(plate)).encode()),
    "axis": lambda plate: axis.decode(
        json.dumps({**AXIS, **dict.fromkeys(("plateUTF8", "plateText", "plateUnicode", "plateASCII"), plate)}).encode()
    ),
    "frigate": lambda plate: frigate.decode(json.dumps({"type": "lpr", "camera": "c", "plate": plate}).encode()),
}


def test_every_vendor_is_asked() -> None:
    assert set(SENDERS) == set(CAMERA_FORMATS)


@pytest.mark.parametrize("vendor", SENDERS)
@pytest.mark.parametrize("plate", NO_PLATES)
def test_no_plate_of_any_vendor_is_none(vendor: str, plate: object) -> None:
    assert SENDERS[vendor](plate) == []


@pytest.mark.parametrize("vendor", SENDERS)
@pytest.mark.parametrize(
    "plate", ["29C12345", "12R00123", "桂FA1234", "桂F1234挂", "粤BD12345", "80NG12345", "29NN12345"]
)
def test_a_plate_of_any_vendor_is_one(vendor: str, plate: str) -> None:
    assert [read.plate for read in SENDERS[vendor](plate)] == [plate]


@pytest.mark.parametrize(
    ("text", "plate"), [("X", "X"), ("5IC9?999", "5IC9?999"), ("29c", "29C"), ("NO1234", "NO1234")]
)
def test_what_was_read_in_part_stays(text: str, plate: str) -> None:
    assert tidy_plate(text) == plate


# What is no passage of now


@pytest.mark.parametrize(
    ("flag", "expected"), [("true", "retransmission"), ("1", "retransmission"), ("false", None), ("", None)]
)
def test_hikvision_sent_later(flag, expected) -> None:
    body = anpr().replace(b"<ANPR>", f"<isDataRetransmission>{flag}</isDataRetransmission><ANPR>".encode())
    assert hikvision.decode(body, "application/xml")[0].circumstance == expected


def test_hikvision_of_parking() -> None:
    body = anpr().replace(b"<eventType>ANPR", b"<eventType>illegalParking")
    assert hikvision.decode(body, "application/xml")[0].circumstance == "parked"


def test_rekor_preview_and_parked() -> None:
    group = {"best_plate_number": "29C12345", "best_confidence": 90, "best_uuid": "u", "is_preview": True}
    (preview,) = rekor.decode(json.dumps(group).encode())
    (final,) = rekor.decode(json.dumps(group | {"is_preview": False}).encode())
    (parked,) = rekor.decode(json.dumps(group | {"is_preview": False, "is_parked": True}).encode())
    assert [read.circumstance for read in (preview, final, parked)] == ["preview", None, "parked"]
    assert preview.source_ref != final.source_ref


def test_frigate_follows_a_vehicle() -> None:
    message = {"type": "lpr", "id": "1772420399.7-abc", "plate": "29C12345", "score": 0.9, "camera": "c"}
    assert frigate.decode(json.dumps(message).encode())[0].track == "1772420399.7-abc"
