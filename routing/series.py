"""What comes of a run over time, and its quantiles over many runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from routing.arrays import FloatArray
from routing.network import Network
from routing.simulation import RunResult

QUANTILES = (0.1, 0.5, 0.9)


class Series(NamedTuple):
    """Samples over time, [..., gate, T] by `Network.gate_ids` (exports) and [..., yard, T] by `Network.yard_ids`."""

    queue_veh: FloatArray
    wait_s: FloatArray
    tail_km: FloatArray
    occupancy_veh: FloatArray

    @classmethod
    def of(cls, network: Network, result: RunResult) -> Series:
        """What a run says of the gates' exports and the named yards."""
        gates, yards = len(network.gate_ids), len(network.yard_ids)
        return cls(
            result.queue_veh[:gates], result.wait_s[:gates], result.tail_km[:gates], result.occupancy_veh[:yards]
        )


def series_quantiles(runs: Sequence[Series]) -> Series:
    """Quantiles over runs: [quantile, ...] of each series."""
    return Series(*(rank_quantiles(np.stack(values)) for values in zip(*runs, strict=True)))


def reached_quantiles(runs: Sequence[FloatArray]) -> FloatArray:
    """Quantiles over runs of the most that a series [..., T] has come to by each sample: [quantile, ..., T].

    One minus its level is the chance that a value is reached at some time until then. That chance is greater than the
    greatest of the chances of single moments, since each run has its peak at another.
    """
    return rank_quantiles(np.fmax.accumulate(np.stack(runs), axis=-1))


def rank_quantiles(values: NDArray[Any], quantiles: tuple[float, ...] = QUANTILES) -> FloatArray:
    """Quantiles over the first axis by nearest rank: always values that occurred, infinities included."""
    ranks = [round(q * (values.shape[0] - 1)) for q in quantiles]
    # Sorted side by side in memory, in a third of the time in which three of them are selected a stride apart.
    ordered = np.moveaxis(values, 0, -1).copy(order="C")
    ordered.sort(axis=-1)
    return np.ascontiguousarray(np.moveaxis(ordered[..., ranks], -1, 0), dtype=float)
