"""A trip's sheet as one station needs it: what it checks first, what the devices saw, what can be done now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, get_args

from sqlalchemy.orm import Session

from app.checkpoints.schemas import CheckpointOut, FindingOut, WarningOut
from app.checkpoints.turns import priority_of
from app.declarations import desk
from app.declarations.desk import Waiting
from app.declarations.fields import HEAD_FIELDS
from app.gates.notice import GateNotice
from app.gates.priority import Priority
from app.gates.vocabulary import NoticeKind
from app.notices.service import notices_of_trip
from app.platform.json import JsonObject
from app.platform.paging import PageRequest
from app.platform.permissions import Principal
from app.procedures.return_reasons import ReturnReason, reasons_for
from app.procedures.steps import Part, Step, StepStatus
from app.sheets.corrections import NOT_HERE as NOT_CORRECTED_HERE
from app.sheets.corrections import TURNED_BACK, list_waiting
from app.sheets.paper import papers
from app.sheets.schemas import CorrectionOut, SheetOut, StepOut, WorkList
from app.sheets.service import Sheets, work_list
from app.sheets.stations import SUPPORT, Station
from app.sheets.vocabulary import CorrectionStatus
from app.transshipments import service as transshipments
from app.transshipments.schemas import TransshipmentOut
from app.transshipments.vocabulary import TransshipmentStatus
from app.trips.vocabulary import PlaceKind, Stage
from geo.errors import NotFoundError

PARTS: Final[tuple[Part, ...]] = get_args(Part)
HIDDEN_FIELDS: Final = frozenset({"driver_id", "gate_id", "regime", "direction"})
WAITING: Final[Mapping[str, tuple[TransshipmentStatus, ...]]] = {
    Step.CUSTOMS: (TransshipmentStatus.REGISTERED,),
    Step.TRANSSHIPMENT: TransshipmentStatus.for_the_yard(),
}
"""The transshipments that wait for a station."""
LISTED: Final = 60
AFTERGLOW: Final = timedelta(minutes=30)
"""How long a station still sees the sheet of a trip that is over."""


@dataclass(frozen=True)
class ShownField:
    """A declared value and the field of the form it was declared in; `label` is a gettext key."""

    name: str
    label: str
    value: object
    kind: str


@dataclass(frozen=True)
class ChangedField:
    """A field that differs from what was declared before; `line` counts the goods from 1, `None` outside them."""

    label: str
    line: int | None
    field: str
    old: object
    new: object


@dataclass(frozen=True)
class SheetReturn:
    """Why a step was returned: `by` is the step it came back from, `text` the officer's own words."""

    step: str
    by: str | None
    since: datetime
    reasons: list[ReturnReason]
    text: str


@dataclass(frozen=True)
class StationSheet:
    """What the page of a station shows of a trip.

    `own` is the station's step on the sheet, if the trip has it; `waits_for` the steps that stand before it;
    `declared` the declaration by part (see `PARTS`); `lines` the goods; `first` the parts to show open; `reads`,
    `weighings`, `scans` and `seals` what devices reported, newest first; `barrier` the last command to the station's
    barrier; `transshipment` the open one; `may_transship` whether one can be registered now; `moved` where goods came
    from and went to, if they changed vehicles; `reasons` those to offer for a return; `warnings` what the station's
    step is warned of, `findings` what was seen and does not belong to the trip; `gps_overdue_min` how long a position
    of the truck is overdue by the regulation, minutes, `gps_heard_at` when the last one came; `notices` the bans that
    are about the trip and what the station's step needs and is out; `papers` the outages for which acts on paper can
    still be entered here; `aside` where and since when the truck stands undeclared in a temporary yard.
    """

    sheet: SheetOut
    own: StepOut | None
    waits_for: list[StepOut]
    may_confirm: bool
    may_return: bool
    may_correct: bool
    may_turn_back: bool
    is_over: bool
    may_correct_turn: bool
    differences: list[ChangedField]
    declared: dict[Part, list[ShownField]]
    lines: list[JsonObject]
    first: tuple[Part, ...]
    devices_first: bool
    returned: SheetReturn | None
    reads: list[JsonObject]
    weighings: list[JsonObject]
    scans: list[JsonObject]
    seals: list[JsonObject]
    barrier: JsonObject | None
    transshipment: TransshipmentOut | None
    may_transship: bool
    moved: JsonObject | None
    reasons: list[ReturnReason]
    warnings: list[WarningOut]
    findings: list[FindingOut]
    gps_overdue_min: int | None
    gps_heard_at: datetime | None
    notices: list[GateNotice]
    priority: Priority
    papers: list[GateNotice]
    aside: Waiting | None


