"""When a truck stood at a gate: from its arrival until it crossed or turned away. Pure.

A trip visits a gate once, from when it first queued there, was let in or was seen in the gate area, until its end or
until it was sent to another gate, which begins a visit there. A queue that dissolves does not end a visit: the truck is
still before the gate. So what arrived is what went, or stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.reporting.vocabulary import Leaving
from app.trips.vocabulary import Direction, Stage


@dataclass(frozen=True)
class Spell:
    """A stage of a trip from a moment on, until another; `None`: it is in it still."""

    stage: str
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class GateChange:
    """That a trip was sent from one gate to another."""

    at: datetime
    before: str
    after: str


@dataclass(frozen=True)
class TripRecord:
    """What is known of a trip's way through the gates.

    `seen_at` is when it was first noted in the gate area (null if never), `left_at` when it ended, `None` while it is
    open; `turned_back` whether it then went back, `cancelled` whether it was taken back.
    """

    trip_id: int
    gate_id: str
    direction: str
    goods_class: str
    simulated: bool
    seen_at: datetime | None
    left_at: datetime | None
    turned_back: bool
    cancelled: bool
    spells: tuple[Spell, ...] = ()
    changes: tuple[GateChange, ...] = ()


@dataclass(frozen=True)
class Visit:
    """A truck at a gate from `arrived_at` until `left_at` (`None`: it stands there), and how it left."""

    gate_id: str
    goods_class: str
    simulated: bool
    arrived_at: datetime
    left_at: datetime | None
    leaving: Leaving | None
    inside: tuple[tuple[datetime, datetime | None], ...] = ()

    def stands_at(self, moment: datetime) -> bool:
        """Whether it stands at the gate at a moment."""
        return self.arrived_at <= moment and (self.left_at is None or self.left_at > moment)

    def is_inside_at(self, moment: datetime) -> bool:
        """Whether it stands within the gate area then, not before the gate."""
        return self.stands_at(moment) and any(
            began <= moment and (ended is None or ended > moment) for began, ended in self.inside
        )


def visits_of(trip: TripRecord) -> Iterator[Visit]:
    """The visits of a trip, in their order."""
    arrived_at = _arrival(trip)
    if arrived_at is None:
        return
    for gate_id, since, until in _gates(trip):
        if until is not None and until <= arrived_at:
            continue
        begin = arrived_at if since is None else max(since, arrived_at)
        is_last = until is None
        left_at = trip.left_at if is_last else until
        begin = begin if left_at is None else min(begin, left_at)
        leaving = None if left_at is None else _leaving(trip) if is_last else Leaving.SENT_ON
        yield Visit(gate_id, trip.goods_class, trip.simulated, begin, left_at, leaving, _inside(trip.spells))


def _arrival(trip: TripRecord) -> datetime | None:
    """When the truck first stood at a gate; a trip that ended without being seen there came as it went.

    A trip that was cancelled before it arrived never came.
    """
    found = [spell.began_at for spell in trip.spells if spell.stage in Stage.at_gate()]
    found += [] if trip.seen_at is None else [trip.seen_at]
    if found:
        first = min(found)
        return first if trip.left_at is None else min(first, trip.left_at)
    return None if trip.cancelled else trip.left_at


def _gates(trip: TripRecord) -> Iterator[tuple[str, datetime | None, datetime | None]]:
    """The gates that a trip was for, each since and until when (`None`: ever)."""
    since: datetime | None = None
    for change in sorted(trip.changes, key=lambda movement: movement.at):
        if trip.left_at is None or change.at < trip.left_at:
            yield change.before, since, change.at
            since = change.at
    yield trip.gate_id, since, None


def _leaving(trip: TripRecord) -> Leaving:
    if trip.turned_back or trip.cancelled:
        return Leaving.TURNED_BACK
    return Leaving.OUT if trip.direction == Direction.EXPORT else Leaving.IN


def _inside(spells: Sequence[Spell]) -> tuple[tuple[datetime, datetime | None], ...]:
    return tuple((spell.began_at, spell.ended_at) for spell in spells if spell.stage == Stage.IN_THE_YARD)
