"""The metric frame of the corridor: EPSG:32648 (UTM zone 48 north), whole arrays at once."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

Floats = npt.NDArray[np.float64]

METRIC_EPSG: Final = 32648
_TO_METRES: Final = Transformer.from_crs(4326, METRIC_EPSG, always_xy=True)
_TO_DEGREES: Final = Transformer.from_crs(METRIC_EPSG, 4326, always_xy=True)


def to_metres(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Longitudes and latitudes (EPSG:4326, degrees) to x, y (EPSG:32648, m)."""
    x, y = _TO_METRES.transform(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    return np.asarray(x), np.asarray(y)


def to_degrees(x_m: npt.ArrayLike, y_m: npt.ArrayLike) -> tuple[Floats, Floats]:
    """x, y (EPSG:32648, m) to longitudes and latitudes (EPSG:4326, degrees)."""
    lon, lat = _TO_DEGREES.transform(np.asarray(x_m, dtype=np.float64), np.asarray(y_m, dtype=np.float64))
    return np.asarray(lon), np.asarray(lat)


def geometry_to_metres(geometry: Any) -> Any:
    """A geometry, or an array of them, from EPSG:4326 to EPSG:32648."""
    return shapely.transform(geometry, lambda xy: np.column_stack(to_metres(xy[:, 0], xy[:, 1])))


def geometry_to_degrees(geometry: Any) -> Any:
    """A geometry, or an array of them, from EPSG:32648 to EPSG:4326."""
    return shapely.transform(geometry, lambda xy: np.column_stack(to_degrees(xy[:, 0], xy[:, 1])))
