"""Advice followed: how long the list of acts takes, and what the first act of it saves on days nobody has seen.

Eclipse SUMO drives fresh days as in `bench.forecast`. The platform sees what comes in, nothing else. At the first half
hour in which a queue is foreseen beyond `TOLD_FROM_KM`, it tries the acts that are possible then (`app.measures`), and
the first of them that can be played is followed: the day is driven again, the same trucks with the same seed, with the
trucks of the act held, diverted or kept at home, or one lane more, and nothing else changed. Saved are the hours of all
trucks from setting out until they are over the border or the day ends.
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
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.dispatch.advice_inputs import MEDIAN
from app.dispatch.policy import AdvicePolicy
from app.dispatch.risks import StandingRisk
from app.dispatch.vocabulary import AdviceKind, Severity
from app.forecasting.state import compose
from app.gates.profile import default_profiles
from app.measures.candidates import Situation, find_candidates
from app.measures.trying import Ranking, Tried, rank_acts
from app.trips.places import Places
from bench.days.acts import can_play, follow, write_changes
from bench.days.kinds import DAY_S, KINDS, draw_day
from bench.days.memory import Memory
from bench.days.receivers import read_day
from bench.forecast import EVERY_S, FIRST_S, GATE, RUNS, drive
from geo.corridor import Corridor
from routing.acts import Laboratory
from routing.forecast import forecast
from routing.graph import build_network

TOLD_FROM_KM: Final = 1.5
"""The days' queues are shorter than those of a jam; so near they are told of."""
LANES: Final = 4


@dataclass(frozen=True)
class Followed:
    """A day: the act that was followed (`None`: none was advised), the list's cost, and the hours saved."""

    kind: str
    seed: int
    act: str | None
    expected_h: float
    saved_h: float
    total_h: float
    list_s: float
    list_cpu_s: float
    tried: int


def play(kind: str, seed: int, folder: Path, *, of_police: bool = False) -> Followed:
    """Let the platform see a day, follow what it advises first, and drive the day again.

    Arguments: `of_police`, only acts that the police order themselves.
    """
    path = drive(kind, seed, folder)
    day = draw_day(KINDS[kind], seed)
    reports, _ = read_day(day, path)
    corridor = Corridor.default()
    network, places, profiles = build_network(corridor), Places.of(corridor), default_profiles(corridor)
    settings = tuple(s for gate_id, p in profiles.items() for s in p.settings(gate_id))
    memory, policy = Memory(day, reports, corridor), AdvicePolicy(queue_notice_km=TOLD_FROM_KM)
    gate = network.gate_ids.index(GATE)
    total_h = _hours(path, day.plans)
    for at_s in np.arange(FIRST_S, DAY_S - 2 * 3600.0, EVERY_S):
        memory.advance(float(at_s))
        now = memory.at(float(at_s))
        state = compose(memory.readings(), corridor, network, settings, now)
        predicted = forecast(network, state.state, runs=RUNS, seed=int(at_s))
        tail_km = predicted.tail_km[MEDIAN, gate]
        if tail_km.max() < TOLD_FROM_KM:
            continue
        laboratory = Laboratory(network, state.state, seed=int(at_s))
        situation = Situation(
            gate_id=GATE,
            corridor=state,
            laboratory=laboratory,
            places=places,
            policy=policy,
            profiles=profiles,
            now=now,
            tail_km=float(tail_km.max()),
            standing={},
            built_lanes=LANES,
        )
        by = now + timedelta(seconds=float(np.argmax(tail_km >= TOLD_FROM_KM)) * predicted.step_s)
        risk = StandingRisk(1, GATE, AdviceKind.QUEUE, GATE, TOLD_FROM_KM, by, by, Severity.NOTICE)
        began, cpu = time.perf_counter(), time.process_time()
        candidates, _ = find_candidates(situation)
        ranking = rank_acts(laboratory, GATE, candidates, [risk], weight=policy.perishable_weight)
        took = time.perf_counter() - began, time.process_time() - cpu
        first = first_playable(ranking, of_police=of_police)
        if first is None:
            return Followed(kind, seed, None, 0.0, 0.0, total_h, *took, len(candidates))
        trucks = {truck.index: truck.vehicle_id for truck in state.coming if truck.index >= 0}
        changed = follow(day, first.candidate.act, trucks, float(at_s), path)
        record = folder / f"{kind}-{seed}-act.json"
        write_changes(day, changed, record)
        after = _drive_again(kind, seed, record, folder)
        saved_h = total_h - _hours(after, day.plans)
        name = f"{first.candidate.message.code} at {at_s / 3600 + 4:.1f} h"
        return Followed(kind, seed, name, first.saved_h.mean, saved_h, total_h, *took, len(candidates))
    return Followed(kind, seed, None, 0.0, 0.0, total_h, 0.0, 0.0, 0)


