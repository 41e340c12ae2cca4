"""Plate Recognizer Stream webhooks: multipart with the field `json`, and the picture; or the JSON alone.

Version 1 of a result has `plate` as text with `score` and `candidates`; version 2 has an object whose
`props.plate` lists values with scores. See https://guides.platerecognizer.com/docs/stream/results.
"""

from __future__ import annotations

from datetime import UTC

from geo.errors import MalformedError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import (
    MAX_RESULTS,
    Candidate,
    PlateRead,
    rank,
    read_confidence,
    read_degrees,
    reference,
    split_multipart,
    tidy_plate,
    with_image,
)
from ingest.formats.report import JsonObject, clean
from ingest.formats.text import read_clock, read_object


def decode(body: bytes, content_type: str) -> list[PlateRead]:
    """The plates in one webhook; empty for a heartbeat or a vehicle without a plate.

    Raises
    ------
    MalformedError
        If the body is not such a message.
    """
    image = None
    message, message_type = body, content_type
    if content_type.lower().startswith("multipart/"):
        parts = split_multipart(body, content_type)
        message, message_type = next(
            ((part.data, part.content_type) for part in parts if part.name == "json"), (b"", "")
        )
        if not message:
            raise MalformedError("The field json is missing.", field="json")
        image = next((part.data for part in parts if part.data and part.name in {"upload", "vehicle", "plate"}), None)
    document = read_object(message, message_type)
    data = document.get("data")
    if not isinstance(data, dict):
        raise MalformedError("data is missing or not an object.", field="data")
    results = data.get("results", [])
    if not isinstance(results, list):
        raise MalformedError("data.results is not a list.", field="data.results")
    camera = clean(str(data.get("camera_id") or ""))[:128]
    time = read_clock(data.get("timestamp"), key="data.timestamp", zone=UTC)
    reads: list[PlateRead] = []
    for number, result in enumerate(results[:MAX_RESULTS]):
        if not isinstance(result, dict):
            raise MalformedError("A result is not an object.", field="data.results")
        candidates = _candidates(result)
        if not candidates[0].plate:
            continue
        reads.append(
            PlateRead(
                camera=camera,
                time=time,
                plate=candidates[0].plate,
                confidence=candidates[0].confidence,
                candidates=candidates,
                source_ref=reference(message, number),
                heading_deg=read_degrees(result.get("direction")),
            )
        )
    return with_image(reads, image)


def _candidates(result: JsonObject) -> tuple[Candidate, ...]:
    plate = result.get("plate")
    if isinstance(plate, dict):
        props = plate.get("props")
        values = props.get("plate") if isinstance(props, dict) else None
        found = [
            Candidate(tidy_plate(reading.get("value")), read_confidence(reading.get("score")))
            for reading in (values if isinstance(values, list) else [])
            if isinstance(reading, dict)
        ]
        found.sort(key=lambda reading: -reading.confidence)
        return rank(found[0], found[1:]) if found else (Candidate("", 0.0),)
    best = Candidate(tidy_plate(plate), read_confidence(result.get("score")))
    others = result.get("candidates")
    return rank(
        best,
        (
            Candidate(tidy_plate(reading.get("plate")), read_confidence(reading.get("score")))
            for reading in (others if isinstance(others, list) else [])
            if isinstance(reading, dict)
        ),
    )


FORMAT = CameraFormat("plate-recogniser", "Plate Recognizer", decode)
