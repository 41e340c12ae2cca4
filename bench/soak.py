"""Whether the platform lasts: memory, open files and tables under the demonstration's load, as slopes after a warm-up.

`bin/bench soak --hours 24 --json`; without a length it takes some minutes, as CI does, which finds gross leaks only.
Slopes are Theil-Sen estimates (Sen 1968, doi:10.1080/01621459.1968.10480934): the median of all pairs' slopes, so that
a single burst counts for little.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from redis import Redis
from scipy.stats import theilslopes
from sqlalchemy import text

from bench.chaos.platform import Platform, Target, run_platform
from geo.database import SCHEMAS

DEFAULT_MINUTES: Final = 6.0
SAMPLES: Final = 120
MIN_PAUSE_S: Final = 2.0
WARM_UP_SHARE: Final = 1 / 3
MAX_GROWTH_SHARE_PER_H: Final = 0.05
"""Memory that grows by more of itself in an hour leaks; over days the caches of libraries still fill below that."""
MAX_FILES_PER_H: Final = 2.0
CACHES_FILL_H: Final = 0.5
"""So long after the warm-up caches of libraries and of PostgreSQL's processes still fill: what is gross alone leaks."""
GROSS_SHARE: Final = 0.3
GROSS_FILES: Final = 10.0
SHOWN_TABLES: Final = 8
MB: Final = 1e6


@dataclass
class Samples:
    """What was seen: seconds since the beginning, and of each figure its value then."""

    at_s: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, at_s: float, figures: Mapping[str, float]) -> None:
        """Another look; a figure that is new was 0 before."""
        self.at_s.append(at_s)
        for name in self.values.keys() | figures.keys():
            seen = self.values.setdefault(name, [0.0] * (len(self.at_s) - 1))
            seen.append(figures.get(name, seen[-1] if seen else 0.0))

    def slope_per_h(self, name: str) -> float:
        """How fast a figure grows once the platform is warm."""
        at_s, values = self._warm(name)
        return float(theilslopes(values, at_s)[0] * 3600.0) if len(at_s) > 1 else 0.0

    def level(self, name: str) -> float:
        """The median of a figure once the platform is warm."""
        return float(np.median(self._warm(name)[1]))

    def _warm(self, name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        at_s, values = np.asarray(self.at_s), np.asarray(self.values[name])
        warm = at_s >= at_s[0] + (at_s[-1] - at_s[0]) * WARM_UP_SHARE
        return at_s[warm], values[warm]


def run(minutes: float = DEFAULT_MINUTES) -> dict[str, Any]:
    """Play the demonstration for so long; what grows, and by how much an hour."""
    pause_s = max(MIN_PAUSE_S, minutes * 60.0 / SAMPLES)
    with (
        tempfile.TemporaryDirectory(prefix="cuakhau-soak-", ignore_cleanup_errors=True) as folder,
        run_platform(Path(folder), demo=True) as platform,
        Redis.from_url(platform.redis_url) as redis,
    ):
        samples, began = Samples(), time.monotonic()
        while (passed_s := time.monotonic() - began) < minutes * 60.0:
            samples.add(passed_s, look(platform, redis))
            time.sleep(pause_s)
        restarts = (Path(folder) / "up.log").read_text(errors="replace").count("Starting it again")
    return {"minutes": minutes, "samples": len(samples.at_s), "restarts": restarts} | figures(samples)


def look(platform: Platform, redis: Redis) -> dict[str, float]:
    """Memory (MB) and open files of each part, sizes of tables and of Redis (MB), as they are now."""
    found: dict[str, float] = {}
    for target in Target:
        processes = platform.processes(target)
        found[f"{target}_rss_mb"] = _rss_bytes(processes) / MB
        if (
            target == Target.POSTGRES
        ):  # each of its processes keeps up to a thousand files open, and opens them as it needs
            found[f"{target}_processes"] = float(len(processes))
        else:
            found[f"{target}_files"] = float(sum(_files(process) for process in processes))
    found["redis_used_mb"] = float(redis.info("memory")["used_memory"]) / MB
    with platform.engine.connect() as connection:
        rows = connection.execute(
            text(
                """
                SELECT n.nspname || '.' || coalesce(p.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
                WHERE c.relkind = 'r' AND n.nspname = ANY(:schemas) GROUP BY 1
                """
            ),
            {"schemas": list(SCHEMAS)},
        )
        found |= {f"table {name}": float(size) / MB for name, size in rows}
    return found


def figures(samples: Samples) -> dict[str, Any]:
    """Levels and slopes; `leaks` names what does not level off."""
    names = [name for name in samples.values if not name.startswith("table ")]
    tables = [name for name in samples.values if name.startswith("table ")]
    found: dict[str, Any] = {}
    for name in names:
        found[name] = samples.level(name)
        found[f"{name}_per_h"] = samples.slope_per_h(name)
    growth = {name.removeprefix("table "): samples.slope_per_h(name) for name in tables}
    found["database_mb_per_h"] = sum(growth.values())
    fastest = sorted(growth, key=lambda name: -growth[name])[:SHOWN_TABLES]
    found["tables_mb_per_h"] = {name: round(growth[name], 3) for name in fastest}
    found["leaks"] = leaks(samples, names)
    return found


def leaks(samples: Samples, names: Sequence[str]) -> list[str]:
    """The figures of processes that grow beyond what is allowed."""
    hours = (samples.at_s[-1] - samples.at_s[0]) * (1.0 - WARM_UP_SHARE) / 3600.0
    found = []
    for name in names:
        level = max(samples.level(name), 50.0)
        is_count = name.endswith(("_files", "_processes"))
        limit_per_h = MAX_FILES_PER_H if is_count else MAX_GROWTH_SHARE_PER_H * level
        if 0.0 < hours < CACHES_FILL_H:
            limit_per_h = max(limit_per_h, (GROSS_FILES if is_count else GROSS_SHARE * level) / hours)
        if samples.slope_per_h(name) > limit_per_h:
            found.append(name)
    return found


def _files(process: psutil.Process) -> int:
    try:
        return int(process.num_fds())
    except psutil.NoSuchProcess:
        return 0


def _rss_bytes(processes: Sequence[psutil.Process]) -> int:
    """Resident memory; of PostgreSQL's processes, which share much, what each has for itself and the shared once."""
    total, shared = 0, 0
    for process in processes:
        try:
            memory = process.memory_info()
        except psutil.NoSuchProcess:
            continue
        total += memory.rss - memory.shared
        shared = max(shared, memory.shared)
    return int(total + shared)
