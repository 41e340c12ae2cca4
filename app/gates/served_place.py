"""Where trucks are really served at a gate: as its profile says, else where those that passed stood last. Pure.

The network ends at barrier 1, which is where a queue is thought to end. At some gates the check is done behind the
barrier or nearer the border; whoever stands before that place waits, and whoever stands at it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from geo.corridor import Corridor
from geo.errors import InvalidInputError

NEAR_KM: Final = 0.03
"""A truck within this of the place is at it: a length of a truck, and what receivers are off by."""
MIN_STOPS: Final = 15
MAX_SPREAD_KM: Final = 0.06
"""Median absolute deviation from the median: stops that scatter more are at no one place."""
MAX_FROM_BARRIER_KM: Final = 2.0
"""A place farther inland of a gate's barrier than this belongs to another site."""


@dataclass(frozen=True)
class ServedPlace:
    """Kilometre of the gate's road at which trucks are served, as learned from `stops` tracks, or set if that is 0."""

    km: float
    stops: int = 0
    learned_at: datetime | None = None

    def is_before(self, km: float) -> bool:
        """Whether a truck that stands at `km` still has to come to the place."""
        return km > self.km + NEAR_KM


def learn_place(stops_km: Sequence[float], now: datetime | None = None) -> ServedPlace | None:
    """The median of where trucks stood last, if there are enough and they agree; robust to fewer than half of them."""
    if len(stops_km) < MIN_STOPS:
        return None
    median = float(np.median(stops_km))
    spread = float(np.median(np.abs(np.array(stops_km) - median)))
    return ServedPlace(round(median, 3), len(stops_km), now) if spread <= MAX_SPREAD_KM else None


def check_place(corridor: Corridor, gate_id: str, served_km: float | None) -> None:
    """Refuse a place that is not near the gate.

    Raises
    ------
    InvalidInputError
        If it lies farther inland than `MAX_FROM_BARRIER_KM` before the gate's barrier.
    """
    gate = corridor.sites.get(gate_id)
    if served_km is None or gate is None:
        return
    inland_km = max((site.km for site in corridor.barriers(gate_id) if site.road == gate.road), default=gate.km)
    max_km = round(max(inland_km, gate.km) + MAX_FROM_BARRIER_KM, 2)
    if served_km > max_km:
        raise InvalidInputError(
            "{value} km is not at the gate, whose barrier stands at km {barrier_km}; give 0 to {max_km} km.",
            field="served_km",
            value=served_km,
            barrier_km=inland_km,
            max_km=max_km,
        )
