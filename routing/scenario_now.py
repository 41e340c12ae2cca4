"""A scenario that begins with the corridor as it is: the state and the demand of the live forecast, in both worlds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final, cast

import numpy as np

from routing.arrays import BoolArray, FloatArray
from routing.demand import CorridorState, DemandModel
from routing.gates import GateSetting, Server, day_seconds_of
from routing.network import Network
from routing.pace import MIN_RATE_VEH_PER_H, GatePace, PaceDraw
from routing.pace_record import PaceRecord, pace_record, read_pace
from routing.runs import links_now, measurement_error, unnoticed_veh
from routing.sampler import Draw, Sampler
from routing.scenario_inputs import HOURS
from routing.scenario_records import StateRecord
from routing.scenario_trucks import SampledTrucks
from routing.scenario_worlds import GOODS
from routing.trucks import TruckBatch
from routing.yard_places import PlacesFrom

INTEGERS: Final = frozenset({"road_id", "gate", "yard", "declared_gate"})
BOOLEANS: Final = frozenset({"perishable", "declared_perishable", "is_declared"})
PACES: Final = frozenset({"pace", "import_pace"})
PLACES: Final = "yard_changes"
NOT_KEPT: Final = frozenset({"gate_settings", "closures"})
"""How gates work is read when a run starts; what is closed is the scenario's to say."""


