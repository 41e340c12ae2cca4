"""The public board as DATEX II v3 (CEN/TS 16157): situations, parking, travel times, each one payload as XML. Pure.

What is published is what the board tells: queues, closed gates, intake bans and outages, free places, travel times as
measured and as foreseen. Nothing of it is about a truck, a person or an enterprise. What of the model is used stands in
`tests/app/data/datex`, a profile in the form of schemas; see docs/open-data.md for what was checked against what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from app.dispatch.vocabulary import Severity
from app.gates.vocabulary import NoticeState
from app.open_data.tables import PublicGateRow
from app.public.board import Board, GateOnBoard, NoticeOnBoard, YardOnBoard
from geo.corridor import Corridor, Site

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
SEVERITIES: Final = {Severity.NOTICE: "low", Severity.WARNING: "medium", Severity.ALARM: "high"}
MIN_QUEUE_VEH: Final = 1.0

for _prefix, _uri in NAMESPACES.items():
    ElementTree.register_namespace(_prefix, _uri)


def _name(written: str) -> str:
    prefix, _, local = written.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _add(parent: Element, written: str, text: object = None, *, kind: str = "", **attributes: str) -> Element:
    """A child; `written` is `prefix:name`, `kind` its `xsi:type`."""
    child = SubElement(parent, _name(written), attributes)
    if kind:
        child.set(_name("xsi:type"), kind)
    if text is not None:
        child.text = str(text).lower() if isinstance(text, bool) else str(text)
    return child


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _payload(kind: str, board: Board) -> Element:
    payload = Element(_name("d2:payload"), {"lang": "vi", "modelBaseVersion": "3", _name("xsi:type"): kind})
    for prefix in {"com", kind.partition(":")[0]} | ({"fac"} if kind.startswith("prk") else {"loc"}):
        payload.set(f"xmlns:{prefix}", NAMESPACES[prefix])
    _add(payload, "com:publicationTime", _time(board.made_at))
    creator = _add(payload, "com:publicationCreator")
    _add(creator, "com:country", COUNTRY)
    _add(creator, "com:nationalIdentifier", SUPPLIER)
    return payload


def _header(parent: Element, written: str, board: Board) -> None:
    """Whether it is real: a demonstration is published as a test."""
    _add(_add(parent, written), "com:informationStatus", "test" if board.simulated else "real")


def _say(parent: Element, texts: Mapping[str, str]) -> None:
    values = _add(parent, "com:values")
    for language, text in texts.items():
        _add(values, "com:value", text, lang=language)


def _write(payload: Element) -> bytes:
    # ElementTree declares the namespaces of names; those that stand only in values of xsi:type are declared by hand.
    used = {element.tag.partition("}")[0].removeprefix("{") for element in payload.iter()}
    for attribute in [key for key in payload.attrib if key.startswith("xmlns:")]:
        if payload.attrib[attribute] in used:
            del payload.attrib[attribute]
    return bytes(ElementTree.tostring(payload, encoding="utf-8", xml_declaration=True))


# Places


def _point(parent: Element, written: str, site: Site) -> None:
    place = _add(_add(parent, written, kind="loc:PointLocation"), "loc:pointByCoordinates")
    point = _add(place, "loc:pointCoordinates")
    _add(point, "loc:latitude", f"{site.lat:.6f}")
    _add(point, "loc:longitude", f"{site.lon:.6f}")


def _stretch(parent: Element, written: str, corridor: Corridor, site: Site, length_km: float) -> None:
    """The last `length_km` of a gate's road, toward it."""
    steps = max(1, round(length_km / LINE_STEP_KM))
    kms = [site.km + length_km * (steps - step) / steps for step in range(steps + 1)]
    lon, lat = corridor.position_on(*corridor.place_at(site.road, kms))
    line = _add(_add(parent, written, kind="loc:LinearLocation"), "loc:gmlLineString", srsName=WGS84, srsDimension="2")
    _add(line, "loc:posList", " ".join(f"{y:.6f} {x:.6f}" for x, y in zip(lon, lat, strict=True)))


