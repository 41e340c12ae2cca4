"""New gates, yards and roads of a scenario, put beside those of the corridor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import JsonValue

from geo.corridor import Corridor
from geo.errors import CuaKhauError, InvalidInputError
from routing.graph import build_network
from routing.network import Network


def extend(corridor: Corridor, features: Sequence[Mapping[str, JsonValue]]) -> Corridor:
    """The corridor with more features, GeoJSON of its own form.

    Raises
    ------
    InvalidInputError
        If they cannot be read or contradict the corridor, or if a new road changes the way to a gate that is there:
        then the base would change with it, and nothing could be compared.
    """
    if not features:
        return corridor
    record = corridor.to_geojson()
    try:
        extended = Corridor.from_geojson({**record, "features": [*record["features"], *features]})
        before, after = build_network(corridor), build_network(extended)
    except CuaKhauError as error:
        raise InvalidInputError(error.message, **{**error.values, "field": "additions"}) from None
    for gate_id in before.gate_ids:
        if not np.isclose(_way_s(before, gate_id), _way_s(after, gate_id), rtol=1e-6):
            raise InvalidInputError(
                "An added road changes the way to {gate}; add roads that lead to new gates only.",
                field="additions",
                gate=gate_id,
            )
    return extended


def _way_s(network: Network, gate_id: str) -> float:
    """Free travel time through the corridor to a gate."""
    gate = network.gate_ids.index(gate_id)
    entry = network.entry(gate)
    if entry < 0:
        return 0.0
    path = network.path(entry, gate)
    return float(sum(network.length_m[i] / network.free_speed_mps[i] for i in path))
