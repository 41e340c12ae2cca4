"""Rekor Scout (OpenALPR) webhooks: JSON, one `alpr_group` a passage; other messages carry no read.

Confidences are percent, `epoch_start` milliseconds since 1970, `travel_direction` degrees across the picture.
"""

from __future__ import annotations

import base64
import binascii

from geo.errors import MalformedError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import (
    Candidate,
    PlateRead,
    rank,
    read_confidence,
    read_degrees,
    reference,
    tidy_plate,
)
from ingest.formats.report import JsonObject, clean, read_json, read_time


def decode(body: bytes, content_type: str = "application/json") -> list[PlateRead]:  # noqa: ARG001 - all decoders alike
    """The plate of one group; empty for a heartbeat and for the single pictures (`alpr_results`) of a group.

    Raises
    ------
    MalformedError
        If the body is not JSON, or a group lacks its plate.
    """
    document = read_json(body)
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
    camera = document.get("camera_id")
    return [
        PlateRead(
            camera=clean(str(camera))[:128] if isinstance(camera, str | int) else "",
            time=read_time(document.get("epoch_start"), key="epoch_start"),
            plate=best.plate,
            confidence=best.confidence,
            candidates=candidates,
            source_ref=clean(uuid)[:128] if isinstance(uuid, str) and clean(uuid) else reference(body),
            heading_deg=read_degrees(document.get("travel_direction")),
            image=_image(document),
        )
    ]


def _image(document: JsonObject) -> bytes | None:
    best = document.get("best_plate")
    crops = [document.get("vehicle_crop_jpeg"), best.get("plate_crop_jpeg") if isinstance(best, dict) else None]
    for crop in crops:
        if isinstance(crop, str) and crop:
            try:
                return base64.b64decode(crop, validate=True)
            except (binascii.Error, ValueError):
                continue
    return None


FORMAT = CameraFormat("rekor", "Rekor Scout", decode)
