"""Motion: the one home of the speeds at which a truck stands, creeps, queues or drives.

One ladder; each rule takes the step that its kind of mistake asks for:

- below `STANDING_MPS` a truck surely stands: what remains is the noise of a receiver's own (Doppler) speed. For orders
  to stop and for telling a turn from noise.
- below `STOPPED_MPS` it stands for all that is seen: speeds derived from two positions drift by up to 3 km/h. For the
  state that people are shown.
- below `MOVING_MPS` it may stand; from here on it surely drives and its heading can be believed. For orders, matching.
- below `CREEPING_MPS` it moves up in a queue: 10 km/h, below which traffic on a trunk road is no flow. For stages and
  rest.
- below `QUEUEING_MPS` it may be in a queue, if it is close behind others: stop-and-go moves at 0 to 4 m/s. For the
  length of a queue.
- below `FREE_MPS` it is slower than traffic; from here on (20 km/h) it is free, since no truck gets as fast from gap to
  gap. For the state that people are shown, and for leaving a queue.

The steps between are gaps on purpose: a truck that was told to stop is neither standing nor moving between 0.5 and
1.5 m/s, and one in a queue is back on the road only when it drives freely, so that no judgement flickers. All are
assumed, to be checked against observed trips. The functions take anything array-like, m/s, and keep its shape; an
unknown speed (NaN) is not one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]

STANDING_MPS: Final = 0.5
STOPPED_MPS: Final = 0.8
MOVING_MPS: Final = 1.5
CREEPING_MPS: Final = 2.8
QUEUEING_MPS: Final = 4.0
FREE_MPS: Final = 5.6
MAX_TRUCK_MPS: Final = 160.0 / 3.6
"""No truck moves faster (160 km/h): a position that would need it is an error, a speed beyond it is never shown."""

THRESHOLDS_MPS: Final[Mapping[str, float]] = {
    "standing": STANDING_MPS,
    "stopped": STOPPED_MPS,
    "moving": MOVING_MPS,
    "creeping": CREEPING_MPS,
    "queueing": QUEUEING_MPS,
    "free": FREE_MPS,
}
"""All steps by name, for what runs elsewhere, such as the pages' scripts."""


class Pace(IntEnum):
    """The state of a truck on the road, as people are shown it."""

    MOVING = 0
    SLOW = 1
    STOPPED = 2


def is_standing(speed_mps: npt.ArrayLike) -> Flags:
    """Whether a truck surely stands."""
    return np.asarray(speed_mps, np.float64) < STANDING_MPS


def is_stopped(speed_mps: npt.ArrayLike) -> Flags:
    """Whether a truck stands for all that is seen."""
    return np.asarray(speed_mps, np.float64) < STOPPED_MPS


def is_moving(speed_mps: npt.ArrayLike) -> Flags:
    """Whether a truck surely moves."""
    return np.asarray(speed_mps, np.float64) >= MOVING_MPS


def is_creeping(speed_mps: npt.ArrayLike) -> Flags:
    """Whether a truck stands or moves up as in a queue."""
    return np.asarray(speed_mps, np.float64) < CREEPING_MPS


def is_queueing(speed_mps: npt.ArrayLike) -> Flags:
    """Whether a truck is as slow as those in a queue that stops and goes."""
    return np.asarray(speed_mps, np.float64) < QUEUEING_MPS


def is_slow(speed_mps: npt.ArrayLike) -> Flags:
    """Whether a truck is slower than traffic."""
    return np.asarray(speed_mps, np.float64) < FREE_MPS


def is_free(speed_mps: npt.ArrayLike) -> Flags:
    """Whether a truck drives as traffic does."""
    return np.asarray(speed_mps, np.float64) >= FREE_MPS


def pace(speed_mps: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """A `Pace` of each speed; of unknown speed it is `MOVING`, because nothing shows a queue."""
    return np.where(is_stopped(speed_mps), Pace.STOPPED, np.where(is_slow(speed_mps), Pace.SLOW, Pace.MOVING))
