"""The forecast on days it has never seen: errors against "it stays as it is", coverage, onsets foreseen, alarms.

Eclipse SUMO drives fresh days of several kinds over the packaged corridor, truck by truck (`bench.days`): ordinary
ones, a peak, lanes closed at noon, a slow gate, undeclared trucks of which 60 % send no position. Receivers report them
as those of the demo day do. The platform sees what comes in until a moment and nothing else: its matcher places the
fixes, `app.forecasting.state.compose` makes the corridor's state of them and of the shipped gate profiles, and
`routing.forecast.forecast` runs it, as the minute loop does. Only the database between them is left out, because days
of positions through it would take an hour; `bench.days.memory` answers in the place of its queries.

Days are driven and forecast side by side, a process a core; nothing waits for the clock on the wall. What is published
of them is worked out afterwards, one day after the other, since the platform learns from each. With `--folder` all of
it is kept: drives, what the platform saw, what it forecast, each until a file that it was made with changes, so that
another calibration or rule of alarms is tried on the same days in seconds.

Alarms are told by the platform's own rule of advice (`bench.days.alarms`). An onset is foreseen by an alarm that is
given an hour ahead or more and stands until then; an alarm is false if the queue is not long while it stands, nor an
hour after the time told.

Scored is what people see of the queue of Hữu Nghị every ten minutes from 07:00 on (`bench.days.published`: calibrated
by the layer that the doors publish with) against the queue that there was. Persistence knows the true queue of the
moment, which the forecast does not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.demo.data.sumo_day import GATES
from app.forecasting.state import CorridorNow, compose
from app.forecasting.state_readings import Readings
from app.gates.profile import default_profiles
from bench.days.alarms import AHEAD_S, Alarm, tell
from bench.days.kept import FORECAST, SEEN, kept
from bench.days.kinds import ALL, DAY_S, KINDS, draw_day
from bench.days.memory import START, Memory
from bench.days.published import Publisher
from bench.days.receivers import read_day
from bench.skill_picture import draw_skill
from geo.corridor import Corridor
from routing.forecast import Forecast, forecast
from routing.graph import build_network

Floats = NDArray[np.float64]

GATE: Final = "huu-nghi"
FIRST_S, EVERY_S, STEP_S = 3.0 * 3600.0, 600.0, 300.0
HORIZONS_S: Final = (3600.0, 7200.0, 10800.0)
RUNS: Final = 200
LONG_VEH: Final = 60.0
"""A queue of more trucks is an onset, and what alarms tell of."""
SEEDS_OF_KIND: Final = 2


@dataclass(frozen=True)
class Score:
    """One day: forecasts [F] made at `made_s`, horizons [H]; quantiles 10, 50, 90 % first."""

    kind: str
    seed: int
    made_s: Floats
    now_veh: Floats
    measured_veh: Floats
    found_veh: Floats
    """[3, F, H] as published."""
    raw_veh: Floats
    """[3, F, H] before calibration."""
    first_veh: Floats
    """[3, F] the forecasts' first point, at the moment itself."""
    true_veh: Floats
    """[F, H]"""
    onset_s: float
    alarms: tuple[Alarm, ...]
    false_alarms: int
    """How many of `alarms` told of what did not come."""
    paces: Floats
    """[F] trucks an hour that the gate was thought to let in."""


@dataclass(frozen=True)
class SeenDay:
    """What the platform's stores answered at `made_s` on a day, and the queues [T, G] that there were at `time_s`."""

    kind: str
    seed: int
    made_s: Floats
    readings: tuple[Readings, ...]
    time_s: Floats
    queue_veh: Floats


@dataclass(frozen=True)
class DayForecasts:
    """What the platform forecast on a day, before calibration, and what there was; F forecasts made at `made_s`."""

    kind: str
    seed: int
    made_s: Floats
    predicted: tuple[Forecast, ...]
    measured_veh: tuple[dict[str, float], ...]
    paces: Floats
    time_s: Floats
    queue_veh: Floats
    """[T] the true queue of `GATE` at `time_s`."""


def see_day(kind: str, seed: int, folder: Path) -> SeenDay:
    """Drive a day and let the platform see it."""
    day = draw_day(ALL[kind], seed)
    reports, truth = read_day(day, drive(kind, seed, folder))
    memory = Memory(day, reports, Corridor.default())
    made, readings = np.arange(FIRST_S, DAY_S - HORIZONS_S[0] + 1.0, EVERY_S), []
    for at_s in made:
        memory.advance(float(at_s))
        readings.append(memory.readings())
    return SeenDay(kind, seed, made, tuple(readings), truth.time_s, truth.queue_veh)


def forecast_day(kind: str, seed: int, folder: Path) -> DayForecasts:
    """Forecast a day every ten minutes; what is there of it in `folder`, made with the same sources, is used again."""
    name = f"{kind}-{seed}"

    def make() -> DayForecasts:
        seen = kept(folder, f"{name}-every-{EVERY_S:.0f}-s", SEEN, lambda: see_day(kind, seed, folder))
        return _forecast(seen)

    return kept(folder, f"{name}-every-{EVERY_S:.0f}-s-{RUNS}-runs", FORECAST, make)


