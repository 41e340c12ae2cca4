"""What lies under the corridor on the map: a vector archive, a TileJSON service or a raster service.

Vector tiles are taken to be in the schema of Protomaps' base map (https://docs.protomaps.com/basemaps/layers), as the
packaged land is (`maps.data.build_land`), so that one style (`maps.land`) fits all of them. An archive is a PMTiles
file (version 3, https://github.com/protomaps/PMTiles); its tiles are served by ourselves, nothing is asked of others.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pmtiles.reader import MmapSource, Reader
from pmtiles.tile import Compression, TileType

from geo.errors import InvalidInputError

PACKAGED_LAND: Final = Path(__file__).with_name("data") / "land.pmtiles"
TILES_PATH: Final = "/tiles/base/{z}/{x}/{y}"
_SIDES: Final = ("min_lon", "min_lat", "max_lon", "max_lat")


@dataclass(frozen=True)
class Archive:
    """A PMTiles archive of vector tiles on this machine."""

    reader: Reader
    min_zoom: int
    max_zoom: int
    bounds: tuple[float, float, float, float]
    """West, south, east, north, in degrees."""
    attribution: str
    is_compressed: bool

    @classmethod
    def open(cls, path: Path) -> Archive:
        """Map the archive into memory.

        Raises
        ------
        InvalidInputError
            If there is no such file, it is no PMTiles archive, or its tiles are no vector tiles.
        """
        try:
            with path.open("rb") as file:
                reader = Reader(MmapSource(file))  # the mapping outlives the file
            header, metadata = reader.header(), reader.metadata()
        except Exception as problem:  # the library raises bare exceptions
            raise InvalidInputError(
                "The base map {path} cannot be read as a PMTiles archive: {problem}",
                field="base_map_url",
                path=str(path),
                problem=str(problem),
            ) from problem
        compression = header["tile_compression"]
        if header["tile_type"] != TileType.MVT or compression not in {Compression.GZIP, Compression.NONE}:
            raise InvalidInputError(
                "The base map {path} holds {kind} tiles; vector tiles are needed.",
                field="base_map_url",
                path=str(path),
                kind=header["tile_type"].name,
            )
        west, south, east, north = (header[f"{side}_e7"] / 1e7 for side in _SIDES)
        return cls(
            reader,
            header["min_zoom"],
            header["max_zoom"],
            (west, south, east, north),
            str(metadata.get("attribution", "")),
            compression == Compression.GZIP,
        )

    def tile(self, z: int, x: int, y: int) -> bytes:
        """The uncompressed vector tile; empty where the archive has none."""
        found: bytes | None = self.reader.get(z, x, y)
        if not found:
            return b""
        return gzip.decompress(found) if self.is_compressed else found


@dataclass(frozen=True)
class BaseMap:
    """What the map draws first. `kind` is what the style needs to know of `source`, a MapLibre source."""

    kind: Literal["vector", "raster"]
    source: dict[str, object]
    archive: Archive | None = None
    hosts: tuple[str, ...] = field(default=())
    """Origins that browsers ask for it, for the content security policy."""
    is_packaged: bool = False
    """Whether it is the land that comes with the program, for which there is a relief."""

    @classmethod
    def of(cls, setting: str = "") -> BaseMap:
        """The base map of a setting.

        Arguments: `setting`, empty (the packaged land), the path of a PMTiles archive, the address of a TileJSON
        document (vector tiles), or a template of raster tiles with {z}, {x}, {y}.

        Raises
        ------
        InvalidInputError
            If it is not one of these, or the archive cannot be read.
        """
        origin = origin_of(setting)
        if origin:
            return cls._remote(setting, origin)
        archive = Archive.open(Path(setting) if setting else PACKAGED_LAND)
        source: dict[str, object] = {
            "type": "vector",
            "tiles": [TILES_PATH],
            "minzoom": archive.min_zoom,
            "maxzoom": archive.max_zoom,
            "bounds": list(archive.bounds),
            "attribution": archive.attribution,
        }
        return cls("vector", source, archive, is_packaged=not setting)

    @classmethod
    def _remote(cls, address: str, origin: str) -> BaseMap:
        if all(part in address for part in ("{z}", "{x}", "{y}")):
            return cls("raster", {"type": "raster", "tiles": [address], "tileSize": 256}, hosts=(origin,))
        if urlsplit(address).path.endswith(".json"):
            return cls("vector", {"type": "vector", "url": address}, hosts=(origin,))
        raise InvalidInputError(
            "The base map {value} is neither a PMTiles file on this machine, a TileJSON address (.json) nor a template "
            "with {{z}}, {{x}} and {{y}}.",
            field="base_map_url",
            value=address,
        )


def origin_of(address: str) -> str:
    """Scheme, host and port of a web address or tile template (`{s}` is read as `a`); empty for anything else."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.netloc.replace('{s}', 'a')}"
