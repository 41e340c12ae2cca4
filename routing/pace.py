"""How fast a gate works: a filter over what passed it while somebody waited.

The trucks an hour that a busy gate lets through are a hidden rate r, filtered in steps of five minutes as the state of
a regime-switching model (J. D. Hamilton, "A new approach to the economic analysis of nonstationary time series and the
business cycle", Econometrica 57, 1989; the forward filter of L. R. Rabiner, Proc. IEEE 77, 1989). Two things are
hidden, both on a grid: the gate's usual rate u, which drifts slowly, and its regime, the share f of u that it works at:

- *Regimes.* Usual (f = 1), slower (for example two lanes of four), rarely faster, or stopped (f = 0).
  The usual one lasts `USUAL_H` on average and ends at any time as likely as at any other; what follows another is
  mostly the usual one. How long a disturbance lasts depends on what it is, which nobody tells: of those that begin
  `BRIEF_SHARE` are brief, `BRIEF_H` on average, and end at any time as likely as at any other. The others are mended,
  in `DISTURBED_H` on average: they go through two phases of equal mean length, early and late (the method of stages,
  in series and side by side: D. R. Cox and H. D. Miller, The Theory of Stochastic Processes, 1965, section 6.6).
  What has lasted for an hour is therefore hardly a brief one any more, and what has just begun may be either.
  So a closed lane is noticed as soon as it is likelier than chance, and does not move what is known of u: when the
  lane opens again the gate is expected to work as it did before, however long the closure was.
- *Evidence* of each step is in `routing.pace_evidence`: what passed beside who waited.

Before anything is seen, u is that of the gate's profile, give or take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from geo.opening_hours import OpeningHours
from routing.arrays import FloatArray, GateArrays
from routing.gates import GateSetting, Server
from routing.network import Network
from routing.pace_evidence import (
    MIN_DISPERSION,
    Passages,
    busy_evidence,
    idle_evidence,
    overlap,
    without_closed,
)

STEP_S: Final = 300.0
IDLE_STEPS: Final = 12
"""Idle time is judged by the hour: a few trucks at once find free lanes, however slow these are."""
KNOWN_SHARE: Final = 0.75
"""Assumed: of the passages of the last `latency_s` so many are known. Acts and cameras tell at once, receivers after
any part of that time as likely as after another."""
USUAL_H, DISTURBED_H, BRIEF_H = 15.0, 3.0, 0.6
"""Assumed: how long on average a gate keeps its usual pace, and any other: closed lanes and stops are mended sooner,
the brief ones at once."""
BRIEF_SHARE: Final = 0.5
"""Assumed: so many of the disturbances that begin are brief."""
BACK_SHARE: Final = 0.85
"""Assumed: so many of the disturbances that end bring the usual pace back; after the others it is disturbed again."""
DISTURBED_AT_FIRST: Final = 0.1
"""Assumed: the chance that a gate does not work as usual when it is seen first."""
STOP_SHARE, FASTER_SHARE = 0.1, 0.1
"""Assumed: so many disturbances are stops, so many a faster pace than usual (lanes opened, checks left out). The others
are slower, any share of the usual pace as likely as any other: so is any number of closed lanes."""
MAX_FASTER: Final = 2.0
DRIFT_SD_PER_SQRT_H: Final = 0.02
"""Assumed of the logarithm of the usual rate: a tenth in a day."""
MAX_RATE_VEH_PER_H: Final = 600.0
MIN_RATE_VEH_PER_H: Final = 0.02
GRID: Final = np.concatenate(([MIN_RATE_VEH_PER_H], np.geomspace(1.0, MAX_RATE_VEH_PER_H, 110)))
"""Rates (trucks an hour); the first stands for a gate that has stopped."""
GRID_STEP: Final = float(np.log(GRID[-1] / GRID[-2]))
PRIOR_SD, FAR_SHARE, FAR_SD = 0.5, 0.1, 1.2
"""Of the logarithm of a gate's usual rate about that of its profile; so many profiles are far off. Assumed."""
FOLLOWED: Final = 0.9
"""Assumed: so often a gate works with the lanes that are declared."""
SHIFTS: Final = np.arange(-40, round(float(np.log(MAX_FASTER)) / GRID_STEP) + 1)
"""Paces of a disturbance relative to the usual one, as steps of the grid: from a tenth to twice as fast."""


@dataclass(frozen=True)
class PaceDraw:
    """One course of a gate's pace: trucks an hour now, and from `change_s` on (seconds since now)."""

    rate_veh_per_h: float
    change_s: float
    next_veh_per_h: float


