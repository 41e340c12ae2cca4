"""A real platform under load whose parts are killed without warning, again and again; what it kept of what it took.

Trucks report through the HTTP doors and repeat until they are answered, people write to yards, orders, trips and fees
with idempotency keys. At random, the web part, the worker, control, Redis, or PostgreSQL with all its children get
SIGKILL, some two at once. Then the disk is full, PostgreSQL is away for ten minutes (a short run: for a few seconds),
Redis is away, and the lines to both are cut without a word; parts on machines of their own (network namespaces) are
cut from one server at a time; the clock jumps by hours, forth and back, while people work. Afterwards the
database is asked whether all that was acknowledged is there exactly once. At last the doors get more than is stored at
all, and the memory they take is read.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.ops.embedded import Server
from bench.chaos.blows import Blow, cut, fill_disk, jumping_clock, kill, run_on_lines, set_clock, small_disk
from bench.chaos.fleet import Door, Fleet, Truck, enrol
from bench.chaos.namespaces import cut_cables, run_in_namespaces
from bench.chaos.office import Office
from bench.chaos.overload import overload
from bench.chaos.platform import ANY_OF_SEVERAL, Platform, Target, run_platform
from bench.chaos.verdict import Verdict, judge, settle
from geo.corridor import Corridor

TRUCKS = 40
MINUTES = 3.0
RECOVERY_LIMIT_S = 180.0
AWAY_S = 600.0
"""How long PostgreSQL is away in a run of full length."""
OVERLOAD_S = 20.0
SMALL_DISK_MB = 400
CLOCK_JUMPS_H = (3.0, -3.0, 26.0, -26.0)
CUT_CABLES = (
    cut_cables(Target.WEB, [Server.REDIS], 8.0),
    cut_cables(Target.WORKER, [Server.REDIS], 8.0),
    cut_cables(Target.WEB, [Server.POSTGRES], 30.0),
    cut_cables(Target.WORKER, [Server.POSTGRES], 35.0),
    cut_cables(Target.WORKER, [Server.REDIS], 12.0),
    cut_cables(Target.CONTROL, list(Server), 35.0),
)
"""Shorter than a client's patience, longer, and longer than it takes PostgreSQL to give a session up."""
SUMMED = ("acknowledged", "stored", "lost", "doubled", "stale_positions", "deeds", "kills", "unexpected_answers")


@dataclass
class Ordeal:
    """What was done to a platform, and how it fared."""

    kills: int = 0
    recovery_s: list[float] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    unexpected: list[str] = field(default_factory=list)

    web_rss_max_mb: float = 0.0

    def figures(self) -> dict[str, int]:
        """What can be summed over several ordeals."""
        verdict = self.verdict
        return {
            "acknowledged": verdict.acknowledged,
            "stored": verdict.stored,
            "lost": verdict.lost + verdict.deeds_lost,
            "doubled": verdict.doubled + verdict.deeds_doubled,
            "stale_positions": verdict.stale_positions,
            "deeds": verdict.deeds,
            "kills": self.kills,
            "unexpected_answers": len(self.unexpected),
        }

    def faults(self) -> list[str]:
        """What went wrong; empty if nothing did."""
        return [*self.verdict.faults, *self.unexpected][:20]