class StationWork(WorkList):
    """The work list of a station, the transshipments that wait there, and corrections that wait for a second person.

    `strangers` are trucks in the temporary yard that are on no trip, for who leads trucks there.
    """

    strangers: list[Waiting]
    transshipments: list[TransshipmentOut]
    corrections: list[CorrectionOut]


def view_sheet(
    session: Session, sheets: Sheets, principal: Principal, trip_id: int, station: Station, *, now: datetime
) -> StationSheet:
    """What the page of a station shows of a trip; raises NotFoundError if the caller may see no such trip."""
    found = _get_sheet(session, sheets, principal, trip_id, now)
    declaration = found.declaration or {}
    data = _object(declaration.get("data"))
    checkpoint = found.checkpoint or CheckpointOut(warnings=[], findings=[], priority=[])
    returned = next((step for step in found.steps if step.status == StepStatus.RETURNED), None)
    waiting = transshipments.list_transshipments(
        session, principal, trip_id=trip_id, statuses=TransshipmentStatus.open()
    ).items
    return StationSheet(
        sheet=found,
        own=next((step for step in found.steps if step.step == station.name), None),
        waits_for=_waits_for(found, station.name),
        may_confirm=station.name in found.may["confirm"],
        may_return=station.name in found.may["return"],
        may_correct=_may_correct(found, principal, station.name),
        may_turn_back=principal.may("trips.turn_back") and found.trip.stage in Stage.open(),
        is_over=found.trip.stage not in Stage.open(),
        may_correct_turn=_may_correct_turn(found, principal),
        differences=[_changed_field(difference) for difference in _objects(declaration.get("differences"))],
        declared={part: _shown_fields(data, part) for part in PARTS},
        lines=_objects(data.get("lines")),
        first=station.shows,
        devices_first=station.devices_first,
        returned=_returned(returned) if returned else None,
        reads=_reports(found, "reads")[::-1],
        weighings=_reports(found, "weighings")[::-1],
        scans=_reports(found, "scans")[::-1],
        seals=_reports(found, "seals")[::-1],
        barrier=next((sent for sent in _reports(found, "barriers") if sent["station"] == station.name), None),
        transshipment=waiting[0] if waiting else None,
        may_transship=not waiting and transshipments.may_register(session, principal, trip_id),
        moved=found.part("transshipment"),
        reasons=[] if station.name == SUPPORT else reasons_for(station.name),
        warnings=[each for each in checkpoint.warnings if station.name in each.steps],
        findings=checkpoint.findings,
        gps_overdue_min=_overdue_min(found, now),
        gps_heard_at=_moment(found, "gps_heard_at"),
        notices=[
            notice.notice for notice in notices_of_trip(session, trip_id, now) if _concerns(notice.notice, station.name)
        ],
        priority=priority_of(session, trip_id, now),
        papers=papers(session, found.trip.gate_id, station.name, now),
        aside=None if found.is_declared else desk.find_waiting(session, found.trip.plate),
    )