@dataclass(frozen=True)
class LaneChange:
    """From `at_s` on (seconds since now), a gate is declared to let in `factor` times as many trucks as before."""

    at_s: float
    factor: float


@dataclass(frozen=True)
class GatePace:
    """Trucks an hour that a gate lets through while somebody waits, as a distribution.

    `rate_veh_per_h` and `weight` [K], weights add up to 1; `is_usual` [K], the chance that each rate, if it is the
    gate's, is its usual one; `usual` [K], weights of the rate that is usual where the present one is not; `phase`
    [3, K], the chances that a disturbance that leads to each rate is a brief one, or one of the others in the first or
    the second of its phases.
    `served_veh` trucks were seen to pass in `busy_s` of the time looked at while somebody waited. `keeps_hours`: nobody
    was let in while the gate was closed, though somebody waited. `crossing_veh_per_h`: its crossing is no slower, since
    so many were seen to leave; `crosses_closed`: they leave while it should be closed as well.
    """

    rate_veh_per_h: FloatArray
    weight: FloatArray
    is_usual: FloatArray
    usual: FloatArray
    phase: FloatArray
    served_veh: float = 0.0
    busy_s: float = 0.0
    keeps_hours: bool = False
    crossing_veh_per_h: float = 0.0
    crosses_closed: bool = False
    declared: LaneChange | None = None
    """What is declared of its lanes for later."""

    @property
    def mean_veh_per_h(self) -> float:
        """The expected rate."""
        return float(self.rate_veh_per_h @ self.weight)

    @property
    def sd_veh_per_h(self) -> float:
        """How unsure the rate is: its standard deviation."""
        return float(np.sqrt(self.weight @ (self.rate_veh_per_h - self.mean_veh_per_h) ** 2))

    def quantile(self, share: float) -> float:
        """The rate that is not exceeded with probability `share`."""
        index = int(np.searchsorted(np.cumsum(self.weight), share))
        return float(self.rate_veh_per_h[min(index, self.rate_veh_per_h.size - 1)])

    @property
    def usual_veh_per_h(self) -> float:
        """The rate that is usual at the gate: its geometric mean."""
        return float(np.exp(self._usual_weight() @ np.log(self.rate_veh_per_h[1:])))

    @property
    def usual_log_sd(self) -> float:
        """How unsure the usual rate is: the standard deviation of its logarithm."""
        weight = self._usual_weight()
        return float(np.sqrt(weight @ np.log(self.rate_veh_per_h[1:] / self.usual_veh_per_h) ** 2))

    def _usual_weight(self) -> FloatArray:
        is_usual = self.weight * self.is_usual
        weight = (is_usual + (1.0 - is_usual.sum()) * self.usual)[1:]
        return np.asarray(weight / weight.sum())

    @property
    def usual_chance(self) -> float:
        """The chance that the gate works as usual now."""
        return float(self.weight @ self.is_usual)

    @property
    def is_disturbed(self) -> bool:
        """Whether the gate more likely does not work as usual now than that it does."""
        return self.usual_chance < 0.5

    def expected_veh_per_h(self, after_s: FloatArray) -> FloatArray:
        """The rate that is expected so long from now (s), any shape: that of now as long as the present regime lasts,
        the usual one after it; from a declared change of lanes on, the usual one as changed."""
        usual = self.usual_veh_per_h
        disturbed = self.weight * (1.0 - self.is_usual)
        expected = self.mean_veh_per_h - float(disturbed @ self.rate_veh_per_h) + np.zeros_like(after_s)
        steps = after_s / (3600.0 * DISTURBED_H / 2.0)
        lasts = (np.exp(-after_s / (3600.0 * BRIEF_H)), np.exp(-steps) * (1.0 + steps), np.exp(-steps))
        for still, weight in zip(lasts, self.phase * disturbed, strict=True):
            expected += still * float(weight @ self.rate_veh_per_h) + (1.0 - still) * float(weight.sum()) * usual
        if self.declared is None:
            return expected
        return np.where(after_s > self.declared.at_s, self._in_range(usual * self.declared.factor), expected)

    def draw(self, rng: np.random.Generator) -> PaceDraw:
        """One course of the pace: the rate now, when it changes and to what."""
        index = int(rng.choice(self.weight.size, p=self.weight))
        rate = self._rate(index, rng)
        is_usual = bool(rng.uniform() < self.is_usual[index])
        early, late = 3600.0 * rng.standard_exponential(2)
        is_brief, is_early = rng.uniform() < self.phase[:2, index].cumsum()
        if is_usual:
            change_s = float(USUAL_H * late)
        elif is_brief:
            change_s = float(BRIEF_H * late)
        else:
            change_s = float(DISTURBED_H / 2.0 * (late + (early if is_early else 0.0)))
        usual = rate if is_usual else self._rate(int(rng.choice(self.usual.size, p=self.usual)), rng)
        is_back, regime = rng.uniform(size=2)
        if self.declared is not None and change_s > self.declared.at_s and rng.uniform() < FOLLOWED:
            return PaceDraw(rate, self.declared.at_s, self._in_range(usual * self.declared.factor))
        if not is_usual and is_back < BACK_SHARE:
            return PaceDraw(rate, change_s, usual)
        chosen = int(np.searchsorted(_DISTURBED.cumsum(), regime))
        if chosen == 0:
            return PaceDraw(rate, change_s, MIN_RATE_VEH_PER_H)
        disturbed = usual * np.exp(GRID_STEP * SHIFTS[min(chosen, SHIFTS.size) - 1])
        return PaceDraw(rate, change_s, self._in_range(disturbed))

    @staticmethod
    def _in_range(rate_veh_per_h: float) -> float:
        return float(np.clip(rate_veh_per_h, GRID[1], MAX_RATE_VEH_PER_H))

    def _rate(self, index: int, rng: np.random.Generator) -> float:
        """A rate; between two points of the grid any value is as likely."""
        within = rng.uniform() - 0.5
        return float(self.rate_veh_per_h[index] * (np.exp(GRID_STEP * within) if index > 0 else 1.0))


