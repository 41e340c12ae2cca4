"""A study: the runs of a scenario, in chunks that any process or machine can work on.

A run depends on its number alone, a chunk is always the same numbers, and chunks are put together in the order of their
numbers: whoever works on them, in whatever order, with however many repeats, the result is the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError
from routing.arrays import BoolArray, FleetArrays, FloatArray, GateArrays
from routing.demand import CorridorState
from routing.forecast import CODE_VERSION
from routing.gates import GateSetting, day_seconds
from routing.graph import build_network
from routing.network import Network
from routing.pace import changing
from routing.runs import begin_measured, checks_left
from routing.scenario_inputs import Change, Scenario, check_names
from routing.scenario_now import PresentTrucks
from routing.scenario_trucks import SampledTrucks, apply_orders, not_banned, sample_trucks
from routing.scenario_worlds import CompiledWorld, closed_roads, compile_world, demand_factor, free_road_times
from routing.series import Series
from routing.simulation import Closure, RunResult, ensemble, simulate
from routing.trucks import TruckBatch, sample_fleet, select_fleet
from routing.yard_places import PlacesFrom, YardPlaces, places_at

CHUNK_RUNS = 10
"""Runs of a chunk: some 0.1 s of work, so that a lost worker loses little."""

TOTALS = (
    "truck_hours",
    "fruit_truck_hours",
    "waiting_truck_hours",
    "fruit_waiting_truck_hours",
    "crossed_veh",
    "longest_queue_veh",
    "mean_wait_s",
    "spoiled_t",
    "cost_vnd",
)

Progress = Callable[[float], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class StudyInputs:
    """All that a run depends on beside its number; can be pickled and sent.

    `yard_places` of all yards; of a scenario that begins now those of its `state` hold instead. `code_version` of who
    asks, checked by who works.
    """

    corridor: Corridor
    scenario: Scenario
    seed: int
    settings: tuple[GateSetting, ...]
    yard_places: YardPlaces
    state: CorridorState | None = None
    added: frozenset[str] = frozenset()
    """Yards that the base does not have."""
    code_version: str = CODE_VERSION

    @cached_property
    def study(self) -> Study:
        """The study these inputs describe, made once in each process."""
        return Study(self)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "study"}


@dataclass(frozen=True)
class Chunk:
    """What comes of the runs `first`, `first` + 1, …; worlds in the study's order.

    Series of each world [run, gate or yard, T]; `totals` [run, world, total].
    """

    first: int
    series: tuple[Series, ...]
    totals: FloatArray


class Spread(Protocol):
    """Has all runs of a study done somewhere."""

    def __call__(
        self, inputs: StudyInputs, runs: int, *, progress: Progress | None, cancelled: Cancelled | None
    ) -> list[Chunk] | None:
        """The chunks in the order of their numbers; None if `cancelled()` became true before the end."""


@dataclass(frozen=True)
class DrawnWorld:
    """The trucks of one run in one world: `keep` of those sampled, as the `fleet` that the engine takes."""

    world: CompiledWorld
    gates: GateArrays
    sampled: SampledTrucks
    keep: BoolArray
    fleet: FleetArrays


class Study:
    """A scenario compiled: its worlds, and how one run of all of them is made."""

    def __init__(self, inputs: StudyInputs) -> None:
        """Compile.

        Raises
        ------
        InvalidInputError
            If the scenario names what the corridor does not have, or begins now and no state is given.
        """
        scenario, corridor, state = inputs.scenario, inputs.corridor, inputs.state
        if (scenario.world.begins == "now") != (state is not None):
            raise InvalidInputError(
                "A scenario begins with the state of the corridor now if and only if its world.begins is now.",
                field="world.begins",
            )
        self.scenario, self.seed = scenario, inputs.seed
        self.horizon_s = scenario.horizon_h * 3600.0
        compared = scenario.compared()
        closures = [closed_roads(corridor, variant.change.closures) for variant in compared]
        self.network: Network = build_network(corridor, alone={c.road_id for own in closures for c in own})
        network = self.network
        check_names(scenario, network.gate_ids, network.yard_ids, tuple(network.staging_link))
        places = {**inputs.yard_places, **(_places_now(network, state) if state is not None else {})}
        base_places = {yard: (PlacesFrom(0.0, 0.0),) if yard in inputs.added else places[yard] for yard in places}
        self.base_capacity_veh = np.array([places_at(base_places[yard], 0.0) for yard in network.yard_ids])

        road_time_s = free_road_times(corridor, scenario.world.free_speed_mps)

        def compiled(change: Change, places: YardPlaces, closed: Sequence[Closure]) -> CompiledWorld:
            return compile_world(
                scenario,
                network,
                inputs.settings,
                places,
                closed,
                change=change,
                road_time_s=road_time_s,
                state=state,
            )

        self.worlds = (
            compiled(Change(), base_places, ()),
            *(compiled(variant.change, places, own) for variant, own in zip(compared, closures, strict=True)),
        )
        factors = [demand_factor(network, variant.change.demand) for variant in compared]
        self.present = None if state is None else PresentTrucks(network, state, factors, horizon_s=self.horizon_s)

    def draw(self, number: int) -> Iterator[DrawnWorld]:
        """The trucks of one run as each world has them, on the same random numbers."""
        network, present = self.network, self.present
        trucks_rng, *_ = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number, 0))).spawn(1)
        if present is None:
            sampled = sample_trucks(network, self.scenario, self.worlds, self.base_capacity_veh, trucks_rng)
        else:
            sampled = present.sample(trucks_rng, self.worlds[0].settings)
        for world, comes in zip(self.worlds, sampled.comes, strict=True):
            # The same three generators in all worlds, drawn for the trucks of any.
            services = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number, 1))).spawn(3)
            pace_rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number, 2)))
            settings, gates = world.settings, world.gates
            if present is not None:
                courses = present.courses(pace_rng)
                settings = present.paced(settings, courses, present.import_rates(pace_rng))
                check_rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number, 4)))
                busy_s = checks_left(check_rng, network, settings, present.queue)
                gates = changing(gates, network, courses)._replace(entrance_busy_s=busy_s)
            ordered = apply_orders(network, world, sampled, comes)
            keep = comes & not_banned(network, world, sampled, ordered)
            fleet = sample_fleet(network, ordered, settings, services, start_of_day_s=day_seconds(self.scenario.start))
            yield DrawnWorld(world, gates, sampled, keep, select_fleet(fleet, keep))

    def run(self, number: int) -> tuple[list[Series], FloatArray]:
        """One run of all worlds: their series, and their totals [world, total]."""
        series = []
        totals = np.zeros((len(self.worlds), len(TOTALS)))
        for w, drawn in enumerate(self.draw(number)):
            sampled, keep = drawn.sampled, drawn.keep
            result = simulate(
                drawn.world.links, drawn.gates, drawn.fleet, horizon_s=self.horizon_s, step_s=self.scenario.step_s
            )
            if self.present is not None:
                error_rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number, 3)))
                begin_measured(result, self.present.queue, self.present.more_veh(error_rng, sampled))
            series.append(Series.of(self.network, result))
            totals[w] = _totals(sampled.trucks.take(keep), sampled.exporting[keep], result, series[w], self.scenario)
        return series, totals

    def run_chunk(self, numbers: range) -> Chunk:
        """The runs of these numbers, in their order."""
        found = [self.run(number) for number in numbers]
        return Chunk(
            first=numbers.start,
            series=tuple(
                Series(*(np.stack(values) for values in zip(*world, strict=True)))
                for world in zip(*(series for series, _ in found), strict=True)
            ),
            totals=np.stack([totals for _, totals in found]),
        )


def _places_now(network: Network, state: CorridorState) -> YardPlaces:
    """The places that yards have and will have as the state knows them."""
    if state.yard_capacity_veh is None:
        return {}
    return {
        yard_id: (PlacesFrom(0.0, float(places_veh)), *state.yard_changes.get(yard_id, ()))
        for yard_id, places_veh in zip(network.yard_ids, state.yard_capacity_veh, strict=True)
    }


def work_on(inputs: StudyInputs, numbers: range) -> Chunk:
    """Work on a chunk of a study, wherever this process is.

    Raises
    ------
    ConflictError
        If this process runs another version of the code than the one that asks.
    """
    if inputs.code_version != CODE_VERSION:
        raise ConflictError(
            "This worker runs version {found} of the engine, the study wants {wanted}; install the same on all.",
            found=CODE_VERSION,
            wanted=inputs.code_version,
        )
    return inputs.study.run_chunk(numbers)


def chunks_of(runs: int) -> Sequence[range]:
    """The numbers 0 … runs - 1 in chunks."""
    return [range(first, min(first + CHUNK_RUNS, runs)) for first in range(0, runs, CHUNK_RUNS)]


def run_in_threads(threads: int | None = None) -> Spread:
    """Work on a study in threads of this process; None: as many as there are processors."""

    def spread(
        inputs: StudyInputs, runs: int, *, progress: Progress | None, cancelled: Cancelled | None
    ) -> list[Chunk] | None:
        numbers = chunks_of(runs)
        _ = inputs.study  # before threads ask for it at once
        found = ensemble(
            lambda i: work_on(inputs, numbers[i]),
            len(numbers),
            threads=threads,
            cancelled=cancelled,
            progress=progress,
        )
        return found if len(found) == len(numbers) else None

    return spread


def worlds_of(chunks: Sequence[Chunk]) -> Iterator[Series]:
    """Of each world the series of all runs, [run, gate or yard, T]."""
    for world in zip(*(chunk.series for chunk in chunks), strict=True):
        yield Series(*(np.concatenate(values) for values in zip(*world, strict=True)))


def _totals(
    trucks: TruckBatch, exporting: BoolArray, result: RunResult, series: Series, scenario: Scenario
) -> tuple[float, ...]:
    """The figures of `TOTALS`, in their order, of one run of one world."""
    perishable, horizon_s, costs = trucks.perishable & exporting, scenario.horizon_h * 3600.0, scenario.costs
    came_s = np.where(trucks.to_come, trucks.ready_s, 0.0)
    hours = np.clip(np.minimum(result.exit_s, horizon_s) - came_s, 0.0, None) / 3600.0
    waits = np.clip(np.minimum(result.entrance_start_s, horizon_s) - result.unhindered_s, 0.0, None) / 3600.0
    waits[trucks.link < 0] = 0.0
    spoiled_t = costs.load_t * float(np.minimum(hours[perishable] / costs.shelf_life_h, 1.0).sum())
    truck_hours = float(hours[exporting].sum())
    return (
        truck_hours,
        hours[perishable].sum(),
        waits[exporting].sum(),
        waits[perishable].sum(),
        float((result.exit_s[exporting] <= horizon_s).sum()),
        float(series.queue_veh.max()),
        3600.0 * float(waits[exporting].sum()) / max(1, int(exporting.sum())),
        spoiled_t,
        truck_hours * costs.truck_hour_vnd + spoiled_t * costs.goods_vnd_per_t,
    )
