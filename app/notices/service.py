"""Intake bans and outages of gates in service: announced, changed, ended early; and told to those they concern.

Everybody is told by events: the enterprises and drivers of the trips concerned each of their own trips, the police, the
planners and the gate of the announcement. Control tells of what begins or ends by its time (`follow`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import true
from sqlalchemy.orm import Session

from app.gates import service as gate_service
from app.gates.notice import GateNotice
from app.gates.vocabulary import GoodsClass, NoticeChange, NoticeKind, NoticeState, Regime, System
from app.notices import store
from app.notices.store import ConcernedTrip
from app.platform.actions import ActionContext, Event
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Role, Scope
from app.platform.written_times import CLOCK_ERROR
from app.trips.scope import visible_trips
from app.trips.service import Trip, find_trip
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from geo.versions import check_version

EVENT: Final = "gate_notice"
CAUSE_LENGTH: Final = (3, 300)
MAX_LATE: Final = timedelta(days=7)
"""An outage may be reported this long after it began."""
MAX_AHEAD: Final = timedelta(days=366)
MAX_LISTED: Final = 500
AUDITED: Final = {NoticeKind.BAN: "bans", NoticeKind.OUTAGE: "outages", NoticeKind.WEATHER: "weather"}
MAX_TRIPS: Final = 5000
"""More trips than ever stood before one gate."""
WATCHING: Final = (
    Role.TRAFFIC_POLICE,
    Role.PLANNER,
    Role.ADMINISTRATOR,
    Role.AUDITOR,
    *(role for role in Role if role.is_at_gate),
)
"""Roles that are told of every announcement of their gate."""
AGENCY_GOODS: Final[Mapping[Role, tuple[GoodsClass, ...]]] = {
    Role.ANIMAL_QUARANTINE: (GoodsClass.LIVE_ANIMALS, GoodsClass.MEAT, GoodsClass.SEAFOOD),
    Role.PLANT_QUARANTINE: (
        GoodsClass.FRESH_FRUIT,
        GoodsClass.FRESH_PRODUCE,
        GoodsClass.FLOWERS,
        GoodsClass.DRY_FOOD,
        GoodsClass.TIMBER,
    ),
}
"""Agencies that are in charge of some goods only may ban no others; the division is assumed."""


@dataclass(frozen=True, kw_only=True)
class NewBan:
    """What a gate is not to take: `goods` and `regimes` empty for all, `starts_at` `None` for at once."""

    gate_id: str
    cause: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    goods: Sequence[str] = ()
    regimes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class NewOutage:
    """What is or will be out at a gate, and whether steps that need it may be done on paper."""

    gate_id: str
    cause: str
    system: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    paper_mode: bool = True


@dataclass(frozen=True)
class NoticeOfTrip:
    """An announcement that is about a trip, with how it stands now."""

    notice: GateNotice
    state: NoticeState


# Announcing


def set_ban(action: ActionContext, new: NewBan, gates: Collection[str]) -> int:
    """Ban goods from a gate for a time; the announcement's id. Trips already declared are told, not cancelled.

    Raises
    ------
    ForbiddenError
        If the gate, or one of the goods, is not the caller's to ban.
    InvalidInputError
        If a value cannot be accepted; `field` names it.
    """
    _check_gate(action.actor, "bans.write", new.gate_id, gates)
    goods = [GoodsClass.require(name, "goods") for name in dict.fromkeys(new.goods)]
    regimes = [Regime.require(name, "regimes") for name in dict.fromkeys(new.regimes)]
    own = AGENCY_GOODS.get(action.actor.role)
    if own is not None and not _are_own(goods, own):
        raise ForbiddenError(
            "Your agency may ban only goods that it inspects: {goods}.", field="goods", goods=", ".join(own)
        )
    starts_at = new.starts_at or action.now
    if starts_at < action.now - CLOCK_ERROR:
        raise _past("starts_at", starts_at)
    values = {"goods": list(goods), "regimes": list(regimes), "system": None, "paper_mode": False}
    return _announce_new(action, NoticeKind.BAN, new, starts_at, values)


def report_outage(action: ActionContext, new: NewOutage, gates: Collection[str]) -> int:
    """Announce what is out at a gate, now or at a time to come; the announcement's id.

    Raises
    ------
    ForbiddenError, InvalidInputError
        As `set_ban`.
    """
    _check_gate(action.actor, "outages.write", new.gate_id, gates)
    system = System.require(new.system, "system")
    starts_at = new.starts_at or action.now
    if starts_at < action.now - MAX_LATE:
        raise _past("starts_at", starts_at)
    values = {"goods": [], "regimes": [], "system": system, "paper_mode": new.paper_mode}
    return _announce_new(action, NoticeKind.OUTAGE, new, starts_at, values)


def change_notice(
    action: ActionContext,
    notice_id: int,
    expected_version: int,
    *,
    cause: str,
    ends_at: datetime | None,
    paper_mode: bool | None = None,
) -> GateNotice:
    """Give an announcement another cause or expected end; of an outage also whether paper may be used.

    Raises
    ------
    NotFoundError, ForbiddenError, StaleError, ConflictError, InvalidInputError
        If there is none, it is not the caller's, was changed since, is over, or a value cannot be accepted.
    """
    before = _lock(action, notice_id, expected_version)
    values: dict[str, object] = {
        "cause": _check_cause(cause),
        "ends_at": _check_end(ends_at, before.starts_at, action.now),
    }
    if before.kind == NoticeKind.OUTAGE and paper_mode is not None:
        values["paper_mode"] = paper_mode
    if all(getattr(before, name) == value for name, value in values.items()):
        return before
    concerned = store.trips_concerned(action.session, before, true(), action.now)
    after = gate_service.update_notice(action.session, notice_id, values)
    record(action, "change", before, after)
    tell(action, after, NoticeChange.CHANGED, earlier=concerned)
    return after


def end_notice(
    action: ActionContext, notice_id: int, expected_version: int, *, reason: str, at: datetime | None = None
) -> GateNotice:
    """End an announcement: a ban before its time, or an outage that is over (`at` some moment before now).

    Raises
    ------
    NotFoundError, ForbiddenError, StaleError, ConflictError, InvalidInputError
        If there is none, it is not the caller's, was changed since, is over already, or a value cannot be accepted.
    """
    before = _lock(action, notice_id, expected_version)
    has_begun = before.starts_at <= action.now
    over_at = at if at is not None and has_begun else action.now
    if over_at > action.now + CLOCK_ERROR or (has_begun and over_at < before.starts_at):
        raise InvalidInputError(
            "It cannot be over at {value}; give a moment between its beginning and now.",
            field="at",
            value=over_at.isoformat(),
        )
    if before.kind == NoticeKind.BAN and at is not None and at < action.now - CLOCK_ERROR:
        raise _past("at", at)
    concerned = store.trips_concerned(action.session, before, true(), action.now)
    values = {"over_at": over_at, "over_reason": _check_cause(reason, "reason"), "over_by": action.actor_id}
    after = gate_service.update_notice(action.session, notice_id, values)
    record(action, "end", before, after)
    tell(action, after, NoticeChange.OVER, earlier=concerned)
    return after


def follow(session: Session, now: datetime) -> int:
    """Tell of what begins or ends by its time; how many announcements. Control calls this every tick."""
    found = gate_service.notices_to_announce(session, now)
    for notice, change in found:
        tell(ActionContext(session, None, now), notice, change)
    return len(found)


# Reading


def list_notices(
    session: Session, now: datetime, *, gate_id: str | None = None, with_over: bool = False
) -> list[GateNotice]:
    """Announcements in force or to come; `with_over` those of the last week as well. By their beginning."""
    if with_over:
        return gate_service.known_notices(session, gate_id=gate_id, since=now - MAX_LATE, limit=MAX_LISTED)
    return gate_service.current_notices(session, now, gate_id=gate_id)[:MAX_LISTED]


def get_notice(session: Session, notice_id: int) -> GateNotice:
    """An announcement; raises NotFoundError."""
    found = gate_service.find_notice(session, notice_id)
    if found is None:
        raise NotFoundError("There is no announcement {notice_id}.", notice_id=notice_id)
    return found


def trips_of(session: Session, principal: Principal, notice: GateNotice, now: datetime) -> list[ConcernedTrip]:
    """The open trips that an announcement is about, as far as the caller may see them; none once it is over."""
    if notice.state(now) is NoticeState.OVER:
        return []
    return store.trips_concerned(session, notice, visible_trips(principal, "trips.read"), now, limit=MAX_TRIPS)


def notices_of_trip(session: Session, trip_id: int, now: datetime) -> list[NoticeOfTrip]:
    """What is announced of the gate of an open trip that is about that trip, in force first."""
    trip = session.get(Trip, trip_id)
    if trip is None or trip.stage not in Stage.open():
        return []
    known = gate_service.current_notices(session, now, gate_id=trip.gate_id)
    found = [
        NoticeOfTrip(notice, notice.state(now))
        for notice in known
        if store.trips_concerned(session, notice, Trip.trip_id == trip_id, now)
    ]
    return sorted(
        found, key=lambda announced: (announced.state is not NoticeState.IN_FORCE, announced.notice.starts_at)
    )


def notices_of_own_trip(session: Session, principal: Principal, trip_id: int, now: datetime) -> list[NoticeOfTrip]:
    """As `notices_of_trip`, of a trip that the caller may see; raises NotFoundError."""
    if find_trip(session, visible_trips(principal, "trips.read"), trip_id) is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    return notices_of_trip(session, trip_id, now)


def list_of_own_trips(session: Session, principal: Principal, now: datetime) -> list[GateNotice]:
    """What is announced and is about a trip that the caller may see."""
    known = gate_service.current_notices(session, now)[:MAX_LISTED]
    visible = visible_trips(principal, "trips.read")
    return [notice for notice in known if store.trips_concerned(session, notice, visible, now, limit=1)]


def open_outages(session: Session, gate_id: str) -> list[GateNotice]:
    """Outages of a gate that nobody has declared over, those to come among them."""
    known = gate_service.known_notices(session, gate_id=gate_id, kind=NoticeKind.OUTAGE)
    return [notice for notice in known if notice.over_at is None]


def outages(session: Session, gate_id: str, since: datetime, until: datetime) -> list[GateNotice]:
    """Outages of a gate that held at some moment of [since, until)."""
    known = gate_service.known_notices(session, gate_id=gate_id, kind=NoticeKind.OUTAGE, since=since)
    return [notice for notice in known if notice.overlaps(since, until)]


# Pieces


def _announce_new(
    action: ActionContext,
    kind: NoticeKind,
    new: NewBan | NewOutage,
    starts_at: datetime,
    values: Mapping[str, object],
) -> int:
    if starts_at > action.now + MAX_AHEAD:
        raise InvalidInputError(
            "{value} is more than a year ahead; check the date.", field="starts_at", value=starts_at.isoformat()
        )
    is_future = starts_at > action.now
    change = NoticeChange.PLANNED if is_future else NoticeChange.BEGUN
    common = {
        "kind": kind,
        "gate_id": new.gate_id,
        "cause": _check_cause(new.cause),
        "starts_at": starts_at,
        "ends_at": _check_end(new.ends_at, starts_at, action.now),
        "announced": change,
        "created_by": action.actor.account_id,
        "created_role": action.actor.role,
        "created_at": action.now,
    }
    notice = gate_service.insert_notice(action.session, {**common, **values})
    record(action, "create", None, notice)
    tell(action, notice, change)
    return notice.notice_id


def _check_gate(principal: Principal, act: str, gate_id: str, gates: Collection[str]) -> None:
    if gate_id not in gates:
        raise NotFoundError("There is no gate {gate_id}.", field="gate_id", gate_id=gate_id)
    if principal.require(act) is Scope.OWN_GATE and principal.gate_id != gate_id:
        raise ForbiddenError("You may announce something of your own gate only, not of {gate_id}.", gate_id=gate_id)


def _are_own(goods: Collection[str], own: Collection[GoodsClass]) -> bool:
    """Whether goods are all an agency's own; a ban that names none is of all goods, and so not."""
    return bool(goods) and set(goods) <= set(own)


