"""Places of a yard by zone and time: what was set with effect from a time, less what is closed; its prices. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from capacity.vocabulary import PriceUnit, ZoneKind
from geo.opening_hours import OpeningHours


class _Change(Protocol):
    @property
    def since(self) -> datetime: ...
    @property
    def entered_at(self) -> datetime: ...
    @property
    def undone_at(self) -> datetime | None: ...


Change = TypeVar("Change", bound=_Change)


def in_effect(changes: Iterable[Change], moment: datetime) -> Change | None:
    """Of changes that were not taken back, the one that holds: the latest that has begun, of several the last entered.

    Those entered at one moment are given in their order.
    """
    begun = [change for change in changes if change.since <= moment and change.undone_at is None]
    ordered = sorted(begun, key=lambda change: (change.since, change.entered_at))
    return ordered[-1] if ordered else None


@dataclass(frozen=True)
class PlacesChange:
    """A zone has `places_veh` places from `since` on; of changes since the same time, the one entered last holds.

    With `hours` it holds in those hours of each day alone; in the others, what holds without it.
    """

    since: datetime
    places_veh: int
    entered_at: datetime
    entered_by: int | None = None
    hours: OpeningHours | None = None
    change_id: int = 0
    undone_at: datetime | None = None
    undone_by: int | None = None


@dataclass(frozen=True)
class Price:
    """What a place costs from `since` on, in the whole yard or, before that, in a zone of it; whole đồng."""

    price_id: int
    yard_id: str
    zone_id: str | None
    unit: PriceUnit
    price_vnd: int
    since: datetime
    entered_at: datetime
    entered_by: int | None = None
    undone_at: datetime | None = None
    undone_by: int | None = None


@dataclass(frozen=True)
class Zone:
    """Places of one kind in a yard, with their changes."""

    yard_id: str
    zone_id: str
    kind: ZoneKind
    changes: Sequence[PlacesChange] = ()

    def places_at(self, moment: datetime) -> int:
        """How many places it has, closures left out; none before its first change."""
        in_hours = (change for change in self.changes if change.hours is None or change.hours.open_at(moment))
        found = in_effect(in_hours, moment)
        return 0 if found is None else found.places_veh


@dataclass(frozen=True)
class Closure:
    """Places that a yard, or one zone of it, does not have: from `since` until `until` (`None`: until it is ended)."""

    closure_id: int
    yard_id: str
    zone_id: str | None
    since: datetime
    until: datetime | None
    places_left_veh: int
    reason: str
    entered_at: datetime
    entered_by: int | None = None

    @property
    def is_planned(self) -> bool:
        """Whether it was known before it began."""
        return self.entered_at < self.since

    def holds_at(self, moment: datetime) -> bool:
        """Whether it is closed."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class ZoneAhead:
    """A zone, and how many places it has now and at the start of each step that follows."""

    yard_id: str
    zone_id: str
    kind: ZoneKind
    places_veh: Sequence[int]

    @property
    def key(self) -> str:
        """The zone and its yard in one word; no identifier of a zone has a stroke in it."""
        return f"{self.yard_id}/{self.zone_id}"


def yard_of(key: str) -> str:
    """The yard of `ZoneAhead.key`, or that of a yard that has no zones."""
    return key.partition("/")[0]


def places_at(moment: datetime, *, whole_veh: int, zones: Sequence[Zone], closures: Sequence[Closure]) -> int:
    """Places of a yard at a moment.

    Arguments: `whole_veh`, of a yard without zones; `zones` and `closures` of the yard.
    """
    total = sum(zones_at(moment, zones=zones, closures=closures).values()) if zones else whole_veh
    return min([total, *_left_of_whole(moment, closures)])


def places_until(
    begin: datetime, end: datetime, *, whole_veh: int, zones: Sequence[Zone], closures: Sequence[Closure]
) -> list[tuple[datetime, int]]:
    """Places of a yard from `begin` on and, in order, whenever they change before `end`; arguments as `places_at`."""
    moments = {begin}
    for closure in closures:
        moments.update(moment for moment in (closure.since, closure.until) if moment is not None)
    for change in (change for zone in zones for change in zone.changes if change.undone_at is None):
        moments.add(change.since)
        if change.hours is not None:
            moments.update(edge for span in change.hours.spans(begin, end) for edge in span)
    found: list[tuple[datetime, int]] = []
    for moment in sorted(each for each in moments if begin <= each < end):
        places_veh = places_at(moment, whole_veh=whole_veh, zones=zones, closures=closures)
        if not found or places_veh != found[-1][1]:
            found.append((moment, places_veh))
    return found


def zones_at(moment: datetime, *, zones: Sequence[Zone], closures: Sequence[Closure]) -> dict[str, int]:
    """Places of each zone of a yard at a moment, by `zone_id`, those left out that have none even without closures; a
    yard that is partly closed as a whole leaves each zone its share, whole places of the largest first."""
    closed = [closure for closure in closures if closure.holds_at(moment)]
    found: dict[str, int] = {}
    for zone in zones:
        if not (places := zone.places_at(moment)):
            continue
        left = [closure.places_left_veh for closure in closed if closure.zone_id == zone.zone_id]
        found[zone.zone_id] = min([places, *left])
    total = sum(found.values())
    stay = min([total, *_left_of_whole(moment, closures)])
    if stay < total:
        shares = {zone_id: places * stay // total for zone_id, places in found.items()}
        for zone_id in sorted(found, key=lambda each: -found[each])[: stay - sum(shares.values())]:
            shares[zone_id] += 1
        return shares
    return found


def kinds_at(moment: datetime, *, zones: Sequence[Zone], closures: Sequence[Closure]) -> dict[ZoneKind, int]:
    """Places of a yard with zones by their kind at a moment, as `zones_at`."""
    places = zones_at(moment, zones=zones, closures=closures)
    kinds: dict[ZoneKind, int] = {}
    for zone in zones:
        if zone.zone_id in places:
            kinds[zone.kind] = kinds.get(zone.kind, 0) + places[zone.zone_id]
    return kinds


def _left_of_whole(moment: datetime, closures: Sequence[Closure]) -> list[int]:
    return [closure.places_left_veh for closure in closures if closure.zone_id is None and closure.holds_at(moment)]


def prices_at(moment: datetime, prices: Iterable[Price]) -> list[Price]:
    """The prices of a yard in effect at a moment: of each zone, and of the whole, those of each unit."""
    of: dict[tuple[str, PriceUnit], list[Price]] = {}
    for price in prices:
        of.setdefault((price.zone_id or "", price.unit), []).append(price)
    found = (in_effect(of[key], moment) for key in sorted(of))
    return [price for price in found if price is not None]
