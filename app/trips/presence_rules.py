"""What shows where a truck is: witnesses, how far each is trusted, and what two of them cannot both say. Pure.

A *witness* is one thing that somebody or something saw of a truck: where, when, and when the platform came to know.
Trust, highest first, and why:

1. `OFFICER`: an act at a checkpoint. A person answers for it by name, with truck, plate and papers before the eyes.
2. `PERSON`: a movement that the yard enters by hand, a plate that a person read off the picture.
3. `DEVICE`: a certain plate read, a weighing, a scan. The device stands where it stands, but can mistake a plate.
4. `GPS`: a phone or tracker. It drops out in the hills, can be left at home, lent or faked, and stands for the truck
   only as long as it is in the truck.
5. `DOUBTFUL`: a read between sure and unlikely. It is kept for people to look at, and moves nothing.

Two witnesses *contradict* each other if no truck gets from one place to the other in the time between them. Nothing
else is a contradiction: a truck may turn round, leave and come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from functools import cached_property
from math import asin, cos, hypot, radians, sin, sqrt
from typing import Any, Final

from app.trips.vocabulary import Direction, PlaceKind

EARTH_RADIUS_M: Final = 6_371_008.8
"""As in `geo.geodesy`, tested equal: the judgement needs nothing but the standard library."""
_INSTANT: Final = timedelta(microseconds=1)


class Source(StrEnum):
    """What kind of witness it is. Witnesses of different kinds are taken to be independent."""

    ACT = "act"
    HAND = "hand"
    CAMERA = "camera"
    SCALE = "scale"
    SCANNER = "scanner"
    GPS = "gps"


class Trust(IntEnum):
    """How far a witness is trusted; the reasons are the module's."""

    DOUBTFUL = 0
    GPS = 1
    DEVICE = 2
    PERSON = 3
    OFFICER = 4


class WitnessKind(StrEnum):
    """What a witness says of its place from its moment on."""

    AT = "at"
    """The truck is there, or somewhere within."""
    LEFT = "left"
    """It went out of there."""
    FREE = "free"
    """It drives freely on the road, so it stands in no queue."""
    AWAY = "away"
    """It drives away from the gate, far from it."""
    OFF = "off"
    """It is off the roads and areas of the corridor."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a truck is: `gate_id` at a gate, `site_id` in a yard, neither elsewhere."""

    kind: PlaceKind
    gate_id: str | None = None
    site_id: str | None = None

    @property
    def is_inside(self) -> bool:
        """Whether it is between the barriers of a gate."""
        return self.kind in PlaceKind.inside()

    @property
    def is_over(self) -> bool:
        """Whether a trip ends there."""
        return self.kind in PlaceKind.over()

    def covers(self, other: Place) -> bool:
        """Whether who is at `other` is here too: the gate area holds its yards."""
        in_yard_of = self.kind == PlaceKind.GATE_AREA and other.is_inside and self.gate_id == other.gate_id
        return self == other or in_yard_of


