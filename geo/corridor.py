"""The corridor: directed road pieces, sites, and linear referencing both ways.

A road piece belongs to a named road (`road`, "QL1A") on which kilometres count from the border, and to one of
its two directions. `road_id` is the position of a piece in `Corridor.roads`; it is stable for one corridor and
is what arrays carry. New gates, yards and roads are features of a file, not code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, cast

import geopandas
import networkx as nx
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Point, Polygon, mapping, shape

from geo.errors import InvalidInputError, MalformedError, NotFoundError
from geo.projection import geometry_to_metres, to_degrees, to_metres

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Direction = Literal["to_border", "from_border"]

PACKAGED_CORRIDOR: Final = Path(__file__).with_name("data") / "corridor.geojson"
PROVENANCES: Final = frozenset({"surveyed", "derived", "assumed"})
SITE_KINDS: Final = frozenset({"gate", "barrier", "yard", "temporary_yard", "camera", "staging"})
LENGTH_TOLERANCE: Final = 0.005
"""Share by which `length_m` may differ from its line; EPSG:32648 is within 0.1 % of geodesic lengths here."""


@dataclass(frozen=True)
class Road:
    """One directed piece of a road between two nodes; its line runs in driving order (EPSG:4326)."""

    road_id: int
    edge_id: str
    name: str
    road: str
    direction: Direction
    from_node: str
    to_node: str
    km_from: float
    km_to: float
    length_m: float
    lanes: int
    free_speed_mps: float
    capacity_veh_per_h: float
    storage_veh: int
    hgv: str
    source: str
    provenance: dict[str, str]
    geometry: LineString


@dataclass(frozen=True)
class Site:
    """A place on or beside a road: gate, barrier, yard, temporary yard, camera, staging area (EPSG:4326)."""

    site_id: str
    kind: str
    gate_id: str | None
    name: dict[str, str]
    road: str
    km: float
    lon: float
    lat: float
    attributes: dict[str, Any]
    source: str
    provenance: dict[str, str]
    geofence: Polygon | None = None

    @property
    def capacity_veh(self) -> int | None:
        """Places for trucks, where the site has any."""
        value = self.attributes.get("capacity_veh")
        return None if value is None else int(value)


@dataclass(frozen=True)
class KilometrePost:
    """A kilometre post on a road, counted from the border (EPSG:4326)."""

    road: str
    km: float
    lon: float
    lat: float


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

        Raises
        ------
        MalformedError
            If the file is no FeatureCollection.
        InvalidInputError
            If a feature lacks a property, or the corridor contradicts itself.
        """
        if isinstance(source, Mapping):
            collection = source
        else:
            try:
                collection = json.loads(Path(source).read_text(encoding="utf-8"))
            except (ValueError, UnicodeDecodeError) as error:
                raise MalformedError("{path} is not JSON: {error}.", path=str(source), error=str(error)) from None
        if not isinstance(collection, Mapping) or collection.get("type") != "FeatureCollection":
            raise MalformedError("A corridor is a GeoJSON FeatureCollection; this is something else.")
        roads: list[Road] = []
        sites: list[tuple[Mapping[str, Any], Any]] = []
        fences: dict[str, Any] = {}
        for feature in collection["features"]:
            properties, what = feature["properties"], feature["properties"].get("feature")
            try:
                geometry = shape(feature["geometry"])
                if what == "road":
                    roads.append(_road(len(roads), properties, geometry))
                elif what == "site":
                    sites.append((properties, geometry))
                elif what == "geofence":
                    fences[properties["site_id"]] = geometry
                else:
                    raise InvalidInputError(
                        "A feature has properties.feature {value}; use road, site or geofence.",
                        field="feature",
                        value=str(what),
                    )
            except KeyError as missing:
                raise InvalidInputError(
                    "The feature {feature} has no property {name}; add it.",
                    field=str(missing.args[0]),
                    feature=str(feature.get("id", what)),
                    name=str(missing.args[0]),
                ) from None
        made = [_site(properties, point, fences.pop(properties["site_id"], None)) for properties, point in sites]
        if fences:
            raise InvalidInputError(
                "The geofence of {site} belongs to no site.", field="site_id", site=", ".join(sorted(fences))
            )
        if len({site.site_id for site in made}) != len(made):
            raise InvalidInputError("A site_id occurs twice; each site needs its own.", field="site_id")
        return cls(
            roads=tuple(roads),
            sites={site.site_id: site for site in made},
            attribution=str(collection.get("attribution", "")),
            license=str(collection.get("license", "")),
        )

    def to_geojson(self) -> dict[str, Any]:
        """The corridor as an RFC 7946 FeatureCollection, the form that `from_geojson` reads."""
        features: list[dict[str, Any]] = []
        for road in self.roads:
            fields = {k: v for k, v in vars(road).items() if k not in {"road_id", "geometry"}}
            features.append(_feature(road.edge_id, {"feature": "road", **fields}, road.geometry))
        for site in self.sites.values():
            fields = {k: v for k, v in vars(site).items() if k not in {"lon", "lat", "geofence"}}
            features.append(_feature(site.site_id, {"feature": "site", **fields}, Point(site.lon, site.lat)))
            if site.geofence is not None:
                fence = {"feature": "geofence", "site_id": site.site_id}
                features.append(_feature(f"{site.site_id}-geofence", fence, site.geofence))
        head = {"type": "FeatureCollection", "attribution": self.attribution, "license": self.license}
        return {**{k: v for k, v in head.items() if v}, "features": features}

    def roads_frame(self) -> geopandas.GeoDataFrame:
        """Roads as a GeoDataFrame (EPSG:4326), index `road_id`."""
        records = [vars(road) for road in self.roads]
        return geopandas.GeoDataFrame(records, geometry="geometry", crs=4326).set_index("road_id")

    def sites_frame(self) -> geopandas.GeoDataFrame:
        """Sites as a GeoDataFrame of points (EPSG:4326), index `site_id`."""
        records = [{**vars(site), "geometry": Point(site.lon, site.lat)} for site in self.sites.values()]
        return geopandas.GeoDataFrame(records, geometry="geometry", crs=4326).set_index("site_id")

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
                "{road} has no kilometre {km:.3f}; it runs from {low:.3f} to {high:.3f}.",
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


