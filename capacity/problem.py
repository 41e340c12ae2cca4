"""The yard problem: arrivals and yards as plain arrays, and how long trucks stay.

What `capacity.plan` solves; `expected_stays` makes the two arrays that say how yards empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geo.errors import InvalidInputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class PlanWeights:
    """How the aims weigh against each other; all in weighted seconds, all choices of the operator.

    A second of waiting counts `ordinary` or `perishable`; the k-th step of waiting costs `1 + growth · k` of
    the first. A detour second counts `detour`, a second in the line of the crossing behind the yard `crossing`.
    `stability_s` is the gain below which a truck that was told a yard is not sent to another, `unplaced_s` what
    no place costs beyond waiting to the horizon's end.
    """

    ordinary: float = 1.0
    perishable: float = 4.0
    growth: float = 0.05
    detour: float = 1.0
    crossing: float = 1.0
    stability_s: float = 900.0
    unplaced_s: float = 14400.0


@dataclass(frozen=True)
class YardProblem:
    """Arrivals and yards as plain arrays: N trucks, Y yards, T steps of `step_s`; times in s after the start.

    Arguments: `truck_ids` (N,); `perishable` (N,); `declared_s` (N,), when the truck was declared (earlier
    goes first among equals); `allowed` (N, Y), yards its goods and gate allow; `arrive_s` (N, Y), when it can
    be there; `detour_s` (N, Y), extra driving against its own gate; `previous_yard` (N,), index the last plan
    gave or −1; `yard_ids`; `capacity_veh` (Y, T); `remaining_veh` (Y, T), of those inside now still there at
    the start of a step; `stay_share` (Y, T, T), share of trucks placed in step t' still there in step t;
    `entrance` (Y,), row of `intake_veh` of the entrance before each yard, which yards may share; `intake_veh` (E, T),
    how many an entrance can take in a step (infinite where nothing limits it); `gate` (Y,), index of the gate behind
    each yard; `crossing_s` (G,), seconds a truck that gate takes on
    average, nights included; `before_veh` (G,), trucks inside all its yards now, who cross first.

    Raises
    ------
    InvalidInputError
        If shapes do not fit together, or a yard names an entrance or a gate that is not there.
    """

    step_s: float
    truck_ids: Ints
    perishable: Bools
    declared_s: Floats
    allowed: Bools
    arrive_s: Floats
    detour_s: Floats
    previous_yard: Ints
    yard_ids: tuple[str, ...]
    capacity_veh: Floats
    remaining_veh: Floats
    stay_share: Floats
    entrance: Ints
    intake_veh: Floats
    gate: Ints
    crossing_s: Floats
    before_veh: Floats
    weights: PlanWeights = field(default_factory=PlanWeights)

    def __post_init__(self) -> None:
        N, (Y, T) = len(self.truck_ids), self.capacity_veh.shape
        shapes: dict[str, tuple[int, ...]] = {
            "perishable": (N,),
            "declared_s": (N,),
            "previous_yard": (N,),
            "allowed": (N, Y),
            "arrive_s": (N, Y),
            "detour_s": (N, Y),
            "capacity_veh": (len(self.yard_ids), T),
            "remaining_veh": (Y, T),
            "entrance": (Y,),
            "intake_veh": (len(self.intake_veh), T),
            "gate": (Y,),
            "before_veh": self.crossing_s.shape,
            "stay_share": (Y, T, T),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise InvalidInputError(
                    "{name} has shape {shape}, not {expected}.",
                    field=name,
                    name=name,
                    shape=getattr(self, name).shape,
                    expected=shape,
                )

        for name, count in (("entrance", len(self.intake_veh)), ("gate", len(self.crossing_s))):
            index = getattr(self, name)
            if len(index) and not (index.min() >= 0 and index.max() < count):
                raise InvalidInputError(
                    "{name} has an index outside 0 to {last}.", field=name, name=name, last=count - 1
                )

    @property
    def steps(self) -> int:
        """Steps of the horizon."""
        return int(self.capacity_veh.shape[1])

    def room_veh(self) -> Floats:
        """Places that newcomers can fill, shape (Y, T); none where more are inside than there is room."""
        room: Floats = np.maximum(self.capacity_veh - self.remaining_veh, 0.0)
        return room

    def arrival_steps(self) -> Ints:
        """The step in which each truck can be at each yard, shape (N, Y); T where not allowed or too late."""
        steps = np.floor(np.maximum(self.arrive_s, 0.0) / self.step_s)
        late = ~self.allowed | ~np.isfinite(steps) | (steps >= self.steps)
        return np.where(late, self.steps, np.where(late, 0, steps)).astype(np.int64)


def expected_stays(
    *,
    inside_veh: Floats,
    dwell_s: Floats,
    release_veh_per_s: Floats,
    working_s: Floats,
    gate: Ints,
) -> tuple[Floats, Floats]:
    """What becomes of those inside now, and of those who come.

    Arguments, for Y yards and T steps: `inside_veh` (Y,); `dwell_s` (Y,), mean stay while the gate works;
    `release_veh_per_s` (Y,), how fast the gate behind the yard can take trucks, from all its yards together;
    `working_s` (Y, T), seconds of each step in which that gate is open (stays do not shorten while it is closed);
    `gate` (Y,), index of the gate behind each yard.

    Returns `remaining_veh` (Y, T) and `stay_share` (Y, T, T) for `YardProblem`.

    Stays are taken as exponential in working time. Yards cannot empty faster than their gate works, so those inside
    leave at most at that rate, each yard's in proportion to how many it holds (the gate takes who has waited longest,
    wherever it stands), and newcomers stay at least as long as the gate needs to work off those before them:
    N = λ·W (Little 1961, doi:10.1287/opre.9.3.383).
    """
    Y, T = working_s.shape
    worked = np.concatenate([np.zeros((Y, 1)), np.cumsum(working_s, axis=1)[:, :-1]], axis=1)
    rate = np.maximum(release_veh_per_s, 1e-9)
    before_veh = np.bincount(gate, inside_veh, minlength=1)[gate] if Y else np.zeros(0)
    share_of_gate = np.divide(inside_veh, before_veh, out=np.ones(Y), where=before_veh > 0.0)
    by_dwell = inside_veh[:, None] * np.exp(-worked / np.maximum(dwell_s, 1.0)[:, None])
    by_gate = inside_veh[:, None] - (rate * share_of_gate)[:, None] * worked
    remaining = np.maximum(np.maximum(by_dwell, by_gate), 0.0)
    mean_s = np.maximum(np.maximum(dwell_s, 1.0), before_veh / rate)[:, None, None]
    between = worked[:, None, :] - worked[:, :, None]
    share = np.where(np.arange(T)[None, :] >= np.arange(T)[:, None], np.exp(-np.maximum(between, 0.0) / mean_s), 0.0)
    return remaining, share
