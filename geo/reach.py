"""Which fixes a truck can have reached: the one rule that tells a jump from a move."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from geo.chains import Chains

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

CONFIRMATIONS: Final = 2
"""Fixes out of reach, in a row and within reach of each other, before the next that agrees with them is believed.

A receiver that has lost its satellites repeats a wrong position; a place that was wrong before is outvoted by three."""
MOVED_M: Final = 50.0
"""Two fixes out of reach that are so far apart show a truck that drives on, not one position said again: two do."""


def unreachable(
    *,
    chains: Chains,
    time_s: Floats,
    x_m: Floats,
    y_m: Floats,
    accuracy_m: Floats,
    known: Flags,
    slack_m: float,
    max_speed_mps: float,
) -> Flags:
    """Fixes that the truck cannot have reached from its last likely place, shape (rows,).

    Arguments, all of shape (rows,): the `chains` of all rows by vehicle and time, positions in EPSG:32648, accuracies
    (0 where unknown), and which rows are `known` places, that are never unlikely. A fix is within reach of an earlier
    one if it is no further than `slack_m`, its own accuracy and the way at `max_speed_mps` together; the accuracy of
    the earlier one does not count, since a place that is remembered has none.

    After `CONFIRMATIONS` fixes out of reach that fit each other, the next that fits them is believed: then the place
    before was the wrong one. If it is `MOVED_M` on from the one before, one is enough.
    """

    def reachable(a: Indices, b: Indices) -> Flags:
        distance_m = np.hypot(x_m[a] - x_m[b], y_m[a] - y_m[b])
        return ~(distance_m > max_speed_mps * np.abs(time_s[a] - time_s[b]) + slack_m + accuracy_m[a])

    row = np.flatnonzero(chains.before >= 0)
    unlikely = np.zeros(len(time_s), dtype=bool)
    if bool(reachable(row, chains.before[row]).all()):
        return unlikely
    good = np.arange(len(time_s))  # the last likely row up to and with this one
    run = np.zeros(len(time_s), dtype=np.intp)  # fixes out of reach in a row that fit each other, up to this one
    for wave in chains.waves(1):
        came = chains.before[wave]
        agrees = unlikely[came] & reachable(wave, came)
        moved = np.hypot(x_m[wave] - x_m[came], y_m[wave] - y_m[came]) >= MOVED_M
        confirmed = agrees & (run[came] + moved >= CONFIRMATIONS)
        fits = reachable(wave, good[came]) | known[wave] | confirmed
        unlikely[wave] = ~fits
        good[wave] = np.where(fits, wave, good[came])
        run[wave] = np.where(fits, 0, np.where(agrees, run[came] + 1, 1))
    return unlikely
