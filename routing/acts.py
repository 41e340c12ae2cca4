"""Acts of the police and of gates, tried on the corridor as it is: all on the same random numbers as doing nothing.

An act is a tuple of steps; none of them: nothing is done. A run draws its trucks, its pace and its service times once,
exactly as `routing.forecast` does with the same seed, and each act changes what was drawn: so a difference between two
worlds of a run is the act's and not chance's (common random numbers: A. Law, Simulation Modeling and Analysis, 5th ed.,
section 11.2). Rows are those of the state; times are seconds from its moment on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from routing.arrays import NO_WAY, BoolArray, FleetArrays, FloatArray, GateArrays, IntArray
from routing.gates import GateSetting
from routing.network import Network
from routing.pace import PaceDraw
from routing.runs import CorridorRuns, DrawnRun
from routing.series import Series
from routing.simulation import RunResult, ensemble
from routing.trucks import TruckBatch
from routing.yard_places import PlacesFrom, with_places

MAX_COUNTED_S: Final = 24.0 * 3600.0
"""A truck's hours count until it is out of the corridor, no longer than this after the horizon: a night included."""


@dataclass(frozen=True)
class Held:
    """Trucks that still drive toward a staging area leave the road there until `until_s` [n]."""

    rows: IntArray
    staging: str
    until_s: FloatArray


@dataclass(frozen=True)
class Released:
    """Trucks that stand held at a staging area drive on at `at_s` [n], whatever they were told before."""

    rows: IntArray
    at_s: FloatArray


@dataclass(frozen=True)
class Diverted:
    """Trucks go to another gate; those from which no road leads there go where they went."""

    rows: IntArray
    gate_id: str


@dataclass(frozen=True)
class Worked:
    """A gate works otherwise than it would.

    `faster`: exports are served so many times as fast, up to `max_veh_per_h`, or at the pace that they have anyway if
    that is more; `imports_slower`: imports take so many times as long; `longer_s`: it closes so much later, once.
    """

    gate_id: str
    faster: float = 1.0
    max_veh_per_h: float = np.inf
    imports_slower: float = 1.0
    longer_s: float = 0.0


@dataclass(frozen=True)
class Banned:
    """Who would set out for a gate before `until_s` waits at home until then; `goods` None: whatever it carries."""

    gate_id: str
    until_s: float
    goods: Literal["perishable", "other"] | None = None


@dataclass(frozen=True)
class Closed:
    """A yard has these places and no others; who is inside stays until it leaves."""

    yard_id: str
    places: tuple[PlacesFrom, ...]


Step: TypeAlias = Held | Released | Diverted | Worked | Banned | Closed
Act: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True)
class Trial:
    """What came of acts in R runs; W worlds in the order of the acts asked for.

    `hours` and `perishable_hours` [R, W] from when each truck came, or wanted to come, until it was out: all trucks,
    and those with perishable goods; `queue_hours` [R, W, G] of trucks in each gate's queue within the horizon;
    `queue_veh`, `wait_s`, `tail_km` [R, W, G, T] and `occupancy_veh` [R, W, Y, T], T samples every `step_s`;
    `idle_share` [R, W, G, T] the share of a gate's entrance lanes that stood empty while it was open;
    `joined` [R][W], when its trucks would reach their gates.
    """

    step_s: float
    gate_ids: tuple[str, ...]
    yard_ids: tuple[str, ...]
    hours: FloatArray
    perishable_hours: FloatArray
    queue_hours: FloatArray
    queue_veh: FloatArray
    wait_s: FloatArray
    tail_km: FloatArray
    occupancy_veh: FloatArray
    idle_share: FloatArray
    joined: tuple[tuple[Joined, ...], ...]


@dataclass(frozen=True)
class Joined:
    """When trucks would reach the entrance of their gate with nobody before them: seconds, by gate [n]."""

    gate: IntArray
    at_s: FloatArray


class _World(NamedTuple):
    """What came of one act in one run; fields as of `Trial`."""

    hours: float
    perishable_hours: float
    queue_hours: FloatArray
    queue_veh: FloatArray
    wait_s: FloatArray
    tail_km: FloatArray
    occupancy_veh: FloatArray
    idle_share: FloatArray
    joined: Joined


_ARRAYS: Final = tuple(name for name in _World._fields if name != "joined")


