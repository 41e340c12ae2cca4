"""GPS fixes and what matching makes of them, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from geo.errors import InvalidInputError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Status(IntEnum):
    """How a position lies to the corridor."""

    ON_ROAD = 0
    OFF_ROAD = 1
    """Near the corridor, off the carriageway, for instance in a yard; road and kilometre are the nearest."""
    OFF_CORRIDOR = 2


@dataclass(frozen=True)
class Fixes:
    """GPS fixes in any order, arrays of shape (n,); NaN = unknown.

    `vehicle` int64; `time_s` Unix time, s; `lon`, `lat` EPSG:4326, degrees; `speed_mps`; `heading_deg` clockwise from
    north, 0 counts as unknown because many trackers send it so; `accuracy_m` standard error.
    """

    vehicle: npt.NDArray[np.int64]
    time_s: Floats
    lon: Floats
    lat: Floats
    speed_mps: Floats
    heading_deg: Floats
    accuracy_m: Floats

    def __post_init__(self) -> None:
        if len({np.shape(getattr(self, field.name)) for field in fields(self)}) != 1:
            raise InvalidInputError(
                "The arrays of fixes differ in length; give one value of each a fix.", field="fixes"
            )

    def __len__(self) -> int:
        return len(self.vehicle)

    @classmethod
    def of(
        cls,
        vehicle: npt.ArrayLike,
        time_s: npt.ArrayLike,
        lon: npt.ArrayLike,
        lat: npt.ArrayLike,
        *,
        speed_mps: npt.ArrayLike | None = None,
        heading_deg: npt.ArrayLike | None = None,
        accuracy_m: npt.ArrayLike | None = None,
    ) -> Self:
        """Fixes from anything array-like; what is left out is unknown."""
        ids = np.asarray(vehicle, dtype=np.int64)

        def values(given: npt.ArrayLike | None) -> Floats:
            return np.full(ids.shape, np.nan) if given is None else np.asarray(given, dtype=np.float64)

        return cls(
            ids, values(time_s), values(lon), values(lat), values(speed_mps), values(heading_deg), values(accuracy_m)
        )


@dataclass(frozen=True)
class Places:
    """Where fixes lie, arrays of shape (n,) in the order of the fixes."""

    road_id: npt.NDArray[np.int32]
    """Directed road piece, -1 off the corridor; with direction unknown the piece toward the border."""
    offset_m: Floats
    """Along that piece; NaN off the corridor."""
    km: Floats
    """Kilometre from the border; NaN off the corridor."""
    direction: npt.NDArray[np.int8]
    """+1 toward the border, -1 from it, 0 unknown."""
    distance_m: Floats
    """From the line; NaN off the corridor."""
    status: npt.NDArray[np.int8]
    """A `Status`."""
    site: npt.NDArray[np.int32]
    """Index into `Matcher.site_ids` of the smallest geofence around the fix, or -1."""
    unlikely: Flags
    """An impossible jump from the vehicle's previous place; takes no part in the vehicle's path."""


@dataclass(frozen=True)
class LastPlaces:
    """The last known place of each vehicle, shape (v,), aligned to `np.unique(fixes.vehicle)`.

    `time_s` is NaN where nothing is known, `road_id` and `site` are -1 for none. `direction` may be left out: it is
    then that of `road_id`.
    """

    time_s: Floats
    road_id: npt.NDArray[np.int32]
    offset_m: Floats
    lon: Floats
    lat: Floats
    site: npt.NDArray[np.int32]
    direction: npt.NDArray[np.int8] | None = None

    @classmethod
    def nothing(cls, count: int) -> Self:
        """No vehicle has a known place."""
        none, unknown = np.full(count, -1, dtype=np.int32), np.full(count, np.nan)
        return cls(unknown, none, unknown, unknown, unknown, none, np.zeros(count, dtype=np.int8))


@dataclass(frozen=True)
class SiteEvents:
    """Geofences entered and left, arrays of shape (events,) by vehicle and time."""

    vehicle: npt.NDArray[np.int64]
    time_s: Floats
    site: npt.NDArray[np.int32]
    entered: Flags
