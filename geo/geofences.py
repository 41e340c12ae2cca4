"""Which geofence a position lies in; the geofences as arrays, for the compiled matcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from geo.corridor import Corridor
from geo.corridor_kernel import Fences, Grid
from geo.lines import make_grid
from geo.projection import geometry_to_degrees, geometry_to_metres

LEAVE_MARGIN_M: Final = 20.0
"""A geofence is left when a fix lies this far outside: about two standard errors of a GPS fix."""

OFF_ROAD_KINDS: Final = frozenset({"yard", "temporary_yard", "staging"})
"""Kinds of sites that lie beside the road: a truck inside is not on it."""


@dataclass(frozen=True)
class Surroundings:
    """The geofences about n positions."""

    inside: npt.NDArray[np.int32]
    """Index of the site of the smallest geofence around each, or -1, shape (n,)."""
    near: npt.NDArray[np.bool_]
    """Whether each is within `LEAVE_MARGIN_M` of each site's geofence, shape (n, sites)."""


class Geofences:
    """The geofences of a corridor; sites are counted in the corridor's order."""

    def __init__(self, corridor: Corridor) -> None:
        sites = list(corridor.sites.values())
        fenced = [(index, site.geofence) for index, site in enumerate(sites) if site.geofence is not None]
        areas = geometry_to_metres(np.array([area for _, area in fenced], dtype=object))
        # Largest first: where two overlap, the smaller is written last and so wins.
        order = np.argsort([-area.area for area in areas], kind="stable")
        self._site = np.array([fenced[i][0] for i in order], dtype=np.intp)
        self._tree = shapely.STRtree(np.array([fenced[i][1] for i in order], dtype=object))
        grown = [geometry_to_degrees(areas[i].buffer(LEAVE_MARGIN_M)) for i in order]
        self._grown = shapely.STRtree(np.array(grown, dtype=object))
        self._count = max(len(sites), 1)
        self.off_road = np.array([site.kind in OFF_ROAD_KINDS for site in sites] or [False])

    def around(self, lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]) -> Surroundings:
        """The geofences about positions `lon`, `lat` (degrees, shape (n,))."""
        points: npt.NDArray[np.object_] = np.asarray(shapely.points(lon, lat), dtype=object)
        near = np.zeros((len(lon), self._count), dtype=bool)
        position, area = self._grown.query(points, predicate="intersects")
        near[position, self._site[area]] = True
        inside = np.full(len(lon), -1, dtype=np.int32)
        some = np.unique(position)
        position, area = self._tree.query(points[some], predicate="intersects")
        order = np.argsort(area, kind="stable")
        inside[some[position[order]]] = self._site[area[order]]
        return Surroundings(inside, near)


def make_fences(corridor: Corridor) -> tuple[Fences, Grid]:
    """The geofences, the smallest first, and a grid whose cells name those that reach into them.

    Sites are counted in the corridor's order.
    """
    sites = list(corridor.sites.values())
    fenced = [(index, site.geofence) for index, site in enumerate(sites) if site.geofence is not None]
    areas = geometry_to_metres(np.array([area for _, area in fenced], dtype=object))
    order = np.argsort([area.area for area in areas], kind="stable")
    own = [fenced[number][1] for number in order]
    grown = [geometry_to_degrees(areas[number].buffer(LEAVE_MARGIN_M)) for number in order]
    of_site = np.full(max(len(sites), 1), -1, dtype=np.int64)
    site_of = np.array([fenced[number][0] for number in order], dtype=np.int64)
    of_site[site_of] = np.arange(len(site_of))
    first, edge = _edges(own)
    grown_first, grown_edge = _edges(grown)
    off_road = np.array([site.kind in OFF_ROAD_KINDS for site in sites] or [False])
    fences = Fences(site_of, first, edge, grown_first, grown_edge, of_site, off_road)
    return fences, make_grid(areas[order] if len(areas) else areas, 1.0)


def _edges(areas: list[shapely.Geometry]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The edges of the rings of each area: where those of each begin, and both ends of each."""
    parts = []
    for area in areas:
        rings = shapely.get_rings(shapely.get_parts(area))
        corners = [shapely.get_coordinates(ring) for ring in rings]
        parts.append(np.concatenate([np.hstack([ring[:-1], ring[1:]]) for ring in corners]))
    first = np.cumsum([0, *(len(part) for part in parts)]).astype(np.int64)
    return first, np.concatenate(parts) if parts else np.empty((0, 4))