# Situations


def situations(boards: Mapping[str, Board], corridor: Corridor) -> bytes:
    """Queues, closed gates, intake bans and outages; `boards` is the same board by language, Vietnamese among them."""
    board = boards["vi"]
    payload = _payload("sit:SituationPublication", board)
    for number, gate in enumerate(board.gates):
        site = corridor.get_site(gate.gate_id)
        if gate.queue_veh is not None and gate.queue_veh >= MIN_QUEUE_VEH:
            _queue(payload, board, gate, corridor, site)
        if not gate.is_open:
            _closure(payload, board, gate, site)
        for notice in gate.notices:
            texts = {
                language: other.text
                for language, each in boards.items()
                for other in each.gates[number].notices
                if (other.kind, other.starts_at, other.cause) == (notice.kind, notice.starts_at, notice.cause)
            }
            _notice(payload, board, gate, site, notice, texts)
    return _write(payload)


def _situation(payload: Element, board: Board, identity: str) -> Element:
    situation = _add(payload, "sit:situation", id=identity)
    _add(situation, "sit:situationVersionTime", _time(board.made_at))
    _header(situation, "sit:headerInformation", board)
    return situation


def _record(
    situation: Element, kind: str, created: datetime, changed: datetime, *, severity: str = "", probability: str
) -> Element:
    version = str(int(changed.timestamp()))
    record = _add(situation, "sit:situationRecord", kind=f"sit:{kind}", id=f"{situation.get('id')}-1", version=version)
    _add(record, "sit:situationRecordCreationTime", _time(created))
    _add(record, "sit:situationRecordVersionTime", _time(changed))
    _add(record, "sit:probabilityOfOccurrence", probability)
    if severity:
        _add(record, "sit:severity", severity)
    return record


def _validity(record: Element, since: datetime, until: datetime | None, *, is_active: bool) -> None:
    validity = _add(record, "sit:validity")
    _add(validity, "com:validityStatus", "active" if is_active else "definedByValidityTimeSpec")
    period = _add(validity, "com:validityTimeSpecification")
    _add(period, "com:overallStartTime", _time(since))
    if until is not None:
        _add(period, "com:overallEndTime", _time(until))


def _queue(payload: Element, board: Board, gate: GateOnBoard, corridor: Corridor, site: Site) -> None:
    measured_at = gate.measured_at or board.made_at
    situation = _situation(payload, board, f"{gate.gate_id}-queue")
    severity = SEVERITIES.get(gate.severity, "lowest") if gate.severity is not None else "lowest"
    record = _record(situation, "AbnormalTraffic", measured_at, measured_at, severity=severity, probability="certain")
    _validity(record, measured_at, None, is_active=True)
    length_km = max((gate.tail_km or site.km) - site.km, 0.0)
    if length_km >= LINE_STEP_KM:
        _stretch(record, "sit:locationReference", corridor, site, length_km)
    else:
        _point(record, "sit:locationReference", site)
    _add(record, "sit:abnormalTrafficType", "queuingTraffic")
    _add(record, "sit:numberOfVehiclesWaiting", round(gate.queue_veh or 0.0))
    _add(record, "sit:queueLength", round(1000.0 * length_km))


def _closure(payload: Element, board: Board, gate: GateOnBoard, site: Site) -> None:
    situation = _situation(payload, board, f"{gate.gate_id}-closed")
    record = _record(
        situation, "RoadOrCarriagewayOrLaneManagement", board.made_at, board.made_at, probability="certain"
    )
    _validity(record, board.made_at, gate.changes_at, is_active=True)
    _point(record, "sit:locationReference", site)
    _add(record, "sit:complianceOption", "mandatory")
    _add(record, "sit:roadOrCarriagewayOrLaneManagementType", "roadClosed")


