"""A trip's sheet as one station needs it: what it checks first, what the devices saw, what can be done now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, get_args

from sqlalchemy.orm import Session

from app.declarations import reasons
from app.declarations.fields import HEAD_FIELDS
from app.platform.paging import PageRequest
from app.platform.permissions import Principal
from app.procedures.steps import Part, Step, StepStatus
from app.sheets.service import Sheets, work_list
from app.sheets.stations import SUPPORT, Station
from app.transshipments import service as transshipments
from app.transshipments.vocabulary import TransshipmentStatus
from geo.clock import parse_time
from geo.errors import NotFoundError

PARTS: Final = get_args(Part)
HIDDEN_FIELDS: Final = frozenset({"driver_id", "gate_id", "regime", "direction"})
WAITING: Final[Mapping[str, TransshipmentStatus]] = {
    Step.CUSTOMS: TransshipmentStatus.REGISTERED,
    Step.TRANSSHIPMENT: TransshipmentStatus.APPROVED,
}
"""The transshipments that wait for a station."""
LISTED: Final = 60
AFTERGLOW: Final = timedelta(minutes=30)
"""How long a station still sees the sheet of a trip that is over."""


def view_sheet(
    session: Session, sheets: Sheets, principal: Principal, trip_id: int, station: Station, *, now: datetime
) -> dict[str, Any]:
    """What the page of a station shows of a trip.

    `sheet` as `app.sheets.service.get_sheet` gives it; `own` the station's step on it, if the trip has it;
    `waits_for` the steps that stand before it; `may_confirm`, `may_return`; `declared`, the declaration by part
    (see `PARTS`), each a list of name, label, value and kind; `lines` of goods; `first`, the parts to show open;
    `returned`, why and from where the sheet came back; `differences` from what was declared before, each a label,
    `line` of goods, `field`, `old` and `new`; `weighings`, `scans`, `seals`, newest first; `barrier`, the last
    command to the station's barrier; `transshipment`, the open one; `reasons` for a return.

    Raises
    ------
    NotFoundError
        If the caller may see no such trip.
    """
    found = _get_sheet(session, sheets, principal, trip_id, now)
    own = next((one for one in found["steps"] if one["step"] == station.name), None)
    declaration = found.get("declaration") or {}
    data = declaration.get("data") or {}
    open_ones = transshipments.list_transshipments(
        session, principal, trip_id=trip_id, statuses=TransshipmentStatus.open()
    ).items
    return {
        "sheet": found,
        "own": own,
        "waits_for": _waits_for(found, station.name),
        "may_confirm": station.name in found["may"]["confirm"],
        "may_return": station.name in found["may"]["return"],
        "differences": [_difference(one) for one in declaration.get("differences") or ()],
        "declared": {part: _fields(data, part) for part in PARTS},
        "lines": list(data.get("lines") or ()),
        "first": station.shows,
        "devices_first": station.devices_first,
        "returned": next((_returned(one) for one in found["steps"] if one["status"] == StepStatus.RETURNED), None),
        "weighings": _newest_first(found, "weighings"),
        "scans": _newest_first(found, "scans"),
        "seals": _newest_first(found, "seals"),
        "barrier": next((one for one in _reports(found, "barriers") if one["station"] == station.name), None),
        "transshipment": open_ones[0] if open_ones else None,
        "reasons": [] if station.name == SUPPORT else reasons.reasons_for(station.name),
    }


def view_work(session: Session, principal: Principal, station: Station, *, now: datetime) -> dict[str, Any]:
    """The work list of a station, and the transshipments that wait there: for customs those to approve, for the yard
    those to carry out."""
    found = work_list(session, principal, station.name, now=now)
    waiting = WAITING.get(station.name)
    listed: list[dict[str, Any]] = []
    if waiting is not None:
        page = PageRequest(limit=LISTED)
        listed = transshipments.list_transshipments(session, principal, statuses=(waiting,), page=page).items
    return {**found, "transshipments": listed}


def _get_sheet(session: Session, sheets: Sheets, principal: Principal, trip_id: int, now: datetime) -> dict[str, Any]:
    """The sheet; also of a trip that just ended, so that the officer sees whether the barrier opened."""
    try:
        return sheets.get_sheet(session, principal, trip_id)
    except NotFoundError:
        found = sheets.answer_sheet(session, principal, trip_id)
        if parse_time(found["trip"]["stage_since"]) < now - AFTERGLOW:
            raise
        return found


def _waits_for(found: Mapping[str, Any], step: str) -> list[dict[str, Any]]:
    """The steps that can be done now and stand before `step`."""
    before: set[str] = set()
    frontier = {step}
    while frontier:
        frontier = {edge["from"] for edge in found["graph"]["edges"] if edge["to"] in frontier} - before
        before |= frontier
    return [one for one in found["steps"] if one["step"] in before and one["status"] in StepStatus.open()]


def _fields(data: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    shown = []
    for name, field in HEAD_FIELDS.items():
        value = data.get(name)
        if field.part != part or name in HIDDEN_FIELDS or value is None or value == "":
            continue
        shown.append({"name": name, "label": field.label, "value": value, "kind": field.kind})
    return shown


def _difference(one: Mapping[str, Any]) -> dict[str, Any]:
    line = int(one["field"].split(".")[1]) if one["field"].startswith("lines.") else None
    return {"label": one["label"], "line": line, "field": one["field"], "old": one["old"], "new": one["new"]}


def _returned(step: Mapping[str, Any]) -> dict[str, Any]:
    data = step["data"] or {}
    known = reasons.all_reasons()
    return {
        "step": step["step"],
        "by": data.get("from"),
        "since": step["since"],
        "reasons": [known[code] for code in data.get("reasons", ()) if code in known],
        "text": data.get("text", ""),
    }


def _reports(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """What devices of a kind reported of the trip, as far as the reader may see it."""
    return list((found.get("equipment") or {}).get(name) or ())


def _newest_first(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return _reports(found, name)[::-1]
