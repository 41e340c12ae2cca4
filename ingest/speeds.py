"""Whether a reported speed can be true, and in which unit a device reports. Pure, whole batches at once.

A protocol names a unit, clients send another: m/s where knots are due, km/h where m/s are. Then the reported speed of a
moving truck is a constant multiple of the speed at which it is displaced. Each pair of successive fixes of one device
that moves steadily votes for one factor; after enough votes of which most agree, the factor is believed. Before and
after, each speed by itself must be one that a truck can drive, and must fit the way moved since the fix before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from geo.geodesy import distance_m
from geo.motion import MAX_TRUCK_MPS
from geo.units import MPS_PER_KMH, MPS_PER_KNOT

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]

FACTORS: Final = (
    1.0,
    1.0 / MPS_PER_KNOT,  # m/s sent where knots are due
    MPS_PER_KNOT,  # knots sent where m/s are due
    1.0 / MPS_PER_KMH,  # m/s sent where km/h are due
    MPS_PER_KMH,  # km/h sent where m/s are due
    MPS_PER_KNOT / MPS_PER_KMH,  # knots sent where km/h are due
    MPS_PER_KMH / MPS_PER_KNOT,  # km/h sent where knots are due
)
"""By what a reported speed is multiplied to be the true one."""
UNUSABLE: Final = 0.0
"""The factor of a device that moves and reports that it stands: what it says of speed is nothing."""

_GROUPS: Final = ((0,), (1, 5), (2, 6), (3,), (4,))
"""Factors too close to each other to be told apart by one pair vote together; the mean decides between them."""
_TOLERANCE: Final = np.log(1.15)
MIN_VOTES: Final = 12
MIN_SHARE: Final = 0.75
MAX_VOTES: Final = 60.0
"""Older votes fade, so that a device that was mended is seen to be."""

_MIN_PAIR_S, _MAX_PAIR_S = 4.0, 65.0
_MIN_PAIR_M: Final = 60.0
_MIN_PAIR_MPS: Final = 5.0
_STEADY: Final = np.log(1.35)
"""Both speeds of a pair within this ratio: the truck neither brakes nor starts between them."""

ACCELERATION_MPS2: Final = 2.5
"""No loaded truck gains speed faster (assumed; about twice what is seen)."""
_SLACK_M: Final = 40.0
_MAX_DERIVED_S: Final = 600.0

UNIT = np.dtype(
    [
        ("device_id", "i8"),
        ("factor", "f8"),
        ("is_set", "?"),
        ("votes", "f8", (len(_GROUPS) + 2,)),
        ("log_sum", "f8", (len(_GROUPS) + 2,)),
        # the device's newest fix, its speed as reported
        ("time_us", "i8"),
        ("lon", "f8"),
        ("lat", "f8"),
        ("speed_mps", "f8"),
    ]
)
"""What is known of a device's speeds. Votes: for each group of factors, for none of them, for `UNUSABLE`."""
_NONE, _STANDS = len(_GROUPS), len(_GROUPS) + 1


def new_units(device_ids: list[int]) -> npt.NDArray[np.void]:
    """Rows of `UNIT` of devices of which nothing is known: their unit is that of their protocol."""
    rows = np.zeros(len(device_ids), UNIT)
    rows["device_id"], rows["factor"] = device_ids, 1.0
    rows["time_us"], rows["speed_mps"] = np.iinfo(np.int64).min, np.nan
    return rows


@dataclass(frozen=True)
class Judged:
    """Speeds as they are kept (m/s, NaN unknown), which of them were corrected and which were doubted, shape (n,)."""

    speed_mps: Floats
    corrected: Flags
    doubted: Flags
    learned: Indices
    """Slots of devices whose factor changed."""


def judge_speeds(fixes: npt.NDArray[np.void], slot: Indices, units: npt.NDArray[np.void]) -> Judged:
    """Judge the speeds of `fixes` (n), in order of time for each device, and learn from them.

    Arguments: `fixes`, an array with `time_us lon lat speed_mps`; `slot` (n,), the row of each fix's device in `units`,
    which are advanced in place.
    """
    order = np.argsort(slot, kind="stable")
    own = slot[order]
    first = np.diff(own, prepend=-1) != 0
    before = np.concatenate([[0], order[:-1]]) if len(order) else order

    def earlier(name: str) -> npt.NDArray[Any]:
        return np.where(first, units[name][own], fixes[name][before])

    time_us, reported = fixes["time_us"][order], fixes["speed_mps"][order].astype(np.float64)
    came_us = earlier("time_us")
    elapsed_s = np.where(came_us == np.iinfo(np.int64).min, np.nan, (time_us - came_us) / 1e6)
    elapsed_s[~(elapsed_s > 0.0)] = np.nan
    moved_m = distance_m(earlier("lon"), earlier("lat"), fixes["lon"][order], fixes["lat"][order])
    _vote(units, own, elapsed_s, moved_m, earlier("speed_mps"), reported)
    learned = _decide(units, own[first])

    last = np.flatnonzero(np.diff(own, append=-1))
    newer = time_us[last] > units["time_us"][own[last]]
    ahead, end = own[last[newer]], order[last[newer]]
    for name in ("time_us", "lon", "lat", "speed_mps"):
        units[name][ahead] = fixes[name][end]

    factor = units["factor"][own]
    true = np.where(factor == UNUSABLE, np.nan, reported * factor)
    doubted = np.isfinite(true) & ((true > MAX_TRUCK_MPS) | (true < 0.0) | ~_fits(true, elapsed_s, moved_m))
    true[doubted] = np.nan
    speed_mps = np.empty(len(order))
    corrected, doubtful = np.zeros((2, len(order)), np.bool_)
    speed_mps[order], doubtful[order] = true, doubted
    corrected[order] = (factor != 1.0) & np.isfinite(reported)
    return Judged(speed_mps, corrected, doubtful, learned)


