"""The corridor's lines as arrays: candidates near a point, and distances along the network.

Both directions of a carriageway are one *line* here, oriented toward the border; offsets on it grow that way.
"""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
import numpy.typing as npt
import shapely

from geo.corridor import Corridor
from geo.projection import geometry_to_metres

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Candidates:
    """The nearest lines to each of n points, best first, shape (n, k); `line` is -1 where there are fewer."""

    line: Indices
    offset_m: Floats
    distance_m: Floats
    tangent: Floats
    """Unit vector toward the border where the point meets the line, shape (n, k, 2)."""


class LineIndex:
    """Lines of a corridor in EPSG:32648 with a spatial index over their segments.

    Attributes: `road_to_border`, `road_from_border`, the directed road piece of each line or -1, shape (lines,);
    `length_m`, projected, shape (lines,); `line_of_road`, shape (roads,).
    """

    def __init__(self, corridor: Corridor) -> None:
        known: dict[bytes, int] = {}
        lines: list[shapely.LineString] = []
        roads: list[list[int]] = []
        ends: list[tuple[str, str]] = []
        self.line_of_road: Indices = np.empty(len(corridor.roads), dtype=np.intp)
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
        self.road_to_border, self.road_from_border = np.array(roads, dtype=np.intp).T
        self._scale: Floats = np.array([road.length_m for road in corridor.roads])
        self._scale /= self.length_m[self.line_of_road]
        self._outbound = np.array([road.direction == "from_border" for road in corridor.roads])

        nodes = {node: index for index, node in enumerate(dict.fromkeys(node for pair in ends for node in pair))}
        self._start = np.array([nodes[start] for start, _ in ends], dtype=np.intp)
        self._end = np.array([nodes[end] for _, end in ends], dtype=np.intp)
        self._between_m = self._distances_between(len(nodes))

        xy, of = shapely.get_coordinates(projected, return_index=True)
        first = np.flatnonzero(of[1:] == of[:-1])
        self._a = xy[first]
        self._step = xy[first + 1] - self._a
        self._segment_m = np.hypot(self._step[:, 0], self._step[:, 1])
        self._step_squared = np.maximum(self._segment_m**2, 1e-12)
        self._segment_line: Indices = of[first].astype(np.intp)
        along = np.concatenate([[0.0], np.cumsum(self._segment_m)])[:-1]
        line_begin = np.searchsorted(self._segment_line, np.arange(len(lines)))
        self._segment_start_m = along - along[line_begin][self._segment_line]
        segments = np.asarray(shapely.linestrings(np.stack([self._a, xy[first + 1]], axis=1)), dtype=object)
        self._tree = shapely.STRtree(segments)

    def _distances_between(self, count: int) -> Floats:
        """Shortest distances between all nodes, either way along the lines, shape (nodes, nodes)."""
        graph: nx.Graph[int] = nx.Graph()
        graph.add_nodes_from(range(count))
        for start, end, length_m in zip(self._start, self._end, self.length_m, strict=True):
            known_m = graph.get_edge_data(start, end, {"weight": np.inf})["weight"]
            graph.add_edge(int(start), int(end), weight=min(float(length_m), known_m))
        between_m = np.full((count, count), np.inf)
        for node, reached in nx.all_pairs_dijkstra_path_length(graph):
            between_m[node, list(reached)] = list(reached.values())
        return between_m

    def candidates(self, x_m: Floats, y_m: Floats, radius_m: Floats, *, most: int = 4) -> Candidates:
        """The nearest point of each line within `radius_m` of each point (EPSG:32648, shape (n,))."""
        finite = np.flatnonzero(np.isfinite(x_m) & np.isfinite(y_m))
        x, y, r = x_m[finite], y_m[finite], radius_m[finite]
        point, segment = self._tree.query(shapely.box(x - r, y - r, x + r, y + r))
        from_a = np.column_stack([x[point], y[point]]) - self._a[segment]
        step = self._step[segment]
        share = np.clip((from_a * step).sum(axis=1) / self._step_squared[segment], 0.0, 1.0)
        rest = from_a - share[:, None] * step
        distance = np.hypot(rest[:, 0], rest[:, 1])

        near = np.flatnonzero(distance <= r[point])
        line = self._segment_line[segment[near]]
        near = near[np.lexsort((distance[near], line, point[near]))]
        line = self._segment_line[segment[near]]
        own = np.ones(len(near), dtype=bool)  # the nearest segment of its line
        own[1:] = (line[1:] != line[:-1]) | (point[near][1:] != point[near][:-1])
        near = near[own]
        near = near[np.lexsort((distance[near], point[near]))]
        slot = np.arange(len(near)) - np.searchsorted(point[near], point[near])
        near, slot = near[slot < most], slot[slot < most]

        shape = (len(x_m), int(slot.max(initial=0)) + 1)
        found = Candidates(
            line=np.full(shape, -1, dtype=np.intp),
            offset_m=np.zeros(shape),
            distance_m=np.full(shape, np.inf),
            tangent=np.zeros((*shape, 2)),
        )
        at, chosen = (finite[point[near]], slot), segment[near]
        found.line[at] = self._segment_line[chosen]
        found.offset_m[at] = self._segment_start_m[chosen] + share[near] * self._segment_m[chosen]
        found.distance_m[at] = distance[near]
        found.tangent[at] = self._step[chosen] / np.maximum(self._segment_m[chosen], 1e-6)[:, None]
        return found

    def travel(
        self, line_a: Indices, offset_a: Floats, line_b: Indices, offset_b: Floats
    ) -> tuple[Floats, npt.NDArray[np.int8]]:
        """The way along the network from places a to places b, arrays that broadcast together.

        Returns its length (m; 0 where a line is -1) and how it arrives: +1 toward the border, -1 from it, 0 where
        nothing was travelled.
        """
        known = (line_a >= 0) & (line_b >= 0)
        same = line_a == line_b
        if bool((same | ~known).all()):
            forward = offset_b - offset_a
            return (
                np.where(known, np.abs(forward), 0.0),
                np.where(known, np.sign(forward), 0.0).astype(np.int8),
            )
        via_start = np.minimum(
            offset_a + self._between_m[self._start[line_a], self._start[line_b]],
            self.length_m[line_a] - offset_a + self._between_m[self._end[line_a], self._start[line_b]],
        )
        via_end = np.minimum(
            offset_a + self._between_m[self._start[line_a], self._end[line_b]],
            self.length_m[line_a] - offset_a + self._between_m[self._end[line_a], self._end[line_b]],
        )
        by_start, by_end = via_start + offset_b, via_end + self.length_m[line_b] - offset_b
        forward = np.where(same, offset_b - offset_a, np.where(by_start <= by_end, by_start, -by_end))
        return np.where(known, np.abs(forward), 0.0), np.where(known, np.sign(forward), 0.0).astype(np.int8)

    def road_place(
        self, line: Indices, offset_m: Floats, direction: npt.NDArray[np.int8]
    ) -> tuple[npt.NDArray[np.int32], Floats, npt.NDArray[np.int8]]:
        """Places on lines as places on directed roads: `road_id` (n,), `offset_m` (n,), `direction` (n,).

        An unknown direction stays unknown on the piece toward the border, or becomes the only one of a one-way road.
        """
        to_border, from_border = self.road_to_border[line], self.road_from_border[line]
        outbound = ((direction < 0) & (from_border >= 0)) | (to_border < 0)
        road = np.where(outbound, from_border, to_border)
        along = np.where(outbound, self.length_m[line] - offset_m, offset_m) * self._scale[road]
        one_way = (to_border < 0) | (from_border < 0)
        way = np.where(one_way, np.where(outbound, -1, 1), direction)
        missing = line < 0
        return (
            np.where(missing, -1, road).astype(np.int32),
            np.where(missing, np.nan, along),
            np.where(missing, 0, way).astype(np.int8),
        )

    def line_place(self, road_id: npt.NDArray[np.int32], offset_m: Floats) -> tuple[Indices, Floats]:
        """Places on directed roads as places on lines; -1, and a road of another corridor, become -1."""
        road_id = np.where(road_id < len(self.line_of_road), road_id, -1)
        line = np.where(road_id < 0, -1, self.line_of_road[road_id])
        along = offset_m / self._scale[road_id]
        along = np.where(self._outbound[road_id], self.length_m[line] - along, along)
        return line, np.where(line < 0, 0.0, along)

    def one_way(self) -> npt.NDArray[np.int8]:
        """The only direction of each line: +1, -1, or 0 where both are open, shape (lines,)."""
        ways: npt.NDArray[np.int8] = np.where(self.road_from_border < 0, 1, 0).astype(np.int8)
        ways[self.road_to_border < 0] = -1
        return ways