def _feature(feature_id: str, properties: dict[str, Any], geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "id": feature_id, "properties": properties, "geometry": mapping(geometry)}


def _road(road_id: int, properties: Mapping[str, Any], geometry: Any) -> Road:
    return Road(
        road_id=road_id,
        edge_id=str(properties["edge_id"]),
        name=str(properties["name"]),
        road=str(properties["road"]),
        direction=properties["direction"],
        from_node=str(properties["from_node"]),
        to_node=str(properties["to_node"]),
        km_from=float(properties["km_from"]),
        km_to=float(properties["km_to"]),
        length_m=float(properties["length_m"]),
        lanes=int(properties["lanes"]),
        free_speed_mps=float(properties["free_speed_mps"]),
        capacity_veh_per_h=float(properties["capacity_veh_per_h"]),
        storage_veh=int(properties["storage_veh"]),
        hgv=str(properties["hgv"]),
        source=str(properties["source"]),
        provenance=dict(properties["provenance"]),
        geometry=geometry,
    )


def _site(properties: Mapping[str, Any], point: Any, geofence: Any) -> Site:
    if not isinstance(point, Point):
        raise InvalidInputError(
            "The site {site} is not a Point.", field="geometry", site=str(properties.get("site_id"))
        )
    return Site(
        site_id=str(properties["site_id"]),
        kind=str(properties["kind"]),
        gate_id=properties.get("gate_id"),
        name=dict(properties["name"]),
        road=str(properties["road"]),
        km=float(properties["km"]),
        lon=point.x,
        lat=point.y,
        attributes=dict(properties.get("attributes") or {}),
        source=str(properties["source"]),
        provenance=dict(properties["provenance"]),
        geofence=geofence,
    )


def _refuse(edge_id: str, field: str, message: str, **values: Any) -> InvalidInputError:
    return InvalidInputError("Road {edge_id}: " + message, field=field, edge_id=edge_id, **values)


