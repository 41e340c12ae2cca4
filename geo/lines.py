"""The corridor's lines as arrays, for the compiled matcher: pieces near a point, and distances along the network.

Both directions of a carriageway are one *line* here, oriented toward the border; offsets on it grow that way.
"""

from __future__ import annotations

from typing import Final

import networkx as nx
import numpy as np
import numpy.typing as npt
import shapely

from geo.corridor import Corridor
from geo.corridor_kernel import Grid, Network, Segments
from geo.projection import geometry_to_metres

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


GRID_CELL_M: Final = 250.0


class LineIndex:
    """Lines of a corridor in EPSG:32648.

    Attributes: `road_to_border`, `road_from_border`, the directed road piece of each line or -1, shape (lines,);
    `length_m`, projected, shape (lines,); `line_of_road`, shape (roads,); `network` and `segments` for the kernel, and
    `grid`, whose cells name all segments within `reach_m` of any point in them.
    """

    def __init__(self, corridor: Corridor, *, reach_m: float) -> None:
        known: dict[bytes, int] = {}
        lines: list[shapely.LineString] = []
        roads: list[list[int]] = []
        ends: list[tuple[str, str]] = []
        self.line_of_road: Indices = np.empty(len(corridor.roads), dtype=np.int64)
        for road in corridor.roads:
            inbound = road.direction == "to_border"
            geometry = road.geometry if inbound else road.geometry.reverse()
            line = known.setdefault(geometry.wkb, len(lines))
            if line == len(lines):
                lines.append(geometry)
                roads.append([-1, -1])
                ends.append((road.from_node, road.to_node) if inbound else (road.to_node, road.from_node))
            roads[line][0 if inbound else 1] = road.road_id
            self.line_of_road[road.road_id] = line
        projected = geometry_to_metres(np.array(lines, dtype=object))
        self.length_m: Floats = shapely.length(projected)
        self.road_to_border, self.road_from_border = np.array(roads, dtype=np.int64).T
        self._scale: Floats = np.array([road.length_m for road in corridor.roads])
        self._scale /= self.length_m[self.line_of_road]
        self._outbound = np.array([road.direction == "from_border" for road in corridor.roads])

        nodes = {node: index for index, node in enumerate(dict.fromkeys(node for pair in ends for node in pair))}
        start = np.array([nodes[start] for start, _ in ends], dtype=np.int64)
        end = np.array([nodes[end] for _, end in ends], dtype=np.int64)
        self.network = Network(
            start=start,
            end=end,
            length_m=self.length_m,
            one_way=self._one_way(),
            road=self._roads(corridor),
            between_m=self._distances_between(len(nodes), start, end),
            to_border=self.road_to_border,
            from_border=self.road_from_border,
            scale=self._scale,
        )
        self.segments = _make_segments(projected)
        ends_m = np.column_stack([self.segments.x_m, self.segments.y_m])
        steps_m = np.column_stack([self.segments.dx_m, self.segments.dy_m])
        pieces = shapely.linestrings(np.stack([ends_m, ends_m + steps_m], axis=1))
        self.grid = make_grid(np.asarray(pieces, dtype=object), reach_m)

    def _distances_between(self, count: int, starts: Indices, ends: Indices) -> Floats:
        """Shortest distances between all nodes, either way along the lines, shape (nodes, nodes)."""
        graph: nx.Graph[int] = nx.Graph()
        graph.add_nodes_from(range(count))
        for start, end, length_m in zip(starts, ends, self.length_m, strict=True):
            known_m = graph.get_edge_data(start, end, {"weight": np.inf})["weight"]
            graph.add_edge(int(start), int(end), weight=min(float(length_m), known_m))
        between_m = np.full((count, count), np.inf)
        for node, reached in nx.all_pairs_dijkstra_path_length(graph):
            between_m[node, list(reached)] = list(reached.values())
        return between_m

    def line_place(self, road_id: npt.NDArray[np.int32], offset_m: Floats) -> tuple[Indices, Floats]:
        """Places on directed roads as places on lines; -1, and a road of another corridor, become -1."""
        road_id = np.where(road_id < len(self.line_of_road), road_id, -1)
        line = np.where(road_id < 0, -1, self.line_of_road[road_id])
        along = offset_m / self._scale[road_id]
        along = np.where(self._outbound[road_id], self.length_m[line] - along, along)
        return line, np.where(line < 0, 0.0, along)

    def _roads(self, corridor: Corridor) -> Indices:
        """A number of each line that lines of the same named road share, shape (lines,)."""
        piece = np.where(self.road_to_border < 0, self.road_from_border, self.road_to_border)
        names = np.array([corridor.roads[number].road for number in piece.tolist()])
        return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)

    def _one_way(self) -> npt.NDArray[np.int8]:
        """The only direction of each line: +1, -1, or 0 where both are open, shape (lines,)."""
        ways: npt.NDArray[np.int8] = np.where(self.road_from_border < 0, 1, 0).astype(np.int8)
        ways[self.road_to_border < 0] = -1
        return ways


