"""Distances on the globe where no metric frame is needed: the one home of metres a degree.

Lengths along the corridor are computed in EPSG:32648 (`geo.projection`); this is for telling near from far.
"""

from __future__ import annotations

from math import pi
from typing import Final

import numpy as np
import numpy.typing as npt

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the earth, WGS 84 (Moritz, "Geodetic Reference System 1980", Journal of Geodesy 74, 2000)."""
METRES_PER_DEGREE: Final = EARTH_RADIUS_M * pi / 180.0
"""Of latitude, and of longitude at the equator: 111,195 m."""


def distance_m(
    lon_a: npt.ArrayLike, lat_a: npt.ArrayLike, lon_b: npt.ArrayLike, lat_b: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Metres between positions (EPSG:4326, degrees; arrays that broadcast together) on a sphere.

    Equirectangular with the mean latitude: within 0.65 % of the geodesic over 100 km in the latitudes of Vietnam.
    """
    east, north = displacement_m(lon_a, lat_a, lon_b, lat_b)
    return np.asarray(np.hypot(east, north))


def displacement_m(
    lon_a: npt.ArrayLike, lat_a: npt.ArrayLike, lon_b: npt.ArrayLike, lat_b: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Metres east and north from positions a to positions b, as in `distance_m`."""
    a, b = np.asarray(lat_a, np.float64), np.asarray(lat_b, np.float64)
    shrink = np.cos(np.radians((a + b) / 2.0))
    east = (np.asarray(lon_b, np.float64) - np.asarray(lon_a, np.float64)) * METRES_PER_DEGREE * shrink
    return np.asarray(east), np.asarray((b - a) * METRES_PER_DEGREE)
