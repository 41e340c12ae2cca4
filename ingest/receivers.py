"""Which of several receivers on one truck leads: only its fixes move the truck. Pure.

Two receivers differ by their antennas' places, their clocks and their relays: taken together they send a truck back and
forth. So the one that reported first leads until it is silent for longer than the regulation lets a moving truck be.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

LEADER_SILENT_US: Final = 60_000_000
"""Twice the 30 s in which a moving truck must report (TT 09/2015, article 4): then another receiver may lead."""
NO_LEADER: Final = 0

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def find_seconds(
    vehicle_of: npt.NDArray[np.intp],
    device_id: Integers,
    time_us: Integers,
    leader_id: Integers,
    leader_us: Integers,
    *,
    skip: Flags | None = None,
) -> Flags:
    """Which fixes are of a receiver that does not lead, shape (n,).

    Arguments: fixes (n,) by vehicle and time, `vehicle_of` pointing into the vehicles (v,), of which `leader_id` led
    (`NO_LEADER`: none) and was last heard at `leader_us`. Both are advanced in place. `skip` marks fixes that take no
    part, such as late ones. A camera (a negative device) never leads, and what it saw counts.
    """
    second = np.zeros(len(device_id), np.bool_)
    heard = device_id > 0 if skip is None else (device_id > 0) & ~skip
    rows = np.flatnonzero(heard)
    if not len(rows):
        return second
    vehicle, device = vehicle_of[rows], device_id[rows]
    first = np.flatnonzero(np.diff(vehicle, prepend=-1))
    alone = np.ones(len(leader_id), np.bool_)
    np.logical_and.at(alone, vehicle, device == device[first][np.cumsum(np.diff(vehicle, prepend=-1) != 0) - 1])
    own = vehicle[first]
    alone[own] &= (leader_id[own] == device[first]) | (leader_id[own] == NO_LEADER)
    last = np.append(first[1:] - 1, len(rows) - 1)
    simple = alone[own]
    leader_id[own[simple]], leader_us[own[simple]] = device[first[simple]], time_us[rows[last[simple]]]
    for begin, end in zip(first[~simple].tolist(), (last[~simple] + 1).tolist(), strict=True):
        who = int(vehicle[begin])
        for row in rows[begin:end].tolist():
            leads = leader_id[who] in (device_id[row], NO_LEADER)
            if leads or time_us[row] - leader_us[who] > LEADER_SILENT_US:
                leader_id[who], leader_us[who] = device_id[row], time_us[row]
            else:
                second[row] = True
    return second


def led_since(
    vehicle_of: npt.NDArray[np.intp],
    device_id: Integers,
    time_us: Integers,
    leads: Flags,
    before: tuple[Integers, Integers, Integers],
) -> Integers:
    """Since when each vehicle (v,) has been led by one receiver without a gap; what it was where nothing broke.

    Arguments: fixes (n,) by vehicle and time, which of them `leads`, and `leader_id`, `leader_us` and what this
    function gave `before` them. A late fix of another receiver from within that time surely moves nothing.
    """
    leader_id, leader_us, since_us = before
    since_us = since_us.copy()
    rows = np.flatnonzero(leads & (device_id > 0))
    if not len(rows):
        return since_us
    vehicle, device, at_us = vehicle_of[rows], device_id[rows], time_us[rows]
    first = np.diff(vehicle, prepend=-1) != 0
    came_id = np.where(first, leader_id[vehicle], np.concatenate([[0], device[:-1]]))
    came_us = np.where(first, leader_us[vehicle], np.concatenate([[0], at_us[:-1]]))
    broke = np.flatnonzero((device != came_id) | (at_us - came_us > LEADER_SILENT_US))
    np.maximum.at(since_us, vehicle[broke], at_us[broke])
    return since_us
