"""How many places yards have over time: a step function of seconds since the start. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from geo.errors import InvalidInputError
from routing.arrays import UNBOUNDED, FloatArray, GateArrays, IntArray


class PlacesFrom(NamedTuple):
    """A yard has `places_veh` places from `from_s` on, until the next one says otherwise; NaN: it is never full."""

    from_s: float
    places_veh: float


YardPlaces: TypeAlias = Mapping[str, tuple[PlacesFrom, ...]]
"""yard_id -> its places, in the order of time."""


class PlacesArrays(NamedTuple):
    """Places as the engine takes them; fields as of `GateArrays`."""

    yard_capacity_veh: IntArray
    yard_change_s: FloatArray
    yard_change: IntArray
    yard_change_veh: IntArray


def places_arrays(
    yard_ids: Sequence[str], n_yards: int, capacity_veh: Sequence[float] | FloatArray | None, changes: YardPlaces
) -> PlacesArrays:
    """Of `n_yards` yards, the first of which have names, the places at the start and how they change.

    Arguments: `capacity_veh`, one for each of `yard_ids` (None, NaN: never full); what `changes` say until the start
    holds in its place.

    Raises
    ------
    InvalidInputError
        If places are negative, or change in a yard that has no name here.
    """
    capacity = np.full(n_yards, UNBOUNDED, np.int64)
    if capacity_veh is not None:
        for i, value in enumerate(np.asarray(capacity_veh, dtype=float)):
            capacity[i] = _whole(yard_ids[i], value)
    later: list[tuple[float, int, int]] = []
    for yard_id, places in changes.items():
        if yard_id not in yard_ids:
            raise InvalidInputError("The corridor has no yard {value}.", field="yard_changes", value=yard_id)
        yard = yard_ids.index(yard_id)
        for from_s, places_veh in places:
            if from_s <= 0.0:
                capacity[yard] = _whole(yard_id, places_veh)
            elif np.isfinite(from_s):
                later.append((float(from_s), yard, _whole(yard_id, places_veh)))
    later.sort(key=lambda change: change[:2])
    at_s = np.array([change[0] for change in later], float)
    yards, veh = (np.array([change[i] for change in later], np.int64) for i in (1, 2))
    return PlacesArrays(capacity, at_s, yards, veh)


def with_places(gates: GateArrays, yard_ids: Sequence[str], places: YardPlaces) -> GateArrays:
    """The gates with other places in some yards, whatever these would have."""
    own = places_arrays(yard_ids, gates.yard_capacity_veh.size, None, places)
    changed = [yard_ids.index(yard_id) for yard_id in places]
    capacity = gates.yard_capacity_veh.copy()
    capacity[changed] = own.yard_capacity_veh[changed]
    kept = ~np.isin(gates.yard_change, changed)
    at_s = np.concatenate([gates.yard_change_s[kept], own.yard_change_s])
    order = np.argsort(at_s, kind="stable")
    return gates._replace(
        yard_capacity_veh=capacity,
        yard_change_s=at_s[order],
        yard_change=np.concatenate([gates.yard_change[kept], own.yard_change])[order],
        yard_change_veh=np.concatenate([gates.yard_change_veh[kept], own.yard_change_veh])[order],
    )


def places_at(places: Sequence[PlacesFrom], time_s: float) -> float:
    """The places at a time; before the first of them, NaN."""
    begun = [each.places_veh for each in places if each.from_s <= time_s]
    return begun[-1] if begun else np.nan


def replaced(
    places: Sequence[PlacesFrom], places_veh: float, from_s: float, until_s: float | None
) -> tuple[PlacesFrom, ...]:
    """`places`, but `places_veh` of them in [from_s, until_s), or to the end."""
    before = [each for each in places if each.from_s < from_s]
    if until_s is None:
        return (*before, PlacesFrom(from_s, places_veh))
    after = [each for each in places if each.from_s > until_s]
    return (*before, PlacesFrom(from_s, places_veh), PlacesFrom(until_s, places_at(places, until_s)), *after)


def _whole(yard_id: str, places_veh: float) -> int:
    if places_veh < 0.0:
        raise InvalidInputError(
            "Yard {yard} cannot hold {value} trucks; give 0 or more.",
            field="yard_capacity_veh",
            yard=yard_id,
            value=places_veh,
        )
    return int(places_veh) if np.isfinite(places_veh) else UNBOUNDED
