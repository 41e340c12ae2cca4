"""The days of `ingest.fix`: made ahead and dropped by the worker, and never the reason that a fix is lost."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, text

from app.platform.runtime import Runtime
from app.tracking.worker import DAYS_AHEAD, Worker
from ingest import fix_store
from ingest.fixes import FIX, FixArray, pack
from ingest.formats.report import to_microseconds
from ingest.stream import stream_key
from tests.app.gps import counters, drain, rows


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    return Worker(runtime, name="one")


def fix_at(runtime: Runtime, days_ago: float, vehicle_id: int = 1) -> FixArray:
    made = np.zeros(1, FIX)
    moment = runtime.clock.now() - timedelta(days=days_ago)
    made["vehicle_id"] = made["device_id"] = vehicle_id
    made["time_us"] = made["received_us"] = to_microseconds(moment)
    made["lon"], made["lat"] = runtime.corridor.position("QL1A", [50.0])
    made["speed_mps"] = made["heading_deg"] = made["accuracy_m"] = np.nan
    return made


def append(runtime: Runtime, made: FixArray) -> None:
    shard = int(made["vehicle_id"][0]) % runtime.settings.ingest_shards
    runtime.redis.xadd(stream_key(shard), pack(made))  # type: ignore[arg-type]


def drop_all(owner: Engine) -> None:
    with owner.begin() as connection:
        for day in fix_store.partition_days(connection):
            connection.execute(text(f"DROP TABLE ingest.fix_{day:%Y%m%d}"))


def test_days_are_made_ahead_and_dropped_by_retention(runtime: Runtime, worker: Worker) -> None:
    worker.keep_partitions()
    today, days = runtime.clock.now().date(), runtime.settings.fix_retention_days
    old = today - timedelta(days=days + 3)
    with runtime.engine.begin() as connection:
        fix_store.ensure_partitions(connection, old, old)
    worker.keep_partitions()
    with runtime.engine.connect() as connection:
        kept = fix_store.partition_days(connection)
    assert kept == [today + timedelta(days=number) for number in range(-days, DAYS_AHEAD + 1)]


@pytest.mark.parametrize("days_ago", [0.0, 3.0, 25.0, -0.9])
def test_a_fix_of_a_day_without_partition_is_stored(
    runtime: Runtime, owner_engine: Engine, worker: Worker, days_ago: float
) -> None:
    drain(worker)
    drop_all(owner_engine)
    append(runtime, fix_at(runtime, days_ago))
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(1,)]
    assert rows(runtime, "SELECT count(*) FROM ingest.dead_letter") == [(0,)]


def test_a_partition_that_was_lost_is_made_again(runtime: Runtime, owner_engine: Engine, worker: Worker) -> None:
    append(runtime, fix_at(runtime, 1.0))
    drain(worker)
    drop_all(owner_engine)
    append(runtime, fix_at(runtime, 1.0 - 1e-4))
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(1,)]
    assert rows(runtime, "SELECT count(*) FROM ingest.dead_letter") == [(0,)]


def test_a_fix_older_than_the_retention_makes_no_partition(runtime: Runtime, worker: Worker) -> None:
    drain(worker)
    append(runtime, fix_at(runtime, runtime.settings.fix_retention_days + 2.0))
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(0,)]
    assert counters(runtime)['fixes_refused_total{reason="too_old"}'] == 1
