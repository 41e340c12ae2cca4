"""Metering: how many trucks to let go from each staging area in each quarter of an hour.

The plan keeps the queue before the gate short enough for the road and long enough for the gate: as little as the gate
needs never to wait for a truck, as ramp meters keep a merge at its capacity (M. Papageorgiou, H. Hadj-Salem,
J.-M. Blosseville, "ALINEA: a local feedback control law for on-ramp metering", Transportation Research Record 1320,
1991), but computed ahead on expected arrivals and service, since a truck let go takes its time to the gate. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from routing.arrays import FloatArray, IntArray

SLOT_S: Final = 900.0
"""A quarter of an hour."""


@dataclass(frozen=True)
class HeldAt:
    """Trucks held at a staging area that is `way_s` from the gate's entrance; `group_veh`, let go at most in a slot."""

    held_veh: int
    way_s: float
    group_veh: int | None = None


@dataclass(frozen=True)
class ReleasePlan:
    """Trucks to let go [A, T] by area and slot, and the queue [T + 1] expected at the beginning of each slot and at the
    end, with them."""

    release_veh: IntArray
    queue_veh: FloatArray


def plan_releases(
    areas: Sequence[HeldAt],
    queue_veh: float,
    arrivals_veh: FloatArray,
    service_veh: FloatArray,
    *,
    low_veh: float,
    high_veh: float,
    slot_s: float = SLOT_S,
) -> ReleasePlan:
    """Let go as many in each slot as the gate will miss when they come.

    Arguments: `queue_veh`, the queue now; `arrivals_veh` and `service_veh` [T], those who come anyway and those whom
    the gate can serve in each slot; `low_veh`, the queue that is kept for the gate while trucks are held, `high_veh`,
    the queue beyond which none is let go. Of the areas from which trucks can be there in time the farthest is asked
    first, then the one that holds most: those near by can still come when these no longer can.
    """
    slots = arrivals_veh.size
    delay = [int(np.ceil(area.way_s / slot_s)) if np.isfinite(area.way_s) else slots for area in areas]
    left = [area.held_veh for area in areas]
    room = np.array([[area.held_veh if area.group_veh is None else area.group_veh] * slots for area in areas], float)
    room = room.reshape(len(areas), slots)
    release = np.zeros((len(areas), slots), np.int64)
    expected = np.zeros(slots + 1)
    expected[0] = queue_veh
    for slot in range(slots):
        before = expected[slot] + arrivals_veh[slot]
        without = max(0.0, before - service_veh[slot])
        wanted = 0
        if without < low_veh:
            # What the gate would still serve of those who come now is missing as well as the queue to keep.
            missing = low_veh - (before - service_veh[slot])
            wanted = int(np.ceil(min(missing, max(0.0, high_veh - (before - service_veh[slot])))))
        coming = 0
        while wanted > 0:
            able = [a for a in range(len(areas)) if left[a] > 0 and slot >= delay[a] and room[a, slot - delay[a]] >= 1]
            if not able:
                break
            area = max(able, key=lambda a: (delay[a], left[a], -a))
            veh = int(min(wanted, left[area], room[area, slot - delay[area]]))
            release[area, slot - delay[area]] += veh
            room[area, slot - delay[area]] -= veh
            left[area] -= veh
            wanted -= veh
            coming += veh
        expected[slot + 1] = max(0.0, before + coming - service_veh[slot])
    return ReleasePlan(release, expected)


def release_times(plan: ReleasePlan, area: int, held: int, slot_s: float = SLOT_S) -> FloatArray:
    """[held] when each truck of an area goes, the first in line first, evenly within its slot; inf: not in the plan."""
    times = np.full(held, np.inf)
    first = 0
    for slot, veh in enumerate(plan.release_veh[area]):
        times[first : first + veh] = slot_s * (slot + np.arange(veh) / max(int(veh), 1))
        first += int(veh)
    return times
