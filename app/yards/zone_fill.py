"""How full each zone of a yard is, as far as the goods of the trucks inside say where they stand. Pure.

Nobody reports in which zone a truck stands. It is counted in a zone of the kind that its goods need, while there is
room; in the others after that, standard places first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.procedures.steps import StepStatus
from app.trips.place_need import need_of
from app.yards.store import InsideKind
from capacity.vocabulary import ZoneKind
from capacity.zones import Closure, Zone, places_at

ORDER: Final = (ZoneKind.DANGEROUS, ZoneKind.DOCK, ZoneKind.LIVESTOCK, ZoneKind.REEFER)
"""Kinds that some trucks need, in the order in which they get their places."""
REST: Final = (ZoneKind.STANDARD, ZoneKind.FORTY_FOOT, ZoneKind.TEMPORARY, *ORDER[1:], ORDER[0])
"""Where the others stand, and who found no place of the kind that is needed."""


@dataclass(frozen=True)
class ZoneFill:
    """A zone now: its places without closures and with them, trucks counted in it; `zone_id` empty: the whole yard."""

    zone_id: str
    kind: ZoneKind
    places_veh: int
    open_veh: int
    inside_veh: int
    cause: str
    until: datetime | None

    @property
    def share(self) -> float:
        """How full it is, 0 to 1 and beyond."""
        return self.inside_veh / max(self.open_veh, 1)

    @property
    def is_closed(self) -> bool:
        """Whether a closure takes all of its places."""
        return bool(self.cause) and self.open_veh == 0


def kind_needed(inside: InsideKind) -> ZoneKind:
    """The kind of place that a truck stands on by what is declared of it: at a dock while it is unloaded."""
    if inside.transshipment in StepStatus.open():
        return ZoneKind.DOCK
    return need_of(inside.goods_class, {"chilled": inside.chilled, "hazard_class": inside.hazard_class})


def fill_zones(
    zones: Sequence[Zone],
    closures: Sequence[Closure],
    inside: Sequence[InsideKind],
    *,
    inside_veh: int,
    whole_veh: int,
    now: datetime,
) -> list[ZoneFill]:
    """Each zone of a yard, of one without zones the whole.

    Arguments: `zones`, `closures` and `inside` of the yard; `inside_veh` trucks inside by the ledger, of whom `inside`
    tells what is known; `whole_veh`, the places of a yard without zones.
    """
    known = [zone for zone in zones if zone.places_at(now) > 0]
    holding = [closure for closure in closures if closure.holds_at(now)]
    if not known:
        open_veh = places_at(now, whole_veh=whole_veh, zones=(), closures=closures)
        return [_fill("", ZoneKind.STANDARD, whole_veh, open_veh, inside_veh, holding)]
    room = {zone.zone_id: places_at(now, whole_veh=0, zones=[zone], closures=closures) for zone in known}
    counted = dict.fromkeys(room, 0)
    needs: dict[ZoneKind, int] = {}
    for group in inside:
        kind = kind_needed(group)
        needs[kind] = needs.get(kind, 0) + group.trucks_veh
    left = inside_veh
    for kind in ORDER:
        left -= _place(min(needs.get(kind, 0), left), [zone for zone in known if zone.kind == kind], room, counted)
    for kind in REST:
        left -= _place(left, [zone for zone in known if zone.kind == kind], room, counted)
    if left > 0:  # more than there are places: they stand where most do
        widest = max(known, key=lambda zone: (zone.kind == ZoneKind.STANDARD, zone.places_at(now)))
        counted[widest.zone_id] += left
    return [
        _fill(
            zone.zone_id,
            zone.kind,
            zone.places_at(now),
            room[zone.zone_id],
            counted[zone.zone_id],
            [closure for closure in holding if closure.zone_id in (None, zone.zone_id)],
        )
        for zone in known
    ]


def _place(trucks_veh: int, zones: Sequence[Zone], room: Mapping[str, int], counted: dict[str, int]) -> int:
    placed = 0
    for zone in zones:
        take = max(0, min(trucks_veh - placed, room[zone.zone_id] - counted[zone.zone_id]))
        counted[zone.zone_id] += take
        placed += take
    return placed


def _fill(
    zone_id: str, kind: ZoneKind, places_veh: int, open_veh: int, inside_veh: int, closures: Sequence[Closure]
) -> ZoneFill:
    worst = min(closures, key=lambda closure: closure.places_left_veh, default=None)
    cause, until = ("", None) if worst is None else (worst.reason, worst.until)
    return ZoneFill(zone_id, kind, places_veh, open_veh, inside_veh, cause, until)
