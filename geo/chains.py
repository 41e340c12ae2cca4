"""Rows of many vehicles as chains in time, walked one link of all chains at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Chains:
    """`before`: the row before each row in its chain, or -1, shape (rows,)."""

    before: Indices
    _by_rank: tuple[Indices, ...]

    @classmethod
    def of(
        cls,
        vehicle: Indices,
        time_s: npt.NDArray[np.float64],
        *,
        usable: npt.NDArray[np.bool_],
        first: npt.NDArray[np.bool_],
    ) -> Self:
        """Chain the usable rows of each vehicle by time; of rows at the same time those marked `first` go first."""
        order = np.lexsort((~first, time_s, vehicle))
        order = order[usable[order]]
        same = vehicle[order][1:] == vehicle[order][:-1]
        before = np.full(len(vehicle), -1, dtype=np.intp)
        before[order[1:][same]] = order[:-1][same]
        begins = np.flatnonzero(np.concatenate([[True], ~same])) if len(order) else np.empty(0, dtype=np.intp)
        rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
        by_rank = order[np.argsort(rank, kind="stable")]
        ends = np.cumsum(np.bincount(rank)).tolist()
        return cls(before, tuple(by_rank[start:end] for start, end in zip([0, *ends], ends, strict=False)))

    def waves(self, start: int = 0) -> tuple[Indices, ...]:
        """Rows that are the `start`-th of their chain, then those after them, and so on."""
        return self._by_rank[start:]