def learn_pace(
    seen: Passages,
    *,
    usual_veh_per_h: float,
    service_cv: float = 0.5,
    seen_share: float = 1.0,
    closed_s: Sequence[tuple[float, float]] = (),
    window_s: float = 86_400.0,
    latency_s: float = 0.0,
    declared: Sequence[LaneChange] = (),
) -> GatePace:
    """The pace of a gate now, from what passed it in the last `window_s`.

    Arguments: `usual_veh_per_h` and `service_cv`, what its profile says; `seen_share`, the share of
    trucks whose passage is seen; `closed_s`, spans in which the gate is closed:
    if it really lets nobody in then, they say nothing of its pace; `latency_s`, how long a passage may take to become
    known: that time counts for as much as is known of it; `declared`, changes of lanes before now and later: the gate's
    usual rate is then expected to be so much more, and what disturbed it to be over or to be just that.
    """
    usual = float(np.clip(usual_veh_per_h, GRID[1], MAX_RATE_VEH_PER_H))
    keeps_hours, busy_spans = without_closed(seen, closed_s)
    busy_s = float((busy_spans[:, 1] - busy_spans[:, 0]).sum())
    steps = max(1, round(window_s / STEP_S))
    steps += -steps % IDLE_STEPS
    edges = np.linspace(-steps * STEP_S, 0.0, steps + 1)
    n_busy, n_idle = seen.counts(busy_spans, edges)
    served_veh = float(n_busy.sum())
    # Of the last minutes some passages are known and others are not: they count for as much as is known of them.
    old, fresh = np.minimum(busy_spans, -latency_s), np.maximum(busy_spans, -latency_s)
    busy_h = (overlap(old, edges) + KNOWN_SHARE * overlap(fresh, edges)) / 3600.0
    work_h = (seen.at_work(old, edges) + KNOWN_SHARE * seen.at_work(fresh, edges)) / 3600.0 * seen.heard(edges)
    # Counts of which each truck is seen with probability p: their variance to mean is 1 - p (1 - phi).
    known_h = np.diff(np.where(edges <= -latency_s, edges, -latency_s + KNOWN_SHARE * (edges + latency_s))) / 3600.0
    dispersion = 1.0 - seen_share * (1.0 - max(MIN_DISPERSION, service_cv**2))
    log_likelihood = busy_evidence(n_busy, work_h * seen_share, GRID, dispersion)
    log_likelihood[IDLE_STEPS - 1 :: IDLE_STEPS] += idle_evidence(
        n_idle.reshape(-1, IDLE_STEPS).sum(axis=1),
        (known_h - busy_h).reshape(-1, IDLE_STEPS).sum(axis=1) * seen_share,
        GRID,
        dispersion,
    )
    heard = np.flatnonzero((n_busy > 0) | (n_idle > 0) | (busy_h > 0.0))
    first = int(heard[0]) if heard.size else steps
    changes: dict[int, float] = {}
    for each in declared:
        if edges[first] < each.at_s <= 0.0:
            step = round((each.at_s - edges[first]) / STEP_S)
            changes[step] = changes.get(step, 1.0) * each.factor
    # The profile is that of now: before the changes since, its rate was another.
    belief = _filter(log_likelihood[first:], _prior(usual / float(np.prod(list(changes.values())))), changes)
    later = min((each for each in declared if each.at_s > 0.0), key=lambda passage: passage.at_s, default=None)
    return replace(_pace_of(belief), served_veh=served_veh, busy_s=busy_s, keeps_hours=keeps_hours, declared=later)


