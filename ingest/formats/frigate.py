"""Frigate's messages about tracked objects over MQTT (topic `frigate/tracked_object_update`), those of type `lpr`.

One vehicle is reported several times while it is in the picture, each time under the same `id`.
"""

from __future__ import annotations

from geo.errors import MalformedError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import Candidate, PlateRead, read_confidence, reference, tidy_plate
from ingest.formats.report import clean, read_json, read_time


def decode(payload: bytes, content_type: str = "application/json") -> list[PlateRead]:  # noqa: ARG001 - all decoders alike
    """The plate in one message; empty if it is of another type or says nothing of a plate.

    Raises
    ------
    MalformedError
        If it is not JSON, or names no camera.
    """
    message = read_json(payload)
    if message.get("type") != "lpr":
        return []
    camera = message.get("camera")
    if not isinstance(camera, str) or not camera:
        raise MalformedError("camera is missing.", field="camera")
    plate = tidy_plate(message.get("plate"))
    if not plate:
        return []
    confidence = read_confidence(message.get("score"))
    tracked = message.get("id")
    ref = f"{clean(tracked)[:64]}-{plate}" if isinstance(tracked, str) and tracked else reference(payload)
    return [
        PlateRead(
            camera=clean(camera)[:128],
            time=read_time(message.get("timestamp"), key="timestamp"),
            plate=plate,
            confidence=confidence,
            candidates=(Candidate(plate, confidence),),
            source_ref=ref,
            track=clean(tracked)[:64] if isinstance(tracked, str) and tracked else None,
        )
    ]


FORMAT = CameraFormat(
    "frigate", "Frigate (MQTT)", decode, mqtt_topic="frigate/tracked_object_update", max_bytes=64 * 1024
)
