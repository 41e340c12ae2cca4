"""What being sure costs: a Redis append by `appendfsync`, a PostgreSQL commit by `synchronous_commit` with a replica.

One client on one machine, servers on the same disk; a network between the machines adds its round trip to `remote_*`.
An append carries 100 fixes, as the doors gather them under load; a commit stores 1,000 rows by COPY, as a worker does.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from redis import Redis

from app.ops.embedded import EmbeddedServers
from bench.chaos.machines import run_replicated
from ingest.fixes import FIX

SECONDS = 3.0
APPENDFSYNC = ("always", "everysec", "no")
SYNCHRONOUS_COMMIT = ("remote_apply", "on", "remote_write", "local", "off")
"""With a synchronous replica, `on` waits until the replica has it on disk, `local` only for the own disk."""
FIXES = 100
ROWS = 1_000


def run() -> dict[str, Any]:
    """The figures: per setting how many a second, and the 99th percentile of one, in milliseconds."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="cuakhau-durability-", ignore_cleanup_errors=True) as folder:
        with EmbeddedServers(Path(folder) / "redis") as urls, Redis.from_url(urls.redis_url) as redis:
            entry: dict[Any, Any] = {b"f": bytes(FIXES * FIX.itemsize)}
            for value in APPENDFSYNC:
                redis.config_set("appendfsync", value)
                figures |= _measure(f"append_{value}", lambda: redis.xadd("stream", entry, maxlen=1_000))
        with run_replicated(Path(folder) / "postgres") as postgres, postgres.connection(0) as cursor:
            cursor.execute("CREATE TABLE fix (vehicle_id int, time timestamptz, lon float8, lat float8)")
            rows = "".join(f"{row}\t2026-03-02T03:00:00Z\t106.7\t21.9\n" for row in range(ROWS))
            for value in SYNCHRONOUS_COMMIT:
                cursor.execute(f"SET synchronous_commit = '{value}'")
                figures |= _measure(
                    f"commit_{value}", lambda: cursor.copy_expert("COPY fix FROM STDIN", io.StringIO(rows))
                )
    return figures


def _measure(name: str, act: Callable[[], object]) -> dict[str, float]:
    took_s = []
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < SECONDS:
        act()
        took_s.append(time.perf_counter() - now)
    return {f"{name}_per_s": len(took_s) / (now - began), f"{name}_p99_ms": float(np.percentile(took_s, 99)) * 1e3}
