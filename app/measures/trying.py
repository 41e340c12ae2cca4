"""Acts tried one by one on the corridor now and ranked by the truck-hours that they save. Pure."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from app.dispatch.risks import StandingRisk
from app.dispatch.vocabulary import AdviceKind
from app.measures.candidates import Candidate
from routing.acts import Act, Laboratory, Trial
from routing.arrays import FloatArray

COARSE_RUNS: Final = 10
"""All acts are looked at in so few runs; the best of each kind are then tried in earnest."""
RUNS: Final = 64
MIN_RUNS: Final = 24
OF_KIND: Final = 2
"""So many acts of a kind are tried in earnest: the one that saves most, and the one that helps the risk most."""
BUDGET_S: Final = 8.0
RANGE: Final = (0.1, 0.9)


@dataclass(frozen=True)
class Range:
    """A paired difference over the runs: its mean, and between what it lies in eight of ten."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: FloatArray) -> Range:
        """Of the values of all runs."""
        low, high = np.quantile(values, RANGE)
        return cls(float(values.mean()), float(low), float(high))

    @property
    def is_sure(self) -> bool:
        """Whether all of it lies above zero."""
        return self.low > 0.0


@dataclass(frozen=True)
class Tried:
    """What an act brings against doing nothing.

    `saved_h` truck-hours, perishable goods weighted; `perishable_h` of them those of perishable goods, unweighted;
    `queue_h` truck-hours less in the gate's queue on the road; `peak_veh` the longest median queue without and with it;
    `exceeded` by advisory: hours beyond the threshold told, without and with it.
    """

    candidate: Candidate
    saved_h: Range
    perishable_h: Range
    queue_h: Range
    peak_veh: tuple[float, float]
    exceeded: dict[int, tuple[float, float]]

    @property
    def relief(self) -> float:
        """By how much the threshold is exceeded less, of the risk that it helps most."""
        return max((without - with_act for without, with_act in self.exceeded.values()), default=0.0)

    @property
    def is_of_use(self) -> bool:
        """Whether it may save hours, or eases a risk."""
        return self.saved_h.high > 0.0 or self.relief > 0.05


@dataclass(frozen=True)
class Ranking:
    """The acts of use, the best first, in how many runs they were tried and how long it took."""

    tried: tuple[Tried, ...]
    useless: tuple[Candidate, ...]
    runs: int
    took_s: float


def rank_acts(
    laboratory: Laboratory,
    gate_id: str,
    candidates: Sequence[Candidate],
    risks: Sequence[StandingRisk],
    *,
    weight: float,
    threads: int | None = None,
    budget_s: float = BUDGET_S,
) -> Ranking:
    """Try acts at a gate and rank them: sure savings first, by truck-hours; then what eases the risk.

    Arguments: `weight`, how many times an hour of perishable goods counts; `budget_s`, how long it may take: the runs
    in earnest are fewer where the state is large.
    """
    began = time.perf_counter()
    if not candidates:
        return Ranking((), (), 0, 0.0)
    nothing: Act = ()
    made_at = laboratory.state.made_at
    coarse = laboratory.run([nothing, *(candidate.act for candidate in candidates)], COARSE_RUNS, threads=threads)
    rough = [
        _judge(coarse, i + 1, gate_id, candidate, risks, weight, made_at) for i, candidate in enumerate(candidates)
    ]
    chosen = _best_of_kinds(rough)
    world_s = (time.perf_counter() - began) / (COARSE_RUNS * (len(candidates) + 1))
    left_s = max(0.0, budget_s - (time.perf_counter() - began))
    runs = int(np.clip(left_s / (world_s * (len(chosen) + 1)), MIN_RUNS, RUNS))
    fine = laboratory.run([nothing, *(candidate.act for candidate in chosen)], runs, threads=threads)
    tried = [_judge(fine, i + 1, gate_id, candidate, risks, weight, made_at) for i, candidate in enumerate(chosen)]
    kept = sorted((attempt for attempt in tried if attempt.is_of_use), key=_order)
    useless = tuple(attempt.candidate for attempt in tried if not attempt.is_of_use)
    return Ranking(tuple(_without_doubles(kept)), useless, runs, time.perf_counter() - began)


def _order(tried: Tried) -> tuple[bool, float, float]:
    if tried.saved_h.is_sure:
        return False, -tried.saved_h.mean, -tried.relief
    return True, -round(tried.relief, 1), -tried.saved_h.mean


def _best_of_kinds(rough: Sequence[Tried]) -> list[Candidate]:
    """Of each kind the act that saves most, and the one that eases the risk most."""
    chosen: list[Candidate] = []
    for kind in dict.fromkeys(attempt.candidate.kind for attempt in rough):
        own = [attempt for attempt in rough if attempt.candidate.kind == kind]
        best = max(own, key=lambda attempt: attempt.saved_h.mean)
        # Of those that ease it about as much, the one that costs least.
        most = max(attempt.relief for attempt in own)
        easing = max(
            (attempt for attempt in own if attempt.relief >= 0.9 * most), key=lambda attempt: attempt.saved_h.mean
        )
        chosen += [best.candidate] if easing is best else [best.candidate, easing.candidate][:OF_KIND]
    return chosen


def _without_doubles(ranked: Sequence[Tried]) -> list[Tried]:
    """Without acts that another of their kind is better than in everything."""
    kept: list[Tried] = []
    for attempt in ranked:
        better = [
            other
            for other in kept
            if other.candidate.kind == attempt.candidate.kind
            and other.saved_h.mean >= attempt.saved_h.mean
            and other.relief >= attempt.relief
        ]
        if not better:
            kept.append(attempt)
    return kept


def _judge(
    trial: Trial,
    world: int,
    gate_id: str,
    candidate: Candidate,
    risks: Sequence[StandingRisk],
    weight: float,
    made_at: datetime,
) -> Tried:
    gate = trial.gate_ids.index(gate_id)
    hours = trial.hours[:, 0] - trial.hours[:, world]
    perishable = trial.perishable_hours[:, 0] - trial.perishable_hours[:, world]
    queue = trial.queue_hours[:, 0, gate] - trial.queue_hours[:, world, gate]
    peaks = [float(np.median(trial.queue_veh[:, w, gate], axis=0).max()) for w in (0, world)]
    return Tried(
        candidate,
        Range.of(hours + (weight - 1.0) * perishable),
        Range.of(perishable),
        Range.of(queue),
        (peaks[0], peaks[1]),
        {
            risk.advisory_id: (exceeded(trial, 0, risk, made_at), exceeded(trial, world, risk, made_at))
            for risk in risks
            if risk.gate_id == gate_id
        },
    )


def exceeded(trial: Trial, world: int, risk: StandingRisk, made_at: datetime) -> float:
    """Mean over the runs of the hours within the horizon beyond what a risk tells of; of trucks left at closing, those
    from closing on."""
    if risk.kind is AdviceKind.YARD:
        if risk.place_id not in trial.yard_ids:
            return 0.0
        level = trial.occupancy_veh[:, world, trial.yard_ids.index(risk.place_id)]
    elif risk.kind is AdviceKind.CLOSING:
        level = trial.queue_veh[:, world, trial.gate_ids.index(risk.place_id)]
    else:
        level = trial.tail_km[:, world, trial.gate_ids.index(risk.place_id)]
    if risk.kind is AdviceKind.CLOSING:
        level = level[:, max(0, math.ceil((risk.by - made_at).total_seconds() / trial.step_s)) :]
    beyond = (level >= risk.threshold).sum(axis=-1) * trial.step_s / 3600.0
    return float(beyond.mean())