def derived_mps(moved_m: npt.ArrayLike, elapsed_s: npt.ArrayLike) -> Floats:
    """The speed at which a way was moved; NaN where that is unknown or faster than a truck drives."""
    speed_mps = np.asarray(moved_m, np.float64) / np.asarray(elapsed_s, np.float64)
    return np.where(speed_mps <= MAX_TRUCK_MPS, speed_mps, np.nan)


def _fits(speed_mps: Floats, elapsed_s: Floats, moved_m: Floats) -> Flags:
    """Whether a truck that drives `speed_mps` now can have moved so little since the fix before.

    However it stood or drove then, to be as fast now it moved at least v²/2a, or v·t − a·t²/2 if there was less time.
    """
    time_s = np.minimum(elapsed_s, speed_mps / ACCELERATION_MPS2)
    least_m = speed_mps * time_s - 0.5 * ACCELERATION_MPS2 * time_s**2
    return ~((moved_m + _SLACK_M < least_m) & (elapsed_s <= _MAX_DERIVED_S))


def _vote(
    units: npt.NDArray[np.void], slot: Indices, elapsed_s: Floats, moved_m: Floats, before_mps: Floats, now_mps: Floats
) -> None:
    displaced_mps = moved_m / elapsed_s
    usable = (
        (elapsed_s >= _MIN_PAIR_S)
        & (elapsed_s <= _MAX_PAIR_S)
        & (moved_m >= _MIN_PAIR_M)
        & (displaced_mps >= _MIN_PAIR_MPS)
        & (displaced_mps <= MAX_TRUCK_MPS)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        slower, faster = np.minimum(before_mps, now_mps), np.maximum(before_mps, now_mps)
        steady = usable & (slower > 0.5) & (np.log(faster / slower) <= _STEADY)
        # a truck that stands at both ends and drove 8 m/s between them on average may do so once, not again and again
        stands = usable & (faster < 0.5) & (displaced_mps >= 8.0)
        ratio = np.log(2.0 * displaced_mps / (before_mps + now_mps))
    row = np.flatnonzero(steady | stands)
    if not len(row):
        return
    away = np.stack([np.abs(ratio[row, None] - np.log([FACTORS[i] for i in group])).min(axis=1) for group in _GROUPS])
    group = np.where(away.min(axis=0) <= _TOLERANCE, away.argmin(axis=0), _NONE)
    group = np.where(stands[row], _STANDS, group)
    np.add.at(units["votes"], (slot[row], group), 1.0)
    np.add.at(units["log_sum"], (slot[row], group), np.where(stands[row], 0.0, ratio[row]))


def _decide(units: npt.NDArray[np.void], slots: Indices) -> Indices:
    """Believe factors that have enough votes, of devices whose unit nobody set; the slots that changed."""
    votes = units["votes"][slots]
    total = votes.sum(axis=1)
    best = votes.argmax(axis=1)
    most = votes[np.arange(len(slots)), best]
    sure = (total >= MIN_VOTES) & (most >= MIN_SHARE * total) & (best != _NONE) & ~units["is_set"][slots]
    changed = []
    for number in np.flatnonzero(sure).tolist():
        slot, group = slots[number], int(best[number])
        factor = UNUSABLE
        if group != _STANDS:
            mean = units["log_sum"][slot, group] / most[number]
            factor = min((FACTORS[i] for i in _GROUPS[group]), key=lambda each: abs(np.log(each) - mean))
            known = units["factor"][slot]
            is_same = known in {FACTORS[i] for i in _GROUPS[group]}
            factor = known if is_same else factor
        if factor != units["factor"][slot]:
            units["factor"][slot] = factor
            changed.append(slot)
    fade = np.where(total > MAX_VOTES, 0.5, 1.0)[:, None]
    units["votes"][slots] *= fade
    units["log_sum"][slots] *= fade
    return np.array(changed, np.intp)


class SpeedUnit(StrEnum):
    """What a device sends as its speed, and what its protocol wants: `PROTOCOL` is right, `NONE` says nothing."""

    PROTOCOL = "protocol"
    MPS_FOR_KNOTS = "mps_for_knots"
    KNOTS_FOR_MPS = "knots_for_mps"
    MPS_FOR_KMH = "mps_for_kmh"
    KMH_FOR_MPS = "kmh_for_mps"
    KNOTS_FOR_KMH = "knots_for_kmh"
    KMH_FOR_KNOTS = "kmh_for_knots"
    NONE = "none"


_UNITS: Final = dict(zip(SpeedUnit, (*FACTORS, UNUSABLE), strict=True))


def factor_of(unit: SpeedUnit) -> float:
    """By what the speeds of a device with this unit are multiplied."""
    return _UNITS[unit]


def unit_of(factor: float) -> SpeedUnit:
    """The unit whose factor is nearest."""
    return min(_UNITS, key=lambda unit: abs(_UNITS[unit] - factor))
