"""How long a truck drives over the last kilometres before a gate: as measured, and on an empty road. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.forecasting.space_time import CELL_KM
from app.forecasting.space_time_store import CellSpeed
from geo.corridor import Corridor, Site

APPROACH_KM: Final = 20.0
"""At most so far before a gate; less where its road begins nearer."""
SLOWEST_MPS: Final = 0.5
"""A stretch where everything stands is passed no slower than this, else its time would have no end."""


@dataclass(frozen=True)
class Approach:
    """The last `length_km` of a gate's road, in cells of half a kilometre.

    `travel_s` is the instantaneous travel time: the sum over the cells of length by mean speed (the mean of a span of
    time, Edie 1963), of cells without a position at free speed. `measured_share` is the share of the way with one.
    """

    gate_id: str
    length_km: float
    measured_share: float
    travel_s: float
    free_s: float


def measure_approach(corridor: Corridor, gate: Site, speeds: Iterable[CellSpeed]) -> Approach | None:
    """The approach of a gate at these speeds; `None` if its road does not reach beyond it."""
    pieces = [road for road in corridor.roads if road.road == gate.road and road.direction == "to_border"]
    sums: dict[int, tuple[float, int]] = {}
    for speed in speeds:
        if corridor.roads[speed.road_id].road == gate.road:
            total, count = sums.get(speed.cell, (0.0, 0))
            sums[speed.cell] = total + speed.sum_mps, count + speed.fixes
    length_km = measured_km = travel_s = free_s = 0.0
    for piece in pieces:
        for cell, part_km in _cells(piece.km_to, piece.km_from, gate.km, gate.km + APPROACH_KM):
            part_s = 1000.0 * part_km / piece.free_speed_mps
            length_km, free_s = length_km + part_km, free_s + part_s
            if cell in sums:
                total, count = sums[cell]
                mean_mps = min(max(total / count, SLOWEST_MPS), piece.free_speed_mps)
                part_s, measured_km = 1000.0 * part_km / mean_mps, measured_km + part_km
            travel_s += part_s
    if length_km < CELL_KM:
        return None
    return Approach(gate.site_id, length_km, measured_km / length_km, travel_s, free_s)


def _cells(km_a: float, km_b: float, first_km: float, last_km: float) -> Iterable[tuple[int, float]]:
    """The cells that a piece of road shares with [first, last], and how much of each, km."""
    low, high = max(min(km_a, km_b), first_km), min(max(km_a, km_b), last_km)
    while low < high - 1e-9:
        cell = int(low / CELL_KM + 1e-9)
        end = min((cell + 1) * CELL_KM, high)
        yield cell, end - low
        low = end
