"""The base map: the land that comes with the program, archives, services, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from geo.errors import InvalidInputError
from maps import land
from maps.base_map import PACKAGED_LAND, BaseMap, origin_of
from tests.conftest import SignIn
from tests.maps.mvt import read_layers

LANG_SON = (9, 407, 224)
SOURCES = ("© OpenStreetMap", "CC BY-SA 4.0", "GeoNames", "GSHHG", "Natural Earth", "NASA")
LAYERS = {"water", "roads", "places", "boundaries"}


def write_archive(path: Path, kind: TileType, tiles: dict[tuple[int, int, int], bytes]) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        for address, data in tiles.items():
            writer.write_tile(zxy_to_tileid(*address), data)
        box = {"min_lon_e7": 1050000000, "min_lat_e7": 200000000, "max_lon_e7": 1080000000, "max_lat_e7": 230000000}
        middle = {"center_zoom": 5, "center_lon_e7": 1060000000, "center_lat_e7": 210000000}
        header = {"tile_type": kind, "tile_compression": Compression.NONE} | box | middle
        writer.finalize(header, {"attribution": "© somebody"})
    return path


def test_the_packaged_land_names_its_sources_and_has_towns_border_roads_and_water() -> None:
    base_map = BaseMap.of()
    assert base_map.archive is not None
    assert all(source in base_map.archive.attribution for source in SOURCES)
    assert base_map.source["attribution"] == base_map.archive.attribution
    found = read_layers(base_map.archive.tile(*LANG_SON))
    assert set(found) >= LAYERS
    names = {town["properties"]["name"]: town["properties"] for town in found["places"]}
    assert names["Lạng Sơn"]["name:zh-Hans"] == "谅山"
    assert names["Đồng Đăng"]["kind_detail"] == "town"
    refs = {road["properties"].get("ref") for road in found["roads"]}
    assert {"QL1A", "QL1B", "QL4B"} <= refs
    assert any(road["properties"]["kind"] == "rail" for road in found["roads"])


def test_rivers_end_where_they_would_mislead() -> None:
    archive = BaseMap.of().archive
    assert archive is not None
    assert any(river["properties"]["kind"] == "river" for river in read_layers(archive.tile(10, 815, 448))["water"])
    assert "water" not in read_layers(archive.tile(11, 1631, 897))


def test_each_layer_of_the_style_is_in_the_schema() -> None:
    wanted = {layer["source-layer"] for layer in [*land.surfaces("light"), *land.labels("light", "vi", ["a font"])]}
    assert wanted == LAYERS | {"pois"}


def test_an_archive_of_others_is_served(tmp_path: Path) -> None:
    tile = BaseMap.of().archive.tile(*LANG_SON)  # type: ignore[union-attr]
    path = write_archive(tmp_path / "country.pmtiles", TileType.MVT, {LANG_SON: tile})
    base_map = BaseMap.of(str(path))
    assert base_map.archive is not None
    assert base_map.archive.tile(*LANG_SON) == tile
    assert base_map.archive.tile(9, 0, 0) == b""
    assert base_map.source["attribution"] == "© somebody"
    assert base_map.source["bounds"] == [105.0, 20.0, 108.0, 23.0]
    assert not base_map.hosts


@pytest.mark.parametrize("content", [b"", b"PMTiles", gzip.compress(b"{}", mtime=0), b"\0" * 200])
def test_what_is_no_archive_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pmtiles"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match="base map") as refusal:
        BaseMap.of(str(path))
    assert str(path) in str(refusal.value)


def test_pictures_are_no_base_map_in_an_archive(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "pictures.pmtiles", TileType.PNG, {(0, 0, 0): b"a picture"})
    with pytest.raises(InvalidInputError, match="PNG"):
        BaseMap.of(str(path))


@pytest.mark.parametrize("setting", ["https://tile.example/{z}/{x}.png", "https://tile.example/", "/no/such/file"])
def test_what_is_no_base_map_is_refused(setting: str) -> None:
    with pytest.raises(InvalidInputError, match="base map"):
        BaseMap.of(setting)


def test_services_are_asked_by_the_browser() -> None:
    tile_json = BaseMap.of("https://tile.example:8443/vietnam.json?key=1")
    assert (tile_json.kind, tile_json.hosts) == ("vector", ("https://tile.example:8443",))
    raster = BaseMap.of("https://{s}.tile.example/{z}/{x}/{y}.png")
    assert (raster.kind, raster.hosts) == ("raster", ("https://a.tile.example",))
    assert origin_of(str(PACKAGED_LAND)) == ""


def test_tiles_of_the_land_over_http(sign_in: SignIn) -> None:
    z, x, y = LANG_SON
    driver = sign_in("driver")
    answer = driver.get(f"/tiles/base/{z}/{x}/{y}")
    assert answer.status_code == 200
    assert "Lạng Sơn" in {place["properties"]["name"] for place in read_layers(answer.content)["places"]}
    again = driver.get(f"/tiles/base/{z}/{x}/{y}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert driver.get("/tiles/base/9/0/0").status_code == 204
    assert driver.get("/tiles/base/9/512/0").status_code == 404
