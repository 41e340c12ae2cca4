"""A corridor from OpenStreetMap, by OSMnx: from an .osm file (offline) or the name of a place (online).

Lanes, speed limits, one-way streets and restrictions of heavy vehicles are carried over; what the map does not say
is assumed by the class of the road and labelled so in `provenance`. Kilometres are distances along the network,
either way, from the gate. Sites other than the gate are added to the file by hand: they are data.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias, TypedDict

import networkx as nx
import osmnx
from shapely import STRtree
from shapely.geometry import LineString, Point
from shapely.ops import substring

from geo.corridor import Corridor, Direction, Road, Site
from geo.errors import InvalidInputError, MalformedError, NotFoundError, UnavailableError
from geo.projection import geometry_to_degrees, geometry_to_metres, to_metres
from geo.units import MPS_PER_KMH

MAX_PIECE_M: Final = 2_000.0
SPACE_PER_TRUCK_M: Final = 20.0
"""Road a standing truck takes: an articulated truck of 16 to 17 m and its gap."""

ATTRIBUTION: Final = "© OpenStreetMap contributors"
LICENSE: Final = "ODbL-1.0"

KMH_PER_MPH: Final = 1.609344


@dataclass(frozen=True)
class RoadClass:
    """What is assumed of a road where the map says nothing: free speed of trucks, lanes a direction, capacity."""

    free_speed_kmh: float
    lanes: int
    capacity_veh_per_h_lane: float


# Capacity: 1,700 passenger cars an hour on a two-lane road, 2,300 a lane on a motorway, 3 cars to a truck in rolling
# country (Highway Capacity Manual, 6th ed., chapters 12 and 15), fewer where streets cross.
ROAD_CLASSES: Final = {
    "motorway": RoadClass(80.0, 2, 770.0),
    "trunk": RoadClass(60.0, 1, 560.0),
    "primary": RoadClass(60.0, 1, 560.0),
    "secondary": RoadClass(50.0, 1, 500.0),
    "tertiary": RoadClass(40.0, 1, 400.0),
    "unclassified": RoadClass(30.0, 1, 300.0),
}
TRUCK_TOP_SPEED_KMH: Final = 80.0
"""Trucks drive no faster, whatever the limit: the legal most on roads outside motorways (TT 31/2019/TT-BGTVT)."""

_TAGS: Final = (
    "highway",
    "name",
    "ref",
    "oneway",
    "lanes",
    "lanes:forward",
    "lanes:backward",
    "maxspeed",
    "maxspeed:hgv",
    "hgv",
    "access",
    "junction",
)
_CLASS_FILTER: Final = "|".join(f"{name}|{name}_link" for name in ROAD_CLASSES)


Tags: TypeAlias = Mapping[str, object]
"""The tags of an edge of OSMnx: text, or a list of texts where the ways that it joined differ."""


@dataclass(frozen=True)
class _Way:
    """A stretch between two junctions, in one or both directions; tags by direction, line in EPSG:32648."""

    line_m: LineString
    start: str
    end: str
    tags: tuple[Tags | None, Tags | None]


class ImportSummary(TypedDict):
    """What an import made, and how many values of each field are assumed."""

    output: str
    roads: int
    length_km: float
    assumed: dict[str, int]


def corridor_from_osm_file(
    path: Path | str, *, gate: tuple[float, float], gate_id: str = "gate", gate_name: str = "Gate"
) -> Corridor:
    """A corridor from an OSM XML file, without the network.

    Arguments: `gate`, longitude and latitude of kilometre 0, the border end of the road; the nearest point of the
    network is taken.

    Raises
    ------
    MalformedError
        If the file is not OSM XML.
    NotFoundError
        If it holds no road for trucks.
    """
    try:
        with _tags_kept():
            graph = osmnx.graph_from_xml(path, simplify=False, retain_all=True)
    except FileNotFoundError:
        raise NotFoundError("There is no file {path}.", field="path", path=str(path)) from None
    except Exception as error:  # whatever the XML parser or OSMnx makes of the bytes
        raise MalformedError("{path} is not OSM XML: {error}.", path=str(path), error=str(error)) from error
    return _corridor(graph, gate=gate, gate_id=gate_id, gate_name=gate_name)


def corridor_from_place(
    name: str, *, gate: tuple[float, float], gate_id: str = "gate", gate_name: str = "Gate"
) -> Corridor:
    """A corridor of the main roads within a named place, asked of Nominatim and Overpass.

    Raises
    ------
    UnavailableError
        If the map servers do not answer or know no such place.
    """
    try:
        with _tags_kept():
            graph = osmnx.graph_from_place(
                name, simplify=False, retain_all=True, custom_filter=f'["highway"~"^({_CLASS_FILTER})$"]'
            )
    except Exception as error:  # OSMnx lets errors of several HTTP and geocoding layers through
        raise UnavailableError(
            "OpenStreetMap gave nothing for {place}: {error}. Check the name and the network, or use an .osm file.",
            field="place",
            place=name,
            error=str(error),
        ) from error
    return _corridor(graph, gate=gate, gate_id=gate_id, gate_name=gate_name)


def import_corridor(source: str, output: Path, *, gate: str) -> ImportSummary:
    """Write a corridor made from `source`, an .osm file or the name of a place, to `output` as GeoJSON.

    Arguments: `gate`, "LON,LAT" of kilometre 0. Returns what was made, in numbers, and how much of it is assumed.
    """
    try:
        lon, lat = (float(part) for part in gate.split(","))
    except ValueError:
        raise InvalidInputError(
            "The gate {value} is not LON,LAT; give kilometre 0 such as 106.7082,21.9768.", field="gate", value=gate
        ) from None
    is_file = source.endswith((".osm", ".osm.xml", ".xml")) or Path(source).is_file()
    make = corridor_from_osm_file if is_file else corridor_from_place
    corridor = make(source, gate=(lon, lat))
    output.write_text(json.dumps(corridor.to_geojson(), ensure_ascii=False), encoding="utf-8")
    fields = [(field, how) for road in corridor.roads for field, how in road.provenance.items()]
    assumed = {field for field, how in fields if how == "assumed"}
    return {
        "output": str(output),
        "roads": len(corridor.roads),
        "length_km": round(sum(road.length_m for road in corridor.roads) / 1000.0, 3),
        "assumed": {field: sum(pair == (field, "assumed") for pair in fields) for field in sorted(assumed)},
    }


@contextmanager
def _tags_kept() -> Iterator[None]:
    """OSMnx keeps the tags that matter for trucks; its settings are module-wide and are put back."""
    before = osmnx.settings.useful_tags_way, osmnx.settings.use_cache
    osmnx.settings.useful_tags_way = list(_TAGS)
    osmnx.settings.use_cache = False  # it would write into the working directory
    try:
        yield
    finally:
        osmnx.settings.useful_tags_way, osmnx.settings.use_cache = before


def _corridor(graph: Any, *, gate: tuple[float, float], gate_id: str, gate_name: str) -> Corridor:
    """Roads for trucks of an unsimplified OSMnx graph as a corridor."""
    unfit = [edge for edge in graph.edges(keys=True) if _road_class(graph.edges[edge].get("highway")) is None]
    graph.remove_edges_from(unfit)
    graph.remove_nodes_from([node for node, degree in dict(graph.degree()).items() if degree == 0])
    if graph.number_of_edges() == 0:
        raise NotFoundError("The map holds no road of the classes {classes}.", classes=", ".join(ROAD_CLASSES))
    graph = osmnx.truncate.largest_component(graph, strongly=False)
    graph = osmnx.simplify_graph(graph, edge_attrs_differ=[*_TAGS, "reversed"], remove_rings=False)
    ways, zero = _cut_at_gate(_ways(graph), gate)
    ways = [part for way in ways for part in _parts(way)]
    network: nx.Graph[str] = nx.Graph()
    for way in ways:
        known_m = network.get_edge_data(way.start, way.end, {"weight": math.inf})["weight"]
        network.add_edge(way.start, way.end, weight=min(way.line_m.length, known_m))
    distance_m = nx.single_source_dijkstra_path_length(network, zero)
    pieces = [
        _road(way, tags, backward, (distance_m[way.start] / 1000.0, distance_m[way.end] / 1000.0))
        for way in ways
        for backward, tags in enumerate(way.tags)
        if tags is not None
    ]
    roads = tuple(
        replace(piece, road_id=number, edge_id=f"osm-{number:05d}")
        for number, piece in enumerate(sorted(pieces, key=lambda p: (p.road, p.direction, p.km_from, p.edge_id)))
    )
    at_gate = next(road for road in roads if zero in {road.from_node, road.to_node})
    lon, lat = at_gate.geometry.coords[0 if at_gate.from_node == zero else -1]
    site = Site(
        site_id=gate_id,
        kind="gate",
        gate_id=gate_id,
        name={"vi": gate_name, "en": gate_name, "zh": gate_name},
        road=at_gate.road,
        km=0.0,
        lon=lon,
        lat=lat,
        attributes={"lanes": 2, "opens": "07:00", "closes": "19:00"},
        source=f"chosen at import as {gate[0]}, {gate[1]}, moved onto the road",
        provenance={"position": "derived", "lanes": "assumed", "opens": "assumed", "closes": "assumed"},
    )
    return Corridor(roads=roads, sites={gate_id: site}, attribution=ATTRIBUTION, license=LICENSE)


def _ways(graph: Any) -> list[_Way]:
    """Edges of a simplified OSMnx graph, the two directions of one stretch joined."""
    found: dict[tuple[tuple[float, ...], ...], _Way] = {}
    for start, end, tags in graph.edges(data=True):
        nodes = graph.nodes
        line = tags.get("geometry") or LineString(
            [(nodes[start]["x"], nodes[start]["y"]), (nodes[end]["x"], nodes[end]["y"])]
        )
        rounded = tuple((round(x, 7), round(y, 7)) for x, y in line.coords)
        if rounded[::-1] in found:
            other = found[rounded[::-1]]
            found[rounded[::-1]] = replace(other, tags=(other.tags[0], tags))
        else:
            found[rounded] = _Way(geometry_to_metres(LineString(rounded)), f"osm-{start}", f"osm-{end}", (tags, None))
    return list(found.values())


def _cut_at_gate(ways: list[_Way], gate: tuple[float, float]) -> tuple[list[_Way], str]:
    """The ways with a node at the point nearest to the gate, and the name of that node."""
    x_m, y_m = to_metres(*gate)
    point = Point(float(x_m), float(y_m))
    index = int(STRtree([way.line_m for way in ways]).nearest(point))
    way = ways[index]
    along_m = way.line_m.project(point)
    if along_m < 1.0:
        return ways, way.start
    if along_m > way.line_m.length - 1.0:
        return ways, way.end
    return [*ways[:index], *_cut(way, [along_m], ["gate-km-0"]), *ways[index + 1 :]], "gate-km-0"


def _parts(way: _Way) -> list[_Way]:
    """A way in equal parts of at most 2 km."""
    count = max(1, math.ceil(way.line_m.length / MAX_PIECE_M))
    at_m = [way.line_m.length * part / count for part in range(1, count)]
    names = []
    for along_m in at_m:
        at = geometry_to_degrees(way.line_m.interpolate(along_m))
        names.append(f"at-{at.x:.6f},{at.y:.6f}")
    return _cut(way, at_m, names)


def _cut(way: _Way, at_m: Sequence[float], names: Sequence[str]) -> list[_Way]:
    bounds = [(0.0, way.start), *zip(at_m, names, strict=True), (way.line_m.length, way.end)]
    parts = []
    for (low_m, start), (high_m, end) in itertools.pairwise(bounds):
        line = substring(way.line_m, low_m, high_m)
        assert isinstance(line, LineString)
        parts.append(_Way(line, start, end, way.tags))
    return parts


def _road(way: _Way, tags: Tags, backward: int, kms: tuple[float, float]) -> Road:
    """A way in one direction as a road piece; `kms` at its start and end."""
    line_m = way.line_m.reverse() if backward else way.line_m
    ends, kms = ((way.end, way.start), kms[::-1]) if backward else ((way.start, way.end), kms)
    direction: Direction = "to_border" if kms[0] >= kms[1] else "from_border"
    road_class = _road_class(tags.get("highway"))
    assert road_class is not None
    lanes, lanes_how = _lanes(tags, road_class, one_way=None in way.tags)
    speed_mps, speed_how = _free_speed(tags, road_class)
    hgv, hgv_how = _hgv(tags)
    way_ids = ", ".join(str(way_id) for way_id in _values(tags.get("osmid")))
    name, ref = _first(tags.get("name")), _first(tags.get("ref"))
    road = (ref or name or f"way {way_ids.partition(',')[0]}").partition(";")[0].strip()
    return Road(
        road_id=0,
        edge_id=f"{ends[0]}-{ends[1]}",
        name=name or ref or road,
        road=road,
        direction=direction,
        from_node=ends[0],
        to_node=ends[1],
        km_from=kms[0],
        km_to=kms[1],
        length_m=line_m.length,
        lanes=lanes,
        free_speed_mps=speed_mps,
        capacity_veh_per_h=road_class.capacity_veh_per_h_lane * lanes,
        storage_veh=max(1, math.floor(line_m.length * lanes / SPACE_PER_TRUCK_M)),
        hgv=hgv,
        source=f"OpenStreetMap way {way_ids}",
        provenance={
            "geometry": "surveyed",
            "name": "surveyed" if name else "derived" if ref else "assumed",
            "road": "surveyed" if ref else "derived" if name else "assumed",
            "direction": "derived",
            "km": "derived",
            "length_m": "derived",
            "lanes": lanes_how,
            "free_speed_mps": speed_how,
            "capacity_veh_per_h": "assumed",
            "storage_veh": "assumed",
            "hgv": hgv_how,
        },
        geometry=geometry_to_degrees(line_m),
    )


def _values(tag: object) -> list[object]:
    """A tag's values: OSMnx gives a list where the ways that it joined differ."""
    return [] if tag is None else list(tag) if isinstance(tag, list) else [tag]