def _check_cause(written: str, field: str = "cause") -> str:
    text, (shortest, longest) = " ".join(written.split()), CAUSE_LENGTH
    if not shortest <= len(text) <= longest:
        raise InvalidInputError(
            "Say why in {shortest} to {longest} characters.", field=field, shortest=shortest, longest=longest
        )
    return text


def _check_end(ends_at: datetime | None, starts_at: datetime, now: datetime) -> datetime | None:
    if ends_at is not None and (ends_at <= starts_at or ends_at <= now or ends_at > now + 2 * MAX_AHEAD):
        raise InvalidInputError(
            "The end {value} must come after the beginning and after now; leave it out if it is not known.",
            field="ends_at",
            value=ends_at.isoformat(),
        )
    return ends_at


def _past(field: str, value: datetime) -> InvalidInputError:
    return InvalidInputError(
        "{value} has passed; give a later moment, or none for at once.", field=field, value=value.isoformat()
    )


def _lock(action: ActionContext, notice_id: int, expected_version: int) -> GateNotice:
    notice = get_notice(action.session, notice_id)
    if notice.kind == NoticeKind.WEATHER:
        raise ForbiddenError("A weather warning is changed and ended by the service that gave it.")
    act = "bans.write" if notice.kind == NoticeKind.BAN else "outages.write"
    _check_gate(action.actor, act, notice.gate_id, (notice.gate_id,))
    own = AGENCY_GOODS.get(action.actor.role)
    if own is not None and notice.kind == NoticeKind.BAN and not _are_own(notice.goods, own):
        raise ForbiddenError("This ban is another agency's; ask them.")
    check_version(notice.version, expected_version)
    if notice.state(action.now) is NoticeState.OVER:
        raise ConflictError("This announcement is over; make a new one.")
    return notice


