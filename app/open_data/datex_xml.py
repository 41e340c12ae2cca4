"""Building blocks of DATEX II v3 payloads: names, header, texts, places. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from app.public.board import Board
from geo.corridor import Corridor, Site
from geo.text import UNWRITABLE

MEDIA_TYPE: Final = "application/xml"
BASE: Final = "http://datex2.eu/schema/3/"
NAMESPACES: Final = {
    "d2": f"{BASE}d2Payload",
    "com": f"{BASE}common",
    "loc": f"{BASE}locationReferencing",
    "sit": f"{BASE}situation",
    "roa": f"{BASE}roadTrafficData",
    "prk": f"{BASE}parking",
    "fac": f"{BASE}facilities",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
WGS84: Final = "http://www.opengis.net/def/crs/EPSG/0/4326"
"""Latitude before longitude."""
COUNTRY, SUPPLIER = "VN", "cua-khau-so"
LINE_STEP_KM: Final = 0.1
MAX_TEXT: Final = 1024
"""Characters of a value of `com:MultilingualString`, by its schema."""

for _prefix, _uri in NAMESPACES.items():
    ElementTree.register_namespace(_prefix, _uri)


def name(written: str) -> str:
    """`prefix:name` as ElementTree has it."""
    prefix, _, local = written.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def add(parent: Element, written: str, text: object = None, *, kind: str = "", **attributes: str) -> Element:
    """A child; `written` is `prefix:name`, `kind` its `xsi:type`."""
    child = SubElement(parent, name(written), attributes)
    if kind:
        child.set(name("xsi:type"), kind)
    if text is not None:
        child.text = str(text).lower() if isinstance(text, bool) else str(text)
    return child


def moment(time: datetime) -> str:
    """A time as `com:DateTime`, in UTC."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def payload(kind: str, board: Board) -> Element:
    """The root of a publication of this class, with what every `com:PayloadPublication` begins with."""
    root = Element(name("d2:payload"), {"lang": "vi", "modelBaseVersion": "3", name("xsi:type"): kind})
    for prefix in {"com", "loc", kind.partition(":")[0]} | ({"fac"} if kind.startswith("prk") else set()):
        root.set(f"xmlns:{prefix}", NAMESPACES[prefix])
    add(root, "com:publicationTime", moment(board.made_at))
    creator = add(root, "com:publicationCreator")
    add(creator, "com:country", COUNTRY)
    add(creator, "com:nationalIdentifier", SUPPLIER)
    return root


def header(parent: Element, written: str, board: Board) -> None:
    """Whether it is real: a demonstration is published as a test."""
    add(add(parent, written), "com:informationStatus", "test" if board.simulated else "real")


def say(parent: Element, texts: Mapping[str, str]) -> None:
    """The values of a `com:MultilingualString`, by language; without what no XML can hold, however it got there."""
    values = add(parent, "com:values")
    for language, text in texts.items():
        add(values, "com:value", UNWRITABLE.sub("", text)[:MAX_TEXT], lang=language)


def write(root: Element) -> bytes:
    """The document. ElementTree declares the namespaces of names; those that stand only in values of `xsi:type` are
    declared by hand."""
    used = {element.tag.partition("}")[0].removeprefix("{") for element in root.iter()}
    for attribute in [key for key in root.attrib if key.startswith("xmlns:")]:
        if root.attrib[attribute] in used:
            del root.attrib[attribute]
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def fill_point(location: Element, site: Site) -> None:
    """What a `loc:PointLocation` says of a site."""
    point = add(add(location, "loc:pointByCoordinates"), "loc:pointCoordinates")
    add(point, "loc:latitude", f"{site.lat:.6f}")
    add(point, "loc:longitude", f"{site.lon:.6f}")


def add_point(parent: Element, written: str, site: Site) -> None:
    """A location reference to a site."""
    fill_point(add(parent, written, kind="loc:PointLocation"), site)


def add_stretch(parent: Element, written: str, corridor: Corridor, site: Site, length_km: float) -> None:
    """The last `length_km` of a gate's road, toward it; of what reaches beyond the road as much as is on it."""
    length_km = min(length_km, corridor.km_span(site.road)[1] - site.km)
    steps = max(1, round(length_km / LINE_STEP_KM))
    kms = [site.km + length_km * (steps - step) / steps for step in range(steps + 1)]
    lon, lat = corridor.position_on(*corridor.place_at(site.road, kms))
    line = add(add(parent, written, kind="loc:LinearLocation"), "loc:gmlLineString", srsName=WGS84, srsDimension="2")
    add(line, "loc:posList", " ".join(f"{y:.6f} {x:.6f}" for x, y in zip(lon, lat, strict=True)))
