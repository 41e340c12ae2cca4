"""Vector tiles, made by a real PostGIS and read back by other hands."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from geo.corridor import Corridor
from geo.errors import NotFoundError
from maps.tiles import LAYERS, TileCache, make_tile
from tests.maps.mvt import read_layers


def tile_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    """XYZ address of the tile at a place (Web Mercator)."""
    n = 2**z
    x = int((lon + 180.0) / 360.0 * n)
    y = int((1.0 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2.0 * n)
    return x, y


def to_degrees(point: tuple[int, int], z: int, x: int, y: int) -> tuple[float, float]:
    """Longitude and latitude of tile coordinates."""
    n = 2**z
    px, py = x + point[0] / 4096, y + point[1] / 4096
    return px / n * 360.0 - 180.0, math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * py / n))))


def tiles_around(corridor: Corridor, z: int) -> Iterator[tuple[int, int]]:
    """Addresses of all tiles that a road touches with a vertex."""
    yield from sorted({tile_of(lon, lat, z) for road in corridor.roads for lon, lat in road.geometry.coords})


def test_roads_carry_what_the_map_needs(session: Session, corridor: Corridor) -> None:
    gate = corridor.get_site("huu-nghi")
    x, y = tile_of(gate.lon, gate.lat, 12)
    features = read_layers(make_tile(session, "roads", 12, x, y).data)["roads"]
    by_edge = {feature["properties"]["edge_id"]: feature for feature in features}
    assert {"ql1a-to-000", "ql1a-from-000"} <= set(by_edge)
    road = corridor.get_road("ql1a-to-000")
    found = by_edge["ql1a-to-000"]
    assert found["id"] == road.road_id
    assert found["properties"]["road"] == "QL1A"
    assert found["properties"]["direction"] == "to_border"
    assert found["properties"]["free_speed_mps"] == pytest.approx(road.free_speed_mps)


def test_every_road_is_in_some_tile(session: Session, corridor: Corridor) -> None:
    seen: set[str] = set()
    for x, y in tiles_around(corridor, 9):
        layers = read_layers(make_tile(session, "roads", 9, x, y).data)
        seen |= {feature["properties"]["edge_id"] for feature in layers["roads"]}
    assert seen == {road.edge_id for road in corridor.roads}


def test_sites_lie_where_they_are(session: Session, corridor: Corridor) -> None:
    for site in corridor.sites.values():
        x, y = tile_of(site.lon, site.lat, 14)
        features = read_layers(make_tile(session, "sites", 14, x, y).data)["sites"]
        (found,) = [f for f in features if f["properties"]["site_id"] == site.site_id]
        lon, lat = to_degrees(found["points"][0], 14, x, y)
        assert lon == pytest.approx(site.lon, abs=1e-5)  # a unit of a tile at zoom 14 is 0.6 m
        assert lat == pytest.approx(site.lat, abs=1e-5)
        assert found["properties"]["name_vi"] == site.name["vi"]
        assert found["properties"].get("capacity_veh") == site.capacity_veh


def test_geofences_name_their_site(session: Session, corridor: Corridor) -> None:
    yard = corridor.get_site("xuan-cuong")
    x, y = tile_of(yard.lon, yard.lat, 14)
    features = read_layers(make_tile(session, "geofences", 14, x, y).data)["geofences"]
    assert "xuan-cuong" in {feature["properties"]["site_id"] for feature in features}


@pytest.mark.parametrize(("z", "step"), [(8, 10), (10, 5), (13, 1)])
def test_kilometre_posts_stand_at_their_kilometre(session: Session, corridor: Corridor, z: int, step: int) -> None:
    expected = {(post.road, round(post.km)): post for post in corridor.kilometre_posts(step)}
    found: set[tuple[str, int]] = set()
    for x, y in tiles_around(corridor, z):
        for feature in read_layers(make_tile(session, "posts", z, x, y).data).get("posts", []):
            key = feature["properties"]["road"], feature["properties"]["km"]
            post = expected[key]
            lon, lat = to_degrees(feature["points"][0], z, x, y)
            tolerance = 360.0 / 2**z / 4096 + 1e-6  # one unit of the tile
            assert lon == pytest.approx(post.lon, abs=tolerance)
            assert lat == pytest.approx(post.lat, abs=tolerance)
            found.add(key)
    missing = set(expected) - found
    assert all(km == round(corridor.km_span(road)[1]) for road, km in missing), missing


def test_nothing_lies_in_the_ocean(session: Session) -> None:
    for layer in LAYERS:
        tile = make_tile(session, layer, 10, 0, 512)
        assert tile.data == b""


@pytest.mark.parametrize(
    ("layer", "z", "x", "y"),
    [("trucks", 5, 1, 1), ("roads", -1, 0, 0), ("roads", 23, 0, 0), ("roads", 3, 8, 0), ("roads", 3, 0, -1)],
)
def test_what_no_tile_can_have_is_not_found(session: Session, layer: str, z: int, x: int, y: int) -> None:
    with pytest.raises(NotFoundError):
        make_tile(session, layer, z, x, y)


def test_the_cache_keeps_what_was_asked_last(session: Session) -> None:
    cache = TileCache(capacity=2)
    first = cache.get(session, "roads", 8, 203, 112)
    cache.get(session, "roads", 8, 0, 0)
    assert cache.get(session, "roads", 8, 203, 112) is first
    cache.get(session, "roads", 8, 1, 0)  # drops 0/0, asked least recently
    assert cache.get(session, "roads", 8, 203, 112) is first
    assert len(cache) == 2
    cache.clear()
    assert len(cache) == 0


def test_equal_tiles_have_equal_tags(session: Session) -> None:
    x, y = tile_of(106.7, 21.9, 9)
    one, two = make_tile(session, "roads", 9, x, y), make_tile(session, "roads", 9, x, y)
    assert one == two
    assert one.etag != make_tile(session, "roads", 9, x + 1, y + 30).etag
