"""Whether what is asked for costs the same with 1 and with 50 million fixes stored.

The fleet and what a truck reports in a day stay the same, the days that are kept become more: a million fixes each, of
2,000 trucks every 172.8 s. They are written by SQL as the pipeline would have written them. How long an answer takes is
told in milliseconds; how much it has grown is told by the CPU time of who asks and of the server process that answers,
which depends least on what else the machine does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.tracking import position_store
from bench.rig.batches import INTERVAL_S, VEHICLES, make_bodies, send_batches
from bench.rig.starting import Rig, started
from geo.clock import LOCAL_ZONE
from ingest import fix_store
from ingest.tables import LastPosition

DAY_FIXES = 500
BYTES_PER_FIX = 450
"""What a stored fix takes while it is written, its share of the log included."""
REPEATS = 60
"""The least of so many counts: what else the machine does only adds."""
ROUNDS = 2
ROUND_FIXES = 200_000
_FILL = """
    INSERT INTO ingest.fix (vehicle_id, time, device_id, geom, speed_mps, heading_deg, accuracy_m, road_id, offset_m,
        km, direction, status, flags, received_at)
    SELECT v, at, v, ST_SetSRID(ST_MakePoint(106.7 + km / 1000, 21.9 - km / 300), 4326), 12, 20, 8, 3, 100 + s, km, 1,
        0, 0, at + interval '2 s'
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) v, generate_series(0, CAST(:fixes AS int) - 1) s,
        LATERAL (SELECT CAST(:day AS timestamptz) + s * interval '172.8 s' + v * interval '10 ms' AS at,
            CAST(100 - mod(v + s / 5, 100) AS real) AS km) place
