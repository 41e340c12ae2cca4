"""The ingest worker: Redis Stream → pipeline → PostGIS → publish, for as long as the platform runs.

Any number may run; each owns a fair share of the shards. PostgreSQL or Redis away means waiting, not dying: nothing
is acknowledged that is not committed.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from datetime import date, timedelta

import psycopg2
import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from app.platform.runtime import Runtime
from geo.errors import MalformedError
from geo.matching import Matcher
from ingest import fix_store, pipeline
from ingest.leases import ShardLeases
from ingest.stream import FixReader, StreamEntry, stream_key

HEARTBEAT_KEY = "ck:heartbeat:ingest"
HEARTBEAT_TTL_S = 15
BATCH_FIXES = 10_000
"""About how many fixes a micro-batch takes when there are many; it never waits for them."""
BLOCK_MS = 1_000
DAYS_AHEAD = 2
MAX_BACKOFF_S = 5.0

TRANSIENT = (
    RedisError,
    OSError,
    OperationalError,
    InterfaceError,
    InternalError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.InternalError,
)
"""A server is away, restarting, full, or a standby: waiting helps, giving up an entry would lose it. COPY speaks to the
driver directly, so its errors arrive unwrapped."""

log = structlog.get_logger("ingest")


class Worker:
    """One worker. `run` returns after `stop`."""

    def __init__(self, runtime: Runtime, *, name: str | None = None) -> None:
        self.runtime = runtime
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident() % 1000}"
        settings = runtime.settings
        self.leases = ShardLeases(runtime.redis, settings.ingest_shards, self.name)
        self.reader = FixReader(runtime.redis, settings.ingest_shards, self.name)
        self.context = pipeline.Context(
            engine=runtime.engine,
            redis=runtime.redis,
            clock=runtime.clock,
            matcher=Matcher(runtime.corridor),
            retention_days=settings.fix_retention_days,
        )
        self._stopping = threading.Event()
        self._upkept_on: date | None = None
        self._balanced_at = -1e9
        self._fixes_per_entry = 1.0
        self._groups_made = False

    def stop(self) -> None:
        """Finish the present batch and return from `run`."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop`."""
        log.info("worker started", worker=self.name, shards=self.runtime.settings.ingest_shards)
        beat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        beat.start()
        backoff_s = 0.1
        while not self._stopping.is_set():
            try:
                self.step()
                backoff_s = 0.1
            except TRANSIENT as error:
                log.warning("waiting for a server", error=str(error).splitlines()[0][:200], retry_in_s=backoff_s)
                self._forget()
                self._stopping.wait(backoff_s)
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
        self._stopping.set()
        beat.join(timeout=5)
        try:
            self.leases.close()
        except (RedisError, OSError) as error:
            log.warning("leases left to expire", error=str(error)[:200])
        log.info("worker stopped", worker=self.name)

    def step(self, block_ms: int = BLOCK_MS) -> int:
        """One round: upkeep when due, leases, one micro-batch; how many entries were processed."""
        now = time.monotonic()
        today = self.runtime.clock.now().date()
        if today != self._upkept_on:
            self.keep_partitions()
            self._upkept_on = today
        if not self._groups_made:
            self.reader.create_groups()
            self._groups_made = True
        processed = 0
        if now - self._balanced_at >= 1.0:
            for shard in self.leases.balance():
                processed += self._take_over(shard)
            self._balanced_at = now
        if not self.leases.owned:
            self._stopping.wait(min(block_ms / 1000, 0.5))
            return processed
        share = max(1, int(BATCH_FIXES / self._fixes_per_entry / len(self.leases.owned)))
        entries = self.reader.read(self.leases.owned, min(share, 2_000), block_ms)
        if entries:
            self.process(entries)
        return processed + len(entries)

    def process(self, entries: list[StreamEntry]) -> None:
        """Take entries through the pipeline and acknowledge them; one that fails alone is a dead letter."""
        started = time.perf_counter()
        try:
            counts = pipeline.run([entry.fields for entry in entries], self.context)
        except TRANSIENT:
            raise
        except Exception as error:
            if len(entries) > 1:
                log.warning("batch failed, going one by one", entries=len(entries), error=repr(error)[:300])
                self.context.latest.clear()
                for entry in entries:
                    self.process([entry])
                return
            self._dead_letter(entries[0], error)
            return
        self.reader.acknowledge(entries, counts)
        fixes = sum(int(entry.fields.get(b"n", b"0")) for entry in entries)
        self._fixes_per_entry += 0.3 * (max(1.0, fixes / len(entries)) - self._fixes_per_entry)
        log.debug("batch", entries=len(entries), fixes=fixes, duration_ms=1000 * (time.perf_counter() - started))

    def keep_partitions(self) -> None:
        """Make the daily partitions ahead, and drop those older than the retention with the last positions of then."""
        now = self.runtime.clock.now()
        days = self.runtime.settings.fix_retention_days
        first, last = fix_store.oldest_day(now, days), (now + timedelta(days=DAYS_AHEAD)).date()
        with self.runtime.engine.begin() as connection:
            made = fix_store.ensure_partitions(connection, first, last)
            dropped = fix_store.drop_old_partitions(connection, days, now)
            gone = fix_store.drop_old_positions(connection, first)
        if gone:
            self.runtime.redis.hdel(pipeline.LAST_KEY, *map(str, gone))
            self.context.latest.clear()
        if made or dropped:
            log.info("partitions", made=len(made), dropped=len(dropped))

    def _take_over(self, shard: int) -> int:
        """Process first what an earlier owner of `shard` left unacknowledged."""
        self.context.latest.clear()
        entries, poison = self.reader.claim(shard)
        for entry in poison:
            self._dead_letter(entry, MalformedError("Delivered too often without being acknowledged."))
        if entries:
            log.info("taking over", shard=shard, entries=len(entries))
        for start in range(0, len(entries), 200):
            self.process(entries[start : start + 200])
        return len(entries)

    def _dead_letter(self, entry: StreamEntry, error: Exception) -> None:
        log.error("dead letter", stream=stream_key(entry.shard), entry=entry.entry_id.decode(), error=repr(error)[:300])
        self.reader.dead_letter(entry, repr(error))

    def _forget(self) -> None:
        """After a failure nothing is certain: leases, what was read but not acknowledged, last places."""
        self.context.latest.clear()
        self.leases.owned.clear()
        self._balanced_at = -1e9
        self._groups_made = False

    def _beat(self) -> None:
        """Say that this worker lives, and keep its leases while a batch takes long."""
        while not self._stopping.is_set():
            try:
                self.runtime.redis.set(HEARTBEAT_KEY, self.name, ex=HEARTBEAT_TTL_S)
                self.leases.renew()
            except (RedisError, OSError, DBAPIError):
                pass  # the loop reports it
            self._stopping.wait(HEARTBEAT_TTL_S / 5)


def run_worker(runtime: Runtime, *, name: str | None = None) -> None:
    """Run a worker until SIGTERM or SIGINT; it finishes its batch first."""
    worker = Worker(runtime, name=name)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