def make_grid(shapes: npt.NDArray[np.object_], reach_m: float) -> Grid:
    """A grid whose cells name the `shapes` (EPSG:32648) within `reach_m` of any point in them, ascending."""
    if not len(shapes):
        return Grid(0.0, 0.0, GRID_CELL_M, 0, 0, np.zeros(1, np.int64), np.empty(0, np.int64))
    west_m, south_m, east_m, north_m = shapely.total_bounds(shapes)
    west_m, south_m = west_m - reach_m, south_m - reach_m
    columns = int((east_m + reach_m - west_m) // GRID_CELL_M) + 1
    rows = int((north_m + reach_m - south_m) // GRID_CELL_M) + 1
    # The corners of a cell are half its diagonal from its centre.
    within_m = reach_m + GRID_CELL_M / np.sqrt(2.0) + 0.01
    # Only cells about the box of a shape can be near it: points for all of them would take ten times as long.
    west_of, south_of, east_of, north_of = shapely.bounds(shapes).T
    first_column, last_column = (
        np.clip((x_m - west_m) // GRID_CELL_M, 0, columns - 1).astype(np.int64)
        for x_m in (west_of - within_m, east_of + within_m)
    )
    first_row, last_row = (
        np.clip((y_m - south_m) // GRID_CELL_M, 0, rows - 1).astype(np.int64)
        for y_m in (south_of - within_m, north_of + within_m)
    )
    width = last_column - first_column + 1
    count = width * (last_row - first_row + 1)
    shape = np.repeat(np.arange(len(shapes)), count)
    row, column = np.divmod(np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count), width[shape])
    row, column = row + first_row[shape], column + first_column[shape]
    centres = shapely.points(west_m + (column + 0.5) * GRID_CELL_M, south_m + (row + 0.5) * GRID_CELL_M)
    is_near = shapely.dwithin(shapes[shape], centres, within_m)
    shape, cell = shape[is_near], (row * columns + column)[is_near]
    order = np.lexsort((shape, cell))
    first = np.searchsorted(cell[order], np.arange(rows * columns + 1))
    return Grid(
        float(west_m), float(south_m), GRID_CELL_M, columns, rows, first.astype(np.int64), shape[order].astype(np.int64)
    )


def _make_segments(projected: npt.NDArray[np.object_]) -> Segments:
    xy, of = shapely.get_coordinates(projected, return_index=True)
    first = np.flatnonzero(of[1:] == of[:-1])
    step = xy[first + 1] - xy[first]
    length_m = np.hypot(step[:, 0], step[:, 1])
    line = of[first].astype(np.int64)
    along = np.concatenate([[0.0], np.cumsum(length_m)])[:-1]
    begin = np.searchsorted(line, np.arange(len(projected)))
    columns = (xy[first, 0], xy[first, 1], step[:, 0], step[:, 1], length_m, along - along[begin][line])
    return Segments(line, *(np.ascontiguousarray(column) for column in columns))
