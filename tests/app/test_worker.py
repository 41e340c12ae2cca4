"""Workers: nothing acknowledged is lost or doubled, order holds, bad entries are put aside."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest
from sqlalchemy import Engine

from app.platform.runtime import Runtime
from app.tracking.worker import Worker
from ingest import pipeline
from ingest.fixes import FIX, FixArray, pack
from ingest.formats.report import to_microseconds
from ingest.leases import lease_key
from ingest.stream import stream_key
from tests.app.gps import counters, drain, rows
from tests.conftest import NOW

ROOT = Path(__file__).parents[2]


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    return worker


def fixes(runtime: Runtime, vehicles: list[int], count: int, *, ago_s: float = 3600, step_s: float = 10) -> FixArray:
    """`count` fixes of each vehicle, driving toward the border at 15 m/s."""
    made = np.zeros(len(vehicles) * count, FIX)
    number = np.repeat(np.arange(count), len(vehicles))
    made["vehicle_id"] = np.tile(vehicles, count)
    made["device_id"] = made["vehicle_id"]
    made["time_us"] = to_microseconds(runtime.clock.now()) - int(ago_s * 1e6) + (number * step_s * 1e6).astype(np.int64)
    made["received_us"] = to_microseconds(runtime.clock.now())
    made["lon"], made["lat"] = runtime.corridor.position("QL1A", 90 - number * step_s * 0.015)
    made["speed_mps"], made["heading_deg"], made["accuracy_m"] = 15, np.nan, np.nan
    return made


def append(runtime: Runtime, made: FixArray) -> None:
    shards = runtime.settings.ingest_shards
    for shard in range(shards):
        own = made[made["vehicle_id"] % shards == shard]
        if len(own):
            runtime.redis.xadd(stream_key(shard), pack(own))  # type: ignore[arg-type]


def test_killed_between_commit_and_acknowledgement(runtime: Runtime, worker: Worker) -> None:
    append(runtime, fixes(runtime, [1, 2, 3], 20))
    worker.step(block_ms=20)  # takes the shards
    acknowledge = worker.reader.acknowledge
    worker.reader.acknowledge = lambda *_: None  # type: ignore[method-assign] # dies right before it
    append(runtime, fixes(runtime, [1, 2, 3], 20, ago_s=1800))
    drain(worker)
    worker.reader.acknowledge = acknowledge  # type: ignore[method-assign]
    assert sum(runtime.redis.xlen(stream_key(shard)) for shard in (0, 1)) > 0
    worker.leases.close()
    other = Worker(runtime, name="two")
    drain(other)
    assert sum(runtime.redis.xlen(stream_key(shard)) for shard in (0, 1)) == 0
    assert rows(runtime, "SELECT count(*), count(DISTINCT (vehicle_id, time)) FROM ingest.fix") == [(120, 120)]


@pytest.mark.long
def test_killed_worker_processes_lose_and_double_nothing(runtime: Runtime, worker: Worker, tmp_path: Path) -> None:
    environment = os.environ | {
        "DATABASE_URL": runtime.settings.database_url.get_secret_value(),
        "REDIS_URL": runtime.settings.redis_url.get_secret_value(),
        "CUAKHAU_DEMO": "1",
        "CUAKHAU_CLOCK_ORIGIN": "",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("CUAKHAU_CLOCK_ORIGIN")
    code = (
        "from app.platform.runtime import Runtime; from app.settings import Settings\n"
        "from app.tracking.worker import run_worker\n"
        "from datetime import datetime; from geo.clock import FixedClock\n"
        "runtime = Runtime.open(Settings(), part='t')\n"
        f"runtime.clock = FixedClock(datetime.fromisoformat('{runtime.clock.now().isoformat()}'))\n"
        "run_worker(runtime)\n"
    )
    vehicles, count = list(range(1, 41)), 50
    made = fixes(runtime, vehicles, count)
    made.sort(order="time_us")
    chunks = np.array_split(made, 120)
    sent = 0
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            target = len(rows(runtime, "SELECT 1 FROM ingest.fix")) + 200
            while time.monotonic() < deadline:
                if sent < len(chunks):
                    append(runtime, chunks[sent])
                    sent += 1
                if rows(runtime, "SELECT count(*) FROM ingest.fix")[0][0] >= target:
                    break
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for shard in range(runtime.settings.ingest_shards):
            runtime.redis.delete(lease_key(shard))  # instead of waiting for it to expire
        runtime.redis.delete("ck:workers")
    for chunk in chunks[sent:]:
        append(runtime, chunk)
    drain(worker)
    found = rows(runtime, "SELECT count(*), count(DISTINCT (vehicle_id, time)) FROM ingest.fix")
    assert found == [(len(made), len(made))]
    newest = rows(
        runtime,
        "SELECT count(*) FROM ingest.last_position p WHERE time = "
        "(SELECT max(time) FROM ingest.fix f WHERE f.vehicle_id = p.vehicle_id)",
    )
    assert newest == [(len(vehicles),)]
    assert runtime.redis.xlen(stream_key(0)) == runtime.redis.xlen(stream_key(1)) == 0


def test_two_workers_share_the_shards_and_take_over(runtime: Runtime, worker: Worker) -> None:
    other = Worker(runtime, name="two")
    worker.reader.create_groups()
    worker.leases.balance()
    assert worker.leases.owned == [0, 1]
    other.leases.balance()
    worker.leases.balance()
    other.leases.balance()
    assert sorted(worker.leases.owned + other.leases.owned) == [0, 1]
    assert len(worker.leases.owned) == 1
    other.leases.close()
    worker.leases.balance()
    assert sorted(worker.leases.owned) == [0, 1]


def test_a_lease_that_another_worker_took_is_left_to_it(runtime: Runtime, worker: Worker) -> None:
    worker.leases.balance()
    runtime.redis.set(lease_key(0), "two", px=15_000)  # as after a pause longer than the lease
    worker.leases.renew()
    assert runtime.redis.get(lease_key(0)) == b"two"
    worker.leases.balance()
    assert worker.leases.owned == [1]
    worker.leases.close()
    assert runtime.redis.get(lease_key(0)) == b"two"
    assert not runtime.redis.exists(lease_key(1))


def test_a_worker_takes_its_own_leases_again_after_a_failure(runtime: Runtime, worker: Worker) -> None:
    assert worker.leases.balance() == [0, 1]
    worker._forget()
    runtime.redis.pexpire(lease_key(0), 1_000)
    renewing = threading.Thread(target=worker.leases.renew)  # the heartbeat's thread: nothing to renew, nothing lost
    renewing.start()
    renewing.join()
    assert worker.leases.balance() == [0, 1]
    assert runtime.redis.get(lease_key(0)) == b"one"
    assert runtime.redis.pttl(lease_key(0)) > 10_000
    runtime.redis.pexpire(lease_key(1), 1_000)
    renewing = threading.Thread(target=worker.leases.renew)
    renewing.start()
    renewing.join()
    assert runtime.redis.pttl(lease_key(1)) > 10_000


def test_a_lease_ends_with_the_time_of_a_worker_that_died(runtime: Runtime, worker: Worker) -> None:
    worker.leases.balance()
    other = Worker(runtime, name="two")
    assert other.leases.balance() == []
    for shard in (0, 1):
        assert 0 < runtime.redis.pttl(lease_key(shard)) <= 15_000
        runtime.redis.pexpire(lease_key(shard), 1)  # fifteen seconds later
    runtime.redis.zrem("ck:workers", "one")
    time.sleep(0.05)
    assert other.leases.balance() == [0, 1]
    worker.leases.renew()
    assert runtime.redis.get(lease_key(0)) == b"two"


def test_order_of_a_vehicle_holds_over_batches_and_shards(runtime: Runtime, worker: Worker) -> None:
    made = fixes(runtime, list(range(1, 21)), 30)
    for chunk in np.array_split(made, 60):
        append(runtime, chunk)
    published = runtime.redis.pubsub()
    published.subscribe("ck:positions")
    while worker.step(block_ms=20):
        pass
    times = dict[int, str]()
    while message := published.get_message(timeout=0.2):
        if message["type"] == "message":
            for position in orjson.loads(message["data"]):
                assert times.get(position["vehicle_id"], "") < position["time"]
                times[position["vehicle_id"]] = position["time"]
    published.close()
    assert len(times) == 20
    last = {int(key): orjson.loads(value)["time"] for key, value in runtime.redis.hgetall("ck:last").items()}
    assert last == times


def test_what_cannot_be_processed_is_put_aside_with_the_reason(runtime: Runtime, worker: Worker) -> None:
    runtime.redis.xadd(stream_key(0), {b"v": b"1", b"n": b"3", b"f": b"short"})
    append(runtime, fixes(runtime, [2, 4], 5))
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(10,)]
    [letter] = rows(runtime, 'SELECT kind, reason, "row", fields FROM ingest.dead_letter')
    assert letter[:3] == ("unreadable", "Not an entry of fixes: buffer size must be a multiple of element size.", -1)
    assert base64.b64decode(letter[3]["f"]) == b"short"
    assert runtime.redis.xlen(stream_key(0)) == 0


def test_stale_knowledge_of_a_vehicle_costs_a_retry_not_a_fix(runtime: Runtime, worker: Worker) -> None:
    made = fixes(runtime, [2], 10)
    append(runtime, made[:2])
    drain(worker)
    other = Worker(runtime, name="two")
    pipeline.run([pack(made[2:8])], other.context)  # type: ignore[list-item]
    append(runtime, made[4:])
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(10,)]


def test_partitions_are_made_ahead_and_dropped(runtime: Runtime, worker: Worker) -> None:
    partitions = (
        "SELECT min(relname), max(relname), count(*) FROM pg_class WHERE relname ~ '^fix_[0-9]{8}$' AND relkind = 'r'"
    )
    [(first, last, count)] = rows(runtime, partitions)
    assert (first, last, count) == ("fix_20260131", "fix_20260304", 33)
    runtime.clock.advance(86400)  # type: ignore[attr-defined]
    worker.keep_partitions()
    assert rows(runtime, partitions) == [("fix_20260201", "fix_20260305", 33)]
    runtime.clock.advance(-86400)  # type: ignore[attr-defined]
    worker.keep_partitions()


def test_a_cut_connection_loses_nothing(runtime: Runtime, worker: Worker) -> None:
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        made = fixes(runtime, list(range(1, 21)), 40)
        for number, chunk in enumerate(np.array_split(made, 40)):
            append(runtime, chunk)
            if number % 10 == 5:
                rows(
                    runtime,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                    "AND application_name = 'cuakhau-test'",
                )
            time.sleep(0.02)
        deadline = time.monotonic() + 60
        while counters(runtime).get("fixes_stored_total", 0) < len(made) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        worker.stop()
        thread.join(timeout=60)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(len(made),)]
    assert rows(runtime, "SELECT count(*) FROM ingest.dead_letter") == [(0,)]


def test_last_positions_end_with_the_retention(runtime: Runtime, worker: Worker) -> None:
    append(runtime, fixes(runtime, [1], 3))
    drain(worker)
    runtime.clock.advance(31 * 86400)  # type: ignore[attr-defined]
    for _ in range(31):
        worker.keep_partitions()
    assert rows(runtime, "SELECT 1 FROM ingest.last_position") == []
    assert runtime.redis.hlen("ck:last") == 0
    runtime.clock.advance(-31 * 86400)  # type: ignore[attr-defined]
    worker.keep_partitions()


def test_a_clock_that_jumps_ahead_erases_nothing_at_once(
    runtime: Runtime, owner_engine: Engine, worker: Worker
) -> None:
    append(runtime, fixes(runtime, [1, 2], 5))
    drain(worker)
    oldest = "SELECT min(relname) FROM pg_class WHERE relname ~ '^fix_[0-9]{8}$' AND relkind = 'r'"
    assert rows(runtime, oldest) == [("fix_20260131",)]
    runtime.clock.advance(400 * 86400)  # type: ignore[attr-defined]
    drain(worker)
    append(runtime, fixes(runtime, [3], 5))
    drain(worker)
    assert rows(runtime, oldest) == [("fix_20260201",)]
    assert rows(runtime, "SELECT vehicle_id, count(*) FROM ingest.fix GROUP BY 1 ORDER BY 1") == [
        (1, 5),
        (2, 5),
        (3, 5),
    ]
    runtime.clock.advance(-400 * 86400)  # type: ignore[attr-defined]
    append(runtime, fixes(runtime, [1, 2], 5, ago_s=600))
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(25,)]
    late = "SELECT count(*) FROM ingest.last_position WHERE vehicle_id < 3 AND time < '2026-03-02T02:49Z'"
    assert rows(runtime, late) == [(0,)]
    with owner_engine.begin() as connection:
        for day in range(31, 500):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS ingest.fix_{NOW + timedelta(days=day):%Y%m%d}")


def test_where_else_a_truck_goes_is_not_stored(runtime: Runtime, worker: Worker) -> None:
    made = fixes(runtime, [1], 4)
    made["lat"][:2] = 10.8  # Ho Chi Minh City
    append(runtime, made)
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(2,)]
    assert counters(runtime)['fixes_refused_total{reason="far"}'] == 2
    worker.context.keep_far = True
    made["time_us"] += 1_000_000
    append(runtime, made)
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(6,)]


def test_worker_beats_and_stops(runtime: Runtime, worker: Worker) -> None:
    thread = threading.Thread(target=worker.run)
    thread.start()
    deadline = time.monotonic() + 60
    while not runtime.redis.exists("ck:heartbeat:ingest") and time.monotonic() < deadline:
        time.sleep(0.02)
    append(runtime, fixes(runtime, [1], 3))
    while counters(runtime).get("fixes_stored_total", 0) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    worker.stop()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert counters(runtime)["fixes_stored_total"] == 3
    assert not runtime.redis.exists("ck:lease:0")
