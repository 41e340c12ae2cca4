"""Dahua ITSAPI: JSON that an ANPR camera posts to `TollgateInfo`; its heartbeats and alarms carry no read.

`Picture.Plate` holds `PlateNumber`, `IsExist` and `Confidence` (percent), `Picture.SnapInfo` (with some firmwares
`SnapInfo` beside it) `AccurateTime` or `SnapTime`, `DeviceID`, `LanNo` and `Direction`; pictures are base64 in
`VehiclePic`, `NormalPic` and `CutoutPic`. A camera sends a message again until the answer says `Result`. Assumed, since
no public text of the protocol says it: `Direction` is Obverse toward the camera and Reverse away from it, and times
without a zone are those of the border (`TimeZone` is an index that is not read). A message with `ParkingInfo` is of a
parked vehicle.
"""

from __future__ import annotations

from typing import Final

from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import (
    Candidate,
    PlateRead,
    Toward,
    read_base64,
    read_confidence,
    read_name,
    reference,
    tidy_plate,
)
from ingest.formats.report import JsonObject, read_flag
from ingest.formats.text import read_clock, read_object

_DIRECTIONS: Final[dict[str, Toward]] = {
    "obverse": "toward",
    "approach": "toward",
    "reverse": "away",
    "leave": "away",
}
_PICTURES: Final = ("VehiclePic", "NormalPic", "CutoutPic")


def decode(body: bytes, content_type: str = "application/json") -> list[PlateRead]:
    """The plate of one message; empty for heartbeats, device information, alarms, and where no plate was read.

    Raises
    ------
    MalformedError
        If the body is not such a message.
    """
    document = read_object(body, content_type)
    if "Picture" not in document:
        return []
    picture = _object(document, "Picture")
    plate = _object(picture, "Plate")
    parking = _object(document, "ParkingInfo") or _object(picture, "ParkingInfo")
    snap = _object(picture, "SnapInfo") or _object(document, "SnapInfo") or parking
    number = tidy_plate(plate.get("PlateNumber"))
    exists = plate.get("IsExist")
    if not number or (exists is not None and not read_flag(exists)):
        return []
    camera = read_name(snap.get("DeviceID") or document.get("DeviceID"))
    time = read_clock(snap.get("AccurateTime") or snap.get("SnapTime"), key="AccurateTime")
    confidence = read_confidence(plate.get("Confidence"), scale=100.0)
    moment = f"{time.isoformat()}-{read_name(snap.get('LanNo'))}-{number}" if time is not None else None
    direction = snap.get("Direction")
    return [
        PlateRead(
            camera=camera,
            time=time,
            plate=number,
            confidence=confidence,
            candidates=(Candidate(number, confidence),),
            source_ref=f"{camera[:64]}-{moment}"[:160] if moment else reference(body),
            direction=_DIRECTIONS.get(direction.strip().lower()) if isinstance(direction, str) else None,
            image=next((image for name in _PICTURES if (image := _picture(picture, name))), None),
            circumstance="parked" if parking else None,
        )
    ]


def _object(parent: JsonObject, name: str) -> JsonObject:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def _picture(picture: JsonObject, name: str) -> bytes | None:
    return read_base64(_object(picture, name).get("Content"))


FORMAT = CameraFormat("dahua", "Dahua ITSAPI", decode, acknowledgement={"Result": True, "Message": "OK"})
