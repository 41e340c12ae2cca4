"""GPX, KML and TCX: read element by element, so that what comes before a fault in the file is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from ingest.traces.trace import FaultReason, RawPoints

Take = Callable[[RawPoints, int, Element], bool]
"""Takes an element that ended at a line; whether it is done with and may be forgotten."""
_UNREADABLE: Final = (ParseError, DefusedXmlException, LookupError, ValueError)
"""Not XML, or in an encoding that it names and nobody knows (`LookupError`) or XML cannot be in (`ValueError`)."""


def name_of(element: Element) -> str:
    """An element's name without its namespace, whose versions differ."""
    return str(element.tag).rpartition("}")[2]


def text_of(element: Element, *names: str) -> str | None:
    """The text of the first descendant of one of these names."""
    for part in element.iter():
        if name_of(part) in names:
            return (part.text or "").strip() or None
    return None


def _read(data: bytes, take: Take) -> RawPoints:
    raw = RawPoints()
    parser = XMLPullParser(("end",), _parser=DefusedXMLParser(forbid_dtd=False))
    line = 0

    def take_ended(line: int) -> None:
        for event in cast("Iterator[tuple[str, Element]]", parser.read_events()):
            own = event[1]
            if take(raw, line, own):
                own.clear()

    try:
        for line, text in enumerate(data.splitlines(keepends=True), 1):
            parser.feed(text)
            take_ended(line)
        parser.close()
    except _UNREADABLE as error:
        with contextlib.suppress(*_UNREADABLE):
            take_ended(line)  # the parser puts off what may go on, to the end of a file that has none
        raw.fault(line, error, FaultReason.BROKEN_XML)
    return raw


def read_gpx(data: bytes) -> RawPoints:
    """Track points, route points and waypoints of a GPX file (1.0 or 1.1); a track is the device of its name."""
    begun: list[int] = [0]

    def take(raw: RawPoints, line: int, element: Element) -> bool:
        name = name_of(element)
        if name in {"trkpt", "rtept", "wpt"}:
            raw.add(
                line,
                lat=element.get("lat"),
                lon=element.get("lon"),
                time=text_of(element, "time"),
                speed_mps=text_of(element, "speed"),
                heading_deg=text_of(element, "course"),
            )
            return True
        if name in {"trk", "rte"}:
            title = next((part.text for part in element if name_of(part) == "name"), None)
            _name_device(raw, begun[0], title)
            begun[0] = len(raw.line)
            return True
        return False

    return _read(data, take)


def read_tcx(data: bytes) -> RawPoints:
    """Track points of a TCX file; those without a position are pauses and not points."""

    def take(raw: RawPoints, line: int, element: Element) -> bool:
        if name_of(element) != "Trackpoint":
            return False
        lat, lon = text_of(element, "LatitudeDegrees"), text_of(element, "LongitudeDegrees")
        if lat is not None or lon is not None:
            speed = text_of(element, "Speed")
            raw.add(line, lat=lat, lon=lon, time=text_of(element, "Time"), speed_mps=speed)
        return True

    return _read(data, take)


def read_kml(data: bytes) -> RawPoints:
    """Points of a KML file that bear a time: `gx:Track`, and placemarks with a `Point` and a `TimeStamp`."""

    def take(raw: RawPoints, line: int, element: Element) -> bool:
        name = name_of(element)
        if name == "Track":
            _take_track(raw, line, element)
            return False  # its placemark looks whether it has anything else
        if name != "Placemark":
            return False
        parts = {name_of(part) for part in element.iter()}
        begun = len(raw.line) - sum(name_of(part) == "coord" for part in element.iter())
        if "Track" in parts:
            _name_device(raw, max(begun, 0), text_of(element, "name"))
        elif "coordinates" in parts:
            coordinates = (text_of(element, "coordinates") or "").split()
            if "Point" in parts and len(coordinates) == 1:
                lon, lat = _pair(coordinates[0], ",")
                raw.add(line, lat=lat, lon=lon, time=text_of(element, "when", "begin"))
            else:
                raw.fault(line, text_of(element, "name") or "Placemark", FaultReason.LINE_WITHOUT_TIMES)
        return True

    return _read(data, take)


def _take_track(raw: RawPoints, line: int, track: Element) -> None:
    coordinates = [part.text or "" for part in track if name_of(part) == "coord"]
    count = sum(name_of(part) == "when" for part in track)
    if count != len(coordinates):
        raw.fault(line, f"{count} when, {len(coordinates)} gx:coord", FaultReason.UNEVEN_TRACK)
    for coordinate, moment in zip(coordinates, _moments(track), strict=True):
        lon, lat = _pair(coordinate, None)
        raw.add(line, lat=lat, lon=lon, time=moment)


def _moments(track: Element) -> list[str | None]:
    """For each coordinate of a track its time, `None` if it has none or it is not certain which.

    Exporters write all times and then all coordinates, the reverse, each time before its coordinate, or behind it. Of
    all times and all coordinates each has the one of its number, so that with a missing one none is certain.
    """
    parts = [part for part in track if name_of(part) in {"when", "coord"}]
    names = [name_of(part) for part in parts]
    if sum(name != after for name, after in pairwise(names)) <= 1:
        whens = [part.text for part in parts if name_of(part) == "when"]
        count = len(parts) - len(whens)
        return list(whens) if len(whens) == count else [None] * count
    is_behind = names[0] == "coord"
    moments: list[str | None] = []
    moment: str | None = None
    for part in reversed(parts) if is_behind else parts:
        if name_of(part) == "when":
            moment = part.text
        else:
            moments.append(moment)
            moment = None
    return moments[::-1] if is_behind else moments


def _pair(text: str, separator: str | None) -> tuple[str | None, str | None]:
    values: list[str | None] = list(text.strip().split(separator))
    return (values[0], values[1]) if len(values) >= 2 else (values[0] if values else None, None)


def _name_device(raw: RawPoints, begin: int, title: str | None) -> None:
    if not title or not title.strip():
        return
    devices = raw.columns.setdefault("device", [None] * len(raw.line))
    devices[begin:] = [title.strip()] * (len(raw.line) - begin)


XML_READERS: Final = {"gpx": read_gpx, "tcx": read_tcx, "kml": read_kml}