PLANNED: Final = Place(PlaceKind.PLANNED)
ROAD: Final = Place(PlaceKind.ON_THE_ROAD)
UNKNOWN: Final = Place(PlaceKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Spot:
    """A point on the ground: degrees (EPSG:4326), the radius within which the truck is, and its road kilometre."""

    lon: float
    lat: float
    radius_m: float = 100.0
    road: str | None = None
    km: float | None = None


@dataclass(frozen=True)
class Witness:
    """One thing seen of a truck.

    `time` is when it happened, `known_at` when the platform came to know. `probability` is the chance that it is this
    trip's truck. `ref` names the row it stands for (`plate_read:17`), the same each time; a witness told twice is one.
    With `is_misdated` a clock far ahead wrote its times: it happened at `known_at` at the latest, perhaps well before.
    """

    source: Source
    kind: WitnessKind
    place: Place
    time: datetime
    known_at: datetime
    trust: Trust
    probability: float = 0.9
    spot: Spot | None = None
    ref: str = ""
    is_misdated: bool = False

    @cached_property
    def moment(self) -> datetime:
        """When it happened; by a clock that runs ahead, when it came in, since nothing is known before it happens."""
        return min(self.time, self.known_at)

    @cached_property
    def identity(self) -> tuple[Any, ...]:
        """What makes two records the same witness, and an order between any two of one moment; not `known_at`."""
        spot = self.spot
        where = (spot.lon, spot.lat, spot.radius_m, spot.road or "", spot.km or 0.0) if spot is not None else ()
        place = (self.place.kind.value, self.place.gate_id or "", self.place.site_id or "")
        return (
            int(self.trust),
            self.source.value,
            self.kind.value,
            place,
            self.ref,
            self.time,
            self.probability,
            where,
        )


def without_repeats(witnesses: Iterable[Witness]) -> list[Witness]:
    """Each witness once, as it was known first; in no particular order."""
    found: dict[tuple[Any, ...], Witness] = {}
    for witness in witnesses:
        known = found.get(witness.identity)
        if known is None or witness.known_at < known.known_at:
            found[witness.identity] = witness
    return list(found.values())


def no_later(witness: Witness, known_at: datetime, rules: PresenceRules) -> Witness:
    """A witness that was known at a time, whatever the clock that wrote it showed."""
    is_far = witness.moment - known_at > rules.clock_tolerance
    return replace(witness, known_at=min(witness.known_at, known_at), is_misdated=is_far)


def by_present(witnesses: Iterable[Witness], now: datetime, rules: PresenceRules) -> dict[Witness, Witness]:
    """Witnesses of after the present, each with what it is at the present: known just before it, in their order.

    Whoever wrote them, it was not in the future; their clock ran ahead, and they hide nothing that is seen from now on.
    """
    later = sorted(
        (witness for witness in witnesses if witness.moment > now),
        key=lambda witness: (witness.moment, witness.identity),
    )
    return {
        witness: no_later(witness, now - place * _INSTANT, rules)
        for place, witness in zip(range(len(later), 0, -1), later, strict=True)
    }


@dataclass(frozen=True, slots=True)
class TripFrame:
    """What the judgement needs to know of a trip.

    `begin` is when the trip was declared or registered, or its vehicle's last one ended, whichever is later: what
    devices saw before that belongs to no trip, or to another. An officer's act belongs to its trip always.
    """

    direction: Direction
    gate_id: str
    begin: datetime
    planned_arrival: datetime

    @property
    def exit_place(self) -> Place:
        """Where the trip ends when its last barrier opens."""
        is_export = self.direction is Direction.EXPORT
        return Place(PlaceKind.OVER_THE_BORDER if is_export else PlaceKind.INLAND, self.gate_id)


# What cannot be


@dataclass(frozen=True)
class Roads:
    """How far apart two points are at least.

    `junctions` holds, for an ordered pair of roads that meet, the kilometre of their junction on the first and on the
    second. Trucks of 40 t keep to the highways (assumed), so between two points on them the way by road counts;
    elsewhere the straight line, which no way is shorter than.
    """

    junctions: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def distance_m(self, a: Spot, b: Spot) -> float:
        """Metres that a truck drives at least between two points, zero if their radii overlap."""
        return max(max(straight_m(a, b), self._by_road_m(a, b)) - a.radius_m - b.radius_m, 0.0)

    def _by_road_m(self, a: Spot, b: Spot) -> float:
        if a.road is None or b.road is None or a.km is None or b.km is None:
            return 0.0
        if a.road == b.road:
            return 1000.0 * abs(a.km - b.km)
        if (a.road, b.road) in self.junctions:
            km_a, km_b = self.junctions[a.road, b.road]
        elif (b.road, a.road) in self.junctions:
            km_b, km_a = self.junctions[b.road, a.road]
        else:
            return 0.0
        return 1000.0 * (abs(a.km - km_a) + abs(b.km - km_b))


def straight_m(a: Spot, b: Spot) -> float:
    """Metres between two points on a sphere (haversine)."""
    lat_a, lat_b = radians(a.lat), radians(b.lat)
    half = hypot(sin((lat_b - lat_a) / 2), sqrt(cos(lat_a) * cos(lat_b)) * sin(radians(b.lon - a.lon) / 2))
    return 2.0 * EARTH_RADIUS_M * asin(min(half, 1.0))


@dataclass(frozen=True)
class PresenceRules:
    """The figures behind the judgement; assumed, to be checked against observed trips."""

    roads: Roads = field(default_factory=Roads)
    max_mps: float = 30.0
    """No truck averages more than 108 km/h between two places; the law allows 90."""
    clock_tolerance: timedelta = timedelta(minutes=2)
    """Clocks of cameras, phones and people differ by this much."""
    approach_m: float = 5_000.0
    """GPS alone puts a truck into a gate area only if it was seen within this distance of it before,"""
    approach_within: timedelta = timedelta(hours=6)
    """so long before at most,"""
    approach_lead: timedelta = timedelta(seconds=30)
    """and so long at least: two events of one fix are one sight."""
    lost_after: timedelta = timedelta(hours=24)
    """A truck on the road of which nothing was seen for so long may be anywhere: the corridor is a few hours long."""
    live_within: timedelta = timedelta(minutes=20)
    """Up to this age the last position is called live: 15 min standing and 2 min relay by the regulation, and slack."""
    gone_after: timedelta = timedelta(hours=1)
    """A truck that no officer saw, out of the yard, last seen before the border and silent so long, is over it."""
    near_gate_km: float = 3.0
    """Within this, a slow truck queues even where no queue was measured."""
    queue_margin_km: float = 0.5
    left_km: float = 10.0
    """Beyond this from the border, a truck that drives away has left the gate."""
    window: timedelta = timedelta(hours=24)
    """Before the planned arrival, driving from the border belongs to the trip from then on: it fetches its goods."""


DEFAULT_RULES: Final = PresenceRules()


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two witnesses, the earlier first, that cannot both be true: so far apart, with so little time between."""

    first: Witness
    second: Witness
    distance_m: float
    gap_s: float


def contradiction(a: Witness, b: Witness, rules: PresenceRules = DEFAULT_RULES) -> Contradiction | None:
    """Why two witnesses cannot both be true, `None` if they can. How long a misdated one was before is unknown."""
    if a.spot is None or b.spot is None or a.spot is b.spot:
        return None
    gap_s = abs((a.moment - b.moment).total_seconds())
    distance_m = rules.roads.distance_m(a.spot, b.spot)
    if distance_m <= rules.max_mps * (gap_s + rules.clock_tolerance.total_seconds()):
        return None
    first, second = sorted((a, b), key=lambda witness: (witness.moment, witness.identity))
    if first.is_misdated:
        return None
    return Contradiction(first, second, distance_m, gap_s)