def first_playable(ranking: Ranking, *, of_police: bool = False) -> Tried | None:
    """The first act of the list that a driven day can play."""
    playable = (attempt for attempt in ranking.tried if can_play(attempt.candidate.act))
    return next((attempt for attempt in playable if not (of_police and attempt.candidate.kind.is_of_gate)), None)


def _hours(path: Path, plans: Sequence[Any]) -> float:
    """Hours of all trucks from when they would set out until they are out, or the day ends."""
    with np.load(path) as driven:
        out = {int(truck): float(end) for truck, end in driven["ends"]}
    return float(sum(min(out.get(plan.truck, DAY_S), DAY_S) - plan.depart_s for plan in plans)) / 3600.0


def _drive_again(kind: str, seed: int, record: Path, folder: Path) -> Path:
    path = folder / f"{kind}-{seed}-followed.npz"
    command = [sys.executable, "-m", "bench.days.drive", kind, str(seed), str(path), "--changes", str(record)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return path


def figures(days: Sequence[Followed]) -> dict[str, Any]:
    """What is printed."""
    acted = [day for day in days if day.act is not None]
    saved = np.array([day.saved_h for day in acted])
    return {
        "days": len(days),
        "days_with_an_act": len(acted),
        "list_s": max((day.list_s for day in days), default=0.0),
        "list_cpu_s": max((day.list_cpu_s for day in days), default=0.0),
        "acts_tried": max((day.tried for day in days), default=0),
        "saved_h_a_day": float(saved.mean()) if saved.size else 0.0,
        "saved_share": float(saved.sum() / sum(day.total_h for day in acted)) if acted else 0.0,
        "days_better": int((saved > 0.0).sum()),
    }


def run(
    kinds: Sequence[str] = tuple(KINDS),
    seeds: Sequence[int] | None = None,
    folder: Path | None = None,
    *,
    of_police: bool = False,
) -> dict[str, Any]:
    """Drive days, follow the advice, drive them again; without `seeds` fresh ones are drawn, one of each kind."""
    drawn = [int.from_bytes(os.urandom(3))] if seeds is None else seeds
    with tempfile.TemporaryDirectory(prefix="cuakhau-days-") as name:
        days = []
        for seed in drawn:
            for kind in kinds:
                day = play(kind, seed, folder or Path(name), of_police=of_police)
                print(
                    f"  {kind} {seed}: {day.act or 'nothing advised'}, saved {day.saved_h:.0f} of {day.total_h:.0f} h, "
                    f"list of {day.tried} in {day.list_s:.1f} s ({day.list_cpu_s:.1f} s of CPU)",
                    flush=True,
                )
                days.append(day)
    return figures(days) | {"seeds": ", ".join(str(seed) for seed in drawn)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only days of these kinds")
    parser.add_argument("--seed", action="append", type=int, help="days of these seeds instead of fresh ones")
    parser.add_argument("--folder", type=Path, help="keep driven days here and use those that are there")
    parser.add_argument("--of-police", action="store_true", help="follow only acts that the police order themselves")
    given = parser.parse_args()
    outcome = run(given.kind or tuple(KINDS), given.seed, given.folder, of_police=given.of_police)
    for key, value in outcome.items():
        print(f"{key:<34} {value:.4g}" if isinstance(value, float) else f"{key:<34} {value}")
    if given.json:
        print(json.dumps(outcome))
