"""Shift handover at a station: what stays open is written down by who goes and taken over by who comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.accounts import persons
from app.checkpoints.overrides import overrides_of
from app.checkpoints.vocabulary import WarningKind
from app.declarations import desk
from app.gates.notice import GateNotice
from app.notices.service import list_notices
from app.platform.actions import ActionContext
from app.platform.fields import PlainText
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.procedures.steps import Step
from app.sheets.service import work_list
from app.sheets.stations import get_station
from app.stations import handover_store as store
from app.stations.handover_store import NamedHandover
from app.stations.tables import PointRecord
from app.stations.vocabulary import PointKind
from app.web.i18n import say_duration
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError

MAX_POINTS: Final = 60
"""So many points an officer chooses or writes; all others that are open are handed over with them as they stand."""
MAX_OPEN: Final = 5000
"""More than ever stands open at one station: on the worst day 4,550 trucks stood at all gates."""
PAGE: Final = 50
MAX_LISTED: Final = 20
NOTE_LENGTH: Final = 2000
ALARMS: Final = {
    ("seal", "tampered"): N_("seal tampered with"),
    ("scan", "suspicious"): N_("scan suspicious"),
    ("weighing", "over"): N_("heavier than declared"),
    ("weighing", "under"): N_("lighter than declared"),
}
"""What devices reported (kind, what it says), with a key of the translations."""


class Point(BaseModel):
    """An open point for the next shift."""

    model_config = ConfigDict(extra="forbid")

    kind: PointKind = PointKind.OTHER
    text: PlainText = Field(min_length=1, max_length=500)
    trip_id: int | None = Field(default=None, ge=1, le=2**31 - 1)


class HandoverOut(BaseModel):
    """A shift handed over; `taken_at` is null until the next officer took it."""

    handover_id: int
    gate_id: str
    station: str
    points: list[Point]
    note: str
    handed_by: str
    handed_at: datetime
    taken_by: str | None
    taken_at: datetime | None
    remark: str
    may_take: bool

    @classmethod
    def of(cls, named: NamedHandover, principal: Principal) -> Self:
        """A handover as an officer sees it."""
        row = named.row
        return cls(
            handover_id=row.handover_id,
            gate_id=row.gate_id,
            station=row.station,
            points=[Point.model_validate(point) for point in row.points],
            note=row.note,
            handed_by=named.handed_by,
            handed_at=row.handed_at,
            taken_by=named.taken_by,
            taken_at=row.taken_at,
            remark=row.remark,
            may_take=row.taken_at is None and row.handed_by != principal.account_id,
        )


class HandoverList(BaseModel):
    """Newest first."""

    items: list[HandoverOut]


class OpenPoints(BaseModel):
    """What is open at a station now, to begin a handover with: a page of it, how many there are, and of each kind.

    `next_after` is where the next page begins, null on the last.
    """

    station: str
    items: list[Point]
    total: int
    counts: dict[PointKind, int]
    next_after: int | None

    @classmethod
    def of(cls, station: str, points: Sequence[Point], after: int, limit: int) -> Self:
        """The page of some points that begins after so many of them."""
        end = after + limit
        counts = Counter(point.kind for point in points)
        return cls(
            station=station,
            items=list(points[after:end]),
            total=len(points),
            counts={kind: counts[kind] for kind in PointKind if counts[kind]},
            next_after=end if end < len(points) else None,
        )


@dataclass(frozen=True)
class Wording:
    """How points are written: `gettext` translates, `describe` puts a ban or an outage into words."""

    gettext: Callable[[str], str]
    describe: Callable[[GateNotice], str]


def open_points(
    session: Session, principal: Principal, station: str | None, now: datetime, wording: Wording
) -> list[Point]:
    """All that is open at a station: bans and outages of the gate, what devices raised and what was done otherwise on
    every open trip of the station, here or still to come, undeclared trucks, and who waits, the longest first.

    Raises NotFoundError, ForbiddenError if the caller does not work there.
    """
    name = get_station(principal, station).name
    gate_id = _gate_of(principal)
    work = work_list(session, principal, name, now=now, max_here=MAX_OPEN, max_next=MAX_OPEN)
    plates = {entry.trip_id: entry.plate for entry in (*work.here, *work.next)}
    swapped = [entry.trip_id for entry in (*work.here, *work.next) if entry.has_finding]
    longest = sorted(work.here, key=lambda entry: (entry.since, entry.trip_id))
    return [
        *(
            Point(kind=PointKind.NOTICE, text=wording.describe(notice)[:500])
            for notice in list_notices(session, now, gate_id=gate_id)
        ),
        *_alarms(session, principal, plates, swapped, wording.gettext),
        *_done_otherwise(session, principal, plates, wording.gettext),
        *(
            Point(
                kind=PointKind.UNDECLARED,
                text=f"{entry.plate} · {_say_since(now, entry.since, wording.gettext)}",
                trip_id=entry.trip_id,
            )
            for entry in work.undeclared
        ),
        *(
            Point(kind=PointKind.UNDECLARED, text=f"{each.plate} · {_say_since(now, each.arrived_at, wording.gettext)}")
            for each in (desk.list_strangers(session, gate_id) if principal.may("undeclared.register") else ())
        ),
        *(
            Point(
                kind=PointKind.WAITING,
                text=f"{entry.plate} · {_say_since(now, entry.since, wording.gettext)} · {entry.goods}"[:500],
                trip_id=entry.trip_id,
            )
            for entry in longest
        ),
    ]


def hand_over(
    action: ActionContext, station: str | None, points: Sequence[Point], note: str, others: Sequence[Point] = ()
) -> int:
    """Hand a station over; the handover's id. One that nobody took yet is replaced by who wrote it.

    Arguments: `points`, what the officer chose or wrote; `others`, what is open besides.

    Raises
    ------
    NotFoundError, ForbiddenError
        If the caller does not work at the station.
    ConflictError
        If another officer's handover waits to be taken.
    InvalidInputError
        If there is nothing to tell, or too much.
    """
    principal, session = action.actor, action.session
    name, gate_id = get_station(principal, station).name, _gate_of(principal)
    text = note.strip()
    if len(points) > MAX_POINTS or len(text) > NOTE_LENGTH:
        raise InvalidInputError(
            "Hand over at most {points} points and a note of {length} characters.",
            field="points",
            points=MAX_POINTS,
            length=NOTE_LENGTH,
        )
    store.lock_station(session, gate_id, name)
    waiting = store.find_open(session, gate_id, name)
    records = [_record(point) for point in (*points, *others)]
    if waiting is not None and waiting.handed_by != principal.account_id:
        raise ConflictError("The shift before was handed over and nobody took it; take it over first.")
    values = {"points": records, "note": text, "handed_at": action.now}
    if waiting is not None:
        before = {"points": waiting.points, "note": waiting.note}
        store.update_handover(session, waiting.handover_id, values)
        action.record("handovers.change", "handover", waiting.handover_id, before, {"points": records, "note": text})
        return waiting.handover_id
    new = {**values, "gate_id": gate_id, "station": name, "handed_by": principal.account_id}
    handover_id = store.insert_handover(session, new)
    record = {"gate_id": gate_id, "station": name, "points": records, "note": text}
    action.record("handovers.give", "handover", handover_id, None, record)
    return handover_id


def take_over(action: ActionContext, handover_id: int, remark: str = "") -> None:
    """Take a station over with its open points; the same officer's second tap changes nothing.

    Raises
    ------
    NotFoundError
        If there is no such handover at the caller's stations.
    ForbiddenError, ConflictError
        If the caller handed it over, or another officer took it.
    InvalidInputError
        If the remark is too long.
    """
    principal, session = action.actor, action.session
    gate_id, text = _gate_of(principal), remark.strip()
    row = store.find_handover(session, gate_id, handover_id)
    if row is None:
        raise NotFoundError("There is no handover {handover_id} at your stations.", handover_id=handover_id)
    get_station(principal, row.station)
    store.lock_station(session, gate_id, row.station)
    row = store.find_handover(session, gate_id, handover_id)
    assert row is not None
    if row.taken_by == principal.account_id:
        return
    if row.taken_at is not None:
        raise ConflictError("Another officer took this shift over.")
    if persons.is_same_person(session, row.handed_by, principal.account_id):
        raise ForbiddenError("You handed this shift over; the next officer takes it.")
    if len(text) > NOTE_LENGTH:
        raise InvalidInputError("Give at most {length} characters.", field="remark", length=NOTE_LENGTH)
    values = {"taken_by": principal.account_id, "taken_at": action.now, "remark": text}
    store.update_handover(session, handover_id, values)
    action.record("handovers.take", "handover", handover_id, None, {"remark": text, "station": row.station})


def list_handovers(session: Session, principal: Principal, station: str | None) -> HandoverList:
    """The handovers of a station of the caller, newest first."""
    name, gate_id = get_station(principal, station).name, _gate_of(principal)
    found = store.list_handovers(session, gate_id, name, MAX_LISTED)
    return HandoverList(items=[HandoverOut.of(named, principal) for named in found])


def _gate_of(principal: Principal) -> str:
    if principal.gate_id is None:
        raise ForbiddenError("Your account is bound to no gate; ask an administrator to give it one.")
    return principal.gate_id


def _record(point: Point) -> PointRecord:
    record = PointRecord(kind=point.kind.value, text=point.text)
    if point.trip_id is not None:
        record["trip_id"] = point.trip_id
    return record


def _alarms(
    session: Session,
    principal: Principal,
    plates: Mapping[int, str],
    swapped: Collection[int],
    gettext: Callable[[str], str],
) -> list[Point]:
    """What devices raised of trips, as far as the reader may see it, and what does not belong together on them."""
    label = gettext(N_("does not belong together"))
    found = [Point(kind=PointKind.ALARM, text=f"{plates[each]} · {label}", trip_id=each) for each in swapped]
    if not principal.may("equipment.read"):
        return found
    wanted = [key for key in ALARMS if key[0] != "scan" or principal.may("scans.read")]
    for alarm in store.device_alarms(session, plates, wanted):
        label = gettext(ALARMS[alarm.kind, alarm.found])
        found.append(Point(kind=PointKind.ALARM, text=f"{plates[alarm.trip_id]} · {label}", trip_id=alarm.trip_id))
    return found


def _done_otherwise(
    session: Session, principal: Principal, plates: Mapping[int, str], gettext: Callable[[str], str]
) -> list[Point]:
    """What was confirmed against a warning, with the reason, and what was done on paper and entered later."""
    done: dict[tuple[int, str, str], str] = {}  # of what was answered again the last reason
    for each in overrides_of(session, principal, plates):
        if each.kind != WarningKind.JUMP:  # a jump is no warning
            done[each.trip_id, each.step, WarningKind.get(each.kind).label] = each.reason
    label = N_("a step was done otherwise or entered later")
    done |= {(trip_id, step, label): "" for trip_id, step in store.entered_later(session, plates)}
    found = []
    for (trip_id, step, label), reason in done.items():
        said = [plates[trip_id], gettext(label), gettext(Step.get(step).label), *([reason] if reason else [])]
        found.append(Point(kind=PointKind.OVERRIDE, text=" · ".join(said)[:500], trip_id=trip_id))
    return found


def _say_since(now: datetime, since: datetime, gettext: Callable[[str], str]) -> str:
    return say_duration(max((now - since).total_seconds(), 0.0), gettext)
