"""Places of a yard by zone and time: what was set with effect from a time, less what is closed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from capacity.vocabulary import ZoneKind


@dataclass(frozen=True)
class PlacesChange:
    """A zone has `places_veh` places from `since` on; of changes since the same time, the one entered last holds."""

    since: datetime
    places_veh: int
    entered_at: datetime
    entered_by: int | None = None


@dataclass(frozen=True)
class Zone:
    """Places of one kind in a yard, with their changes."""

    yard_id: str
    zone_id: str
    kind: ZoneKind
    changes: Sequence[PlacesChange] = ()

    def places_at(self, moment: datetime) -> int:
        """How many places it has, closures left out; none before its first change."""
        begun = [change for change in self.changes if change.since <= moment]
        if not begun:
            return 0
        return max(begun, key=lambda change: (change.since, change.entered_at)).places_veh


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


def places_at(moment: datetime, *, whole_veh: int, zones: Sequence[Zone], closures: Sequence[Closure]) -> int:
    """Places of a yard at a moment.

    Arguments: `whole_veh`, of a yard without zones; `zones` and `closures` of the yard.
    """
    closed = [closure for closure in closures if closure.holds_at(moment)]
    total = whole_veh
    if zones:
        total = 0
        for zone in zones:
            left = [closure.places_left_veh for closure in closed if closure.zone_id == zone.zone_id]
            total += min([zone.places_at(moment), *left])
    return min([total, *(closure.places_left_veh for closure in closed if closure.zone_id is None)])