def run(*, minutes: float = MINUTES, seed: int = 1) -> dict[str, Any]:
    """Kill at random for `minutes`, then each of the other calamities once; the figures of all together."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    ordeals: dict[str, Ordeal] = {}
    with _folder() as folder, run_platform(folder) as platform:
        ordeals["kills"] = endure(platform, at_random(minutes, seed))
    with _folder() as folder, small_disk(folder, SMALL_DISK_MB) as is_small:
        if is_small:
            with run_platform(folder) as platform:
                ordeals["full_disk"] = endure(platform, [fill_disk(folder, 20.0)])
        else:
            print("  no right to mount a small disk here: the full disk is left out", flush=True)
    with _folder() as folder, run_on_lines(folder) as (platform, lines):
        away_s = AWAY_S if minutes >= MINUTES else 15.0
        blows = [
            cut(lines, [Server.POSTGRES], away_s, silently=False),
            cut(lines, [Server.REDIS], 20.0, silently=False),
            cut(lines, list(Server), 40.0, silently=True),
        ]
        ordeals["outages"] = endure(platform, blows)
    with _folder() as folder, run_in_namespaces(folder) as networked:
        if networked is None:
            print("  no right to make network namespaces here: cut cables are left out", flush=True)
        else:
            ordeals["cables"] = endure(networked, CUT_CABLES)
    with _folder() as folder:
        clock, settings = jumping_clock(folder)
        if settings:
            with run_platform(folder, settings=settings) as platform:
                blows = [set_clock(clock, hours, 15.0) for hours in CLOCK_JUMPS_H]
                ordeals["clock"] = endure(platform, blows, clock_jumps=True)
        else:
            print("  no C compiler here: jumps of the clock are left out", flush=True)
    figures = sum_up(ordeals)
    with _folder() as folder, run_platform(folder, settings={"CUAKHAU_INGEST_MAX_STREAM_MB": "8"}) as platform:
        found = overload(platform, OVERLOAD_S)
        figures |= found.figures()
        figures["lost"] += max(0, found.taken - found.stored)
    return figures


def sum_up(ordeals: Mapping[str, Ordeal]) -> dict[str, Any]:
    """The figures of several ordeals: sums, percentiles over all kills, and what went wrong in which."""
    figures = [ordeal.figures() for ordeal in ordeals.values()]
    summed: dict[str, Any] = {name: sum(blow[name] for blow in figures) for name in SUMMED}
    recovery_s = [took_s for ordeal in ordeals.values() for took_s in ordeal.recovery_s]
    summed["recovery_s_p50"] = float(np.percentile(recovery_s, 50))
    summed["recovery_s_p95"] = float(np.percentile(recovery_s, 95))
    summed["web_rss_max_mb"] = max(ordeal.web_rss_max_mb for ordeal in ordeals.values())
    summed["faults"] = [f"{name}: {fault}" for name, ordeal in ordeals.items() for fault in ordeal.faults()]
    return summed


def at_random(minutes: float, seed: int) -> Iterator[Blow]:
    """Kills in random order, a quarter of them of two parts at once, beginning when the first is asked for."""
    rng = random.Random(seed)
    targets = [target for target in Target if target not in ANY_OF_SEVERAL]
    deadline = time.monotonic() + 60 * minutes
    while time.monotonic() < deadline:
        time.sleep(rng.uniform(0.0, 3.0))
        yield kill(*rng.sample(targets, 2 if rng.random() < 0.25 else 1))


def endure(
    platform: Platform,
    blows: Iterable[Blow],
    *,
    trucks: int = TRUCKS,
    payments: int = 20,
    clock_jumps: bool = False,
) -> Ordeal:
    """Load the platform, let each blow befall it and wait until it works again, then judge.

    With `clock_jumps` people are told to sign in again, and that the times they wrote are over.
    """
    ordeal = Ordeal()
    fleet_trucks, probe = enrol(platform, trucks), enrol(platform, 1, first=50_000)[0]
    vehicle_ids = [truck.vehicle_id for truck in fleet_trucks]
    office = Office(platform, vehicle_ids, payments=payments, clock_jumps=clock_jumps)
    fleet = Fleet(platform, fleet_trucks)
    prober = Prober(platform, fleet, probe)
    fleet.start()
    prober.await_stored()
    office.start()
    for blow in blows:
        ordeal.kills += blow.strike(platform)
        took_s = prober.await_stored()
        ordeal.recovery_s.append(took_s)
        ordeal.web_rss_max_mb = max(ordeal.web_rss_max_mb, platform.rss_bytes(Target.WEB) / 2**20)
        print(f"  {blow.name:<32} works again after {took_s:5.1f} s", flush=True)
    fleet.stop()
    office.stop()
    platform.await_ready()
    settle(platform)
    ordeal.verdict = judge(platform, [*fleet_trucks, probe], office.deeds)
    ordeal.unexpected = [*fleet.unexpected, *office.unexpected]
    if fleet.without_retry_after:
        ordeal.unexpected.append(f"{fleet.without_retry_after} answers of 503 without Retry-After")
    return ordeal


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cuakhau-faults-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


class Prober:
    """Sends one fix and waits until it is stored: the platform works, from the door to the database."""

    def __init__(self, platform: Platform, fleet: Fleet, truck: Truck) -> None:
        self.platform, self.fleet, self.truck = platform, fleet, truck
        self.corridor, self.began_s = Corridor.default(), time.time()

    def await_stored(self) -> float:
        """How long it took, in seconds.

        Raises
        ------
        RuntimeError
            If it is not stored in time.
        """
        began = time.monotonic()
        moment_ms, lon, lat = self.truck.report(self.corridor, self.began_s, time.time())
        path = f"/gps/osmand?id={self.truck.identifier}&timestamp={moment_ms}&lat={lat}&lon={lon}&speed=23.3"
        door = Door(self.platform)
        if self.fleet.until_acknowledged(door, "GET", path) is not None:
            self.truck.acknowledged_ms.append(moment_ms)
        door.close()
        while not self._is_stored(moment_ms):
            if time.monotonic() - began > RECOVERY_LIMIT_S:
                raise RuntimeError(f"A fix is acknowledged and not stored after {RECOVERY_LIMIT_S:.0f} s.")
            time.sleep(0.05)
        return time.monotonic() - began

    def _is_stored(self, moment_ms: int) -> bool:
        query = text("SELECT time >= to_timestamp(:moment) FROM ingest.last_position WHERE vehicle_id = :vehicle_id")
        try:
            with self.platform.engine.connect() as connection:
                values = {"moment": moment_ms / 1000, "vehicle_id": self.truck.vehicle_id}
                return bool(connection.scalar(query, values))
        except SQLAlchemyError:
            return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(json.dumps(run(minutes=asked.minutes, seed=asked.seed), ensure_ascii=False, indent=1))
