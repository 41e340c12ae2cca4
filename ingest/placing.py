"""Fixes as the matcher takes them, and what it says of them in the worker's order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geo.matching import Fixes, LastPlaces, Matcher, Places
from ingest.fixes import FIX, FixArray

Flags = npt.NDArray[np.bool_]


def place_fixes(
    matcher: Matcher, fixes: FixArray, second: Flags, latest: npt.NDArray[np.void], known: LastPlaces
) -> Places:
    """Places of `fixes` (n), by vehicle and time.

    Arguments: `second`, those of receivers that do not lead, which are placed by themselves; `latest` (v,), rows of
    `LATEST` of the vehicles in ascending order, and the same as `known` to the matcher. Fixes that were out of reach
    last time take part again, so that the next ones can agree with them.
    """
    suspects = _suspects(latest)
    if not second.any():
        return _first(matcher.match(as_fixes(fixes, suspects), known), len(fixes))
    leading, others = np.flatnonzero(~second), np.flatnonzero(second)
    ids = np.unique(fixes["vehicle_id"][leading])
    ours = np.flatnonzero(np.isin(latest["vehicle_id"], ids))
    again = suspects[np.isin(suspects["vehicle_id"], ids)]
    own = _first(matcher.match(as_fixes(fixes[leading], again), _known_of(known, ours)), len(leading))
    apart = matcher.match(as_fixes(fixes[others]))
    back = np.empty(len(fixes), np.intp)
    back[leading], back[others] = np.arange(len(leading)), len(leading) + np.arange(len(others))
    names = Places.__dataclass_fields__
    return Places(**{name: np.concatenate([getattr(own, name), getattr(apart, name)])[back] for name in names})


def as_fixes(fixes: FixArray, suspects: FixArray | None = None) -> Fixes:
    """Fixes as the matcher takes them, suspects of earlier batches after them."""
    rows = fixes if suspects is None or not len(suspects) else np.concatenate([fixes, suspects])
    measured = (rows[name].astype(np.float64) for name in ("lon", "lat", "speed_mps", "heading_deg", "accuracy_m"))
    return Fixes(rows["vehicle_id"].astype(np.int64), rows["time_us"] / 1e6, *measured)


def take(places: Places, rows: npt.NDArray[np.intp] | slice) -> Places:
    """The places of some rows."""
    return Places(**{name: getattr(places, name)[rows] for name in places.__dataclass_fields__})


def _first(places: Places, count: int) -> Places:
    return places if len(places.road_id) == count else take(places, slice(0, count))


def _known_of(known: LastPlaces, rows: npt.NDArray[np.intp]) -> LastPlaces:
    direction = None if known.direction is None else known.direction[rows]
    return LastPlaces(
        known.time_s[rows],
        known.road_id[rows],
        known.offset_m[rows],
        known.lon[rows],
        known.lat[rows],
        known.site[rows],
        direction,
    )


def _suspects(latest: npt.NDArray[np.void]) -> FixArray:
    who, which = np.nonzero(latest["suspect_us"] > latest["time_us"][:, None])
    found = np.zeros(len(who), FIX)
    found["vehicle_id"] = latest["vehicle_id"][who]
    for name in ("lon", "lat", "accuracy_m"):
        found[name] = latest[f"suspect_{name}"][who, which]
    found["time_us"] = latest["suspect_us"][who, which]
    found["speed_mps"] = found["heading_deg"] = np.nan
    return found
