"""What every plate camera's message is decoded to, and the readings they share."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from geo.errors import MalformedError
from ingest.formats.report import clean
from ingest.plates import squeeze

Toward = Literal["toward", "away"]
Circumstance = Literal["preview", "retransmission", "parked"]
"""Why a read says nothing of a truck that passes now: more of it will follow, it was sent long ago, or it stands."""

PERCENT = 100.0
MAX_CANDIDATES = 10
MAX_RESULTS = 20
MAX_PARTS = 16
_MARKS = re.compile(r"[*?#()\[\]{}<>:;,'\"|\\]+")
"""Marks that stand for characters that were not read, or around a text; no plate has them."""
_NO_PLATE = re.compile(
    r"(?:UNKNOWN|UNLICEN[CS]ED|UNRECOGNI[SZ]ED|UNREADABLE|UNREAD|UNDETECTED|UNDEFINED"
    r"|NO(?:T)?(?:LICEN[CS]E|NUMBER)?(?:PLATE|READ|RECOGNI[SZ]ED|DETECTED|FOUND|AVAILABLE)|WITHOUTPLATE"
    r"|[无無没沒未][有]?[车車]?牌|未[识識][别別]|未知|KHONG(?:CO|DOC|NHAN)?(?:DUOC)?(?:BIEN|BKS)).*"
)
"""What cameras write where they saw a vehicle but read no plate, with what some firmwares append."""


@dataclass(frozen=True)
class Candidate:
    """One reading of a plate (capitals, no separators) and how sure the camera is of it, 0–1."""

    plate: str
    confidence: float


@dataclass(frozen=True)
class PlateRead:
    """One plate as a camera read it, not yet judged.

    `candidates` are all readings, best first, `plate` among them. `time` is aware UTC, `None` if the message names
    none. `direction` is toward or away from the camera, `heading_deg` the way the vehicle moves across the picture in
    degrees; cameras give one, the other, or neither. `source_ref` is the same whenever the same message comes again.
    `image` is the picture that came with it (JPEG or PNG as sent, not checked). `track` is the same in all reads of one
    vehicle that the camera followed through its picture, `circumstance` what the camera says of a read that is no
    passage of now.
    """

    camera: str
    time: datetime | None
    plate: str
    confidence: float
    candidates: tuple[Candidate, ...]
    source_ref: str
    direction: Toward | None = None
    heading_deg: float | None = None
    image: bytes | None = None
    track: str | None = None
    circumstance: Circumstance | None = None


@dataclass(frozen=True)
class MultipartPart:
    """One part of a multipart body."""

    name: str
    filename: str
    content_type: str
    data: bytes


def split_multipart(body: bytes, content_type: str) -> list[MultipartPart]:
    """The parts of a multipart body, at most `MAX_PARTS`.

    Raises
    ------
    MalformedError
        If the media type names no boundary or the body is not made of such parts.
    """
    kind, options = parse_options_header(content_type.encode("utf-8", "replace"))
    boundary = options.get(b"boundary")
    if not kind.startswith(b"multipart/") or not boundary:
        raise MalformedError("The body is not multipart with a boundary.", field="Content-Type")
    parts: list[MultipartPart] = []
    headers: dict[str, str] = {}
    name, value, data = bytearray(), bytearray(), bytearray()

    def begin() -> None:
        headers.clear()
        name.clear()
        value.clear()
        data.clear()

    def header_end() -> None:
        headers[name.decode("latin-1").lower()] = value.decode("utf-8", "replace")
        name.clear()
        value.clear()

    def end() -> None:
        if len(parts) >= MAX_PARTS:
            raise MalformedError("The body has more than {limit} parts.", limit=MAX_PARTS)
        _, about = parse_options_header(headers.get("content-disposition", ""))
        field = about.get(b"name", b"").decode("utf-8", "replace")
        filename = about.get(b"filename", b"").decode("utf-8", "replace")
        parts.append(MultipartPart(field, filename, headers.get("content-type", "").lower(), bytes(data)))

    callbacks: Any = {
        "on_part_begin": begin,
        "on_header_field": lambda chunk, start, stop: name.extend(chunk[start:stop]),
        "on_header_value": lambda chunk, start, stop: value.extend(chunk[start:stop]),
        "on_header_end": header_end,
        "on_part_data": lambda chunk, start, stop: data.extend(chunk[start:stop]),
        "on_part_end": end,
    }
    try:
        parser = MultipartParser(boundary, callbacks)
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError, AssertionError, IndexError) as error:
        raise MalformedError("The multipart body cannot be read: {reason}.", reason=clean(str(error))[:100]) from None
    return parts


def read_confidence(value: object, *, scale: float = 1.0) -> float:
    """A confidence as a share 0–1 (`scale` 100 for percent); 0 where the camera gives none or nonsense."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    share = value / scale
    if scale == PERCENT and 0.0 < value < 1.0:
        share = float(value)  # some firmwares give a share where the protocol says percent, others the reverse
    elif scale == 1.0 and 2.0 <= value <= PERCENT:
        share = value / PERCENT
    return float(min(max(share, 0.0), 1.0)) if math.isfinite(share) else 0.0


def read_degrees(value: object) -> float | None:
    """An angle of movement 0–360; `None` where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 360.0:
        return None
    return float(value) % 360.0


def tidy_plate(value: object) -> str:
    """A plate as read, in capitals without separators; empty if none was read.

    Every plate has a digit that is not zero; words without one (None, N/A, 车牌, 无, Chưa rõ) say that none was read,
    and so does one of the texts for it with a number appended. A single letter is kept: it is a piece of a reading.
    """
    if not isinstance(value, str):
        return ""
    plate = squeeze(clean(value))[:16]
    letters = "".join(c for c in unicodedata.normalize("NFD", _MARKS.sub("", plate)) if not unicodedata.combining(c))
    has_digit = any(c.isdigit() and c != "0" for c in plate)
    is_piece = len(plate) == 1 and plate.isascii() and plate.isalpha()
    return plate if (has_digit or is_piece) and not _NO_PLATE.fullmatch(letters) else ""


def read_name(value: object) -> str:
    """A camera's, lane's or vehicle's name or number as text; empty if there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return clean(str(value)).strip()[:128]


def read_base64(value: object) -> bytes | None:
    """A picture in base64, also as a data URL; `None` if there is none or it cannot be read."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return base64.b64decode(value.rpartition(",")[2], validate=False) or None
    except (binascii.Error, ValueError):
        return None


def rank(best: Candidate, others: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """All readings, the best first, each plate once with its highest confidence."""
    highest = {best.plate: best.confidence}
    for other in others:
        if other.plate:
            highest[other.plate] = max(highest.get(other.plate, 0.0), other.confidence)
    rest = sorted((plate for plate in highest if plate != best.plate), key=lambda plate: -highest[plate])
    return tuple(Candidate(plate, highest[plate]) for plate in [best.plate, *rest][:MAX_CANDIDATES])


def reference(message: bytes, number: int = 0) -> str:
    """A name for the `number`-th read of a message that names none itself: a hash of what was sent."""
    return f"{hashlib.sha256(message).hexdigest()[:32]}-{number}"


def with_image(reads: Iterable[PlateRead], image: bytes | None) -> list[PlateRead]:
    """The reads with the picture of their message."""
    return [replace(read, image=image) for read in reads] if image else list(reads)
