"""What was recorded of the corridor between two moments, as arrays: drives, passages of gates, stays in yards.

Times are seconds since the recording's start, NaN where a thing has not happened before its end. Whoever has a
database, a file or a simulator fills them; `routing.parameters` learns the engine's parameters from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from geo.errors import InvalidInputError
from routing.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Drives:
    """Trucks' drives over single roads, one element a truck and road: what its placed fixes there show."""

    road_id: IntArray
    begin_s: FloatArray
    """When the first fix on the road was taken."""
    length_m: FloatArray
    """How far along the road the last fix on it lies beyond the first."""
    time_s: FloatArray
    """How long after the first the last was taken."""
    slowest_mps: FloatArray
    """The least speed of the fixes; NaN = none said one."""

    @classmethod
    def none(cls) -> Drives:
        """No drives."""
        return cls(np.zeros(0, np.int64), *np.zeros((4, 0)))

    def take(self, keep: BoolArray) -> Drives:
        """Some of the drives, [N] mask."""
        return Drives(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Passages:
    """Trucks that were taken at a gate's entrance, in order of time."""

    start_s: FloatArray
    """[P] when each was taken."""
    arrived_s: FloatArray
    """[P] when it came to the end of the queue, or to the gate: it last drove freely then. Before 0 where it stood
    there at the start."""

    @classmethod
    def of(cls, start_s: FloatArray, arrived_s: FloatArray) -> Passages:
        """Passages put in order; nobody is taken before it has come."""
        order = np.argsort(start_s, kind="stable")
        return cls(np.asarray(start_s)[order], np.minimum(arrived_s, start_s)[order])


@dataclass(frozen=True)
class Stays:
    """Stays in the yards of a gate."""

    entered_s: FloatArray
    left_s: FloatArray
    """NaN = still inside at the end."""


@dataclass(frozen=True)
class Recording:
    """All that was recorded in `length_s` seconds from `start` on."""

    start: datetime
    length_s: float
    drives: Drives = field(default_factory=Drives.none)
    passages: Mapping[str, Passages] = field(default_factory=dict)
    """gate_id → exports at its entrance."""
    stays: Mapping[str, Stays] = field(default_factory=dict)
    """gate_id → exports in its yards."""
    seen_share: Mapping[str, float] = field(default_factory=dict)
    """gate_id → share of the trucks whose passage was noticed; left out: all."""

    def __post_init__(self) -> None:
        if not 0.0 < self.length_s < np.inf:
            raise InvalidInputError(
                "A recording of {value} s is empty; give two moments in order.", field="until", value=self.length_s
            )

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.start + timedelta(seconds=self.length_s)

    def part(self, begin_s: float, end_s: float) -> Recording:
        """What was recorded in [begin_s, end_s) of it, in seconds since its start; each part knows nothing of the rest.

        A stay belongs to the part in which it begins, and is not over where it ends after the part.
        """
        drives = self.drives.take((self.drives.begin_s >= begin_s) & (self.drives.begin_s < end_s))
        passages, stays = {}, {}
        for gate_id, own in self.passages.items():
            inside = (own.start_s >= begin_s) & (own.start_s < end_s)
            passages[gate_id] = Passages(own.start_s[inside] - begin_s, own.arrived_s[inside] - begin_s)
        for gate_id, stay in self.stays.items():
            inside = (stay.entered_s >= begin_s) & (stay.entered_s < end_s)
            left_s = np.where(stay.left_s < end_s, stay.left_s, np.nan)
            stays[gate_id] = Stays(stay.entered_s[inside] - begin_s, left_s[inside] - begin_s)
        return replace(
            self,
            start=self.start + timedelta(seconds=begin_s),
            length_s=end_s - begin_s,
            drives=replace(drives, begin_s=drives.begin_s - begin_s),
            passages=passages,
            stays=stays,
        )
