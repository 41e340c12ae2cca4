"""A scenario that begins with the corridor as it is: the state and the demand of the live forecast, in both worlds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import numpy as np

from geo.clock import LOCAL_ZONE
from routing.arrays import BoolArray, FloatArray
from routing.demand import CorridorState, DemandModel
from routing.forecast import links_now
from routing.gates import GateSetting
from routing.network import Network
from routing.sampler import Draw, Sampler
from routing.scenario_inputs import HOURS
from routing.scenario_trucks import SampledTrucks
from routing.scenario_worlds import GOODS
from routing.trucks import TruckBatch

INTEGERS: Final = frozenset({"road_id", "gate", "yard", "declared_gate"})
BOOLEANS: Final = frozenset({"perishable", "declared_perishable"})
NOT_KEPT: Final = frozenset({"gate_settings", "closures"})
"""How gates work is read when a run starts; what is closed is the scenario's to say."""


class PresentTrucks:
    """Draws the trucks of both worlds from the state of the corridor, one run after another."""

    def __init__(self, network: Network, state: CorridorState, factor: FloatArray, *, horizon_s: float) -> None:
        """`factor` as of `demand_factor`: how the variant's demand differs from the live forecast's."""
        self.network, self.factor = network, factor
        local = state.made_at.astimezone(LOCAL_ZONE)
        self.start_s = local.hour * 3600.0 + local.minute * 60.0 + local.second
        links, road_time_s, self.queue = links_now(network, state)
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

        More demand than the live forecast's are further draws of it, of which in the variant as many come as the
        factor asks for; less is thinned.
        """
        by_gate: dict[tuple[str, str], GateSetting] = {
            (setting.gate_id, setting.direction): setting for setting in settings
        }
        copies = max(1, int(np.ceil(self.factor.max(initial=1.0))))
        drawn = [self.sampler.draw(each, by_gate) for each in rng.spawn(copies)]
        sets_out = [self._sets_out(draw) for draw in drawn]
        kept = [np.arange(sets_out[0].size), *(np.flatnonzero(own) for own in sets_out[1:])]
        trucks = TruckBatch.concat([draw.trucks.take(index) for draw, index in zip(drawn, kept, strict=True)])
        changes = np.concatenate([own[index] for own, index in zip(sets_out, kept, strict=True)])
        copy = np.repeat(np.arange(copies), [index.size for index in kept])
        hour = ((self.start_s + trucks.ready_s) // 3600.0).astype(np.int64) % HOURS
        goods = np.where(trucks.perishable, GOODS.index("perishable"), GOODS.index("other"))
        factor = self.factor[np.where(changes, trucks.gate, 0), goods, hour]
        n = len(trucks)
        mark = rng.uniform(size=n)
        exporting = self._exporting(trucks)
        return SampledTrucks(
            trucks=trucks,
            comes=(copy == 0, np.where(changes, mark < factor - copy, True)),
            exporting=exporting,
            movable=exporting & (trucks.link >= 0),
            divert_mark=rng.uniform(size=n),
            hold_mark=rng.uniform(size=n),
        )

    def _exporting(self, trucks: TruckBatch) -> BoolArray:
        return np.asarray((trucks.gate >= 0) & (trucks.gate < len(self.network.gate_ids)))

    def _sets_out(self, draw: Draw) -> BoolArray:
        """Exports that are not under way yet."""
        late = np.arange(len(draw.trucks)) >= draw.n_state
        return np.asarray(self._exporting(draw.trucks) & draw.trucks.to_come & late)


def state_record(state: CorridorState) -> dict[str, Any]:
    """A state as plain JSON values, without how gates work and what is closed; `read_state` reads it back."""
    record: dict[str, Any] = {}
    for each in fields(state):
        value = getattr(state, each.name)
        if isinstance(value, np.ndarray):
            record[each.name] = [None if isinstance(one, float) and math.isnan(one) else one for one in value.tolist()]
        elif each.name not in NOT_KEPT and value is not None:
            record[each.name] = value.isoformat() if isinstance(value, datetime) else dict(value)
    return record


def read_state(record: Mapping[str, Any], settings: Sequence[GateSetting]) -> CorridorState:
    """The state of a record, with how gates work."""
    values: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, list):
            kind = np.int64 if name in INTEGERS else np.bool_ if name in BOOLEANS else np.float64
            values[name] = np.array([np.nan if number is None else number for number in value], kind)
        else:
            values[name] = datetime.fromisoformat(value) if name == "made_at" else value
    return CorridorState(**values, gate_settings=tuple(settings))