def _forecast(seen: SeenDay) -> DayForecasts:
    corridor = Corridor.default()
    network = build_network(corridor)
    settings = tuple(s for gate_id, p in default_profiles(corridor).items() for s in p.settings(gate_id))
    predicted, measured, paces = [], [], []
    for number, (at_s, readings) in enumerate(zip(seen.made_s, seen.readings, strict=True)):
        now: CorridorNow = compose(readings, corridor, network, settings, START + timedelta(seconds=float(at_s)))
        found = forecast(network, now.state, runs=RUNS, horizon_s=HORIZONS_S[-1], step_s=STEP_S, seed=number)
        predicted.append(found)
        measured.append(now.queues_veh)
        pace = now.state.pace.get(GATE)
        paces.append(np.nan if pace is None else pace.mean_veh_per_h)
    queue_veh = seen.queue_veh[:, [g.gate_id for g in GATES].index(GATE)]
    return DayForecasts(
        seen.kind,
        seen.seed,
        seen.made_s,
        tuple(predicted),
        tuple(measured),
        np.array(paces),
        seen.time_s,
        queue_veh,
    )


def publish_day(day: DayForecasts, publisher: Publisher) -> Score:
    """What people saw of a day's forecasts, scored; the publisher has seen the days before."""
    publisher.begin_day()
    queue, index = day.queue_veh, [round(h / STEP_S) for h in HORIZONS_S]
    found, raw, first, true = [], [], [], []
    curves = []
    for at_s, predicted, measured in zip(day.made_s, day.predicted, day.measured_veh, strict=True):
        series = publisher.publish(predicted, measured)[GATE]
        own = predicted.queue_veh[:, predicted.gate_index(GATE)]
        found.append(series.queue_veh[:, index])
        raw.append(own[:, index])
        first.append(own[:, 0])
        true.append([_at(day.time_s, queue, at_s + h) for h in HORIZONS_S])
        curves.append(series)
    alarms = tell(day.made_s, curves, STEP_S, LONG_VEH, DAY_S)
    return Score(
        kind=day.kind,
        seed=day.seed,
        made_s=day.made_s,
        now_veh=np.array([_at(day.time_s, queue, s) for s in day.made_s]),
        measured_veh=np.array([measured[GATE] for measured in day.measured_veh]),
        found_veh=np.array(found).transpose(1, 0, 2),
        raw_veh=np.array(raw).transpose(1, 0, 2),
        first_veh=np.array(first).T,
        true_veh=np.array(true),
        onset_s=_onset(day.time_s, queue),
        alarms=alarms,
        false_alarms=sum(alarm.is_false(day.time_s, queue, LONG_VEH) for alarm in alarms),
        paces=day.paces,
    )


def _at(time_s: Floats, queue: Floats, at_s: float) -> float:
    return float(queue[np.searchsorted(time_s, at_s)]) if at_s <= time_s[-1] else float("nan")


def _onset(time_s: Floats, queue: Floats) -> float:
    """When the queue first exceeds `LONG_VEH` after forecasts have begun to be made; inf = never."""
    over = np.flatnonzero((queue > LONG_VEH) & (time_s > FIRST_S))
    return float(time_s[over[0]]) if over.size else float("inf")


def mean_errors(scores: Sequence[Score]) -> tuple[Floats, Floats]:
    """[H] the mean error in trucks of persistence, and of what was published."""
    own = np.concatenate([np.abs(s.found_veh[1] - s.true_veh) for s in scores])
    same = np.concatenate([np.abs(s.now_veh[:, None] - s.true_veh) for s in scores])
    return np.nanmean(same, axis=0), np.nanmean(own, axis=0)


def gains(scores: Sequence[Score]) -> Floats:
    """[H] how much smaller the mean error is than that of persistence."""
    same, own = mean_errors(scores)
    return np.asarray(1.0 - own / same)


def draw(scores: Sequence[Score], path: Path) -> None:
    """Draw the mean errors by kind of day into a PNG file."""
    by_kind = {kind: [s for s in scores if s.kind == kind] for kind in ALL}
    errors = {kind: mean_errors(own) for kind, own in by_kind.items() if own}
    draw_skill(errors, [s / 60.0 for s in HORIZONS_S], path)