def record(action: ActionContext, verb: str, before: GateNotice | None, after: GateNotice) -> None:
    """Keep in the audit log what became of an announcement."""
    name = AUDITED[NoticeKind(after.kind)]
    old = None if before is None else before.to_record()
    action.record(f"{name}.{verb}", "gate_notice", after.notice_id, old, after.to_record())


def tell(
    action: ActionContext, notice: GateNotice, change: NoticeChange, *, earlier: Sequence[ConcernedTrip] = ()
) -> None:
    """Tell those who watch the gate, and each enterprise and driver of their own trips.

    `earlier` are trips that it was about before it changed: those who were told of it are told of its end too.
    """
    concerned = {trip.trip_id: trip for trip in earlier}
    if notice.state(action.now) is not NoticeState.OVER or not earlier:
        concerned |= {trip.trip_id: trip for trip in store.trips_concerned(action.session, notice, true(), action.now)}
    told = {"change": change, "notice": notice.to_record(), "notice_id": notice.notice_id, "gate_id": notice.gate_id}
    told["version"] = notice.version
    told["gate_name"] = store.gate_name(action.session, notice.gate_id)
    watching = Audience(roles=tuple(str(role) for role in WATCHING), gates=(notice.gate_id,))
    action.publish_event(Event(EVENT, watching, {**told, "trips": len(concerned)}))
    by_organisation: dict[int, list[ConcernedTrip]] = {}
    for trip in concerned.values():
        by_organisation.setdefault(trip.organisation_id, []).append(trip)
        accounts = () if trip.driver_id is None else (trip.driver_id,)
        own = Audience(accounts=accounts, vehicles=(trip.vehicle_id,))
        action.publish_event(Event(EVENT, own, {**told, "trip_id": trip.trip_id, "plates": [trip.plate]}))
    for organisation_id, trips in by_organisation.items():
        data = {**told, "trip_ids": [trip.trip_id for trip in trips], "plates": [trip.plate for trip in trips]}
        if len(trips) == 1:
            data["trip_id"] = trips[0].trip_id
        action.publish_event(Event(EVENT, Audience(organisations=(organisation_id,)), data))
    gate_service.mark_announced(action.session, notice.notice_id, _announced(notice, change, action.now))


def _announced(notice: GateNotice, change: NoticeChange, now: datetime) -> NoticeChange:
    """What control needs to know of what was told: a change before the beginning leaves that to be told."""
    if change is not NoticeChange.CHANGED:
        return change
    return NoticeChange.PLANNED if notice.state(now) is NoticeState.PLANNED else NoticeChange.BEGUN