"""


def run(millions: tuple[int, int] = (1, 50)) -> dict[str, Any]:
    """Each figure with the smaller and the larger number of millions stored, and the larger by the smaller.

    With too little room on the disk the larger number is what fits; its figures bear it in their names.
    """
    with started({"CUAKHAU_FIX_RETENTION_DAYS": str(millions[1] + 10)}) as rig:
        return _measure(rig, millions)


def _measure(rig: Rig, millions: tuple[int, int]) -> dict[str, Any]:
    engine, folder = rig.engine, rig.folder
    free = int(shutil.disk_usage(folder).free * 0.6 / BYTES_PER_FIX / 1e6)
    low, high = millions[0], min(millions[1], free)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = today - timedelta(days=2)
    began_s = time.time() - 3 * (ROUNDS + 1) * ROUND_FIXES / VEHICLES * INTERVAL_S - 60
    per_run = (ROUNDS + 1) * ROUND_FIXES // VEHICLES
    _ingest(rig, began_s, 0)  # so that there are last positions to ask for
    found: list[dict[str, float]] = []
    for done, wanted in ((0, low), (low, high)):
        _fill(engine, day, done, wanted)
        found.append(_ask(engine, day))
    found[1] |= _ingest(rig, began_s, per_run)
    size = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'ingest.fix'::regclass"
    with engine.connect() as connection:
        total = int(connection.scalar(text(size)) or 0)
        rows = int(connection.scalar(text("SELECT count(*) FROM ingest.fix")) or 0)
    with engine.begin() as connection:
        fix_store.drop_old_partitions(connection, low + 1, today, max_days=high)
    found[0] |= _ingest(rig, began_s, 2 * per_run)
    named = {
        f"{name}_{n}m": value for figures, n in zip(found, (low, high), strict=True) for name, value in figures.items()
    }
    measured = [name for name in found[0] if name == "ingest_us" or name.endswith("_cpu_ms")]
    grown = {f"{name.rpartition('_')[0]}_growth": found[1][name] / found[0][name] for name in measured}
    return named | grown | {"growth_1m_to_50m": max(grown.values()), "mb_per_million_fixes": total / rows}


def _fill(engine: Engine, newest: datetime, done: int, wanted: int) -> None:
    """Write the days before `newest` from the `done`-th to the `wanted`-th, a million fixes each; as many as there are
    cores at once."""
    days = [newest - timedelta(days=number) for number in range(done, wanted)]
    with engine.begin() as connection:
        for day in days:
            fix_store.ensure_partitions(connection, day.date(), day.date())
        first = int(connection.scalar(text("SELECT min(vehicle_id) FROM ingest.vehicle")) or 1)

    def fill(day: datetime) -> None:
        with engine.begin() as connection:
            span = {"first": first, "last": first + VEHICLES - 1, "fixes": DAY_FIXES, "day": day}
            connection.execute(text(_FILL), span)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, days))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # What the server would do by itself after so many inserts must not be counted as ingest's.
        connection.execute(text("VACUUM (ANALYZE) ingest.fix"))
        with contextlib.suppress(ProgrammingError):  # a right that an owner of schemas need not have
            connection.execute(text("CHECKPOINT"))


def _ingest(rig: Rig, began_s: float, first: int) -> dict[str, float]:
    """Microseconds of CPU of worker and PostgreSQL for each fix that comes in, the first round apart.

    They depend on how many fixes come together, and so on what else the machine does. With the smaller number stored it
    is measured last, once the other days are dropped: both meet the machine in the same minutes.
    """
    spent: dict[str, list[float]] = {"worker": [], "postgres": []}
    for number in range(ROUNDS + 1):
        bodies = make_bodies(rig.driving, ROUND_FIXES, began_s, first + number * ROUND_FIXES // VEHICLES)
        before = rig.platform.cpu_s()
        send_batches(rig.redis, rig.platform.port, bodies, rig.folder)
        after = rig.platform.cpu_s()
        for part, counted in spent.items():
            counted.append((after[part] - before[part]) / ROUND_FIXES * 1e6)
    parts = {f"ingest_{part}_us": statistics.median(counted[1:]) for part, counted in spent.items()}
    return {"ingest_us": sum(parts.values()), **parts}


def _ask(engine: Engine, day: datetime) -> dict[str, float]:
    with Session(engine) as session:
        vehicle_id = int(session.scalar(text("SELECT min(vehicle_id) FROM ingest.vehicle")) or 1) + 77
        at = datetime.combine(day.date(), datetime.min.time(), LOCAL_ZONE) + timedelta(hours=14)

        def last_position() -> int:
            return len(position_store.list_positions(session, LastPosition.vehicle_id == vehicle_id))

        def truck_day() -> int:
            return len(position_store.track(session, vehicle_id, day, day + timedelta(days=1), 100_000))

        def who_was_there() -> int:
            return len(position_store.positions_at(session, at, 1200.0, km=(20.0, 35.0)))

        server = int(session.scalar(text("SELECT pg_backend_pid()")) or 0)
        questions = {
            "last_position": (last_position, 1),
            "truck_day": (truck_day, DAY_FIXES),
            "who_was_there": (who_was_there, VEHICLES // 10),
        }
        return {
            f"{name}_{unit}": value
            for name, (question, at_least) in questions.items()
            for unit, value in _cost(question, at_least, server).items()
        }


def _cost(question: Callable[[], int], at_least: int, server: int) -> dict[str, float]:
    """The least of the times that a question takes, and of its CPU times, in ms.

    The server on this machine is asked for its own; of one elsewhere only what we take is known.
    """
    took_s, spent_s = [], []
    for _ in range(REPEATS):
        began, began_cpu_s = time.perf_counter(), _cpu_s(server)
        count = question()
        took_s.append(time.perf_counter() - began)
        spent_s.append(_cpu_s(server) - began_cpu_s)
        if count < at_least:
            raise RuntimeError(f"{count} rows, not {at_least}.")
    return {"ms": min(took_s) * 1e3, "cpu_ms": min(spent_s) * 1e3}


def _cpu_s(server: int) -> float:
    """CPU time of this process and of a server process, to the nanosecond (proc(5), schedstat)."""
    try:
        served_ns = int(Path(f"/proc/{server}/schedstat").read_text().split()[0])
    except OSError:
        served_ns = 0
    return time.process_time() + served_ns / 1e9


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--millions", nargs=2, type=int, default=(1, 50), help="fixes stored, first and then")
    asked = parser.parse_args()
    figures = run((asked.millions[0], asked.millions[1]))
    for key, value in figures.items():
        print(f"{key:<28} {value:,.3f}")
    if asked.json:
        print(json.dumps(figures))
