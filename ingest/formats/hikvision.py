"""Hikvision ISAPI event notifications: multipart with `anpr.xml` and pictures, or the XML alone.

`EventNotificationAlert/ANPR/licensePlate`, `confidenceLevel` (percent), `direction` (forward: toward the camera,
reverse: away), `dateTime` (the clock at the border where it has no zone). Namespaces differ between firmwares, so
elements are told by their local names; so do encodings (UTF-8, GB2312). Entities and document types are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from geo.errors import MalformedError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.plate_read import (
    Candidate,
    Circumstance,
    PlateRead,
    Toward,
    read_confidence,
    reference,
    split_multipart,
    tidy_plate,
    with_image,
)
from ingest.formats.report import clean, read_flag
from ingest.formats.text import read_clock, read_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DIRECTIONS: dict[str, Toward] = {"forward": "toward", "reverse": "away", "backward": "away"}
MAX_XML_BYTES: Final = 256 * 1024
"""Of a notification, pictures beside it; real ones have some kilobytes. Read, it is thirty times as large."""
_BARE_AMPERSAND = re.compile(rb"&(?!#?\w{1,10};)")
"""Some firmwares write names with `&` unescaped."""
_PICTURES = ("detectionpicture", "vehiclepicture", "licenseplatepicture")


def decode(body: bytes, content_type: str) -> list[PlateRead]:
    """The plate of one notification; empty for other events and where no plate was read.

    What the camera could not send at its time and sends now (`isDataRetransmission`) is a retransmission; an event
    about parking is of a parked vehicle.

    Raises
    ------
    MalformedError
        If there is no readable XML in it.
    """
    message, image, message_type = body, None, content_type
    if content_type.lower().startswith("multipart/"):
        parts = split_multipart(body, content_type)
        documents = [p for p in parts if "xml" in p.content_type or f"{p.name} {p.filename}".lower().find(".xml") > 0]
        if not documents:
            raise MalformedError("No part of the body is XML (anpr.xml).", field="anpr.xml")
        message, message_type = documents[0].data, documents[0].content_type
        pictures = [
            (f"{p.name} {p.filename}".lower(), p.data) for p in parts if p.data and p.content_type.startswith("image/")
        ]
        image = next((data for kind in _PICTURES for name, data in pictures if kind in name), None)
        image = image or (pictures[0][1] if pictures else None)
    if len(message) > MAX_XML_BYTES:
        raise MalformedError("The XML is larger than {limit} bytes.", field="anpr.xml", limit=MAX_XML_BYTES)
    root = _parse(read_xml(message, message_type))
    if _local(root) != "EventNotificationAlert":
        raise MalformedError("The XML is not an EventNotificationAlert.", field="anpr.xml")
    anpr = _find(root, "ANPR")
    plate = tidy_plate(_text(anpr, "licensePlate")) if anpr is not None else ""
    if anpr is None or not plate:
        return []
    confidence = read_confidence(_text(anpr, "confidenceLevel"), scale=100.0)
    uuid = clean(_text(root, "UUID") or "").strip()
    camera = _text(root, "channelName") or _text(root, "deviceID") or _text(root, "macAddress") or ""
    read = PlateRead(
        camera=clean(camera).strip()[:128],
        time=read_clock(_text(root, "dateTime"), key="dateTime"),
        plate=plate,
        confidence=confidence,
        candidates=(Candidate(plate, confidence),),
        source_ref=uuid[:128] if uuid else reference(message),
        direction=_DIRECTIONS.get((_text(anpr, "direction") or "").strip().lower()),
        circumstance=_circumstance(root),
    )
    return with_image([read], image)


def _circumstance(root: Element) -> Circumstance | None:
    if read_flag((_text(root, "isDataRetransmission") or "").strip()):
        return "retransmission"
    return "parked" if "parking" in (_text(root, "eventType") or "").lower() else None


def _parse(message: bytes) -> Element:
    try:
        try:
            return fromstring(message.strip(), forbid_dtd=True)
        except ParseError:
            return fromstring(_BARE_AMPERSAND.sub(b"&amp;", message.strip()), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise MalformedError("The XML cannot be read: {reason}.", reason=clean(str(error))[:100]) from None


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _find(parent: Element, name: str) -> Element | None:
    return next((child for child in parent if _local(child) == name), None)


def _text(parent: Element, name: str) -> str | None:
    child = _find(parent, name)
    return None if child is None else child.text


FORMAT = CameraFormat("hikvision", "Hikvision", decode)
