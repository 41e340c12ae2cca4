"""Leuven Map Matching on the corridor, in metres: a pure Python matcher with non-emitting states."""

from __future__ import annotations

import logging
import time
from itertools import pairwise

import numpy as np
from leuvenmapmatching.map.inmem import InMemMap
from leuvenmapmatching.matcher.distance import DistanceMatcher
from numpy.typing import NDArray

from geo.corridor import Corridor
from geo.projection import to_degrees, to_metres

Floats = NDArray[np.float64]


class LeuvenMatcher:
    """Matches one trace after the other; `seconds` are those of CPU."""

    def __init__(self, corridor: Corridor) -> None:
        logging.getLogger("be.kuleuven.cs.dtai.mapmatching").setLevel(logging.ERROR)
        self.seconds = 0.0
        self._map = InMemMap("corridor", use_latlon=False, use_rtree=False, index_edges=False)
        self._road: dict[tuple[int, int], int] = {}
        nodes: dict[tuple[float, float], int] = {}
        for road in corridor.roads:
            x, y = to_metres(*np.array(road.geometry.coords)[:, :2].T)
            numbers = []
            for place in zip(x.round(2).tolist(), y.round(2).tolist(), strict=True):
                if place not in nodes:
                    nodes[place] = len(nodes)
                    self._map.add_node(nodes[place], place)
                numbers.append(nodes[place])
            for start, end in pairwise(numbers):
                if start != end:
                    self._map.add_edge(start, end)
                    self._road[start, end] = road.road_id

    def match(self, lon: Floats, lat: Floats, noise_m: float) -> tuple[NDArray[np.int32], Floats, Floats]:
        """Road (−1 where none), longitude and latitude of the matched points of one trace."""
        began = time.process_time()
        x, y = to_metres(lon, lat)
        matcher = DistanceMatcher(
            self._map,
            max_dist=300.0,
            max_dist_init=300.0,
            obs_noise=noise_m,
            obs_noise_ne=noise_m * 2,
            dist_noise=50.0,
            non_emitting_states=True,
            max_lattice_width=8,
        )
        matcher.match(list(zip(x.tolist(), y.tolist(), strict=True)))
        self.seconds += time.process_time() - began
        road = np.full(len(lon), -1, np.int32)
        for state in matcher.lattice_best:
            if state.edge_o.is_point() and state.obs_ne == 0:
                road[state.obs] = self._road.get((state.edge_m.l1, state.edge_m.l2), -1)
                x[state.obs], y[state.obs] = state.edge_m.pi
        return road, *to_degrees(x, y)
