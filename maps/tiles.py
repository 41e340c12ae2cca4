"""Vector tiles of the corridor, made by PostGIS: roads, sites, geofences, kilometre posts.

Tiles follow the Mapbox Vector Tile specification 2.1 in Web Mercator (EPSG:3857, XYZ addressing). The corridor
stands still while a process lives, so that tiles are kept in memory once made.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from geo.errors import NotFoundError

MEDIA_TYPE: Final = "application/vnd.mapbox-vector-tile"
MAX_ZOOM: Final = 22
BUFFER_UNITS: Final = 128
"""Of 4096: wide lines and offsets of one tile reach into the next."""


@dataclass(frozen=True)
class Tile:
    """An encoded tile (empty where nothing lies in it) and its strong entity tag."""

    data: bytes
    etag: str

    @classmethod
    def of(cls, data: bytes) -> Tile:
        """The tile of encoded `data`."""
        return cls(data, f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"')


# `box` is the tile with its buffer in the tables' frame, so that the spatial index is used.
_BOUNDS: Final = """
WITH bounds AS (
    SELECT ST_TileEnvelope(:z, :x, :y) AS env,
           ST_Transform(ST_TileEnvelope(:z, :x, :y, margin => :margin), 4326) AS box
)
"""

_ROADS: Final = """
SELECT ST_AsMVT(tile, 'roads', 4096, 'geom', 'road_id') FROM (
    SELECT road_id, edge_id, name, road, direction, km_from, km_to, lanes, free_speed_mps,
           ST_AsMVTGeom(ST_Transform(geom, 3857), env, 4096, :buffer, true) AS geom
    FROM geo.road, bounds WHERE geom && box
) AS tile WHERE geom IS NOT NULL
"""

_SITES: Final = """
SELECT ST_AsMVT(tile, 'sites', 4096, 'geom') FROM (
    SELECT site_id, kind, gate_id, name_vi, name_en, name_zh, road, km,
           (attributes ->> 'capacity_veh')::int AS capacity_veh,
           ST_AsMVTGeom(ST_Transform(geom, 3857), env, 4096, :buffer, true) AS geom
    FROM geo.site, bounds WHERE geom && box
    ORDER BY site_id
) AS tile WHERE geom IS NOT NULL
"""

_GEOFENCES: Final = """
SELECT ST_AsMVT(tile, 'geofences', 4096, 'geom') FROM (
    SELECT site_id, site.kind, site.gate_id,
           ST_AsMVTGeom(ST_Transform(fence.geom, 3857), env, 4096, :buffer, true) AS geom
    FROM geo.geofence AS fence JOIN geo.site AS site USING (site_id), bounds WHERE fence.geom && box
    ORDER BY site_id
) AS tile WHERE geom IS NOT NULL
"""

# Whole kilometres on the pieces toward the border, by linear referencing in metres (EPSG:32648); far out only each
# tenth or fifth.
_POSTS: Final = """
SELECT ST_AsMVT(tile, 'posts', 4096, 'geom') FROM (
    SELECT road, post.km AS km,
           CASE WHEN post.km % 10 = 0 THEN 10 WHEN post.km % 5 = 0 THEN 5 ELSE 1 END AS step,
           ST_AsMVTGeom(ST_Transform(ST_LineInterpolatePoint(
               ST_Transform(geom, 32648),
               LEAST(1.0, GREATEST(0.0, (piece.km_from - post.km) / NULLIF(piece.km_from - piece.km_to, 0)))
           ), 3857), env, 4096, 0, true) AS geom
    FROM bounds, geo.road AS piece,
         generate_series(ceil(LEAST(piece.km_from, piece.km_to))::int,
                         ceil(GREATEST(piece.km_from, piece.km_to))::int - 1) AS post(km)
    WHERE piece.geom && box AND piece.direction = 'to_border'
      AND (:z >= 12 OR post.km % 10 = 0 OR (:z >= 10 AND post.km % 5 = 0))
    ORDER BY road, post.km
) AS tile WHERE geom IS NOT NULL
"""

LAYERS: Final[dict[str, TextClause]] = {
    name: text(_BOUNDS + query)
    for name, query in (("roads", _ROADS), ("sites", _SITES), ("geofences", _GEOFENCES), ("posts", _POSTS))
}


def make_tile(session: Session, layer: str, z: int, x: int, y: int) -> Tile:
    """The tile of one layer from the database.

    Arguments: `layer`, one of `LAYERS`; `z`, `x`, `y`, XYZ address. Returns the tile, empty where nothing lies.

    Raises
    ------
    NotFoundError
        If there is no such layer, or no such tile at that zoom.
    """
    if layer not in LAYERS:
        raise NotFoundError(
            "There is no tile layer {layer}; use one of {layers}.", field="layer", layer=layer, layers=", ".join(LAYERS)
        )
    check_address(z, x, y)
    margin = BUFFER_UNITS / 4096
    bound = {"z": z, "x": x, "y": y, "margin": margin, "buffer": BUFFER_UNITS}
    data = session.execute(LAYERS[layer], {k: v for k, v in bound.items() if k in LAYERS[layer]._bindparams})
    return Tile.of(bytes(data.scalar_one() or b""))


def check_address(z: int, x: int, y: int) -> None:
    """Refuse what no tile can have: raises NotFoundError for an address outside the world."""
    if not 0 <= z <= MAX_ZOOM:
        raise NotFoundError("There are no tiles at zoom {z}; use 0 to {most}.", field="z", z=z, most=MAX_ZOOM)
    if not (0 <= x < 2**z and 0 <= y < 2**z):
        raise NotFoundError("There is no tile {x}/{y} at zoom {z}; use 0 to {most}.", x=x, y=y, z=z, most=2**z - 1)


class TileCache:
    """Tiles already made, the least recently asked dropped first; safe to use from many threads."""

    def __init__(self, capacity: int = 2048) -> None:
        self._capacity = capacity
        self._tiles: OrderedDict[tuple[str, int, int, int], Tile] = OrderedDict()
        self._lock = Lock()

    def get(self, session: Session, layer: str, z: int, x: int, y: int) -> Tile:
        """The tile from memory, else from the database; raises like `make_tile`."""
        key = (layer, z, x, y)
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        tile = make_tile(session, layer, z, x, y)
        with self._lock:
            self._tiles[key] = tile
            while len(self._tiles) > self._capacity:
                self._tiles.popitem(last=False)
        return tile

    def clear(self) -> None:
        """Forget everything, after the corridor has changed."""
        with self._lock:
            self._tiles.clear()

    def __len__(self) -> int:
        return len(self._tiles)
