"""The corridor: directed road pieces, sites, and linear referencing both ways.

A road piece belongs to a named road (`road`, "QL1A") on which kilometres count from the border, and to one of
its two directions. `road_id` is the position of a piece in `Corridor.roads`; it is stable for one corridor and
is what arrays carry. New gates, yards and roads are features of a file, not code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import shapely

from geo.elements import Direction, KilometrePost, Road, Site, check_roads, check_sites
from geo.errors import InvalidInputError, NotFoundError
from geo.geojson import CorridorRecord, read_collection, read_features, write_features
from geo.projection import geometry_to_metres, to_degrees, to_metres

__all__ = ["PACKAGED_CORRIDOR", "Corridor", "Direction", "KilometrePost", "Road", "Site"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

PACKAGED_CORRIDOR: Final = Path(__file__).with_name("data") / "corridor.geojson"


@dataclass(frozen=True)
class Corridor:
    """Roads and sites, checked when made.

    Raises
    ------
    InvalidInputError
        If the roads are not one connected network, kilometres do not fall toward the border, an identifier
        repeats, a length contradicts its line, or a site names a road or gate that is not there.
    """

    roads: tuple[Road, ...]
    sites: dict[str, Site]
    attribution: str = ""
    license: str = ""

    def __post_init__(self) -> None:
        check_roads(self.roads)
        check_sites(self.sites.values(), {road.road for road in self.roads})

    # Reading and writing

    @classmethod
    def default(cls) -> Corridor:
        """The packaged corridor: Bắc Giang to Hữu Nghị and Tân Thanh."""
        return cls.from_geojson(PACKAGED_CORRIDOR)

    @classmethod
    def from_geojson(cls, source: Path | str | Mapping[str, Any]) -> Corridor:
        """A corridor from an RFC 7946 FeatureCollection, given as a path or as parsed JSON.

        A site may leave out `road` and `km`: it then belongs where it is nearest to a road (provenance "derived").

        Raises
        ------
        MalformedError
            If the file is no FeatureCollection.
        InvalidInputError
            If a feature lacks a property, or the corridor contradicts itself.
        """
        collection = read_collection(source)
        roads, sites = read_features(collection["features"])
        notes = str(collection.get("attribution", "")), str(collection.get("license", ""))
        unplaced = [site for site in sites.values() if not site.road]
        if unplaced:
            road_id, offset_m, _ = (bare := cls(roads, {}, *notes)).locate(
                [site.lon for site in unplaced], [site.lat for site in unplaced]
            )
            for site, road, km in zip(unplaced, road_id, bare.km_of(road_id, offset_m), strict=True):
                provenance = {**site.provenance, "road": "derived", "km": "derived"}
                sites[site.site_id] = replace(site, road=roads[road].road, km=float(km), provenance=provenance)
        return cls(roads, sites, *notes)

    def to_geojson(self) -> CorridorRecord:
        """The corridor as an RFC 7946 FeatureCollection, the form that `from_geojson` reads."""
        record: CorridorRecord = {"type": "FeatureCollection"}
        if self.attribution:
            record["attribution"] = self.attribution
        if self.license:
            record["license"] = self.license
        record["features"] = write_features(self.roads, self.sites.values())
        return record

    # Looking things up

    def get_road(self, edge_id: str) -> Road:
        """The road piece of an `edge_id`; raises NotFoundError."""
        try:
            return self.roads[self._road_ids[edge_id]]
        except KeyError:
            raise NotFoundError("There is no road {edge_id}.", field="edge_id", edge_id=edge_id) from None

    def get_site(self, site_id: str) -> Site:
        """The site of a `site_id`; raises NotFoundError."""
        try:
            return self.sites[site_id]
        except KeyError:
            raise NotFoundError("There is no site {site_id}.", field="site_id", site_id=site_id) from None

    def sites_of(self, kind: str, gate_id: str | None = None) -> tuple[Site, ...]:
        """Sites of a kind, of one gate or of all."""
        return tuple(s for s in self.sites.values() if s.kind == kind and gate_id in {None, s.gate_id})

    def gates(self) -> tuple[Site, ...]:
        """All gates."""
        return self.sites_of("gate")

    def barriers(self, gate_id: str | None = None) -> tuple[Site, ...]:
        """Barriers of a gate, or all."""
        return self.sites_of("barrier", gate_id)

    def yards(self, gate_id: str | None = None) -> tuple[Site, ...]:
        """Yards of a gate, or all; temporary yards are not among them."""
        return self.sites_of("yard", gate_id)

    def temporary_yards(self, gate_id: str | None = None) -> tuple[Site, ...]:
        """Temporary yards, where undeclared trucks are declared, of a gate or all."""
        return self.sites_of("temporary_yard", gate_id)

    def cameras(self) -> tuple[Site, ...]:
        """Cameras along the roads."""
        return self.sites_of("camera")

    def staging_areas(self) -> tuple[Site, ...]:
        """Areas on the way where trucks can be held."""
        return self.sites_of("staging")

    # Linear referencing

    def locate(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Ints, Floats, Floats]:
        """The nearest point of the roads to each position.

        Where both directions are the same line, the piece toward the border is given: a position alone has no
        direction (`geo.matching` finds one).

        Arguments: `lon`, `lat`, degrees, shape (n,). Returns `road_id` (n,), `offset_m` along that piece (n,)
        and `distance_m` to it (n,), in EPSG:32648.
        """
        points: npt.NDArray[np.object_] = np.atleast_1d(
            np.asarray(shapely.points(*to_metres(np.atleast_1d(lon), np.atleast_1d(lat))), dtype=object)
        )
        if len(points) == 0:
            return np.empty(0, np.int32), np.empty(0), np.empty(0)
        (point, _), distance = self._tree.query_nearest(points, return_distance=True, all_matches=False)
        nearest_m = np.empty(len(points))
        nearest_m[point] = distance
        point, road = self._tree.query(points, predicate="dwithin", distance=nearest_m + 0.01)
        order = np.lexsort((road, self._from_border[road], point))
        road_id = road[order][np.unique(point[order], return_index=True)[1]]
        offset_m = shapely.line_locate_point(self._lines_m[road_id], points) * self._scale[road_id]
        return road_id.astype(np.int32), offset_m, nearest_m

    def km_of(self, road_id: npt.ArrayLike, offset_m: npt.ArrayLike) -> Floats:
        """Kilometre from the border at `offset_m` along pieces `road_id`, shape (n,); NaN where `road_id` < 0."""
        ids = np.asarray(road_id, dtype=np.intp)
        share = np.asarray(offset_m, dtype=np.float64) / self._length_m[ids]
        km: Floats = self._km_from[ids] + (self._km_to[ids] - self._km_from[ids]) * share
        return np.where(ids < 0, np.nan, km)

    def place_at(self, road: str, km: npt.ArrayLike, direction: Direction = "to_border") -> tuple[Ints, Floats]:
        """The piece and the offset on it at kilometres of a road.

        Arguments: `km`, shape (n,). Returns `road_id` (n,) and `offset_m` (n,).

        Raises
        ------
        InvalidInputError
            If the road has no such direction or does not reach one of the kilometres.
        """
        kms = np.atleast_1d(np.asarray(km, dtype=np.float64))
        ids = np.array([r.road_id for r in self.roads if r.road == road and r.direction == direction], np.intp)
        if len(ids) == 0:
            raise InvalidInputError(
                "There is no road {road} in direction {direction}.",
                field="road",
                road=road,
                direction=direction,
            )
        low = np.minimum(self._km_from[ids], self._km_to[ids])
        high = np.maximum(self._km_from[ids], self._km_to[ids])
        tolerance_km = 1e-3
        inside = (kms[:, None] >= low - tolerance_km) & (kms[:, None] <= high + tolerance_km)
        if not inside.any(axis=1).all():
            raise InvalidInputError(
                "{road} has no kilometre {km:.2f}; it runs from {low:.2f} to {high:.2f}.",
                field="km",
                road=road,
                km=float(kms[~inside.any(axis=1)][0]),
                low=float(low.min()),
                high=float(high.max()),
            )
        # Within the tolerance two pieces may hold a kilometre; the one that really does goes first.
        outside = np.maximum(np.maximum(low - kms[:, None], kms[:, None] - high), 0.0)
        chosen = ids[np.argmin(np.where(inside, outside, np.inf), axis=1)]
        span = self._km_to[chosen] - self._km_from[chosen]
        share = np.divide(kms - self._km_from[chosen], span, out=np.zeros_like(kms), where=span != 0.0)
        return chosen.astype(np.int32), np.clip(share, 0.0, 1.0) * self._length_m[chosen]

    def position(self, road: str, km: npt.ArrayLike, direction: Direction = "to_border") -> tuple[Floats, Floats]:
        """Longitude and latitude (degrees, shape (n,)) of kilometres of a road; raises like `place_at`."""
        return self.position_on(*self.place_at(road, km, direction))

    def position_on(self, road_id: npt.ArrayLike, offset_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Longitude and latitude (degrees, shape (n,)) at offsets along pieces."""
        ids = np.atleast_1d(np.asarray(road_id, dtype=np.intp))
        along = np.atleast_1d(np.asarray(offset_m, dtype=np.float64)) / self._scale[ids]
        points = shapely.line_interpolate_point(self._lines_m[ids], along)
        return to_degrees(shapely.get_x(points), shapely.get_y(points))

    def road_names(self) -> tuple[str, ...]:
        """Names of the linear references, in the order of the roads."""
        return tuple(dict.fromkeys(road.road for road in self.roads))

    def km_span(self, road: str) -> tuple[float, float]:
        """Least and greatest kilometre of a road."""
        ends = [km for piece in self.roads if piece.road == road for km in (piece.km_from, piece.km_to)]
        if not ends:
            raise NotFoundError("There is no road {road}.", field="road", road=road)
        return min(ends), max(ends)

    def kilometre_posts(self, step_km: float = 1.0) -> tuple[KilometrePost, ...]:
        """Posts every `step_km` of each road, from the border on."""
        if step_km <= 0.0:
            raise InvalidInputError("The step {step_km} is not above zero.", field="step_km", step_km=step_km)
        posts: list[KilometrePost] = []
        for road in self.road_names():
            low, high = self.km_span(road)
            kms = np.arange(np.ceil(low / step_km - 1e-9), np.floor(high / step_km + 1e-9) + 1) * step_km + 0.0
            pieces = {piece.direction for piece in self.roads if piece.road == road}
            lon, lat = self.position(road, kms, "to_border" if "to_border" in pieces else "from_border")
            posts += [KilometrePost(road, *map(float, post)) for post in zip(kms, lon, lat, strict=True)]
        return tuple(posts)

    # Arrays behind the functions above

    @cached_property
    def _road_ids(self) -> dict[str, int]:
        return {road.edge_id: road.road_id for road in self.roads}

    @cached_property
    def _lines_m(self) -> npt.NDArray[np.object_]:
        return cast("npt.NDArray[np.object_]", geometry_to_metres(np.array([r.geometry for r in self.roads], object)))

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._lines_m)

    @cached_property
    def _from_border(self) -> npt.NDArray[np.bool_]:
        return np.array([road.direction == "from_border" for road in self.roads])

    @cached_property
    def _length_m(self) -> Floats:
        return np.array([road.length_m for road in self.roads])

    @cached_property
    def _scale(self) -> Floats:
        """Stated length over the length of the projected line: offsets run from 0 to exactly `length_m`."""
        return self._length_m / shapely.length(self._lines_m)

    @cached_property
    def _km_from(self) -> Floats:
        return np.array([road.km_from for road in self.roads])

    @cached_property
    def _km_to(self) -> Floats:
        return np.array([road.km_to for road in self.roads])
