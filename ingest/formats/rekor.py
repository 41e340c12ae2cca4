"""Rekor Scout (OpenALPR) webhooks: JSON, one `alpr_group` a passage; other messages carry no read.

Confidences are percent, `epoch_start` milliseconds since 1970, `travel_direction` degrees across the picture. A group
that `is_preview` comes before the vehicle has passed, under the same `best_uuid` as the group that follows; one that
`is_parked` is of a vehicle that stands.
"""

from __future__ import annotations

from geo.errors import MalformedError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import (
    Candidate,
    Circumstance,
    PlateRead,
    rank,
    read_base64,
    read_confidence,
    read_degrees,
    reference,
    tidy_plate,
)
from ingest.formats.report import JsonObject, clean, read_flag, read_time
from ingest.formats.text import read_object


def decode(body: bytes, content_type: str = "application/json") -> list[PlateRead]:
    """The plate of one group; empty for a heartbeat and for the single pictures (`alpr_results`) of a group.

    Raises
    ------
    MalformedError
        If the body is not JSON, or a group lacks its plate.
    """
    document = read_object(body, content_type)
    if document.get("data_type", "alpr_group") != "alpr_group":
        return []
    if "best_plate_number" not in document:
        raise MalformedError("best_plate_number is missing.", field="best_plate_number")
    best = Candidate(
        tidy_plate(document.get("best_plate_number")), read_confidence(document.get("best_confidence"), scale=100.0)
    )
    if not best.plate:
        return []
    others = document.get("candidates")
    candidates = rank(
        best,
        (
            Candidate(tidy_plate(reading.get("plate")), read_confidence(reading.get("confidence"), scale=100.0))
            for reading in (others if isinstance(others, list) else [])
            if isinstance(reading, dict)
        ),
    )
    uuid = document.get("best_uuid")
    circumstance = _circumstance(document)
    ref = clean(uuid)[:128] if isinstance(uuid, str) and clean(uuid) else reference(body)
    camera = document.get("camera_id")
    return [
        PlateRead(
            camera=clean(str(camera))[:128] if isinstance(camera, str | int) else "",
            time=read_time(document.get("epoch_start"), key="epoch_start"),
            plate=best.plate,
            confidence=best.confidence,
            candidates=candidates,
            source_ref=f"{ref}-preview" if circumstance == "preview" else ref,
            heading_deg=read_degrees(document.get("travel_direction")),
            image=_image(document),
            circumstance=circumstance,
        )
    ]


def _image(document: JsonObject) -> bytes | None:
    best = document.get("best_plate")
    crops = [document.get("vehicle_crop_jpeg"), best.get("plate_crop_jpeg") if isinstance(best, dict) else None]
    return next((image for crop in crops if (image := read_base64(crop))), None)


def _circumstance(document: JsonObject) -> Circumstance | None:
    if read_flag(document.get("is_preview")):
        return "preview"
    return "parked" if read_flag(document.get("is_parked")) else None


FORMAT = CameraFormat("rekor", "Rekor Scout", decode)
