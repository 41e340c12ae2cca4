"""The yard problem: arrivals and yards as plain arrays. What `capacity.plan` solves."""

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

    A truck-second on the road because every place to wait is full counts `overflow`; a second of waiting counts
    `ordinary` or `perishable`, and each further hour of it `1 + growth · hours` of the first, so that nobody starves. A
    detour second counts `detour`, a second in the line of the crossing behind the yard `crossing`. `stability_s` is the
    gain below which a truck that was told a yard is not sent to another, `unplaced_s` what no place costs beyond
    waiting to the horizon's end.
    """

    ordinary: float = 1.0
    perishable: float = 4.0
    growth: float = 0.1
    detour: float = 1.0
    crossing: float = 1.0
    stability_s: float = 900.0
    unplaced_s: float = 14400.0
    overflow: float = 100.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0.0):
                raise InvalidInputError(
                    "The weight {name} is {value}, not 0 or more.", field=name, name=name, value=value
                )


@dataclass(frozen=True)
class WaitingSpace:
    """Where trucks wait until their place is free; who finds none stands on the road.

    For N trucks, G gates, S staging areas, T steps: `home_gate` (N,), gate before which a truck waits; `on_road` (N,),
    whether it has set out (others wait where they are, and are told to set out later); `staging_veh` (S, T), places;
    `serves` (S, G), whether the road from an area leads to a gate.
    """

    home_gate: Ints
    on_road: Bools
    staging_veh: Floats
    serves: Bools


@dataclass(frozen=True)
class SharedLimit:
    """What several yards need of one thing at a time, such as staff at docks: `uses` (P, Y), `limit_veh` (P, T)."""

    uses: Bools
    limit_veh: Floats


@dataclass(frozen=True)
class YardProblem:
    """Arrivals and yards as plain arrays: N trucks, Y yards (or zones of them), T steps of `step_s`; times in s after
    the start.

    Arguments: `truck_ids` (N,); `perishable` (N,); `declared_s` (N,), when the truck was declared (earlier
    goes first among equals); `allowed` (N, Y), yards its goods and gate allow; `arrive_s` (N, Y), when it can
    be there; `detour_s` (N, Y), extra driving against its own gate; `previous_yard` (N,), index the last plan
    gave or −1; `yard_ids`; `capacity_veh` (Y, T); `remaining_veh` (Y, T), of those inside now still there at
    the start of a step; `stay_share` (Y, T, T), share of trucks placed in step t' still there in step t, or
    (K, Y, T, T) for K classes of stay; `entrance` (Y,), row of `intake_veh` of the entrance before each yard,
    which yards may share; `intake_veh` (E, T), how many an entrance can take in a step (infinite where nothing
    limits it); `gate` (Y,), index of the gate behind each yard; `crossing_s` (G,), seconds a truck that gate takes on
    average, nights included; `before_veh` (G,), trucks inside all its yards now, who cross first.

    What not every problem has: `stay_class` (N,), row of `stay_share`; `previous_step` (N,), the step of the place
    that the last plan gave; `opens` (Y, T), whether a yard takes trucks in a step; `convoy` (N,), trucks with the
    same number of 0 or more get places in one yard and step; `waiting`, where trucks wait; `shared`, limits that
    yards share; `cleared_veh` (G, T), how many trucks each gate can let out of its yards from the beginning to the
    start of each step: however short their stays, no more leave; `site` (Y,), rows with the same number are zones of
    one yard; `held_back_veh` (Y, T), places beside `capacity_veh` that are kept for who comes sooner or stays longer
    than expected; `in_line` (N,), trucks that stand in the line before their gate, where nobody passes them: they go
    before all that come later, perishable or not, and among themselves by `declared_s`, which gives their order.

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
    stay_class: Ints | None = None
    previous_step: Ints | None = None
    opens: Bools | None = None
    convoy: Ints | None = None
    waiting: WaitingSpace | None = None
    shared: SharedLimit | None = None
    cleared_veh: Floats | None = None
    site: Ints | None = None
    held_back_veh: Floats | None = None
    in_line: Bools | None = None

    def __post_init__(self) -> None:
        N, (Y, T) = len(self.truck_ids), self.capacity_veh.shape
        G = len(self.crossing_s)
        own: tuple[tuple[str, tuple[int, ...]], ...] = (
            ("perishable", (N,)),
            ("declared_s", (N,)),
            ("previous_yard", (N,)),
            ("allowed", (N, Y)),
            ("arrive_s", (N, Y)),
            ("detour_s", (N, Y)),
            ("capacity_veh", (len(self.yard_ids), T)),
            ("remaining_veh", (Y, T)),
            ("entrance", (Y,)),
            ("intake_veh", (len(self.intake_veh), T)),
            ("gate", (Y,)),
            ("before_veh", (G,)),
            ("stay_share", (*self.stay_share.shape[:-3], Y, T, T)),
            ("stay_class", (N,)),
            ("previous_step", (N,)),
            ("opens", (Y, T)),
            ("convoy", (N,)),
            ("cleared_veh", (G, T)),
            ("site", (Y,)),
            ("held_back_veh", (Y, T)),
            ("in_line", (N,)),
        )
        for name, shape in own:
            self._require_shape(name, getattr(self, name), shape)
        if self.waiting is not None:
            S = len(self.waiting.staging_veh)
            of_waiting = (("home_gate", (N,)), ("on_road", (N,)), ("staging_veh", (S, T)), ("serves", (S, G)))
            for name, shape in of_waiting:
                self._require_shape(name, getattr(self.waiting, name), shape)
        if self.shared is not None:
            P = len(self.shared.limit_veh)
            for name, shape in (("uses", (P, Y)), ("limit_veh", (P, T))):
                self._require_shape(name, getattr(self.shared, name), shape)
        for name, count in (("entrance", len(self.intake_veh)), ("gate", G)):
            index = getattr(self, name)
            if len(index) and not (index.min() >= 0 and index.max() < count):
                raise InvalidInputError(
                    "{name} has an index outside 0 to {last}.", field=name, name=name, last=count - 1
                )

    @staticmethod
    def _require_shape(name: str, array: NDArray[np.generic] | None, shape: tuple[int, ...]) -> None:
        if array is not None and array.shape != shape:
            raise InvalidInputError(
                "{name} has shape {shape}, not {expected}.", field=name, name=name, shape=array.shape, expected=shape
            )

    @property
    def steps(self) -> int:
        """Steps of the horizon."""
        return int(self.capacity_veh.shape[1])

    def stays(self) -> Floats:
        """Shares that stay, by class of stay, shape (K, Y, T, T)."""
        return self.stay_share if self.stay_share.ndim == 4 else self.stay_share[None]

    def stay_classes(self) -> Ints:
        """The class of stay of each truck, shape (N,)."""
        return np.zeros(len(self.truck_ids), np.int64) if self.stay_class is None else self.stay_class

    def stands_in_line(self) -> Bools:
        """Whether each truck stands in the line before its gate, shape (N,)."""
        return np.zeros(len(self.truck_ids), bool) if self.in_line is None else self.in_line

    def sites(self) -> Ints:
        """The yard that each row is a zone of, shape (Y,); each row its own where nothing is said."""
        return np.arange(len(self.yard_ids)) if self.site is None else self.site

    def is_open(self) -> Bools:
        """Whether a yard takes trucks in a step, shape (Y, T)."""
        return np.ones(self.capacity_veh.shape, bool) if self.opens is None else self.opens

    def room_veh(self) -> Floats:
        """Places that newcomers can fill, shape (Y, T); none where more are inside than there is room."""
        room: Floats = np.maximum(self.capacity_veh - self.remaining_veh, 0.0)
        return room

    def gate_room_veh(self) -> Floats:
        """How many trucks may have been let into the yards of each gate from the beginning to each step, shape (G, T).

        The places that they have, less who was inside, and whom the gate has cleared by then; infinite where nothing is
        known of that.
        """
        G = len(self.crossing_s)
        if self.cleared_veh is None:
            return np.full((G, self.steps), np.inf)
        room = self.cleared_veh.astype(np.float64).copy()
        np.add.at(room, self.gate, self.capacity_veh - self.remaining_veh[:, :1])
        return np.asarray(np.maximum(room, 0.0))

    def arrival_steps(self) -> Ints:
        """The step in which each truck can be at each yard, shape (N, Y); T where not allowed or too late."""
        steps = np.floor(np.maximum(self.arrive_s, 0.0) / self.step_s)
        late = ~self.allowed | ~np.isfinite(steps) | (steps >= self.steps)
        return np.where(late, self.steps, np.where(late, 0, steps)).astype(np.int64)


def whole_trucks(intake_veh: Floats) -> Floats:
    """What an entrance takes in each step (…, T), in whole trucks: parts add up until they are one truck."""
    finite = np.isfinite(intake_veh)
    taken = np.floor(np.cumsum(np.where(finite, intake_veh, 0.0), axis=-1) + 1e-9)
    whole = np.diff(taken, axis=-1, prepend=0.0)
    return np.asarray(np.where(finite, whole, np.inf), np.float64)


def cleared_by(in_step_veh: Floats) -> Floats:
    """How many trucks a gate lets out by the start of each step, of those it can let out in each (…, T)."""
    return np.asarray(np.cumsum(in_step_veh, axis=-1) - in_step_veh, np.float64)
