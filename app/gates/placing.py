"""Sites put on the map by hand: a yard, a staging area or a gate, and any of them moved.

As of a corridor's file, a site belongs where it is nearest to a road. What was placed counts everywhere within seconds:
each process takes the corridor up by itself (`app.platform.runtime`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from shapely.affinity import translate
from shapely.geometry import Point, Polygon

from app.gates import store
from app.gates.adding import replace_corridor
from app.platform.actions import ActionContext
from geo.corridor import Corridor
from geo.elements import Site, SiteAttributes
from geo.errors import InvalidInputError
from geo.projection import geometry_to_degrees, geometry_to_metres, to_metres
from geo.store import load_corridor
from geo.text import fold

PlacedKind = Literal["yard", "temporary_yard", "staging", "gate"]
PLACED_KINDS: Final[tuple[str, ...]] = get_args(PlacedKind)
MAX_OFF_ROAD_M: Final = 2000.0
"""Farther from every road nobody can say at which kilometre a site lies."""
PLACE_M2: Final = 120.0
"""What a truck takes of a yard, with its part of the lanes: an assumption, for the first outline alone."""
LEAST_RADIUS_M: Final = 50.0
GATE_LANES: Final = 2
BARRIERS_KM: Final = {1: 0.5, 2: -0.3}
"""Where a new gate's barriers are assumed: kilometres inland of it."""
SOURCE: Final = "placed on the map"


@dataclass(frozen=True)
class Placing:
    """What is to be placed; `gate_id` of a yard alone, `capacity_veh` of all but a gate. Degrees, EPSG:4326."""

    kind: PlacedKind
    name: dict[str, str]
    lon: float
    lat: float
    gate_id: str = ""
    capacity_veh: int = 0


def place_site(action: ActionContext, placing: Placing) -> Site:
    """Add a site to the corridor, of a gate its two barriers too; the site.

    Raises
    ------
    InvalidInputError
        If it is far from every road, a name, its gate or its places are missing, or it is there already.
    """
    store.lock_corridor(action.session)
    present = load_corridor(action.session)
    site = _site(present, placing)
    added = [site, *(_barrier(present, site, number) for number in BARRIERS_KM if site.kind == "gate")]
    sites = present.sites | {each.site_id: each for each in added}
    replace_corridor(action.session, replace(present, sites=sites), now=action.now)
    action.record("gate.place", "site", site.site_id, None, tell_site(site))
    return site


def move_site(action: ActionContext, site_id: str, lon: float, lat: float) -> Site:
    """Put a site elsewhere, its outline with it, and of a gate the barriers whose places are assumed; the site.

    Raises
    ------
    NotFoundError
        If there is no such site.
    InvalidInputError
        If that place is far from every road, or the site is none that is placed by hand.
    """
    store.lock_corridor(action.session)
    present = load_corridor(action.session)
    before = present.get_site(site_id)
    if before.kind not in PLACED_KINDS:
        raise InvalidInputError("{site} cannot be moved on the map.", field="site_id", site=site_id)
    road, km = snap(present, lon, lat)
    moved = replace(
        before,
        road=road,
        km=km,
        lon=lon,
        lat=lat,
        source=SOURCE,
        provenance=before.provenance
        | {"position": "derived", "road": "derived", "km": "derived", "geofence": "assumed"},
        geofence=_carried(before, lon, lat),
    )
    barriers = present.barriers(site_id) if moved.kind == "gate" else ()
    taken_along = [_taken_along(present, each, before, moved) for each in barriers if _is_assumed(each)]
    sites = present.sites | {each.site_id: each for each in (moved, *taken_along)}
    replace_corridor(action.session, replace(present, sites=sites), now=action.now)
    action.record("gate.move_site", "site", site_id, tell_site(before), tell_site(moved))
    return moved


def snap(corridor: Corridor, lon: float, lat: float) -> tuple[str, float]:
    """The road and the kilometre where a place belongs; raises InvalidInputError if no road is near."""
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):
        raise InvalidInputError("{lon}, {lat} is no place; press the map.", field="place", lon=lon, lat=lat)
    road_id, offset_m, distance_m = corridor.locate(lon, lat)
    if distance_m[0] > MAX_OFF_ROAD_M:
        raise InvalidInputError(
            "The place is {away} m from the nearest road; choose one within {most} m.",
            field="place",
            away=round(float(distance_m[0])),
            most=round(MAX_OFF_ROAD_M),
        )
    return corridor.roads[road_id[0]].road, float(corridor.km_of(road_id, offset_m)[0])