def _normal(values: FloatArray, mean: float, sd: float) -> FloatArray:
    """Weights of values that lie as close to one another everywhere."""
    weight = np.exp(-0.5 * ((values - mean) / sd) ** 2)
    return np.asarray(weight / weight.sum())


def _disturbances() -> FloatArray:
    """[1 + shift] how likely a disturbance is a stop, or leads to each pace."""
    slower, faster = np.where(SHIFTS < 0, np.exp(GRID_STEP * SHIFTS), 0.0), (SHIFTS > 0).astype(float)
    rest = 1.0 - STOP_SHARE - FASTER_SHARE
    return np.concatenate(([STOP_SHARE], rest * slower / slower.sum() + FASTER_SHARE * faster / faster.sum()))


_DISTURBED: Final = _disturbances()
_BRIEF, _EARLY, _LATE = (slice(1 + n * _DISTURBED.size, 1 + (n + 1) * _DISTURBED.size) for n in range(3))
"""Of the regimes: the brief disturbances, the others in their first and in their second phase; regime 0 is the usual
one."""
_MEAN_H: Final = np.array([BRIEF_SHARE * BRIEF_H, *[(1.0 - BRIEF_SHARE) * DISTURBED_H / 2.0] * 2])
"""[3] how long each of them lasts of what disturbs a gate; who comes at any time meets the longer ones more often."""
_REGIME_AT_FIRST: Final = np.concatenate(
    ([1.0 - DISTURBED_AT_FIRST], np.outer(DISTURBED_AT_FIRST * _MEAN_H / _MEAN_H.sum(), _DISTURBED).ravel())
)
_DISTURBED_RATE: Final = np.concatenate(
    (
        np.zeros((GRID.size - 1, 1), int),
        np.clip(np.arange(1, GRID.size)[:, None] + SHIFTS, 1, GRID.size - 1),
    ),
    axis=1,
)
_RATE: Final = np.concatenate((np.arange(1, GRID.size)[:, None], *[_DISTURBED_RATE] * 3), axis=1)
"""[u, regime] index into `GRID` of the rate that a gate of usual rate u has: as usual, stopped, at each shift."""


def _prior(usual_veh_per_h: float) -> FloatArray:
    """[u, regime] what is believed before anything is seen, by a gate's profile."""
    log_usual, log_grid = float(np.log(usual_veh_per_h)), np.log(GRID[1:])
    usual = (1.0 - FAR_SHARE) * _normal(log_grid, log_usual, PRIOR_SD) + FAR_SHARE * _normal(
        log_grid, log_usual, FAR_SD
    )
    return np.asarray(usual[:, None] * _REGIME_AT_FIRST)


def _filter(log_likelihood: FloatArray, prior: FloatArray, changes: Mapping[int, float]) -> FloatArray:
    """The forward filter: [u, regime] what is believed after the last step; `log_likelihood` by step and rate,
    `changes` the factors that are declared to change the usual rate, by the step that they begin with."""
    step_h = STEP_S / 3600.0
    leaves, passes, turns = -np.expm1(-step_h / np.array([USUAL_H, BRIEF_H, DISTURBED_H / 2.0]))
    drift = DRIFT_SD_PER_SQRT_H**2 * step_h / GRID_STEP**2
    belief = prior.copy()
    for step, row in enumerate(log_likelihood):
        if step in changes:
            belief = FOLLOWED * _changed(belief, changes[step]) + (1.0 - FOLLOWED) * belief
        usual, brief, early, late = belief[:, 0], belief[:, _BRIEF], belief[:, _EARLY], belief[:, _LATE]
        ended = passes * brief.sum(axis=1) + turns * late.sum(axis=1)
        begun = np.outer(leaves * usual + (1.0 - BACK_SHARE) * ended, _DISTURBED)
        belief = np.column_stack(
            (
                (1.0 - leaves) * usual + BACK_SHARE * ended,
                (1.0 - passes) * brief + BRIEF_SHARE * begun,
                (1.0 - turns) * early + (1.0 - BRIEF_SHARE) * begun,
                (1.0 - turns) * late + turns * early,
            )
        )
        spread = 0.5 * drift * belief
        belief = belief - 2.0 * spread
        belief[1:] += spread[:-1]
        belief[:-1] += spread[1:]
        belief *= np.exp(row - row.max())[_RATE]
        belief /= belief.sum()
    return _changed(belief, changes[len(log_likelihood)]) if len(log_likelihood) in changes else belief


