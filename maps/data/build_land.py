"""Build `land.pmtiles`, the land around the corridor as vector tiles in the schema of Protomaps' base map.

Run as ``python -m maps.data.build_land BASEMAP.geojson [-o land.pmtiles] [--relief HILLSHADE.png]``. BASEMAP is a
collection of roads, railways, rivers, coast, border, towns and points, whose features name their source and licence
(`LICENSE.md` beside this file).
GDAL cuts, clips and simplifies each layer; since a tile is a list of layers (Mapbox Vector Tile 2.1, 4), the tiles
of the layers are put one behind the other.

Because the schema is that of Protomaps' archives (https://docs.protomaps.com/basemaps/layers), the style of the map is
the same for this land and for an archive of the whole country.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import sqlite3
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import geopandas
import numpy as np
import pandas
from PIL import Image
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

MAX_ZOOM: Final = 11
"""One unit of a tile is 5 m there; the lines have a vertex every 0.5 km at best."""

RELIEF: Final = Path(__file__).parents[2] / "app/web/static/map/hillshade.png"
FADE_PX: Final = 28

RIVER_MAX_ZOOM: Final = 10
"""Rivers are of 1:1 to 3 million, 1 to 2 km off their towns: closer they would mislead."""

ATTRIBUTION: Final = (
    "© OpenStreetMap contributors (ODbL) · CTU-SematX LegoCity (CC BY-SA 4.0, changed) · GeoNames (CC BY 4.0) · "
    "GSHHG (LGPL) · Natural Earth · NASA SRTM"
)

KINDS: Final[dict[tuple[str, str], tuple[str, str, str | None]]] = {
    ("lake", "sea"): ("water", "ocean", None),
    ("lake", "riverbank"): ("water", "river", None),
    ("river", "major"): ("water", "river", None),
    ("river", "river"): ("water", "river", None),
    ("river", "canal"): ("water", "canal", None),
    ("border", "national"): ("boundaries", "country", "2"),
    ("rail", "main"): ("roads", "rail", "rail"),
    ("rail", "branch"): ("roads", "rail", "rail"),
    ("road", "national"): ("roads", "major_road", "trunk"),
    ("road", "branch"): ("roads", "major_road", "primary"),
    ("road", "provincial"): ("roads", "major_road", "secondary"),
    ("place", "city"): ("places", "locality", "city"),
    ("place", "town"): ("places", "locality", "town"),
    ("place", "village"): ("places", "locality", "village"),
    ("place", "suburb"): ("places", "neighbourhood", "suburb"),
    ("poi", "airport"): ("pois", "aerodrome", None),
    ("poi", "hydropower"): ("pois", "power_station", None),
}
"""(layer, class) of the source → layer, `kind`, `kind_detail` of the tiles. The old gate tower at the pass is left out:
the corridor has the gate itself."""

DRAWN_AS: Final = {"北𣴓": "北件"}
"""Names with a character that the typeface of the map does not have (`tests/maps/test_names.py`), and the other name
that Chinese maps have for the place: Bắc Kạn."""

MIN_ZOOM: Final = {"city": 6, "town": 8, "village": 10, "suburb": 10}
"""From which zoom a place is in the tiles."""


def read_land(path: Path) -> geopandas.GeoDataFrame:
    """The features that the map shows, in EPSG:4326, with the columns of the tiles.

    Returns a frame with `layer`, `kind`, `kind_detail`, `name`, `name:en`, `name:zh-Hans`, `ref`, `population_rank`
    (bigger is larger), `from_zoom`, `to_zoom` and `geometry`.

    Raises
    ------
    ValueError
        If a feature has a layer and class that this script does not know.
    """
    source = geopandas.read_file(path)
    source = source[source["class"] != "border_gate"].reset_index(drop=True)
    pairs = list(zip(source["layer"], source["class"], strict=True))
    unknown = set(pairs) - set(KINDS)
    if unknown:
        raise ValueError(f"{path}: no rule for {sorted(unknown)}")
    found = geopandas.GeoDataFrame(
        [KINDS[pair] for pair in pairs],
        columns=["layer", "kind", "kind_detail"],
        geometry=source.geometry,
        crs=source.crs,
    )
    found["name"] = source["name_vi"]
    found["name:en"] = source["name_en"]
    found["name:zh-Hans"] = source["name_zh"].replace(DRAWN_AS)
    found["ref"] = source["ref"]
    found["population_rank"] = 6 - pandas.to_numeric(source["rank"]).fillna(5)
    found["from_zoom"] = [MIN_ZOOM.get(detail, 6) for detail in found["kind_detail"]]
    is_line = (source["layer"] == "river").to_numpy()
    found["to_zoom"] = [RIVER_MAX_ZOOM if river else MAX_ZOOM for river in is_line]
    return found


def cut_tiles(land: geopandas.GeoDataFrame) -> dict[tuple[int, int, int], bytes]:
    """(z, x, y) → the uncompressed vector tile, in which each layer is once."""
    tiles: defaultdict[tuple[int, int, int], bytes] = defaultdict(bytes)
    for zoom in range(int(land["from_zoom"].min()), MAX_ZOOM + 1):
        shown = land[(land["from_zoom"] <= zoom) & (land["to_zoom"] >= zoom)].drop(columns=["from_zoom", "to_zoom"])
        for layer, features in shown.groupby("layer", sort=True):
            plain = features.drop(columns="layer").dropna(axis="columns", how="all")
            for address, data in _cut(plain, str(layer), zoom).items():
                tiles[address] += data
    return dict(tiles)


def _cut(features: geopandas.GeoDataFrame, layer: str, zoom: int) -> dict[tuple[int, int, int], bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.mbtiles"
        features.to_file(
            path, driver="MVT", layer=layer, FORMAT="MBTILES", MINZOOM=zoom, MAXZOOM=zoom, COMPRESS="YES", BUFFER=128
        )
        with contextlib.closing(sqlite3.connect(path)) as database:
            rows: list[tuple[int, int, bytes]] = database.execute(
                "SELECT tile_column, tile_row, tile_data FROM tiles"
            ).fetchall()
    return {(zoom, x, 2**zoom - 1 - row): gzip.decompress(data) for x, row, data in rows}


def write_archive(tiles: dict[tuple[int, int, int], bytes], bounds: tuple[float, ...], path: Path) -> None:
    """Write a PMTiles v3 archive, the same to the byte for the same tiles."""
    west, south, east, north = (round(degrees * 10_000_000) for degrees in bounds)
    header: dict[str, Any] = {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        "min_lon_e7": west,
        "min_lat_e7": south,
        "max_lon_e7": east,
        "max_lat_e7": north,
        "center_zoom": 8,
        "center_lon_e7": (west + east) // 2,
        "center_lat_e7": (south + north) // 2,
    }
    layers = [{"id": name, "fields": {}} for name in sorted({layer for layer, _, _ in KINDS.values()})]
    with path.open("wb") as file:
        writer = Writer(file)
        for address in sorted(tiles, key=lambda address: zxy_to_tileid(*address)):
            writer.write_tile(zxy_to_tileid(*address), gzip.compress(tiles[address], mtime=0))
        writer.finalize(header, {"name": "Land", "attribution": ATTRIBUTION, "vector_layers": layers})


def fade_edges(picture: Image.Image) -> Image.Image:
    """The shaded relief, its edges fading out: where it ends is no edge of the land."""
    pixels = np.asarray(picture.convert("RGBA")).astype(float)
    ramps = [np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / FADE_PX, 0, 1) for n in pixels.shape[:2]]
    pixels[..., 3] *= np.outer(*ramps)
    return Image.fromarray(pixels.round().astype(np.uint8), "RGBA")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("basemap", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("land.pmtiles"))
    parser.add_argument("--relief", type=Path, help="Shaded relief, to be put among the static files of the map.")
    arguments = parser.parse_args()
    if arguments.relief:
        fade_edges(Image.open(arguments.relief)).save(RELIEF, optimize=True)
    land = read_land(arguments.basemap)
    tiles = cut_tiles(land)
    write_archive(tiles, tuple(land.total_bounds), arguments.output)
    print(json.dumps({"tiles": len(tiles), "bytes": arguments.output.stat().st_size}))


if __name__ == "__main__":
    main()
