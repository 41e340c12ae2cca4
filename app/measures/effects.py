"""What an order would bring: the queue and the wait at the gates it touches, with it and without. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from app.dispatch.records import ParametersRecord
from app.dispatch.vocabulary import OrderKind
from app.forecasting.state import ComingTruck, CorridorNow
from app.measures.trying import RUNS, Range
from app.trips.places import StagingArea
from routing.acts import Act, Diverted, Held, Laboratory, Released, Trial
from routing.arrays import FloatArray, IntArray
from routing.series import rank_quantiles

CHUNK_RUNS: Final = 8
MODELLED: Final = (OrderKind.HOLD, OrderKind.PROCEED, OrderKind.DIVERT)


@dataclass(frozen=True)
class Ordered:
    """An order as the engine takes it; `reached` of its trucks can still do what it says."""

    act: Act
    reached: int
    gate_ids: tuple[str, ...]


@dataclass(frozen=True)
class Curves:
    """A gate's queue [2 worlds, 3, T] and wait, without and with an order."""

    gate_id: str
    queue_veh: FloatArray
    wait_s: FloatArray


@dataclass(frozen=True)
class Effect:
    """What an order would bring; `saved_h` truck-hours on the corridor, perishable goods weighted."""

    runs: int
    saved_h: Range
    gates: tuple[Curves, ...]


def to_act(
    kind: str,
    parameters: ParametersRecord,
    valid_to: datetime,
    released: Mapping[int, datetime | None],
    corridor: CorridorNow,
    laboratory: Laboratory,
) -> Ordered:
    """An order to `released` vehicles (each with when it may go, `None`: with all) as an act on the state."""
    made_at = corridor.state.made_at
    trucks = [truck for truck in corridor.coming if truck.index >= 0 and truck.vehicle_id in released]
    if kind == OrderKind.HOLD:
        site_id = parameters["site_id"]
        able = [truck for truck in trucks if laboratory.can_hold(truck.index, site_id)]
        until_s = np.full(len(able), (valid_to - made_at).total_seconds())
        return _ordered((Held(_rows(able), site_id, until_s),), able)
    if kind == OrderKind.DIVERT:
        gate_id = parameters["gate_id"]
        able = [truck for truck in trucks if laboratory.can_divert(truck.index, gate_id)]
        return _ordered((Diverted(_rows(able), gate_id),), able, gate_id)
    if kind == OrderKind.PROCEED:
        hold_s = corridor.state.hold_until_s
        able = [truck for truck in trucks if hold_s is not None and hold_s[truck.index] > 0.0]
        at = [released[truck.vehicle_id] or made_at for truck in able]
        at_s = np.array([max(0.0, (moment - made_at).total_seconds()) for moment in at])
        return _ordered((Released(_rows(able), at_s),), able)
    return Ordered((), 0, ())


def _rows(trucks: Sequence[ComingTruck]) -> IntArray:
    return np.array([truck.index for truck in trucks], np.int64)


def _ordered(act: Act, able: Sequence[ComingTruck], *others: str) -> Ordered:
    gates = dict.fromkeys([*(truck.gate_id for truck in able if truck.gate_id is not None), *others])
    return Ordered(act if able else (), len(able), tuple(gates))


def compute(
    laboratory: Laboratory,
    ordered: Ordered,
    *,
    weight: float,
    runs: int = RUNS,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Effect:
    """Run the corridor without and with an order; the runs are those of the forecast with the same seed."""
    trial: list[Trial] = []
    for share, part in in_chunks(laboratory, ordered, runs=runs, threads=threads):
        trial.append(part)
        if progress is not None:
            progress(share)
    return effect_of(trial, ordered, weight=weight)


def in_chunks(
    laboratory: Laboratory, ordered: Ordered, *, runs: int = RUNS, threads: int | None = None
) -> Iterator[tuple[float, Trial]]:
    """The runs in chunks, each with the share that is done then."""
    for first in range(0, runs, CHUNK_RUNS):
        count = min(CHUNK_RUNS, runs - first)
        part = laboratory.run([(), ordered.act], count, first=first, threads=threads)
        yield (first + count) / runs, part


def effect_of(parts: Sequence[Trial], ordered: Ordered, *, weight: float) -> Effect:
    """What the runs of all chunks say together."""
    hours, perishable = (np.concatenate([getattr(p, name) for p in parts]) for name in ("hours", "perishable_hours"))
    weighted = hours + (weight - 1.0) * perishable
    queue, wait = (np.concatenate([getattr(p, name) for p in parts]) for name in ("queue_veh", "wait_s"))
    known = parts[0].gate_ids
    gates = [
        Curves(gate_id, *(_by_world(series[:, :, known.index(gate_id)]) for series in (queue, wait)))
        for gate_id in ordered.gate_ids
        if gate_id in known
    ]
    return Effect(int(hours.shape[0]), Range.of(weighted[:, 0] - weighted[:, 1]), tuple(gates))


def _by_world(series: FloatArray) -> FloatArray:
    """[R, W, T] → [W, 3, T]."""
    return np.asarray(rank_quantiles(series).transpose(1, 0, 2))


def queue_hours_saved(parts: Sequence[Trial], gate_id: str, until_s: float) -> Range:
    """Truck-hours less in a gate's queue until then, over the paired runs."""
    gate, step_s = parts[0].gate_ids.index(gate_id), parts[0].step_s
    samples = 1 + int(until_s / step_s)
    queue = np.concatenate([part.queue_veh for part in parts])[:, :, gate, :samples].sum(axis=-1) * step_s / 3600.0
    return Range.of(queue[:, 0] - queue[:, 1])


def places_left(area: StagingArea, standing: int, held: int) -> int:
    """How many places a staging area has left when all that are sent there have come; negative: too few."""
    return area.capacity_veh - standing - held


def realised_hours(
    without_veh: FloatArray, step_s: float, measured: Sequence[tuple[float, float]], until_s: float
) -> Range | None:
    """Truck-hours in the queue by which what was measured lies below the forecast without the order; an estimate.

    Arguments: `without_veh` [3, T], the queue foreseen without it at 10, 50, 90 %; `measured`, (seconds since the
    forecast, trucks), ascending. `None` where less than half of the time until `until_s` was measured.
    """
    if until_s <= 0.0:
        return None
    at_s = np.arange(step_s / 2.0, until_s, step_s)
    times = np.array([time for time, _ in measured])
    queue = np.array([veh for _, veh in measured])
    if not times.size:
        return None
    nearest = np.abs(times[:, None] - at_s).argmin(axis=0)
    known = np.abs(times[nearest] - at_s) <= step_s
    if known.mean() < 0.5:
        return None
    grid = np.arange(without_veh.shape[1]) * step_s
    less = [np.interp(at_s, grid, row) - queue[nearest] for row in without_veh]
    # What was not measured is taken as the mean of what was.
    low, mean, high = (float(each[known].mean() * until_s / 3600.0) for each in less)
    return Range(mean, low, high)