class Laboratory(CorridorRuns):
    """The corridor now, ready to try acts on: with its seed the world without acts is the forecast's."""

    def run(
        self,
        acts: Sequence[Act],
        runs: int,
        *,
        first: int = 0,
        threads: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Trial:
        """Try acts in the runs `first`, `first` + 1, …; the same numbers give the same bits, whatever else is tried."""
        for act in acts:
            self._check(act)
        found = ensemble(
            lambda i: self._run(first + i, acts),
            runs,
            threads=threads,
            progress=progress,
        )
        return Trial(
            step_s=self.step_s,
            gate_ids=self.network.gate_ids,
            yard_ids=self.network.yard_ids,
            joined=tuple(tuple(world.joined for world in worlds) for worlds in found),
            **{name: np.array([[getattr(w, name) for w in worlds] for worlds in found]) for name in _ARRAYS},
        )

    def can_hold(self, row: int, staging: str) -> bool:
        """Whether a truck of the state still has a staging area before it, and stands in no queue."""
        link = int(self.sampler.link[row])
        if link < 0 or self.queue.member[row] >= 0 or not self.sampler.exporting[row]:
            return False
        gate = int(self.sampler.gate[row])
        return self.network.staging_link[staging] in self.network.path(link, max(gate, 0))

    def can_divert(self, row: int, gate_id: str) -> bool:
        """Whether a road leads from where a truck of the state is to another gate; the last of a queue can turn too."""
        link = int(self.sampler.link[row])
        gate = self.network.gate_ids.index(gate_id)
        return link >= 0 and int(self.network.next_hop[link, gate]) != NO_WAY and bool(self.sampler.exporting[row])

    def way_s(self, staging: str, gate_id: str) -> float:
        """Free travel time from a staging area to a gate's entrance; inf = no way."""
        link = self.network.staging_link[staging]
        path = self.network.path(link, self.network.gate_ids.index(gate_id))
        return float(self.links.free_time_s[path[1:]].sum()) if path else float(np.inf)

    def _check(self, act: Act) -> None:
        for step in act:
            if isinstance(step, Held) and step.staging not in self.network.staging_link:
                raise KeyError(step.staging)
            if isinstance(step, Diverted | Worked | Banned) and step.gate_id not in self.network.gate_ids:
                raise KeyError(step.gate_id)
            if isinstance(step, Closed) and step.yard_id not in self.network.yard_ids:
                raise KeyError(step.yard_id)

    def _run(self, number: int, acts: Sequence[Act]) -> list[_World]:
        """One run of all worlds."""
        drawn = self.draw(number)
        worlds = []
        for act in acts:
            settings, courses = _work(drawn.settings, drawn.courses, act)
            gates = _with_places(_open_longer(self.gates_at(courses), self.network, act), self.network, act)
            fleet, result = self.simulate(drawn, self._act(drawn, act), settings, gates)
            worlds.append(self._measured(drawn, gates, fleet, result))
        return worlds

    def _measured(self, drawn: DrawnRun, gates: GateArrays, fleet: FleetArrays, result: RunResult) -> _World:
        series = Series.of(self.network, result)
        n_gates, trucks = len(self.network.gate_ids), drawn.trucks
        counted = trucks.gate >= 0
        hours = np.clip(np.minimum(result.exit_s, self.horizon_s + MAX_COUNTED_S) - self._came(drawn), 0.0, None)
        hours = np.where(counted, hours, 0.0) / 3600.0
        lanes = gates.entrance_lanes[:n_gates, None]
        time_s = np.arange(series.queue_veh.shape[1]) * self.step_s
        spans = gates.entrance_open_s[:n_gates]
        is_open = ((spans[:, :, :1] <= time_s) & (time_s < spans[:, :, 1:])).any(axis=1)
        empty = np.where(is_open, np.clip(1.0 - result.checked_veh[:n_gates] / lanes, 0.0, None), 0.0)
        own = (fleet.gate >= 0) & (fleet.gate < n_gates) & (fleet.link >= 0)
        return _World(
            hours=float(hours.sum()),
            perishable_hours=float(hours[trucks.perishable].sum()),
            queue_hours=series.queue_veh.sum(axis=1) * self.step_s / 3600.0,
            **series._asdict(),
            idle_share=empty,
            joined=Joined(fleet.gate[own], result.unhindered_s[own]),
        )

    def _came(self, drawn: DrawnRun) -> FloatArray:
        """[n] when each truck came into the corridor, or would have had nobody kept it at home."""
        late = drawn.trucks.to_come & (np.arange(len(drawn.trucks)) >= drawn.n_state)
        return np.where(late, drawn.trucks.ready_s, 0.0)

    def _act(self, drawn: DrawnRun, act: Act) -> TruckBatch:
        """The trucks that a run drew, under an act."""
        trucks = drawn.trucks
        if not act:
            return trucks
        gate, ready_s, to_come = trucks.gate.copy(), trucks.ready_s.copy(), trucks.to_come.copy()
        hold_link, hold_until_s = trucks.hold_link.copy(), trucks.hold_until_s.copy()
        for step in act:
            match step:
                case Diverted():
                    target = self.network.gate_ids.index(step.gate_id)
                    index, _ = self._known(step.rows)
                    leads = (trucks.link[index] >= 0) & (
                        self.network.next_hop[np.maximum(trucks.link[index], 0), target] != NO_WAY
                    )
                    gate[index[leads]] = target
                case Held():
                    index, kept = self._known(step.rows)
                    link = self.network.staging_link[step.staging]
                    before = np.array([self._is_before(trucks, i, int(gate[i]), link) for i in index], bool)
                    hold_link[index[before]] = link
                    hold_until_s[index[before]] = step.until_s[kept][before]
                case Released():
                    index, kept = self._known(step.rows)
                    at_s = step.at_s[kept]
                    # Those that still drive to where they shall wait, wait there until then.
                    drives = hold_link[index] >= 0
                    hold_until_s[index[drives]] = at_s[drives]
                    stands = index[~drives]
                    # As the sampler has it: who stands aside longer than its link takes comes back onto it then.
                    link_s = drawn.links.free_time_s[np.maximum(trucks.link[stands], 0)]
                    ready_s[stands] = np.where(at_s[~drives] > link_s, at_s[~drives] - link_s, at_s[~drives])
                    to_come[stands] = at_s[~drives] > link_s
                case Banned():
                    index = self._kept_home(drawn, step)
                    ready_s[index] = np.maximum(ready_s[index], step.until_s)
                case Worked() | Closed():
                    pass
        return replace(
            trucks, gate=gate, ready_s=ready_s, to_come=to_come, hold_link=hold_link, hold_until_s=hold_until_s
        )

    def _known(self, rows: IntArray) -> tuple[IntArray, BoolArray]:
        """Where rows of the state stand in what is drawn, and which of them are."""
        kept = self.sampler.known[rows] if rows.size else np.zeros(0, bool)
        drawn_index = np.cumsum(self.sampler.known) - 1
        return drawn_index[rows[kept]], kept

    def _is_before(self, trucks: TruckBatch, index: int, gate: int, link: int) -> bool:
        here = int(trucks.link[index])
        return here >= 0 and gate >= 0 and link in self.network.path(here, gate)

    def _kept_home(self, drawn: DrawnRun, ban: Banned) -> IntArray:
        trucks = drawn.trucks
        late = trucks.to_come & (np.arange(len(trucks)) >= drawn.n_state)
        hit = late & (trucks.gate == self.network.gate_ids.index(ban.gate_id)) & (trucks.ready_s < ban.until_s)
        if ban.goods is not None:
            hit &= trucks.perishable == (ban.goods == "perishable")
        return np.flatnonzero(hit)


def _work(
    settings: Sequence[GateSetting], courses: Mapping[str, PaceDraw], act: Act
) -> tuple[Sequence[GateSetting], dict[str, PaceDraw]]:
    """How gates work in one run under an act: as drawn, with what is served faster or slower."""
    own, changed = list(settings), dict(courses)
    for step in act:
        if not isinstance(step, Worked):
            continue
        for i, setting in enumerate(own):
            if setting.gate_id != step.gate_id:
                continue
            crossing, entrance = setting.crossing, setting.entrance
            if setting.direction == "import":
                slower = crossing.service.scaled(step.imports_slower)
                own[i] = replace(setting, crossing=replace(crossing, service=slower))
                continue
            pace = entrance.rate_veh_per_h()
            faster = _faster(pace, step) if np.isfinite(pace) else 1.0
            own[i] = replace(
                setting,
                entrance=replace(entrance, service=entrance.service.scaled(1.0 / faster)),
                crossing=replace(crossing, service=crossing.service.scaled(1.0 / step.faster)),
            )
            course = courses.get(setting.gate_id)
            if course is not None:
                next_veh_per_h = course.next_veh_per_h * _faster(course.next_veh_per_h, step)
                changed[setting.gate_id] = PaceDraw(course.rate_veh_per_h * faster, course.change_s, next_veh_per_h)
    return own, changed


def _faster(rate_veh_per_h: float, step: Worked) -> float:
    """How many times as fast a pace becomes: no faster than the gate can be, and never slower than it is."""
    return max(1.0, min(step.faster, step.max_veh_per_h / max(rate_veh_per_h, 1e-9)))


def _open_longer(gates: GateArrays, network: Network, act: Act) -> GateArrays:
    """The gates with the hours that an act adds to the span that is open now, or is the next."""
    entrance, crossing = gates.entrance_open_s, gates.crossing_open_s
    for step in act:
        if isinstance(step, Worked) and step.longer_s > 0.0:
            number = network.gate_number(step.gate_id)
            entrance, crossing = (_extended(spans, number, step.longer_s) for spans in (entrance, crossing))
    return gates._replace(entrance_open_s=entrance, crossing_open_s=crossing)


def _with_places(gates: GateArrays, network: Network, act: Act) -> GateArrays:
    """The gates with the places that an act leaves their yards."""
    places = {step.yard_id: step.places for step in act if isinstance(step, Closed)}
    return with_places(gates, network.yard_ids, places) if places else gates


def _extended(spans: FloatArray, gate: int, longer_s: float) -> FloatArray:
    own = spans.copy()
    left = np.flatnonzero((own[gate, :, 1] > 0.0) & np.isfinite(own[gate, :, 1]))
    if left.size:
        first = int(left[0])
        until = own[gate, first + 1, 0] if first + 1 < own.shape[1] else np.inf
        own[gate, first, 1] = min(own[gate, first, 1] + longer_s, until)
    return own