def _changed(belief: FloatArray, factor: float) -> FloatArray:
    """[u, regime] what is believed when a gate's lanes have just changed: its usual rate is so much more."""
    log_grid = np.log(GRID[1:])
    usual = np.interp(log_grid - np.log(factor), log_grid, belief.sum(axis=1), left=0.0, right=0.0)
    if usual.sum() <= 0.0:
        return belief
    usual /= usual.sum()
    return np.asarray(usual[:, None] * _REGIME_AT_FIRST)


def _pace_of(belief: FloatArray) -> GatePace:
    """The pace by what is believed of the usual rate and the regime."""
    weight = np.bincount(_RATE.ravel(), belief.ravel(), GRID.size)
    as_usual = np.concatenate(([0.0], belief[:, 0]))
    otherwise = np.concatenate(([0.0], belief[:, 1:].sum(axis=1)))
    of_phase = (belief[:, phase].ravel() for phase in (_BRIEF, _EARLY, _LATE))
    phase = np.array([np.bincount(_DISTURBED_RATE.ravel(), each, GRID.size) for each in of_phase])
    return GatePace(
        rate_veh_per_h=GRID,
        weight=weight / weight.sum(),
        is_usual=as_usual / np.maximum(weight, 1e-300),
        usual=otherwise / otherwise.sum(),
        phase=phase / np.maximum(phase.sum(axis=0), 1e-300),
    )


def paced(setting: GateSetting, rate_veh_per_h: float, pace: GatePace) -> GateSetting:
    """A gate setting as it was seen to work: its entrance lets so many trucks an hour in, with as many lanes as before,
    and its crossing is no slower than trucks were seen to leave."""
    entrance, crossing = setting.entrance, setting.crossing
    mean_s = entrance.lanes * 3600.0 / max(rate_veh_per_h, MIN_RATE_VEH_PER_H)
    shape = entrance.service if entrance.service.mean_s > 0.0 else replace(entrance.service, mean_s=1.0)
    hours = crossing.hours if pace.keeps_hours else entrance.hours
    slower = pace.crossing_veh_per_h / crossing.rate_veh_per_h()
    if slower > 1.0:
        crossing = replace(crossing, service=crossing.service.scaled(1.0 / slower))
    if pace.crosses_closed:
        crossing = replace(crossing, hours=OpeningHours.always())
    return replace(
        setting, entrance=Server(entrance.lanes, shape.scaled(mean_s / shape.mean_s), hours), crossing=crossing
    )


def paced_imports(setting: GateSetting, rate_veh_per_h: float) -> GateSetting:
    """An import setting whose crossing, the first server that imports meet, lets so many trucks an hour in."""
    crossing = setting.crossing
    if not 0.0 < crossing.service.mean_s < np.inf:
        return setting
    slower = crossing.rate_veh_per_h() / max(rate_veh_per_h, MIN_RATE_VEH_PER_H)
    return replace(setting, crossing=replace(crossing, service=crossing.service.scaled(slower)))


def changing(gates: GateArrays, network: Network, courses: Mapping[str, PaceDraw]) -> GateArrays:
    """The gates with the changes of pace of their export entrances."""
    if not courses:
        return gates
    change_s, change = gates.entrance_change_s.copy(), gates.entrance_change.copy()
    for number, place in enumerate(network.gates):
        course = courses.get(place.gate_id) if place.direction == "export" else None
        if course is not None:
            change_s[number] = course.change_s
            change[number] = course.rate_veh_per_h / max(course.next_veh_per_h, MIN_RATE_VEH_PER_H)
    return gates._replace(entrance_change_s=change_s, entrance_change=change)


def aged_log_sd(log_sd: float, age_s: float) -> float:
    """How unsure a usual rate is that was learned some time ago: it drifts."""
    return float(np.hypot(log_sd, DRIFT_SD_PER_SQRT_H * np.sqrt(max(age_s, 0.0) / 3600.0)))


def usual_rate(setting: GateSetting) -> float:
    """Trucks an hour that a gate's profile lets expect before its entrance: those of the slower of its two servers."""
    return float(min(setting.crossing.rate_veh_per_h(), setting.entrance.rate_veh_per_h(), MAX_RATE_VEH_PER_H))