class PresentTrucks:
    """Draws the trucks of all worlds from the state of the corridor, one run after another."""

    def __init__(
        self, network: Network, state: CorridorState, factors: Sequence[FloatArray], *, horizon_s: float
    ) -> None:
        """`factors` as of `demand_factor`, one a variant: how its demand differs from the live forecast's."""
        self.network, self.factors = network, tuple(factors)
        self.pace, self.import_pace = state.pace, state.import_pace
        self.start_s = day_seconds_of(state.made_at)
        links, road_time_s, self.queue = links_now(network, state)
        self._unnoticed_veh = unnoticed_veh(network, state, self.queue)
        self.sampler = Sampler(
            network,
            state,
            free_time_s=links.free_time_s,
            road_time_s=road_time_s,
            spacing_m=links.spacing_m,
            queued=self.queue.member >= 0,
            horizon_s=horizon_s,
            model=DemandModel(),
        )

    def sample(self, rng: np.random.Generator, settings: Sequence[GateSetting]) -> SampledTrucks:
        """The trucks of one run.

        More demand than the live forecast's are further draws of it, of which in a variant as many come as its
        factor asks for; less is thinned.
        """
        by_gate: dict[tuple[str, str], GateSetting] = {
            (setting.gate_id, setting.direction): setting for setting in settings
        }
        copies = max(1, *(int(np.ceil(factor.max(initial=1.0))) for factor in self.factors))
        drawn = [self.sampler.draw(each, by_gate) for each in rng.spawn(copies)]
        sets_out = [self._sets_out(draw) for draw in drawn]
        kept = [np.arange(sets_out[0].size), *(np.flatnonzero(own) for own in sets_out[1:])]
        trucks = TruckBatch.concat([draw.trucks.take(index) for draw, index in zip(drawn, kept, strict=True)])
        changes = np.concatenate([own[index] for own, index in zip(sets_out, kept, strict=True)])
        copy = np.repeat(np.arange(copies), [index.size for index in kept])
        hour = ((self.start_s + trucks.ready_s) // 3600.0).astype(np.int64) % HOURS
        goods = np.where(trucks.perishable, GOODS.index("perishable"), GOODS.index("other"))
        at = np.where(changes, trucks.gate, 0), goods, hour
        n = len(trucks)
        mark = rng.uniform(size=n)
        exporting = self._exporting(trucks)
        return SampledTrucks(
            trucks=trucks,
            comes=(copy == 0, *(np.where(changes, mark < factor[at] - copy, True) for factor in self.factors)),
            exporting=exporting,
            movable=exporting & (trucks.link >= 0),
            divert_mark=rng.uniform(size=n),
            hold_mark=rng.uniform(size=n),
            unseen_queue_veh=drawn[0].unseen_queue_veh,
        )

    def courses(self, rng: np.random.Generator) -> dict[str, PaceDraw]:
        """The course of each export entrance's filtered pace in one run, the same in all worlds."""
        return {gate_id: pace.draw(rng) for gate_id, pace in self.pace.items()}

    def import_rates(self, rng: np.random.Generator) -> dict[str, float]:
        """Imports an hour that each gate whose pace was filtered lets in in one run, the same in all worlds."""
        return {gate_id: pace.draw(rng).rate_veh_per_h for gate_id, pace in self.import_pace.items()}

    def paced(
        self,
        settings: Sequence[GateSetting],
        courses: Mapping[str, PaceDraw],
        import_rates: Mapping[str, float],
    ) -> tuple[GateSetting, ...]:
        """How gates work in one run: each server that a direction meets first, the entrance of exports and the crossing
        of imports, as much slower or faster than its world's as was drawn.

        A world with more lanes, or with fewer for imports, is faster or slower in proportion.
        """

        def paced(setting: GateSetting) -> GateSetting:
            gate_id = setting.gate_id
            if setting.direction == "export" and gate_id in courses:
                slower = _slower(self.pace[gate_id], courses[gate_id].rate_veh_per_h)
                return replace(setting, entrance=_scaled(setting.entrance, slower))
            if setting.direction == "import" and gate_id in import_rates:
                slower = _slower(self.import_pace[gate_id], import_rates[gate_id])
                return replace(setting, crossing=_scaled(setting.crossing, slower))
            return setting

        return tuple(paced(setting) for setting in settings)

    def more_veh(self, rng: np.random.Generator, sampled: SampledTrucks) -> FloatArray:
        """[G] how many trucks more than were seen stand in each gate's queue at the start of one run, in all worlds:
        those that nobody saw, and by how much the measurement is off, as in the live forecast."""
        return np.asarray(sampled.unseen_queue_veh + measurement_error(rng, self._unnoticed_veh))

    def _exporting(self, trucks: TruckBatch) -> BoolArray:
        return np.asarray((trucks.gate >= 0) & (trucks.gate < len(self.network.gate_ids)))

    def _sets_out(self, draw: Draw) -> BoolArray:
        """Exports that are not under way yet."""
        late = np.arange(len(draw.trucks)) >= draw.n_state
        return np.asarray(self._exporting(draw.trucks) & draw.trucks.to_come & late)


def _slower(pace: GatePace, rate_veh_per_h: float) -> float:
    return pace.mean_veh_per_h / max(rate_veh_per_h, MIN_RATE_VEH_PER_H)


def _scaled(server: Server, slower: float) -> Server:
    return replace(server, service=server.service.scaled(slower))


def state_record(state: CorridorState) -> StateRecord:
    """A state as plain JSON values, without how gates work and what is closed; `read_state` reads it back."""
    record: StateRecord = {}
    for each in fields(state):
        value = getattr(state, each.name)
        if isinstance(value, np.ndarray):
            record[each.name] = [
                None if isinstance(number, float) and math.isnan(number) else number for number in value.tolist()
            ]
        elif each.name in PACES:
            record[each.name] = pace_record(value)
        elif each.name == PLACES:
            record[each.name] = {yard_id: [list(own) for own in places] for yard_id, places in value.items()}
        elif each.name not in NOT_KEPT and value is not None:
            record[each.name] = value.isoformat() if isinstance(value, datetime) else dict(value)
    return record


def read_state(record: StateRecord, settings: Sequence[GateSetting]) -> CorridorState:
    """The state of a record, with how gates work."""
    values: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, list):
            kind = np.int64 if name in INTEGERS else np.bool_ if name in BOOLEANS else np.float64
            values[name] = np.array([np.nan if number is None else number for number in value], kind)
        elif name in PACES:
            values[name] = read_pace(cast(PaceRecord, value))
        elif name == PLACES:
            places = cast(Mapping[str, list[list[float]]], value)
            values[name] = {yard_id: tuple(PlacesFrom(*own) for own in each) for yard_id, each in places.items()}
        else:
            values[name] = datetime.fromisoformat(str(value)) if name == "made_at" else value
    return CorridorState(**values, gate_settings=tuple(settings))
