"""Kinds of places: which one a truck needs, on which it may stand, and for how many that leaves room. Pure.

A place of a kind is for those who need it: nobody else takes a reefer plug, a pen, or a place for dangerous goods. A
standard truck may stand on a 40-foot or temporary place, one with goods to transship on any of these where the docks
are taken. A yard without zones has places that are good for all.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from capacity.vocabulary import ZoneKind

K = ZoneKind
_ORDINARY: Final = frozenset({K.STANDARD, K.FORTY_FOOT, K.TEMPORARY})
MAY_USE: Final[Mapping[ZoneKind, frozenset[ZoneKind]]] = {
    K.STANDARD: _ORDINARY,
    K.FORTY_FOOT: frozenset({K.FORTY_FOOT}),
    K.REEFER: frozenset({K.REEFER}),
    K.LIVESTOCK: frozenset({K.LIVESTOCK}),
    K.DANGEROUS: frozenset({K.DANGEROUS}),
    K.DOCK: _ORDINARY | {K.DOCK},
    K.TEMPORARY: frozenset({K.TEMPORARY}),
}
"""Kind that a truck needs → kinds of places that it may stand on. Of any two sets that meet, one holds the other, so
that how many still fit follows from sums alone (Hall 1935, doi:10.1112/jlms/s1-10.37.26)."""


def kind_needed(
    *, live_animals: bool, chilled: bool, transshipment: bool, forty_foot: bool, dangerous: bool = False
) -> ZoneKind:
    """The kind of place that a truck needs by what is declared of it: what is a danger to others comes first, then what
    dies or spoils."""
    if dangerous:
        return K.DANGEROUS
    if live_animals:
        return K.LIVESTOCK
    if chilled:
        return K.REEFER
    if transshipment:
        return K.DOCK
    return K.FORTY_FOOT if forty_foot else K.STANDARD


def may_use(need: ZoneKind, places: Collection[ZoneKind]) -> frozenset[ZoneKind]:
    """The kinds on which a truck may stand in a yard with such places; where no 40-foot ones are set apart, its
    standard ones are long enough."""
    if need is K.FORTY_FOOT and K.FORTY_FOOT not in places:
        return MAY_USE[K.STANDARD]
    return MAY_USE[need]


def may_stand_on(need: ZoneKind, yards: Iterable[Collection[ZoneKind]]) -> list[frozenset[ZoneKind]]:
    """The kinds on which a truck that has no booking may stand in each of some yards, by the kinds of place that they
    have, none where a yard has no zones.

    A refrigerated truck has a generator of its own: where none of them has plugs, it stands as a standard one does.
    """
    known = list(yards)
    found = [may_use(need, kinds) for kinds in known]
    if need is K.REEFER and all(kinds and own.isdisjoint(kinds) for own, kinds in zip(found, known, strict=True)):
        return [may_use(K.STANDARD, kinds) for kinds in known]
    return found


def preference(need: ZoneKind, kind: ZoneKind) -> int:
    """How a truck that needs a kind of place likes another, 0 the best: its own first, then in the order of kinds."""
    return 0 if kind is need else 1 + list(K).index(kind)


def left_for(need: ZoneKind, places: Mapping[ZoneKind, int], taken: Mapping[ZoneKind, int]) -> int:
    """How many more trucks that need a kind fit beside those that are there, each on a place that it may use.

    Arguments: `places` by kind; `taken`, trucks by the kind that they need.
    """
    own = may_use(need, places)
    return max(0, min(_room(wider, places, taken) for wider in _sets(places) if wider >= own))


def places_of_kind(places_veh: float, stay_h: float, open_share: float, hour: int) -> int:
    """Trucks that places of a kind turn over in an hour, whole ones: what is left of an hour comes with a later one.

    Arguments: `open_share` of the hour in which the gate works; `hour`, its number since any day.
    """
    rate = open_share * places_veh / max(stay_h, 1.0)
    return math.floor(rate * (hour + 1) + 1e-9) - math.floor(rate * hour + 1e-9)


def _sets(places: Mapping[ZoneKind, int]) -> Iterator[frozenset[ZoneKind]]:
    yield from dict.fromkeys(may_use(need, places) for need in ZoneKind)


def _room(kinds: frozenset[ZoneKind], places: Mapping[ZoneKind, int], taken: Mapping[ZoneKind, int]) -> int:
    there = sum(places.get(kind, 0) for kind in kinds)
    return there - sum(count for need, count in taken.items() if may_use(need, places) <= kinds)