def check_roads(roads: tuple[Road, ...]) -> None:
    """Refuse roads that contradict themselves or each other (see `Corridor`)."""
    if not roads:
        raise InvalidInputError("A corridor needs at least one road.", field="roads")
    if len({road.edge_id for road in roads}) != len(roads):
        raise InvalidInputError("An edge_id occurs twice; each road piece needs its own.", field="edge_id")
    network: nx.Graph[str] = nx.Graph()
    ends: dict[str, tuple[float, float]] = {}
    for position, road in enumerate(roads):
        if road.road_id != position:
            raise _refuse(road.edge_id, "road_id", "road_id {value} is not its position.", value=road.road_id)
        if not isinstance(road.geometry, LineString) or not road.geometry.is_valid or road.geometry.is_empty:
            raise _refuse(road.edge_id, "geometry", "the geometry is not a valid LineString.")
        if road.direction not in {"to_border", "from_border"}:
            raise _refuse(road.edge_id, "direction", "direction {value} is unknown.", value=road.direction)
        for field in ("lanes", "free_speed_mps", "capacity_veh_per_h", "storage_veh", "length_m"):
            if not getattr(road, field) > 0:
                raise _refuse(road.edge_id, field, "{name} is not above zero.", name=field)
        if not set(road.provenance.values()) <= PROVENANCES:
            raise _refuse(road.edge_id, "provenance", "provenance is surveyed, derived or assumed.")
        line_m = geometry_to_metres(road.geometry)
        if abs(line_m.length - road.length_m) > max(1.0, LENGTH_TOLERANCE * road.length_m):
            raise _refuse(
                road.edge_id,
                "length_m",
                "length_m is {stated:.1f} but the line is {measured:.1f} m long.",
                stated=road.length_m,
                measured=line_m.length,
            )
        fall_m = (road.km_from - road.km_to) * (1000.0 if road.direction == "to_border" else -1000.0)
        if fall_m < 0.0 or fall_m > road.length_m * (1.0 + LENGTH_TOLERANCE) + 1.0:
            raise _refuse(
                road.edge_id,
                "km_from",
                "kilometres {km_from:.3f} to {km_to:.3f} do not fit {direction} over {length_m:.0f} m.",
                km_from=road.km_from,
                km_to=road.km_to,
                direction=road.direction,
                length_m=road.length_m,
            )
        for node, at in ((road.from_node, line_m.coords[0]), (road.to_node, line_m.coords[-1])):
            known = ends.setdefault(node, (at[0], at[1]))
            if float(np.hypot(known[0] - at[0], known[1] - at[1])) > 1.0:
                raise _refuse(road.edge_id, "from_node", "the node {node} lies in two places.", node=node)
        network.add_edge(road.from_node, road.to_node)
    if not nx.is_connected(network):
        parts = nx.number_connected_components(network)
        raise InvalidInputError("The roads fall apart into {parts} networks; connect them.", field="roads", parts=parts)


def check_sites(sites: Iterable[Site], roads: set[str]) -> None:
    """Refuse sites that name a road, gate or kind that does not exist, or have a broken geofence."""
    by_id = {site.site_id: site for site in sites}
    for site in by_id.values():
        if site.kind not in SITE_KINDS:
            raise InvalidInputError(
                "Site {site}: kind {kind} is unknown; use one of {kinds}.",
                field="kind",
                site=site.site_id,
                kind=site.kind,
                kinds=", ".join(sorted(SITE_KINDS)),
            )
        if site.road not in roads:
            raise InvalidInputError(
                "Site {site}: there is no road {road}.", field="road", site=site.site_id, road=site.road
            )
        if site.gate_id is not None and (site.gate_id not in by_id or by_id[site.gate_id].kind != "gate"):
            raise InvalidInputError(
                "Site {site}: there is no gate {gate}.", field="gate_id", site=site.site_id, gate=site.gate_id
            )
        if site.kind == "yard" and site.capacity_veh is None:
            raise InvalidInputError(
                "Yard {site}: attributes.capacity_veh is missing.", field="attributes", site=site.site_id
            )
        if site.geofence is not None and not (isinstance(site.geofence, Polygon) and site.geofence.is_valid):
            raise InvalidInputError(
                "Site {site}: the geofence is not a valid Polygon.", field="geometry", site=site.site_id
            )