def _overdue_min(found: SheetOut, now: datetime) -> int | None:
    """How long a position of the truck is overdue by the regulation, whole minutes; `None` if it is not."""
    due_at = _moment(found, "gps_due_at")
    return None if due_at is None or now <= due_at else int((now - due_at).total_seconds() // 60)


def _moment(found: SheetOut, name: str) -> datetime | None:
    value = (found.part("presence") or {}).get(name)
    return value if isinstance(value, datetime) else None


def view_work(session: Session, principal: Principal, station: Station, *, now: datetime) -> StationWork:
    """The work list of a station, and the transshipments that wait there: for customs those to approve, for the yard
    those to carry out."""
    found = work_list(session, principal, station.name, now=now)
    waiting = WAITING.get(station.name)
    listed: list[TransshipmentOut] = []
    if waiting is not None:
        page = PageRequest(limit=LISTED)
        listed = transshipments.list_transshipments(session, principal, statuses=waiting, page=page).items
    asked = list_waiting(session, principal) if principal.may("corrections.write") else []
    own = [each for each in asked if each.step in (station.name, TURNED_BACK)]
    is_leading = principal.may("undeclared.register") and principal.gate_id is not None
    strangers = desk.list_strangers(session, str(principal.gate_id)) if is_leading else []
    return StationWork(**dict(found), strangers=strangers, transshipments=listed, corrections=own)


def _concerns(notice: GateNotice, station: str) -> bool:
    """Whether a station has to know of an announcement about its trip: every ban and warning, and outages of what
    it needs."""
    step = Step.lookup(station)
    return notice.kind != NoticeKind.OUTAGE or (step is not None and notice.system in step.spec.needs)


def _get_sheet(session: Session, sheets: Sheets, principal: Principal, trip_id: int, now: datetime) -> SheetOut:
    """The sheet; also of a trip that just ended, so that the officer sees whether the barrier opened."""
    try:
        return sheets.get_sheet(session, principal, trip_id, now=now)
    except NotFoundError:
        found = sheets.answer_sheet(session, principal, trip_id, now=now)
        if found.trip.stage_since < now - AFTERGLOW:
            raise
        return found


def _may_correct(found: SheetOut, principal: Principal, step: str) -> bool:
    """Whether the caller can ask for a correction of a step: it is done and the own agency's, and none waits."""
    own = next((each for each in found.steps if each.step == step), None)
    waits = any((each.step, each.status) == (step, CorrectionStatus.ASKED) for each in found.corrections)
    return (
        own is not None
        and own.status == StepStatus.DONE
        and not waits
        and step not in NOT_CORRECTED_HERE
        and principal.may("corrections.write")
        and str(principal.role) in own.owners
    )


def _may_correct_turn(found: SheetOut, principal: Principal) -> bool:
    """Whether the caller can ask for a correction of that the truck turned back: it did, and none waits."""
    place = (found.part("presence") or {}).get("place")
    waits = any((each.step, each.status) == (TURNED_BACK, CorrectionStatus.ASKED) for each in found.corrections)
    return (
        principal.may("trips.turn_back")
        and place == PlaceKind.TURNED_BACK
        and found.trip.stage == Stage.OUT
        and not waits
    )


def _waits_for(found: SheetOut, step: str) -> list[StepOut]:
    """The steps that can be done now and stand before `step`."""
    before: set[str] = set()
    frontier = {step}
    while frontier:
        frontier = {edge.from_ for edge in found.graph.edges if edge.to in frontier} - before
        before |= frontier
    return [other for other in found.steps if other.step in before and other.status in StepStatus.open()]


def _shown_fields(data: JsonObject, part: str) -> list[ShownField]:
    shown = []
    for name, field in HEAD_FIELDS.items():
        value = data.get(name)
        if field.part != part or name in HIDDEN_FIELDS or value is None or value == "":
            continue
        shown.append(ShownField(name, field.label, value, field.kind))
    return shown


def _changed_field(difference: JsonObject) -> ChangedField:
    field = str(difference["field"])
    line = int(field.split(".")[1]) if field.startswith("lines.") else None
    return ChangedField(str(difference["label"]), line, field, difference["old"], difference["new"])


def _returned(step: StepOut) -> SheetReturn:
    data = step.data
    codes = data.get("reasons")
    given = codes if isinstance(codes, list) else []
    return SheetReturn(
        step=step.step,
        by=str(data["from"]) if data.get("from") else None,
        since=step.since,
        reasons=[known for code in given if (known := ReturnReason.lookup(str(code))) is not None],
        text=str(data.get("text", "")),
    )


def _reports(found: SheetOut, name: str) -> list[JsonObject]:
    """What devices of a kind reported of the trip, oldest first, as far as the reader may see it."""
    return _objects((found.part("equipment") or {}).get(name))


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[JsonObject]:
    return list(value) if isinstance(value, list) else []
