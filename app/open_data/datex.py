"""The public board as DATEX II v3 (CEN/TS 16157): situations and travel times, each one payload as XML. Pure.

What is published is what the board tells: queues, closed gates, intake bans and outages, diversions, travel times as
measured and as foreseen. Nothing of it is about a truck, a person or an enterprise. What of the model is used stands in
`tests/app/data/datex`, a profile in the form of schemas; see docs/open-data.md for what was checked against what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element

from app.dispatch.vocabulary import Severity
from app.gates.vocabulary import NoticeState
from app.open_data.datex_xml import (
    LINE_STEP_KM,
    add,
    add_point,
    add_stretch,
    fill_point,
    header,
    moment,
    name,
    payload,
    say,
    write,
)
from app.open_data.tables import PublicGateRow
from app.public.board import Board, DiversionOnBoard, GateOnBoard, NoticeOnBoard
from geo.corridor import Corridor, Site

SEVERITIES: Final = {Severity.NOTICE: "low", Severity.WARNING: "medium", Severity.ALARM: "high"}
MIN_QUEUE_VEH: Final = 1.0

# Situations


def situations(boards: Mapping[str, Board], corridor: Corridor) -> bytes:
    """Queues, closed gates, intake bans, outages and diversions; `boards` is the same board by language."""
    board = boards["vi"]
    root = payload("sit:SituationPublication", board)
    for number, gate in enumerate(board.gates):
        site = corridor.get_site(gate.gate_id)
        if gate.queue_veh is not None and gate.queue_veh >= MIN_QUEUE_VEH:
            _queue(root, board, gate, corridor, site)
        if not gate.is_open:
            _closure(root, board, gate, site)
        for diversion in gate.diversions:
            _diversion(root, board, gate, corridor, site, diversion)
        for notice in gate.notices:
            texts = {
                language: other.text
                for language, each in boards.items()
                for other in each.gates[number].notices
                if other.notice_id == notice.notice_id
            }
            _notice(root, board, gate, site, notice, texts)
    return write(root)


def _situation(root: Element, board: Board, identity: str) -> Element:
    situation = add(root, "sit:situation", id=identity)
    add(situation, "sit:situationVersionTime", moment(board.made_at))
    header(situation, "sit:headerInformation", board)
    return situation


def _record(
    situation: Element, kind: str, created: datetime, changed: datetime, *, severity: str = "", probability: str
) -> Element:
    version = str(int(changed.timestamp()))
    record = add(situation, "sit:situationRecord", kind=f"sit:{kind}", id=f"{situation.get('id')}-1", version=version)
    add(record, "sit:situationRecordCreationTime", moment(created))
    add(record, "sit:situationRecordVersionTime", moment(changed))
    add(record, "sit:probabilityOfOccurrence", probability)
    if severity:
        add(record, "sit:severity", severity)
    return record


def _validity(
    record: Element, since: datetime, until: datetime | None, *, is_active: bool, is_late: bool = False
) -> None:
    validity = add(record, "sit:validity")
    add(validity, "com:validityStatus", "active" if is_active else "definedByValidityTimeSpec")
    if is_late:
        add(validity, "com:overrunning", True)
    period = add(validity, "com:validityTimeSpecification")
    add(period, "com:overallStartTime", moment(since))
    if until is not None:
        add(period, "com:overallEndTime", moment(until))


def _diversion(
    root: Element, board: Board, gate: GateOnBoard, corridor: Corridor, site: Site, diversion: DiversionOnBoard
) -> None:
    situation = _situation(root, board, f"{gate.gate_id}-diversion-{diversion.diversion_id}")
    record = _record(situation, "ReroutingManagement", diversion.since, diversion.since, probability="certain")
    _validity(record, diversion.since, diversion.until, is_active=True)
    add_point(record, "sit:locationReference", site)
    add(record, "sit:complianceOption", "mandatory")
    add(record, "sit:reroutingManagementType", "followLocalDiversion")
    to = corridor.get_site(diversion.to_gate_id)
    ways = {language: f"{gate.name[language]} → {to.name[language]}" for language in gate.name if language in to.name}
    say(add(record, "sit:reroutingItineraryDescription"), ways)
    destination = add(record, "sit:destination", kind="loc:PointDestination")
    fill_point(add(destination, "loc:pointLocation"), to)


def _queue(root: Element, board: Board, gate: GateOnBoard, corridor: Corridor, site: Site) -> None:
    measured_at = gate.measured_at or board.made_at
    situation = _situation(root, board, f"{gate.gate_id}-queue")
    severity = "" if gate.forecast_made_at is None else "lowest" if gate.severity is None else SEVERITIES[gate.severity]
    record = _record(situation, "AbnormalTraffic", measured_at, board.made_at, severity=severity, probability="certain")
    _validity(record, measured_at, None, is_active=True)
    if gate.wait_s is not None and gate.wait_s[1] is not None:
        delays = add(add(record, "sit:impact"), "sit:delays")
        add(delays, "sit:delayTimeValue", f"{gate.wait_s[1]:.0f}")
    length_km = max((gate.tail_km or site.km) - site.km, 0.0)
    if length_km >= LINE_STEP_KM:
        add_stretch(record, "sit:locationReference", corridor, site, length_km)
    else:
        add_point(record, "sit:locationReference", site)
    add(record, "sit:abnormalTrafficType", "queuingTraffic")
    add(record, "sit:numberOfVehiclesWaiting", round(gate.queue_veh or 0.0))
    add(record, "sit:queueLength", round(1000.0 * length_km))


def _closure(root: Element, board: Board, gate: GateOnBoard, site: Site) -> None:
    situation = _situation(root, board, f"{gate.gate_id}-closed")
    record = _record(
        situation, "RoadOrCarriagewayOrLaneManagement", board.made_at, board.made_at, probability="certain"
    )
    _validity(record, board.made_at, gate.changes_at, is_active=True)
    add_point(record, "sit:locationReference", site)
    add(record, "sit:complianceOption", "mandatory")
    add(record, "sit:roadOrCarriagewayOrLaneManagementType", "roadClosed")


def _notice(
    root: Element, board: Board, gate: GateOnBoard, site: Site, notice: NoticeOnBoard, texts: Mapping[str, str]
) -> None:
    situation = _situation(root, board, f"{gate.gate_id}-{notice.kind}-{notice.notice_id}")
    record = _record(
        situation, "GeneralInstructionOrMessageToRoadUsers", notice.announced_at, board.made_at, probability="certain"
    )
    is_active = notice.state == NoticeState.IN_FORCE
    is_late = is_active and notice.ends_at is not None and notice.ends_at <= board.made_at
    _validity(record, notice.starts_at, notice.ends_at, is_active=is_active, is_late=is_late)
    add_point(record, "sit:locationReference", site)
    add(record, "sit:complianceOption", "mandatory" if notice.kind == "ban" else "advisory")
    say(add(record, "sit:generalMessageToRoadUsers"), texts)


# Travel times


def travel_times(board: Board, corridor: Corridor, measured: Sequence[PublicGateRow]) -> bytes | None:
    """Travel times over the approaches: as measured, and free travel time and wait as foreseen, now and ahead.

    `None` if there is nothing to tell: a publication of no quantity is none.
    """
    root = payload("roa:ElaboratedDataPublication", board)
    add(root, "roa:timeDefault", moment(board.made_at))
    header(root, "roa:headerInformation", board)
    shown = {gate.gate_id: gate for gate in board.gates}
    for row in measured:
        if row.gate_id not in shown or row.approach_km is None or row.travel_s is None or row.free_travel_s is None:
            continue
        site = corridor.get_site(row.gate_id)
        length_km, free_s = row.approach_km, row.free_travel_s
        if row.measured_share:  # without a position nothing was measured: that is free travel time, not a measurement
            _travel(root, corridor, site, length_km, row.as_of, row.travel_s, free_s, is_forecast=False)
        gate = shown[row.gate_id]
        waits = [(board.made_at, gate.wait_s[1])] if gate.wait_s is not None else []
        waits += [(ahead.at, ahead.wait_s[1]) for ahead in gate.ahead]
        for at, wait_s in waits:
            if wait_s is not None:
                _travel(root, corridor, site, length_km, at, free_s + wait_s, free_s, is_forecast=True)
    if root.find(name("roa:physicalQuantity")) is None:
        return None
    return write(root)


def _travel(
    root: Element,
    corridor: Corridor,
    site: Site,
    length_km: float,
    at: datetime,
    travel_s: float,
    free_s: float,
    *,
    is_forecast: bool,
) -> None:
    quantity = add(root, "roa:physicalQuantity", kind="roa:SinglePhysicalQuantity")
    add(quantity, "roa:forecast", is_forecast)
    add_stretch(quantity, "roa:pertinentLocation", corridor, site, length_km)
    data = add(quantity, "roa:basicData", kind="roa:TravelTimeData")
    add(add(data, "roa:measurementOrCalculationTime"), "roa:timeValue", moment(at))
    add(data, "roa:travelTimeType", "predictor" if is_forecast else "instantaneous")
    add(data, "roa:vehicleType", "lorry")
    add(add(data, "roa:travelTime"), "roa:duration", f"{travel_s:.0f}")
    add(add(data, "roa:freeFlowTravelTime"), "roa:duration", f"{free_s:.0f}")
