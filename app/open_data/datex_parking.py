"""The yards as DATEX II v3: what they are, a `ParkingTablePublication`, and what is free, a `ParkingStatusPublication`.

Each yard is a `Place` of one table, at the top of its hierarchy. The status refers to the table and to the places by
identifier and version; a version is a digest of what the table says, so that it changes when the table does, and in
all processes alike. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, tostring

from app.open_data.datex_xml import add, add_point, header, moment, payload, say, write
from app.public.board import Board, YardOnBoard
from geo.corridor import Corridor

TABLE: Final = "yards"
VERSION_DIGITS: Final = 12


def parking_table(board: Board, corridor: Corridor) -> bytes:
    """All yards: name, place, number of places, hours (in words where they are not round the clock)."""
    root = payload("prk:ParkingTablePublication", board)
    header(root, "prk:headerInformation", board)
    table = add(root, "prk:parkingTable", id=TABLE, version=_table_version(board, corridor))
    add(table, "prk:versionTime", moment(board.made_at))
    for yard in _yards(board):
        _place(table, yard, corridor)
    return write(root)


def parking_status(board: Board, corridor: Corridor) -> bytes:
    """Free places of all yards, and whether they are open."""
    root = payload("prk:ParkingStatusPublication", board)
    version = _table_version(board, corridor)
    add(root, "prk:parkingTableReference", id=TABLE, version=version, targetClass="prk:ParkingTable")
    header(root, "prk:headerInformation", board)
    for yard in _yards(board):
        status = add(root, "prk:parkingStatusInformation", kind="prk:PlaceStatus")
        version = _place_version(yard, corridor)
        add(status, "fac:reference", id=yard.yard_id, version=version, targetClass="fac:FacilityObject")
        add(status, "fac:lastUpdated", moment(board.made_at))
        opening = "open" if yard.is_open else "temporarilyClosed" if yard.is_shut else "closed"
        add(status, "fac:openingStatus", opening)
        occupancy = add(status, "prk:occupancy")
        add(occupancy, "prk:numberOfSpacesOverride", yard.capacity)
        add(occupancy, "prk:numberOfVacantSpaces", yard.free)
        if yard.is_open:
            add(status, "prk:status", "spacesAvailable" if yard.free > 0 else "full")
    return write(root)


def _yards(board: Board) -> Iterable[YardOnBoard]:
    return (yard for gate in board.gates for yard in gate.yards)


def _place(table: Element, yard: YardOnBoard, corridor: Corridor) -> None:
    place = add(table, "prk:hierarchyElementGeneral", kind="prk:Place", id=yard.yard_id)
    say(add(place, "fac:name"), yard.name)
    if yard.hours:
        say(add(place, "fac:additionalInformation"), {"vi": yard.hours})
    else:
        add(place, "fac:operatingHours", kind="fac:OpenAllHours")
    add_point(place, "fac:locationReference", corridor.get_site(yard.yard_id))
    add(place, "prk:layer", 0)
    add(place, "prk:type", "place")
    supply = add(place, "prk:supply")
    add(supply, "prk:quantity", yard.capacity)
    add(supply, "prk:viewType", "vehicleView")
    add(place, "prk:layout", "openSpace")
    place.set("version", _digest(tostring(place)))


def _place_version(yard: YardOnBoard, corridor: Corridor) -> str:
    holder = Element("table")
    _place(holder, yard, corridor)
    return holder[0].attrib["version"]


def _table_version(board: Board, corridor: Corridor) -> str:
    return _digest("".join(_place_version(yard, corridor) for yard in _yards(board)).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:VERSION_DIGITS]
