"""A corridor as RFC 7946 GeoJSON: features of roads, sites and geofences."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, cast

import shapely
from shapely.geometry import LineString, Point, Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.elements import Road, Site, SiteAttributes
from geo.errors import InvalidInputError, MalformedError

G = TypeVar("G", bound=BaseGeometry)


class Feature(TypedDict):
    """A road, a site or a geofence; `properties.feature` says which."""

    type: Literal["Feature"]
    id: str
    properties: dict[str, object]
    geometry: dict[str, object]


class CorridorRecord(TypedDict, total=False):
    """A corridor as a FeatureCollection, with where it comes from and under which licence, where that is known."""

    type: Literal["FeatureCollection"]
    attribution: str
    license: str
    features: list[Feature]


def read_collection(source: Path | str | Mapping[str, Any]) -> Mapping[str, Any]:
    """A FeatureCollection from a file, or as it was given; raises MalformedError."""
    if isinstance(source, Mapping):
        collection: Any = source
    else:
        try:
            collection = json.loads(Path(source).read_text(encoding="utf-8"))
        except ValueError as error:
            raise MalformedError("{path} is not JSON: {error}.", path=str(source), error=str(error)) from None
    if (
        not isinstance(collection, Mapping)
        or collection.get("type") != "FeatureCollection"
        or not isinstance(collection.get("features"), list)
    ):
        raise MalformedError("A corridor is a GeoJSON FeatureCollection; this is something else.")
    return collection


def read_features(features: Iterable[Any]) -> tuple[tuple[Road, ...], dict[str, Site]]:
    """Roads and sites of features, in their order; a site with neither `road` nor `km` has "" and NaN for them.

    Raises
    ------
    InvalidInputError
        If a feature is of no known kind, lacks a property or has one of the wrong type, or a site occurs twice.
    """
    roads: list[Road] = []
    points: list[tuple[Any, Point]] = []
    fences: dict[str, Polygon] = {}
    sites: dict[str, Site] = {}
    feature: Any = None
    try:
        for feature in features:
            properties, geometry = feature["properties"], shapely.force_2d(shape(feature["geometry"]))
            what = properties["feature"]
            if what == "road":
                roads.append(_road(len(roads), properties, _of(LineString, geometry)))
            elif what == "site":
                points.append((feature, _of(Point, geometry)))
            elif what == "geofence":
                fences[str(properties["site_id"])] = _of(Polygon, geometry)
            else:
                raise ValueError(f"properties.feature is {what}; use road, site or geofence")
        for feature, point in points:
            properties = feature["properties"]
            site_id = str(properties["site_id"])
            if site_id in sites:
                raise ValueError("the site_id occurs twice; each site needs its own")
            sites[site_id] = _site(properties, point, fences.pop(site_id, None))
    except KeyError as missing:
        field = str(missing.args[0])
        raise InvalidInputError(
            "The feature {feature} has no property {name}; add it.", field=field, feature=_named(feature), name=field
        ) from None
    except (TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
        raise InvalidInputError(
            "The feature {feature} cannot be read: {error}.",
            field="features",
            feature=_named(feature),
            error=str(error),
        ) from None
    if fences:
        orphans = ", ".join(sorted(fences))
        raise InvalidInputError("The geofence of {site} belongs to no site.", field="site_id", site=orphans)
    return tuple(roads), sites


def write_features(roads: Iterable[Road], sites: Iterable[Site]) -> list[Feature]:
    """Features that `read_features` reads."""
    features: list[Feature] = []
    for road in roads:
        fields = {k: v for k, v in vars(road).items() if k not in {"road_id", "geometry"}}
        features.append(_feature(road.edge_id, {"feature": "road", **fields}, road.geometry))
    for site in sites:
        fields = {k: v for k, v in vars(site).items() if k not in {"lon", "lat", "geofence"}}
        features.append(_feature(site.site_id, {"feature": "site", **fields}, Point(site.lon, site.lat)))
        if site.geofence is not None:
            how = site.provenance.get("geofence", "assumed")
            fence = {"feature": "geofence", "site_id": site.site_id, "provenance": {"geometry": how}}
            features.append(_feature(f"{site.site_id}-geofence", fence, site.geofence))
    return features


def _named(feature: Any) -> str:
    return str(feature.get("id", feature.get("properties"))) if isinstance(feature, Mapping) else str(feature)


def _of(kind: type[G], geometry: BaseGeometry) -> G:
    if not isinstance(geometry, kind):
        raise ValueError(f"its geometry is a {geometry.geom_type}; use a {kind.__name__}")
    return geometry


def _feature(feature_id: str, properties: Mapping[str, object], geometry: BaseGeometry) -> Feature:
    return {"type": "Feature", "id": feature_id, "properties": dict(properties), "geometry": mapping(geometry)}


def _road(road_id: int, properties: Mapping[str, Any], geometry: LineString) -> Road:
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


def _site(properties: Mapping[str, Any], point: Point, geofence: Polygon | None) -> Site:
    return Site(
        site_id=str(properties["site_id"]),
        kind=str(properties["kind"]),
        gate_id=properties.get("gate_id"),
        name=dict(properties["name"]),
        road=str(properties["road"]) if "km" in properties else "",
        km=float(properties["km"]) if "road" in properties else math.nan,
        lon=point.x,
        lat=point.y,
        attributes=cast(SiteAttributes, dict(properties.get("attributes") or {})),
        source=str(properties["source"]),
        provenance=dict(properties["provenance"]),
        geofence=geofence,
    )
