"""From `/gps/batch` and `/gps/osmand` over HTTP to committed, matched, published rows, with real processes.

One run on one machine, load generator (`bench.rig.load`) included. The limit beside it is a bare COPY of the very same
rows by the same driver into the same, emptied table with all its indexes; it is measured after each round of ingest,
and both are medians, so that what else the machine does meets both. The CPU seconds of each process say where the time
goes. Servers: those of `DATABASE_URL` and `REDIS_URL` (their contents are erased), else private ones that sync to disk
like in service.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, text

from bench.rig import live_events, load
from bench.rig.batches import INTERVAL_S, VEHICLES, make_bodies, send_batches
from bench.rig.processes import Platform
from bench.rig.starting import Rig, started
from geo.corridor import Corridor
from ingest import fix_store

ROUNDS = 5
ROUND_FIXES = 200_000
SINGLE_FIXES = 20_000
CONNECTIONS = 32


def run() -> dict[str, Any]:
    """All figures of ingest; see the module for what they mean."""
    with started({}) as rig:
        figures = _batches(rig)
        figures |= _singles(rig.platform, rig.standing, rig.folder)
        figures |= live_events.measure(rig.engine, rig.platform, rig.standing, rig.folder, place=_stop())
        return figures


def _batches(rig: Rig) -> dict[str, Any]:
    engine, redis, platform, folder = rig.engine, rig.redis, rig.platform, rig.folder
    rounds_each = ROUND_FIXES // VEHICLES
    began_s = time.time() - (ROUNDS + 1) * rounds_each * INTERVAL_S - 60
    rates, acknowledged, copies, ratios = [], [], [], []
    cpu: dict[str, float] = {}
    copy_cpu_s, lost, bytes_per_fix = 0.0, 0, 0.0
    for number in range(ROUNDS + 1):  # the first warms up: compiled paths, known devices, recycled log files
        bodies = make_bodies(rig.driving, ROUND_FIXES, began_s, number * rounds_each)
        before = platform.cpu_s()
        sent, stored_s = send_batches(redis, platform.port, bodies, folder)
        after = platform.cpu_s() | {"load": sent.cpu_s}
        rows, bytes_per_fix = _stored(engine)
        lost += ROUND_FIXES - rows
        copy_per_s, copied_cpu_s = _copy(engine, platform, rows)
        if number == 0:
            continue
        for part, seconds in after.items():
            cpu[part] = cpu.get(part, 0.0) + seconds - before.get(part, 0.0)
        copy_cpu_s += copied_cpu_s
        rates.append(ROUND_FIXES / stored_s)
        acknowledged.append(ROUND_FIXES / (sent.ended - sent.began))
        copies.append(copy_per_s)
        ratios.append(rates[-1] / copy_per_s)
    total = ROUNDS * ROUND_FIXES
    return {
        "fixes_per_s": statistics.median(rates),
        "acknowledged_per_s": statistics.median(acknowledged),
        "copy_per_s": statistics.median(copies),
        "ratio_to_copy": statistics.median(ratios),
        "ratio_to_copy_best": max(rates) / max(copies),
        "lost": lost,
        "bytes_per_fix": bytes_per_fix,
        **{f"cpu_us_per_fix_{part}": seconds / total * 1e6 for part, seconds in cpu.items()},
        "copy_cpu_us_per_fix": copy_cpu_s / total * 1e6,
    }


def _stored(engine: Engine) -> tuple[int, float]:
    """Rows stored, and bytes of each with its share of the indexes."""
    size = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'ingest.fix'::regclass"
    with engine.connect() as connection:
        rows = int(connection.scalar(text("SELECT count(*) FROM ingest.fix")) or 0)
        return rows, int(connection.scalar(text(size)) or 0) / max(rows, 1)


def _copy(engine: Engine, platform: Platform, rows: int) -> tuple[float, float]:
    """Rows a second of a bare COPY of the stored rows into the same, emptied table, and its CPU seconds.

    The table is empty afterwards, as it was before the round.
    """
    buffer = io.BytesIO()
    with engine.connect() as connection:
        out = f"COPY (SELECT {fix_store.FIX_COLUMNS} FROM ingest.fix) TO STDOUT (FORMAT binary)"
        driver: Any = connection.connection
        with driver.cursor() as cursor:
            cursor.copy_expert(out, buffer)
        connection.execute(text("TRUNCATE ingest.fix"))
        connection.commit()
        own_s, server_s = time.process_time(), platform.cpu_s().get("postgres", 0.0)
        began = time.perf_counter()
        fix_store.copy_fixes(connection, buffer.getvalue())
        connection.commit()
        elapsed_s = time.perf_counter() - began
        cpu_s = time.process_time() - own_s + platform.cpu_s().get("postgres", 0.0) - server_s
        connection.execute(text("TRUNCATE ingest.fix"))
        connection.commit()
    return rows / elapsed_s, cpu_s


def _stop() -> tuple[float, float]:
    """Longitude and latitude of the place from which trucks report one by one: who is there already makes no jump."""
    lon, lat = Corridor.default().position("QL1A", [50.0])
    return float(lon[0]), float(lat[0])


def _singles(platform: Platform, identifiers: list[str], folder: Path) -> dict[str, Any]:
    """Single fixes as Traccar Client sends them, over kept-alive connections."""
    began_ms = int(time.time() * 1000) - SINGLE_FIXES - 30_000
    lon, lat = _stop()
    path = folder / "requests"
    load.write_requests(
        path,
        (
            load.request_bytes(
                "GET",
                f"/gps/osmand?id={identifiers[number % VEHICLES]}&timestamp={began_ms + number}&lat={lat}&lon={lon}"
                "&speed=10&bearing=20&batt=80",
            )
            for number in range(SINGLE_FIXES)
        ),
    )
    before = platform.cpu_s()
    sent = load.finish(load.start(platform.port, path, connections=CONNECTIONS))
    after = platform.cpu_s()
    return {
        "single_fix_per_s": len(sent.took_s) / (sent.ended - sent.began),
        "single_fix_p50_ms": float(np.percentile(sent.took_s, 50)) * 1e3,
        "single_fix_p99_ms": float(np.percentile(sent.took_s, 99)) * 1e3,
        "single_fix_cpu_us_web": (after["web"] - before["web"]) / SINGLE_FIXES * 1e6,
        "single_fix_cpu_us_load": sent.cpu_s / SINGLE_FIXES * 1e6,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    asked = parser.parse_args()
    found = run()
    for key, value in found.items():
        print(f"{key:<28} {value:,.2f}" if isinstance(value, float) else f"{key:<28} {value}")
    if asked.json:
        print(json.dumps(found))