def figures(scores: Sequence[Score]) -> dict[str, Any]:
    """What is printed; days with unseen trucks have a figure of their own."""
    seen = [s for s in scores if ALL[s.kind].unseen_share == 0.0]
    unseen = [s for s in scores if ALL[s.kind].unseen_share > 0.0]
    result: dict[str, Any] = {}
    if seen:
        result |= {f"mae_gain_{round(h / 60)}min": float(g) for h, g in zip(HORIZONS_S, gains(seen), strict=True)}
    result["coverage80"] = coverage(scores)
    result["coverage80_before_calibration"] = coverage([replace(s, found_veh=s.raw_veh) for s in scores])
    if unseen:
        result["gain_unseen_60"] = float(gains(unseen)[1])
    onsets = [s for s in scores if s.onset_s - FIRST_S >= AHEAD_S and np.isfinite(s.onset_s)]
    result["onsets"] = len(onsets)
    result["onsets_foreseen"] = sum(any(alarm.foresees(s.onset_s) for alarm in s.alarms) for s in onsets)
    result["false_alarms"] = sum(s.false_alarms for s in scores)
    result["days"] = len(scores)
    for name in ALL:
        own = [s for s in scores if s.kind == name]
        if own:
            result |= {f"gain_{round(h / 60)}min_{name}": float(g) for h, g in zip(HORIZONS_S, gains(own), strict=True)}
            result[f"coverage80_{name}"] = coverage(own)
            off = np.concatenate([s.measured_veh - s.now_veh for s in own])
            result[f"measured_off_{name}"] = f"{off.mean():+.1f} ± {off.std():.1f}"
    return result | _first_point(scores)


def coverage(scores: Sequence[Score]) -> float:
    """The share of what came that lay within the 80 % band, all horizons together."""
    low, high = (np.concatenate([s.found_veh[q] for s in scores]) for q in (0, 2))
    true = np.concatenate([s.true_veh for s in scores])
    return float(((low <= true) & (true <= high))[np.isfinite(true)].mean())


def _first_point(scores: Sequence[Score]) -> dict[str, Any]:
    """How honest the first point is while there is a queue: its coverage, and where the truth ranks in it."""
    low, middle, high = np.concatenate([s.first_veh for s in scores], axis=1)
    true = np.concatenate([s.now_veh for s in scores])
    there = (true > 0.0) | (middle > 0.0)
    low, middle, high, true = low[there], middle[there], high[there], true[there]
    below, above = (true < low).mean(), (true > high).mean()
    lower = ((low <= true) & (true < middle)).mean()
    upper = ((middle < true) & (true <= high)).mean()
    return {
        "coverage80_0min": float(1.0 - below - above),
        "ranks_0min": f"below {below:.2f}, lower {lower:.2f}, middle {(true == middle).mean():.2f}, upper {upper:.2f}, "
        f"above {above:.2f}",
    }


def drive(kind: str, seed: int, folder: Path) -> Path:
    """Drive a day in SUMO, in a process of its own; one that is there already is used again."""
    path = folder / f"{kind}-{seed}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        command = [sys.executable, "-m", "bench.days.drive", kind, str(seed), str(path)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"The day {kind} {seed} was not driven: {done.stderr[-1000:]}")
    return path


def run(
    kinds: Sequence[str] = tuple(KINDS),
    seeds: Sequence[int] | None = None,
    folder: Path | None = None,
    picture: Path | None = None,
) -> dict[str, Any]:
    """Drive and score days; without `seeds` fresh ones are drawn."""
    drawn = [int.from_bytes(os.urandom(3)) for _ in range(SEEDS_OF_KIND)] if seeds is None else seeds
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="cuakhau-days-") as name:
        scores, publisher = [], Publisher()
        days = [(kind, seed) for seed in drawn for kind in kinds]
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            waiting = [pool.submit(forecast_day, kind, seed, folder or Path(name)) for kind, seed in days]
            for day in waiting:
                score = publish_day(day.result(), publisher)
                print(_line(score), flush=True)
                scores.append(score)
    if picture is not None:
        draw(scores, picture)
    return figures(scores) | {"seeds": ", ".join(str(seed) for seed in drawn), "took_s": time.perf_counter() - began}


def _line(score: Score) -> str:
    own = np.nanmean(np.abs(score.found_veh[1] - score.true_veh), axis=0)
    same = np.nanmean(np.abs(score.now_veh[:, None] - score.true_veh), axis=0)
    inside = (score.found_veh[0] <= score.true_veh) & (score.true_veh <= score.found_veh[2])
    covered = float(inside[np.isfinite(score.true_veh)].mean())
    told = ", ".join(f"{a.given_s / 3600:.1f} h of {a.by_s / 3600:.1f} h" for a in score.alarms) or "never"
    return (
        f"  {score.kind} {score.seed}: error {own.round(1)} against {same.round(1)} trucks, covered {covered:.2f}, "
        f"onset {score.onset_s / 3600:.1f} h, told {told}, false {score.false_alarms}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--kind", action="append", choices=list(ALL), help="only days of these kinds")
    parser.add_argument("--seed", action="append", type=int, help="days of these seeds instead of fresh ones")
    parser.add_argument("--folder", type=Path, help="keep days and their forecasts here; use those there")
    parser.add_argument("--picture", type=Path, help="draw the mean errors by kind of day into this PNG file")
    given = parser.parse_args()
    outcome = run(given.kind or tuple(KINDS), given.seed, given.folder, given.picture)
    for key, value in outcome.items():
        print(f"{key:<34} {value:.4g}" if isinstance(value, float) else f"{key:<34} {value}")
    if given.json:
        print(json.dumps(outcome))
