"""The way of one truck taken again, whole: which fixes are believed and which geofence each is in.

What `geo.matching` concludes of fixes as they come, told again when older ones came later. It follows the same two
rules (`geo.reach`, and the geofence that is left only clear of its edge) from the same state, without roads: a test
holds that both say the same. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geo.chains import Chains
from geo.geofences import Geofences
from geo.matching import MatchOptions
from geo.projection import to_metres
from geo.reach import unreachable

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Waypoints:
    """Fixes of one truck in order of time, arrays of shape (n,): Unix time, degrees, stated accuracy (NaN unknown)."""

    time_s: Floats
    lon: Floats
    lat: Floats
    accuracy_m: Floats

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True)
class TraceState:
    """What is known before the first fix: the last believed place with its geofence (-1 none), and the fixes after it
    that were out of reach."""

    time_s: float
    lon: float
    lat: float
    site: int
    suspects: Waypoints


@dataclass(frozen=True)
class Retraced:
    """Of each fix whether it is out of reach, and the geofence the truck is in by then, shape (n,)."""

    unlikely: Flags
    site: npt.NDArray[np.int32]


def retrace(fences: Geofences, way: Waypoints, before: TraceState | None, options: MatchOptions) -> Retraced:
    """Judge the fixes of `way` (n), in order of time, after what was known `before` them (`None`: nothing).

    The geofence of a fix that is out of reach is that of the fix before it.
    """
    joined = _joined(way, before)
    skipped = len(joined) - len(way)
    x_m, y_m = to_metres(joined.lon, joined.lat)
    stated = np.isfinite(joined.accuracy_m) & (joined.accuracy_m >= 0.0)
    accuracy_m = np.where(stated, np.minimum(joined.accuracy_m, options.max_accuracy_m), 0.0)
    known = np.zeros(len(joined), dtype=bool)
    known[:1] = before is not None
    every = np.ones(len(joined), dtype=bool)
    unlikely = unreachable(
        chains=Chains.of(np.zeros(len(joined), np.intp), joined.time_s, usable=every, first=known),
        time_s=joined.time_s,
        x_m=x_m,
        y_m=y_m,
        accuracy_m=accuracy_m,
        known=known,
        slack_m=options.jump_m,
        max_speed_mps=options.max_speed_mps,
    )
    about = fences.around(joined.lon, joined.lat)
    own = np.where(unlikely, -1, about.inside).astype(np.int32)
    # A fix at the edge of an area, a coarse one and one out of reach depend on the fix before; few do.
    unsure = unlikely | (accuracy_m > options.coarse_m) | ((about.inside < 0) & about.near.any(axis=1))
    site = own.copy()
    if before is not None:
        site[0], unsure[0] = before.site, False
    coarse = accuracy_m > options.coarse_m
    for row in np.flatnonzero(unsure).tolist():
        was = site[row - 1] if row else -1
        if row == 0:
            site[row] = own[row]
        elif unlikely[row] or coarse[row] or (was >= 0 and own[row] < 0 and about.near[row, was]):
            site[row] = was
    return Retraced(unlikely[skipped:], site[skipped:])


def _joined(way: Waypoints, before: TraceState | None) -> Waypoints:
    if before is None:
        return way
    first, more = before, before.suspects
    return Waypoints(
        np.concatenate([[first.time_s], more.time_s, way.time_s]),
        np.concatenate([[first.lon], more.lon, way.lon]),
        np.concatenate([[first.lat], more.lat, way.lat]),
        np.concatenate([[np.nan], more.accuracy_m, way.accuracy_m]),
    )