def _site(present: Corridor, placing: Placing) -> Site:
    names = {language: " ".join(text.split()) for language, text in placing.name.items()}
    site_id = "-".join(re.findall(r"[a-z0-9]+", fold(names["en"])))[:60]
    if not site_id or not all(names.values()):
        raise InvalidInputError("Give the name in all three languages.", field="name")
    if site_id in present.sites:
        raise InvalidInputError("There is a site {name} already.", field="name", name=names["en"])
    road, km = snap(present, placing.lon, placing.lat)
    is_gate, belongs = placing.kind == "gate", placing.kind in ("yard", "temporary_yard")
    if belongs and placing.gate_id not in {gate.site_id for gate in present.gates()}:
        raise InvalidInputError("Choose the gate that the yard belongs to.", field="gate_id")
    if not is_gate and placing.capacity_veh < 1:
        raise InvalidInputError("Say how many trucks have a place there.", field="capacity_veh")
    attributes: SiteAttributes = {"lanes": GATE_LANES} if is_gate else {"capacity_veh": placing.capacity_veh}
    radius_m = max(LEAST_RADIUS_M, math.sqrt(placing.capacity_veh * PLACE_M2 / math.pi))
    return Site(
        site_id=site_id,
        kind=placing.kind,
        gate_id=site_id if is_gate else placing.gate_id if belongs else None,
        name=names,
        road=road,
        km=km,
        lon=placing.lon,
        lat=placing.lat,
        attributes=attributes,
        source=SOURCE,
        provenance={"position": "derived", "road": "derived", "km": "derived"}
        | {"lanes" if is_gate else "geofence": "assumed"},
        geofence=None if is_gate else _circle(placing.lon, placing.lat, radius_m),
    )


def _barrier(present: Corridor, gate: Site, number: int) -> Site:
    km, lon, lat = _on_road(present, gate.road, gate.km + BARRIERS_KM[number])
    return Site(
        site_id=f"{gate.site_id}-barrier-{number}",
        kind="barrier",
        gate_id=gate.site_id,
        name={language: f"{text} {number}" for language, text in gate.name.items()},
        road=gate.road,
        km=km,
        lon=lon,
        lat=lat,
        attributes={"number": number},
        source="assumed",
        provenance={"position": "assumed"},
    )


def _is_assumed(barrier: Site) -> bool:
    """Whether nobody has said where a barrier is but by where its gate is."""
    return barrier.provenance.get("position") == "assumed"


def _taken_along(present: Corridor, barrier: Site, gate: Site, moved: Site) -> Site:
    """A barrier as far from its moved gate as it was before."""
    km, lon, lat = _on_road(present, moved.road, moved.km + barrier.km - gate.km)
    return replace(barrier, road=moved.road, km=km, lon=lon, lat=lat)


def _on_road(present: Corridor, road: str, km: float) -> tuple[float, float, float]:
    """A kilometre of a road, the nearest that there is, with its place in degrees."""
    least, most = present.km_span(road)
    nearest = min(max(km, least), most)
    lon, lat = present.position(road, nearest)
    return nearest, float(lon[0]), float(lat[0])


def _circle(lon: float, lat: float, radius_m: float) -> Polygon:
    x_m, y_m = to_metres(lon, lat)
    circle = geometry_to_degrees(Point(float(x_m), float(y_m)).buffer(radius_m, quad_segs=4))
    assert isinstance(circle, Polygon)
    return circle


def _carried(site: Site, lon: float, lat: float) -> Polygon | None:
    """The outline of a site that goes with it."""
    if site.geofence is None:
        return None
    (x_from, y_from), (x_to, y_to) = to_metres(site.lon, site.lat), to_metres(lon, lat)
    outline_m = translate(geometry_to_metres(site.geofence), float(x_to - x_from), float(y_to - y_from))
    outline = geometry_to_degrees(outline_m)
    assert isinstance(outline, Polygon)
    return outline


def tell_site(site: Site) -> dict[str, object]:
    """What the audit log keeps of a site."""
    return {
        "kind": site.kind,
        "name": dict(site.name),
        "road": site.road,
        "km": round(site.km, 3),
        "lon": site.lon,
        "lat": site.lat,
    }
