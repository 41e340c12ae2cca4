"""AXIS License Plate Verifier push events: JSON, alone or as the part `event` of a multipart body with the picture.

An event has `plateUTF8` (beside `plateText`, `plateUnicode`, `plateASCII`), `plateConfidence` (share 0–1), `carID`,
`carState` (new at the first sight, update when plate or direction changed, lost some seconds after the last),
`capture_timestamp` (ms; `capture_ts` in ns), `datetime` (the camera's clock, `YYYYMMDD HHMMSSmmm`), `carMoveDirection`
(in, out, unknown), `camera_info.SerialNumber`, and pictures in base64 in `ImageArray`. See
https://developer.axis.com/vapix/applications/license-plate-verifier-api. All events of one `carID` are of one vehicle.
Assumed: in is toward the camera, out away from it; `datetime` without a zone is the time at the border.
"""

from __future__ import annotations

from typing import Final

from geo.errors import MalformedError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import (
    MAX_RESULTS,
    Candidate,
    PlateRead,
    Toward,
    read_base64,
    read_confidence,
    read_name,
    reference,
    split_multipart,
    tidy_plate,
)
from ingest.formats.report import JsonObject
from ingest.formats.text import read_clock, read_document

_DIRECTIONS: Final[dict[str, Toward]] = {"in": "toward", "out": "away"}
_PLATES: Final = ("plateUTF8", "plateUnicode", "plateText", "plateASCII")
_TIMES: Final = ("capture_timestamp", "capture_ts", "datetime")
_PICTURES: Final = ("vehicle", "frame", "plate")


def decode(body: bytes, content_type: str = "application/json") -> list[PlateRead]:
    """The plates of one event or of a list of them; empty where no plate was read.

    Raises
    ------
    MalformedError
        If the body is not such a message.
    """
    message, image = body, None
    if content_type.lower().startswith("multipart/"):
        parts = split_multipart(body, content_type)
        found = next((part for part in parts if part.name == "event" or "json" in part.content_type), None)
        if found is None:
            raise MalformedError("The field event is missing.", field="event")
        message, content_type = found.data, found.content_type
        image = next((part.data for part in parts if part.data and part.content_type.startswith("image/")), None)
    document = read_document(message, content_type)
    events = document if isinstance(document, list) else [document]
    reads: list[PlateRead] = []
    for number, event in enumerate(events[:MAX_RESULTS]):
        if not isinstance(event, dict):
            raise MalformedError("An event is not an object.", field="event")
        read = _read(event, image, reference(message, number))
        if read is not None:
            reads.append(read)
    return reads


def _read(event: JsonObject, image: bytes | None, fallback_ref: str) -> PlateRead | None:
    plate = next((tidy for name in _PLATES if (tidy := tidy_plate(event.get(name)))), "")
    if not plate:
        return None
    info = event.get("camera_info")
    serial = info.get("SerialNumber") if isinstance(info, dict) else None
    camera = read_name(serial) or read_name(event.get("cameraId")) or read_name(event.get("sensorProviderID"))
    key = next((name for name in _TIMES if event.get(name) not in (None, "", "0", 0)), "datetime")
    time = read_clock(event.get(key), key=key)
    car, state = read_name(event.get("carID")), read_name(event.get("carState"))
    confidence = read_confidence(event.get("plateConfidence"))
    direction = event.get("carMoveDirection")
    is_named = bool(car) and time is not None
    return PlateRead(
        camera=camera,
        time=time,
        plate=plate,
        confidence=confidence,
        candidates=(Candidate(plate, confidence),),
        source_ref=f"{camera[:40]}-{car[:24]}-{state[:12]}-{time}-{plate}"[:160] if is_named else fallback_ref,
        direction=_DIRECTIONS.get(direction.strip().lower()) if isinstance(direction, str) else None,
        image=image or _picture(event),
        track=car[:64] or None,
    )


def _picture(event: JsonObject) -> bytes | None:
    images = event.get("ImageArray") or event.get("imageArray")
    found = [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    kinds = [str(image.get("ImageType") or "").lower() for image in found]
    order = sorted(range(len(found)), key=lambda n: _PICTURES.index(kinds[n]) if kinds[n] in _PICTURES else 9)
    return next((image for n in order if (image := read_base64(found[n].get("BinaryImage")))), None)


FORMAT = CameraFormat("axis", "AXIS License Plate Verifier", decode)
