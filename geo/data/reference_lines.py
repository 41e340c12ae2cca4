"""Lines of the reference data: read, and joined end to end into one road each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import shapely
from shapely.geometry import LineString, Point
from shapely.ops import substring

from geo.projection import geometry_to_metres, to_metres


@dataclass(frozen=True)
class Axis:
    """One road's line from the border inland, in EPSG:32648, with the origin of each stretch of it."""

    road: str
    line: LineString
    stretches: tuple[tuple[float, int, str], ...]  # (end in m, gid, recorded name)

    def km_near(self, lon: float, lat: float) -> float:
        """Kilometre of the point of the road nearest to a place."""
        x_m, y_m = to_metres(lon, lat)
        return float(self.line.project(Point(float(x_m), float(y_m)))) / 1000.0

    def cut_to(self, km: float) -> Axis:
        """The road from the border to kilometre `km`."""
        line = substring(self.line, 0.0, km * 1000.0)
        assert isinstance(line, LineString)
        return Axis(self.road, line, self.stretches)


def read_lines(path: Path) -> dict[int, tuple[LineString, str]]:
    """The lines of the reference in EPSG:32648 by gid; where a gid repeats, the longest is the road itself."""
    lines: dict[int, tuple[LineString, str]] = {}
    for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
        gid, name = int(feature["properties"]["gid"]), str(feature["properties"]["ten"])
        geometry = shapely.force_2d(shapely.from_geojson(json.dumps(feature["geometry"])))
        for part in getattr(geometry, "geoms", [geometry]):
            line = geometry_to_metres(part)
            if gid not in lines or line.length > lines[gid][0].length:
                lines[gid] = (line, name)
    return lines


def chain(road: str, lines: dict[int, tuple[LineString, str]], pieces: Sequence[tuple[int, bool]]) -> Axis:
    """Join pieces end to end; a gap up to 100 m between two of them is closed by a straight piece."""
    points: list[tuple[float, float]] = []
    stretches: list[tuple[float, int, str]] = []
    length_m = 0.0
    for gid, reverse in pieces:
        line, name = lines[gid]
        coordinates = [(x, y) for x, y, *_ in (line.coords[::-1] if reverse else line.coords)]
        if points:
            gap_m = math.dist(points[-1], coordinates[0])
            if gap_m > 100.0:
                raise SystemExit(f"Piece {gid} starts {gap_m:.0f} m from the end of the one before it.")
            if gap_m < 1.0:
                coordinates = coordinates[1:]
            else:
                length_m += gap_m
                stretches.append((length_m, -1, "gap"))
        points += coordinates
        length_m = LineString(points).length
        stretches.append((length_m, gid, name))
    return Axis(road, LineString(points), tuple(stretches))
