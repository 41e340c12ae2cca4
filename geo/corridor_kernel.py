"""The corridor as the compiled matcher reads it: what lies near a point, and the way between two places.

`geo.lines` and `geo.geofences` make these arrays. Compiled with Numba, free of the interpreter lock.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geo.compiling import inlined

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Directions = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]


class Segments(NamedTuple):
    """The straight pieces of all lines, shape (segments,), EPSG:32648, m."""

    line: Indices
    x_m: Floats
    y_m: Floats
    dx_m: Floats
    dy_m: Floats
    length_m: Floats
    start_m: Floats
    """Offset of its first point on its line."""


class Grid(NamedTuple):
    """Square cells, and in compressed rows what lies in or near each."""

    west_m: float
    south_m: float
    cell_m: float
    columns: int
    rows: int
    first: Indices
    item: Indices


class Network(NamedTuple):
    """Lines, shape (lines,), and the distances between their ends, shape (nodes, nodes)."""

    start: Indices
    end: Indices
    length_m: Floats
    one_way: Directions
    road: Indices
    """Lines of the same named road have the same number."""
    between_m: Floats
    to_border: Indices
    from_border: Indices
    scale: Floats
    """Of directed roads: their own length by that of their line."""


class Fences(NamedTuple):
    """Geofences, the smallest first, each as the edges of its rings (degrees), in compressed rows."""

    site: Indices
    first: Indices
    edge: Floats
    """x and y of both ends, shape (edges, 4)."""
    grown_first: Indices
    grown_edge: Floats
    """As `edge`, of the geofences with the margin around."""
    of_site: Indices
    """Geofence of each site or -1."""
    off_road: Flags
    """Whether each site lies beside the road."""


class Found(NamedTuple):
    """What the kernel fills in, shape (fixes,)."""

    road_id: npt.NDArray[np.int32]
    offset_m: Floats
    direction: Directions
    distance_m: Floats
    status: Directions
    site: npt.NDArray[np.int32]


@inlined
def _cell(x_m: float, y_m: float, grid: Grid) -> int:
    """The cell of a point, or -1 outside."""
    column, row = (x_m - grid.west_m) / grid.cell_m, (y_m - grid.south_m) / grid.cell_m
    if not (0.0 <= column < grid.columns and 0.0 <= row < grid.rows):
        return -1
    return int(row) * grid.columns + int(column)


@inlined
def near_lines(
    x_m: float,
    y_m: float,
    radius_m: float,
    segments: Segments,
    grid: Grid,
    by_grid: bool,
    line: Indices,
    segment: Indices,
    distance_m: Floats,
    share: Floats,
) -> int:
    """The nearest segment of each line within `radius_m`; how many lines."""
    begin, end = 0, len(segments.line)
    if by_grid:
        cell = _cell(x_m, y_m, grid)
        if cell < 0:
            return 0
        begin, end = grid.first[cell], grid.first[cell + 1]
    found = 0
    for number in range(begin, end):
        s = grid.item[number] if by_grid else number
        from_x, from_y = x_m - segments.x_m[s], y_m - segments.y_m[s]
        dx, dy = segments.dx_m[s], segments.dy_m[s]
        part = (from_x * dx + from_y * dy) / max(dx * dx + dy * dy, 1e-12)
        part = min(max(part, 0.0), 1.0)
        away_m = math.hypot(from_x - part * dx, from_y - part * dy)
        if not away_m <= radius_m:
            continue
        own = segments.line[s]
        at = 0
        while at < found and line[at] != own:
            at += 1
        if at == found:
            found += 1
        elif distance_m[at] <= away_m:
            continue
        line[at], segment[at], distance_m[at], share[at] = own, s, away_m, part
    return found


@inlined
def travel(line_a: int, offset_a_m: float, line_b: int, offset_b_m: float, network: Network) -> float:
    """The way along the network from one place to another, m: positive if it arrives toward the border."""
    if line_a == line_b:
        return float(offset_b_m - offset_a_m)
    start_a, end_a, start_b, end_b = (
        network.start[line_a],
        network.end[line_a],
        network.start[line_b],
        network.end[line_b],
    )
    rest_a_m = network.length_m[line_a] - offset_a_m
    between_m = network.between_m
    by_start = min(offset_a_m + between_m[start_a, start_b], rest_a_m + between_m[end_a, start_b]) + offset_b_m
    by_end = min(offset_a_m + between_m[start_a, end_b], rest_a_m + between_m[end_a, end_b])
    by_end += network.length_m[line_b] - offset_b_m
    return float(by_start if by_start <= by_end else -by_end)


@inlined
def put_road(
    row: int, line: int, offset_m: float, distance_m: float, direction: int, network: Network, found: Found
) -> None:
    """A place on a line as one on a directed road.

    An unknown direction stays unknown on the piece toward the border, or becomes the only one of a one-way road.
    """
    if line < 0:
        found.road_id[row], found.offset_m[row], found.direction[row], found.distance_m[row] = -1, np.nan, 0, np.nan
        return
    to_border, from_border = network.to_border[line], network.from_border[line]
    is_outbound = (direction < 0 and from_border >= 0) or to_border < 0
    road = from_border if is_outbound else to_border
    found.road_id[row] = road
    found.offset_m[row] = (network.length_m[line] - offset_m if is_outbound else offset_m) * network.scale[road]
    if to_border < 0 or from_border < 0:
        direction = -1 if is_outbound else 1
    found.direction[row] = direction
    found.distance_m[row] = distance_m


@inlined
def fence_around(x_m: float, y_m: float, lon: float, lat: float, fences: Fences, grid: Grid) -> int:
    """The site of the smallest geofence around a fix, or -1."""
    cell = _cell(x_m, y_m, grid)
    if cell < 0:
        return -1
    for number in range(grid.first[cell], grid.first[cell + 1]):
        fence = grid.item[number]
        if _is_inside(lon, lat, fences.edge, fences.first[fence], fences.first[fence + 1]):
            return int(fences.site[fence])
    return -1


@inlined
def is_near_fence(lon: float, lat: float, site: int, fences: Fences) -> bool:
    """Whether a fix is in the geofence of a site or the margin around it."""
    fence = fences.of_site[site]
    if fence < 0:
        return False
    begin, end = fences.grown_first[fence], fences.grown_first[fence + 1]
    return _is_inside(lon, lat, fences.grown_edge, begin, end)


@inlined
def _is_inside(x: float, y: float, edge: Floats, begin: int, end: int) -> bool:
    """Whether a ray from the point crosses the rings an odd number of times."""
    inside = False
    for e in range(begin, end):
        x1, y1, x2, y2 = edge[e, 0], edge[e, 1], edge[e, 2], edge[e, 3]
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside
