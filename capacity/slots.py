"""Places by the hour that are booked ahead: the states of a booking, how many places there are and for whom, what
limits hoarding, what not coming costs, who is called up and who is offered a place that became free. Pure.

A booking is for one hour at a gate. It is keyed to the identity of a vehicle, its chassis number and its plate, and
takes a place while it is in a state that `SPECS` says so of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from capacity.kinds import left_for, may_use
from capacity.vocabulary import ZoneKind
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, InvalidInputError

HOUR: Final = timedelta(hours=1)


class SlotState(StrEnum):
    """How a booking stands."""

    STANDBY = "standby"
    HELD = "held"
    BOOKED = "booked"
    EXTENDED = "extended"
    CALLED_UP = "called_up"
    ARRIVED = "arrived"
    NO_SHOW = "no_show"
    CANCELLED_IN_TIME = "cancelled_in_time"
    CANCELLED_LATE = "cancelled_late"
    LAPSED = "lapsed"
    RELEASED = "released"
    EXCUSED = "excused"


class SlotAct(StrEnum):
    """What can happen to a booking."""

    OFFER = "offer"
    OFFER_GATE = "offer_gate"
    CONFIRM = "confirm"
    EXTEND = "extend"
    CALL_UP = "call_up"
    ARRIVE = "arrive"
    MISS = "miss"
    CANCEL = "cancel"
    CANCEL_LATE = "cancel_late"
    LAPSE = "lapse"
    RELEASE = "release"
    EXCUSE = "excuse"


S, A = SlotState, SlotAct
_LEAVES: Final = {A.CANCEL: S.CANCELLED_IN_TIME, A.RELEASE: S.RELEASED}
_COMES: Final = {A.ARRIVE: S.ARRIVED, A.CANCEL_LATE: S.CANCELLED_LATE}
_MOVES: Final = {A.OFFER_GATE: S.HELD}


@dataclass(frozen=True)
class StateSpec:
    """What belongs to a state: where each act leads from it, whether it takes a place of its hour, whether its truck is
    still expected, whether it counts against the vehicle."""

    next: Mapping[SlotAct, SlotState] = field(default_factory=dict)
    takes_place: bool = False
    is_open: bool = False
    counts_against: bool = False


SPECS: Final[Mapping[SlotState, StateSpec]] = {
    S.STANDBY: StateSpec({A.OFFER: S.HELD, A.LAPSE: S.LAPSED, **_LEAVES}, is_open=True),
    S.HELD: StateSpec({A.CONFIRM: S.BOOKED, A.LAPSE: S.LAPSED, **_MOVES, **_LEAVES}, takes_place=True, is_open=True),
    S.BOOKED: StateSpec(
        {A.EXTEND: S.EXTENDED, A.CALL_UP: S.CALLED_UP, **_COMES, **_MOVES, **_LEAVES}, takes_place=True, is_open=True
    ),
    S.EXTENDED: StateSpec({A.CALL_UP: S.CALLED_UP, **_COMES, **_MOVES, **_LEAVES}, takes_place=True, is_open=True),
    S.CALLED_UP: StateSpec(
        {A.MISS: S.NO_SHOW, A.RELEASE: S.RELEASED, **_COMES, **_MOVES}, takes_place=True, is_open=True
    ),
    S.ARRIVED: StateSpec(takes_place=True),
    S.NO_SHOW: StateSpec({A.EXCUSE: S.EXCUSED}, takes_place=True, counts_against=True),
    S.CANCELLED_IN_TIME: StateSpec(),
    S.CANCELLED_LATE: StateSpec({A.EXCUSE: S.EXCUSED}, counts_against=True),
    S.LAPSED: StateSpec(),
    S.RELEASED: StateSpec(),
    S.EXCUSED: StateSpec(),
}
"""The one table of states. A place whose truck did not come is gone with its hour."""

TAKING: Final = tuple(state for state, spec in SPECS.items() if spec.takes_place)
OPEN: Final = tuple(state for state, spec in SPECS.items() if spec.is_open)
COUNTING_AGAINST: Final = tuple(state for state, spec in SPECS.items() if spec.counts_against)
KEPT: Final = (S.BOOKED, S.EXTENDED, S.CALLED_UP)
"""Somebody relies on the place: the yard plan keeps it."""


def after(state: SlotState, act: SlotAct) -> SlotState:
    """The state that an act leads to.

    Raises
    ------
    ConflictError
        If the act is none of that state.
    """
    if act not in SPECS[state].next:
        raise ConflictError("This cannot be done with the booking as it stands now; load the page again.", state=state)
    return SPECS[state].next[act]


@dataclass(frozen=True, kw_only=True)
class SlotRules:
    """How places are booked; choices of the operator. Shares are 0 to 1.

    `unreserved_share` of an hour's places is for who comes without booking, `priority_share` of the others for
    priority classes alone. `extensions_h` are the lengths that a booking can be extended by, once.
    """

    hold: timedelta = timedelta(minutes=10)
    gate_offer: timedelta = timedelta(minutes=60)
    ahead: timedelta = timedelta(hours=72)
    unreserved_share: float = 0.3
    priority_share: float = 0.2
    max_in_hour: int = 3
    max_open: int = 20
    extensions_h: tuple[int, ...] = (2, 4, 8)
    late: timedelta = timedelta(hours=3)
    grace: timedelta = timedelta(hours=1)
    strikes: int = 2
    strikes_within: timedelta = timedelta(days=30)
    block: timedelta = timedelta(days=14)
    appeal_within: timedelta = timedelta(days=7)
    call_up_lead: timedelta = timedelta(minutes=90)
    call_up_queue_veh: int = 30


# How many places


def places_of_hour(crossing_veh_per_h: float, capacity_veh: float, stay_h: float, open_share: float) -> int:
    """Trucks that a yard can take in within an hour, for ever: what its share of the crossing lets out, and no more
    than its places turn over (Little's law: arrivals × stay = trucks inside).

    Arguments: `open_share`, of the hour in which the gate works, 0 to 1.
    """
    if capacity_veh <= 0.0:
        return 0
    turnover = capacity_veh / max(stay_h, 1.0)  # an hour's bookings never exceed the places either
    return math.floor(open_share * min(crossing_veh_per_h, turnover) + 1e-9)


@dataclass(frozen=True)
class HourLoad:
    """The places of an hour, and those that are taken, by priority classes and by others."""

    places: int
    priority: int = 0
    ordinary: int = 0

    @property
    def taken(self) -> int:
        """Places taken."""
        return self.priority + self.ordinary

    def bookable(self, rules: SlotRules) -> int:
        """Places that can be booked: all but those for who comes without booking."""
        return math.floor(self.places * (1.0 - rules.unreserved_share) + 1e-9)

    def free(self, rules: SlotRules, *, is_priority: bool) -> int:
        """Places that a trip can still book; ordinary ones leave those of priority classes alone."""
        bookable = self.bookable(rules)
        left = bookable - self.taken
        if not is_priority:
            kept = math.floor(bookable * rules.priority_share + 1e-9)
            left = min(left, bookable - kept - self.ordinary)
        return max(left, 0)

    @property
    def free_for_moved(self) -> int:
        """Places for a booking that had to go elsewhere: it may use those of the unreserved, too."""
        return max(self.places - self.taken, 0)


@dataclass(frozen=True)
class YardHour:
    """An hour of a yard: its load, and of a yard with zones how many places of each kind it has and how many trucks
    with a place need each. A yard without zones has no kinds: its places are good for all."""

    load: HourLoad
    kinds: Mapping[ZoneKind, int] | None = None
    taken: Mapping[ZoneKind, int] = field(default_factory=dict)

    def has_kind(self, need: ZoneKind) -> bool:
        """Whether the yard has any place that a truck may stand on, free or not."""
        return self.kinds is None or not may_use(need, self.kinds).isdisjoint(self.kinds)

    def fits(self, need: ZoneKind) -> int:
        """Places of the kinds that a truck may stand on; as many as the yard has where it has no zones."""
        return self.load.free_for_moved if self.kinds is None else left_for(need, self.kinds, self.taken)

    def room(self, need: ZoneKind) -> int:
        """Places for a truck that has to go somewhere: it may use those of the unreserved, too."""
        return min(self.load.free_for_moved, self.fits(need))

    def with_truck(self, need: ZoneKind, *, is_priority: bool) -> YardHour:
        """The hour with a place more taken."""
        more = {"priority": self.load.priority + 1} if is_priority else {"ordinary": self.load.ordinary + 1}
        return replace(self, load=replace(self.load, **more), taken={**self.taken, need: self.taken.get(need, 0) + 1})

    def empty(self) -> YardHour:
        """The hour as if nobody had a place."""
        return YardHour(HourLoad(self.load.places), self.kinds)

    def without(self, seated: Iterable[Seated]) -> YardHour:
        """The hour as if some trucks had no place."""
        load, taken = self.load, dict(self.taken)
        for each in seated:
            less = {"priority": load.priority - 1} if each.is_priority else {"ordinary": load.ordinary - 1}
            load = replace(load, **less)
            taken[each.need] = taken.get(each.need, 0) - 1
        return replace(self, load=load, taken=taken)


# Limits and consequences


def check_hour(starts_at: datetime, now: datetime, rules: SlotRules) -> None:
    """That an hour can be booked.

    Raises
    ------
    InvalidInputError
        If it is no whole hour, has begun, or is further ahead than the rules allow.
    """
    shown = f"{starts_at.astimezone(LOCAL_ZONE):%H:%M %d/%m}"
    if starts_at.minute or starts_at.second or starts_at.microsecond:
        raise InvalidInputError("{value} is not the beginning of an hour.", field="starts_at", value=shown)
    if starts_at <= now:
        raise InvalidInputError("The hour that begins at {time} is past.", field="starts_at", time=shown)
    if starts_at > now + rules.ahead:
        raise InvalidInputError(
            "Places are booked at most {hours} h ahead; {time} is later.",
            field="starts_at",
            hours=round(rules.ahead / HOUR),
            time=shown,
        )


def check_limits(in_hour: int, open_bookings: int, rules: SlotRules) -> None:
    """That an enterprise with so many bookings in the hour, and open at all, may take another; raises ConflictError."""
    if in_hour >= rules.max_in_hour:
        raise ConflictError(
            "Your enterprise has {count} bookings in this hour, and may have no more; choose another hour.",
            field="starts_at",
            count=in_hour,
        )
    if open_bookings >= rules.max_open:
        raise ConflictError(
            "Your enterprise has {count} open bookings, and may have no more; cancel those you do not need.",
            field="trip_id",
            count=open_bookings,
        )


def is_late(starts_at: datetime, now: datetime, rules: SlotRules) -> bool:
    """Whether a cancellation now comes too late for somebody else to use the place."""
    return now > starts_at - rules.late


def blocked_until(struck_at: Iterable[datetime], rules: SlotRules) -> datetime | None:
    """Until when a vehicle books nothing: so long after the strike that made it `strikes` within `strikes_within`."""
    times = sorted(struck_at)
    ends = [
        last + rules.block
        for first, last in zip(times, times[rules.strikes - 1 :], strict=False)
        if last - first <= rules.strikes_within
    ]
    return max(ends, default=None)


def is_missed(until: datetime, called_up_at: datetime, now: datetime, rules: SlotRules) -> bool:
    """Whether a truck that was called up has not come: its time, or an hour since the call, and the grace are over.

    Who was never called up has missed nothing: the gate was not ready.
    """
    return now >= max(until, called_up_at + HOUR) + rules.grace


# Whose turn it is


class Waiting(Protocol):
    """A booking as whose turn it is follows from."""

    @property
    def booking_id(self) -> int: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def is_priority(self) -> bool: ...


class Seated(Waiting, Protocol):
    """A booking with the kind of place that its truck needs."""

    @property
    def need(self) -> ZoneKind: ...


W = TypeVar("W", bound=Waiting)
P = TypeVar("P", bound=Seated)


def in_turn(waiting: Iterable[W]) -> list[W]:
    """By hour, in it priority classes first, then who asked first."""
    return sorted(waiting, key=lambda each: (each.starts_at, not each.is_priority, each.booking_id))


def to_call_up(waiting: Iterable[P], *, queue_veh: float, room: YardHour, now: datetime, rules: SlotRules) -> list[P]:
    """Who of a yard is called up: those whose hour is near, in turn, while the way to it is free and it has room.

    Arguments: `room`, places that are free now, of each kind where that is known, with those that were called up
    already counted as taken.
    """
    if queue_veh > rules.call_up_queue_veh:
        return []
    chosen = []
    for each in in_turn(each for each in waiting if each.starts_at - rules.call_up_lead <= now):
        if room.room(each.need):
            chosen.append(each)
            room = room.with_truck(each.need, is_priority=each.is_priority)
    return chosen


def to_move(seated: Sequence[P], hour: YardHour) -> list[P]:
    """Who of those seated in a yard's hour goes elsewhere: the last in turn for whom it has no place of a kind.

    Arguments: `hour`, with those seated counted in it.
    """
    moved = []
    hour = hour.without(seated)
    for each in in_turn(seated):
        if hour.room(each.need):
            hour = hour.with_truck(each.need, is_priority=each.is_priority)
        else:
            moved.append(each)
    return moved
