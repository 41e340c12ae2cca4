"""Valhalla's map matching (Meili) on tiles built of the corridor, by its own Python bindings."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import numpy as np
import osmium
import valhalla
from numpy.typing import NDArray
from osmium.osm.mutable import Node, Way

from geo.corridor import Corridor

SEARCH_M = 100.0
"""The widest that Valhalla allows."""


def write_pbf(corridor: Corridor, path: Path) -> None:
    """The corridor as OpenStreetMap data: a way for each line, with the number of its road piece."""
    forward = [road for road in corridor.roads if road.direction == "to_border"]
    lines = {road.geometry.wkb for road in forward}
    ways = [(road, road.geometry.reverse().wkb) for road in corridor.roads if road.direction == "from_border"]
    backward = {wkb for _, wkb in ways}
    chosen = [*forward, *(road for road, wkb in ways if wkb not in lines)]
    nodes: dict[tuple[float, float], int] = {}
    for road in chosen:
        for x, y in road.geometry.coords:
            nodes.setdefault((round(x, 7), round(y, 7)), len(nodes) + 1)
    with osmium.SimpleWriter(str(path)) as writer:
        for place, number in nodes.items():
            writer.add_node(Node(id=number, location=place, version=1))
        for road in chosen:
            refs = [nodes[round(x, 7), round(y, 7)] for x, y in road.geometry.coords]
            both = road.direction == "to_border" and road.geometry.wkb in backward
            tags = {"highway": "trunk", "oneway": "no" if both else "yes", "ref": road.road}
            writer.add_way(Way(id=road.road_id + 1, nodes=refs, tags=tags, version=1))


class ValhallaMatcher:
    """Matches one trace after the other; `seconds` of CPU are counted from the request to the parsed answer."""

    def __init__(self, corridor: Corridor, folder: Path) -> None:
        self.corridor, self.seconds = corridor, 0.0
        write_pbf(corridor, folder / "corridor.osm.pbf")
        (folder / "tiles").mkdir()
        config = valhalla.get_config(tile_extract="", tile_dir=str(folder / "tiles"))
        config["meili"]["default"] |= {"breakage_distance": 20_000}
        config["service_limits"]["trace"] |= {"max_distance": 1e6, "max_shape": 50_000, "max_search_radius": SEARCH_M}
        path = folder / "valhalla.json"
        path.write_text(json.dumps(config))
        build = Path(valhalla.__file__).parent / "bin" / "valhalla_build_tiles"
        subprocess.run([build, "-c", path, folder / "corridor.osm.pbf"], check=True, capture_output=True)
        self._actor = valhalla.Actor(str(path))

    def match(
        self, time_s: NDArray[np.float64], lon: NDArray[np.float64], lat: NDArray[np.float64], noise_m: float
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """Road (−1 where none), longitude and latitude of the matched points of one trace."""
        began = time.process_time()
        shape = [
            {"lon": x, "lat": y, "time": t} for x, y, t in zip(lon.tolist(), lat.tolist(), time_s.tolist(), strict=True)
        ]
        attributes = ["edge.way_id", "matched.point", "matched.edge_index", "matched.type"]
        request = {
            "shape": shape,
            "costing": "auto",
            "shape_match": "map_snap",
            "trace_options": {"gps_accuracy": noise_m, "search_radius": SEARCH_M},
            "filters": {"attributes": attributes, "action": "include"},
        }
        road = np.full(len(lon), -1, np.int32)
        x, y = lon.copy(), lat.copy()
        try:
            answer = json.loads(self._actor.trace_attributes(json.dumps(request)))
        except RuntimeError:  # it found no path at all
            answer = {"matched_points": [], "edges": []}
        self.seconds += time.process_time() - began
        edges = [edge["way_id"] - 1 for edge in answer["edges"]]
        for number, point in enumerate(answer["matched_points"]):
            index = point.get("edge_index", len(edges))
            if index < len(edges):
                road[number], x[number], y[number] = edges[index], point["lon"], point["lat"]
        return road, x, y
