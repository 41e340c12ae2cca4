"""How long the way to a gate is for a truck that is somewhere on the corridor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import networkx as nx
import numpy as np

from geo.corridor import Corridor
from routing.graph import build_graph


@dataclass(frozen=True)
class Ways:
    """Ways by the roads of a corridor that are open to trucks, at their free speeds."""

    corridor: Corridor
    _to_gate: dict[str, Mapping[str, float]] = field(default_factory=dict, repr=False, compare=False)

    def to_gate_s(self, road: str, km: float, gate_id: str) -> float:
        """Travel time (s) from a kilometre of a road to a gate on free roads; inf where no road leads there.

        A truck turns where it stands if its way leads back.
        """
        gate = self.corridor.get_site(gate_id)
        if gate_id not in self._to_gate:
            ends = self._ends(gate.road, gate.km)
            graph, found = self._back, dict[str, float]()
            for node, rest_s in ends.items():
                if node in graph:
                    for other, way_s in nx.single_source_dijkstra_path_length(
                        graph, node, weight="free_time_s"
                    ).items():
                        found[other] = min(found.get(other, np.inf), float(way_s) + rest_s)
            self._to_gate[gate_id] = found
        reached = self._to_gate[gate_id]
        ways = [rest_s + reached.get(node, np.inf) for node, rest_s in self._ends(road, km).items()]
        ways += [
            abs(km - gate.km) * 1000.0 / piece.free_speed_mps
            for piece in self.corridor.roads
            if piece.road == road == gate.road and _is_on(piece.km_from, piece.km_to, km, gate.km)
        ]
        return float(min(ways, default=np.inf))

    def between_gates_s(self, gate_id: str, other_id: str) -> float:
        """Travel time (s) from a gate to another on free roads; inf where no road leads there."""
        gate = self.corridor.get_site(gate_id)
        return self.to_gate_s(gate.road, gate.km, other_id)

    @cached_property
    def _back(self) -> nx.MultiDiGraph[str]:
        return build_graph(self.corridor).reverse(copy=False)

    def _ends(self, road: str, km: float) -> dict[str, float]:
        """The nodes at the ends of the pieces of road at a place, and how far they are, s."""
        found: dict[str, float] = {}
        for piece in self.corridor.roads:
            if piece.road == road and _is_on(piece.km_from, piece.km_to, km):
                for node, node_km in ((piece.from_node, piece.km_from), (piece.to_node, piece.km_to)):
                    rest_s = abs(km - node_km) * 1000.0 / piece.free_speed_mps
                    found[node] = min(found.get(node, np.inf), rest_s)
        return found


def _is_on(km_from: float, km_to: float, *places_km: float) -> bool:
    low, high = min(km_from, km_to), max(km_from, km_to)
    return all(low <= km <= high for km in places_km)