def _notice(
    payload: Element, board: Board, gate: GateOnBoard, site: Site, notice: NoticeOnBoard, texts: Mapping[str, str]
) -> None:
    begins = int(notice.starts_at.timestamp())
    situation = _situation(payload, board, f"{gate.gate_id}-{notice.kind}-{begins}")
    record = _record(
        situation, "GeneralInstructionOrMessageToRoadUsers", notice.starts_at, board.made_at, probability="certain"
    )
    _validity(record, notice.starts_at, notice.ends_at, is_active=notice.state == NoticeState.IN_FORCE)
    _point(record, "sit:locationReference", site)
    _add(record, "sit:complianceOption", "mandatory" if notice.kind == "ban" else "advisory")
    _say(_add(record, "sit:generalMessageToRoadUsers"), texts)


# Parking


def parking(board: Board) -> bytes:
    """Free places of all yards."""
    payload = _payload("prk:ParkingStatusPublication", board)
    _header(payload, "prk:headerInformation", board)
    for yard in _yards(board):
        status = _add(payload, "prk:parkingStatusInformation")
        _add(status, "fac:reference", targetClass="fac:FacilityObject", id=yard.yard_id, version="1")
        _add(status, "fac:lastUpdated", _time(board.made_at))
        occupancy = _add(status, "prk:occupancy")
        _add(occupancy, "prk:numberOfSpacesOverride", yard.capacity)
        _add(occupancy, "prk:numberOfVacantSpaces", yard.free)
        if not yard.is_open:
            _add(occupancy, "prk:parkingNotAllowed", True)
    return _write(payload)


def _yards(board: Board) -> Iterable[YardOnBoard]:
    return (yard for gate in board.gates for yard in gate.yards)


# Travel times


def travel_times(board: Board, corridor: Corridor, measured: Sequence[PublicGateRow]) -> bytes | None:
    """Travel times over the approaches: as measured, and free travel time and wait as foreseen, now and ahead.

    `None` if there is nothing to tell: a publication of no quantity is none.
    """
    payload = _payload("roa:ElaboratedDataPublication", board)
    _add(payload, "roa:timeDefault", _time(board.made_at))
    _header(payload, "roa:headerInformation", board)
    shown = {gate.gate_id: gate for gate in board.gates}
    for row in measured:
        if row.gate_id not in shown or row.approach_km is None or row.travel_s is None or row.free_travel_s is None:
            continue
        site = corridor.get_site(row.gate_id)
        length_km, free_s = row.approach_km, row.free_travel_s
        if row.measured_share:  # without a position nothing was measured: that is free travel time, not a measurement
            _travel(payload, corridor, site, length_km, row.as_of, row.travel_s, free_s, is_forecast=False)
        gate = shown[row.gate_id]
        waits = [(board.made_at, gate.wait_s[1])] if gate.wait_s is not None else []
        waits += [(ahead.at, ahead.wait_s[1]) for ahead in gate.ahead]
        for at, wait_s in waits:
            if wait_s is not None:
                _travel(payload, corridor, site, length_km, at, free_s + wait_s, free_s, is_forecast=True)
    if payload.find(_name("roa:physicalQuantity")) is None:
        return None
    return _write(payload)


def _travel(
    payload: Element,
    corridor: Corridor,
    site: Site,
    length_km: float,
    at: datetime,
    travel_s: float,
    free_s: float,
    *,
    is_forecast: bool,
) -> None:
    quantity = _add(payload, "roa:physicalQuantity", kind="roa:SinglePhysicalQuantity")
    _add(quantity, "roa:forecast", is_forecast)
    _stretch(quantity, "roa:pertinentLocation", corridor, site, length_km)
    data = _add(quantity, "roa:basicData", kind="roa:TravelTimeData")
    _add(_add(data, "roa:measurementOrCalculationTime"), "roa:timeValue", _time(at))
    _add(data, "roa:travelTimeType", "predictor" if is_forecast else "instantaneous")
    _add(data, "roa:vehicleType", "lorry")
    _add(_add(data, "roa:travelTime"), "roa:duration", f"{travel_s:.0f}")
    _add(_add(data, "roa:freeFlowTravelTime"), "roa:duration", f"{free_s:.0f}")