def _first(tag: object) -> str:
    return str(next(iter(_values(tag)), ""))


def _road_class(highway: object) -> RoadClass | None:
    return ROAD_CLASSES.get(_first(highway).removesuffix("_link"))


def _count(tag: object) -> int | None:
    """A whole number above zero in a tag, or None: "2", "2;3" (the least counts)."""
    numbers = [int(number) for value in _values(tag) for number in re.findall(r"\d+", str(value))]
    return min((number for number in numbers if number > 0), default=None)


def _lanes(tags: Tags, road_class: RoadClass, *, one_way: bool) -> tuple[int, str]:
    """Lanes in this direction, and how they are known."""
    own = _count(tags.get("lanes:backward" if tags.get("reversed") is True else "lanes:forward"))
    if own is not None:
        return own, "surveyed"
    total = _count(tags.get("lanes"))
    if total is None:
        return road_class.lanes, "assumed"
    return (total, "surveyed") if one_way else (max(1, total // 2), "derived")


def _free_speed(tags: Tags, road_class: RoadClass) -> tuple[float, str]:
    """Free speed of trucks (m/s) from the limit for them or for all, and how it is known."""
    for tag in ("maxspeed:hgv", "maxspeed"):
        limits_kmh = [limit for value in _values(tags.get(tag)) if (limit := _kmh(str(value))) is not None]
        if limits_kmh:
            return min(*limits_kmh, TRUCK_TOP_SPEED_KMH) * MPS_PER_KMH, "derived"
    return road_class.free_speed_kmh * MPS_PER_KMH, "assumed"


def _kmh(text: str) -> float | None:
    """A speed limit in km/h: "50", "50 km/h", "30 mph"; None for "none", "VN:urban" and the like."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(km/h|kmh|kph|mph)?\s*", text)
    if match is None or float(match[1]) <= 0.0:
        return None
    return float(match[1]) * (KMH_PER_MPH if match[2] == "mph" else 1.0)


def _hgv(tags: Tags) -> tuple[str, str]:
    """Whether heavy vehicles may use it, in OSM's words, and how that is known; the strictest of several counts."""
    for tag in ("hgv", "access"):
        values = [str(value) for value in _values(tags.get(tag))]
        if values:
            return next((value for value in ("no", "private") if value in values), values[0]), "surveyed"
    return "yes", "assumed"
