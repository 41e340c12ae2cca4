"""Whether what was seen of a truck belongs together as declared: one rule for every checkpoint. Pure.

Tractor, trailer, container, seals, driver and customs declaration are declared as one. What somebody or something sees
is compared with what was declared *at that time*: an earlier revision of the declaration explains what was seen while
it was in force, a recorded transshipment explains the vehicles that receive the goods. What nothing explains is a
finding, and names the trip that declared it, if one did: in March 2022 at Tân Thanh a tractor took over another truck's
trailer and container to jump the line.

- Nothing is a finding because nothing was declared, but what belongs to another trip. A trailer is declared or there is
  none. A declared trailer or container that an officer does not see is found missing. An electronic seal that reports
  is not another's because it is new: customs close them at the gate.
- Cameras see plates one by one. Two plates are of one combination if the camera followed them as one vehicle, or if
  they passed a station within `TOGETHER` while neither the tractor's own trailer nor the trailer's own tractor was read
  there: of two trucks close behind each other all four plates pass. A trailer is towed by one tractor: of several that
  could be it the nearest ahead, and only if none is ahead the nearest behind, whose camera's clock may be late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from app.checkpoints.vocabulary import Part, SeenBy
from ingest.plates import lookalike_key, vehicle_kind

TOGETHER: Final = timedelta(seconds=15)
"""A combination of 17 m passes a camera at walking pace within this; assumed. Trucks stop one by one at a barrier."""
AROUND: Final = timedelta(seconds=90)
"""Within this the plates of the truck itself would have been read."""

NOTHING: Final = ""
"""The value of a part that somebody looked for and that is not there."""
CAN_BE_MISSING: Final = (Part.TRAILER, Part.CONTAINER)
"""Parts that are found missing as such; of seals each declared one is looked for by itself."""

Values: TypeAlias = Mapping[Part, frozenset[str]]
"""What is declared of each part, in normal form: several only of seals, nothing where it is said that there is none."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Something that a record explains of a part: from `since` on, until `until` if it ended."""

    part: Part
    value: str
    since: datetime
    until: datetime | None = None

    def holds(self, sighting: Sighting) -> bool:
        """Whether it explains a sighting."""
        if (self.part, self.value) != (sighting.part, sighting.value):
            return False
        return self.since <= sighting.at and (self.until is None or sighting.at <= self.until)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A part of a truck as it was seen: its value in normal form, when, by what, at which step if at one."""

    part: Part
    value: str
    at: datetime
    by: SeenBy
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen and does not belong to the trip. `declared` is what does; `other_trip_id` the trip it is of."""

    sighting: Sighting
    declared: tuple[str, ...]
    other_trip_id: int | None

    @property
    def key(self) -> tuple[Part, str]:
        """Findings of one key are one, however often it is seen."""
        return self.sighting.part, self.sighting.value


@dataclass(frozen=True)
class Claims:
    """Which open trips declared a value: by part and value."""

    by_value: Mapping[tuple[Part, str], Collection[int]] = field(default_factory=dict)

    def owner(self, part: Part, value: str, trip_id: int) -> int | None:
        """Another trip that declared it, the earliest; `None` if there is none, or the trip itself did."""
        owners = self.by_value.get((part, value), ())
        return None if trip_id in owners else min(owners, default=None)


def compare(
    trip_id: int,
    declared: Values,
    sightings: Iterable[Sighting],
    explanations: Collection[Explanation] = (),
    claims: Claims | None = None,
) -> list[Finding]:
    """What was seen of a trip and does not belong to it, one finding a part and value, the first sight of each.

    The answer is the same in whatever order the sightings come, and telling one twice changes nothing.
    """
    known = claims or Claims()
    found: dict[tuple[Part, str], Finding] = {}
    for sighting in sorted(sightings, key=lambda each: (each.at, each.part, each.value, each.by, each.step or "")):
        own = declared.get(sighting.part, frozenset())
        if sighting.value == NOTHING and not own:
            continue
        if sighting.value in own or any(each.holds(sighting) for each in explanations):
            continue
        other = known.owner(sighting.part, sighting.value, trip_id)
        may_be_so = sighting.part not in declared or sighting.by is SeenBy.SEAL
        if may_be_so and other is None:
            continue
        finding = Finding(sighting, tuple(sorted(own)), other)
        found.setdefault(finding.key, finding)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class PlatePassage:
    """A plate at a station; `trip_id` is the trip it was matched to, `track` the camera's number of the vehicle."""

    plate: str
    at: datetime
    station: str
    trip_id: int | None = None
    track: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """A tractor and a trailer that passed a station as one."""

    tractor: PlatePassage
    trailer: PlatePassage


def joined(passages: Sequence[PlatePassage], plates: Mapping[int, Collection[str]]) -> list[Joined]:
    """The tractors and trailers that passed as one though no trip declared both.

    Arguments: `passages`, all reads at some stations for `AROUND` before and after those in question; `plates`, the
    plates of each trip that is named in them.
    """
    tractors = [each for each in passages if each.plate in _own(each, plates) and vehicle_kind(each.plate) == "truck"]
    trailers = [each for each in passages if vehicle_kind(each.plate) == "trailer"]
    return list(_joined(tractors, trailers, plates))


def _own(passage: PlatePassage, plates: Mapping[int, Collection[str]]) -> Collection[str]:
    """The plates of the trip that a read was matched to; a reading that is only like one of them is none of them."""
    return () if passage.trip_id is None else plates.get(passage.trip_id, ())


def _joined(
    tractors: Sequence[PlatePassage], trailers: Sequence[PlatePassage], plates: Mapping[int, Collection[str]]
) -> Iterator[Joined]:
    for trailer in trailers:
        there = [each for each in tractors if each.station == trailer.station]
        followed = [each for each in there if each.track is not None and each.track == trailer.track]
        by_time = [] if followed else _close_by(there, trailer, trailers, plates)
        for tractor in followed or by_time:
            is_own = any(lookalike_key(trailer.plate) == lookalike_key(own) for own in _own(tractor, plates))
            if not is_own and not _are_declared(tractor, trailer, plates):
                yield Joined(tractor, trailer)


def _close_by(
    tractors: Sequence[PlatePassage],
    trailer: PlatePassage,
    trailers: Sequence[PlatePassage],
    plates: Mapping[int, Collection[str]],
) -> list[PlatePassage]:
    """The tractor that passed with a trailer by the time of the reads alone, if any."""
    own = _own(trailer, plates)
    if trailer.plate not in own or _passes(tractors, own, trailer):
        return []
    near = [
        each
        for each in tractors
        if abs(each.at - trailer.at) <= TOGETHER and not _passes(trailers, _own(each, plates), each)
    ]
    return sorted(near, key=lambda each: (each.at > trailer.at, abs(each.at - trailer.at)))[:1]


def _are_declared(tractor: PlatePassage, trailer: PlatePassage, plates: Mapping[int, Collection[str]]) -> bool:
    both = {tractor.plate, trailer.plate}
    return any(both <= set(own) for own in plates.values())


def _passes(others: Sequence[PlatePassage], own: Collection[str], passage: PlatePassage) -> bool:
    """Whether another of a trip's own plates passed the same station around the same time."""
    return any(
        each.plate in own and each.station == passage.station and abs(each.at - passage.at) <= AROUND for each in others
    )
