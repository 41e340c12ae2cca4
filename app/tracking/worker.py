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
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date, timedelta
from functools import partial

import psycopg2
import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.platform.runtime import FOLLOW_S, Runtime
from geo.corridor import Corridor
from geo.matching import Matcher
from ingest import dead_letter_store, dead_letters, fix_store, pipeline, trait_store
from ingest.device_traits import DeviceTraits
from ingest.leases import ShardLeases
from ingest.mending import Mender
from ingest.stream import FixReader, StreamEntry, stream_key

HEARTBEAT_KEY = "ck:heartbeat:ingest"
HEARTBEAT_TTL_S = 15
BATCH_FIXES = 40_000
"""About how many fixes a micro-batch takes when there are many; it never waits for them."""
THREADS = 2
"""Workers in a process: two, for the waiting of one is the work of the other."""
BLOCK_MS = 1_000
DAYS_AHEAD = 2
UPKEEP_S = 3600.0
LOOK_BACK_S = 10.0
"""How often a worker looks for entries whose answer was lost on a line: Redis takes them for read, nobody has them."""
MAX_BACKOFF_S = 5.0

TRANSIENT = (
    RedisError,
    OSError,
    MemoryError,
    OperationalError,
    InterfaceError,
    InternalError,
    ProgrammingError,
    PoolTimeoutError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.InternalError,
    psycopg2.ProgrammingError,
)
"""A server is away, restarting, full, a standby, or its schema is not there yet: waiting helps, and no fix is at fault.
COPY speaks to the driver directly, so its errors arrive unwrapped."""
MAX_TRIALS = 3
"""An entry taken alone with which this many workers ended is what ends them."""

log = structlog.get_logger("ingest")


class Worker:
    """One worker. `run` returns after `stop`."""

    def __init__(self, runtime: Runtime, *, name: str | None = None) -> None:
        self.runtime = runtime
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident() % 1000}"
        settings = runtime.settings
        self.leases = ShardLeases(runtime.redis, settings.ingest_shards, self.name)
        self.reader = FixReader(runtime.redis, settings.ingest_shards, self.name)
        self._place_on(runtime.corridor)
        self._stopping = threading.Event()
        self._upkept_on: date | None = None
        self._upkeep_at = -1e9
        self._balanced_at = -1e9
        self._looked_back_at = time.monotonic()
        self._fixes_per_entry = 1.0
        self._groups_made = False
        self._on_trial: list[StreamEntry] = []
        self._looked_at = time.monotonic()

    def _place_on(self, corridor: Corridor, traits: DeviceTraits | None = None) -> None:
        """Place fixes on a corridor from now on; what was made of another is forgotten, not what devices are like."""
        runtime, settings = self.runtime, self.runtime.settings
        self.context = pipeline.Context(
            engine=runtime.engine,
            redis=runtime.redis,
            clock=runtime.clock,
            matcher=Matcher(corridor),
            retention_days=settings.fix_retention_days,
            keep_far=settings.keep_far_fixes,
            traits=traits or DeviceTraits(),
        )
        self.mender = Mender(runtime.engine, self.context.matcher)
        self.context.matcher.prepare()

    def _follow_corridor(self) -> None:
        """Take up the corridor if it was changed; another worker of this process may have read it already."""
        self.runtime.take_up_corridor()
        if self.context.matcher.corridor is not self.runtime.corridor:
            self._place_on(self.runtime.corridor, self.context.traits)

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
        for leave in (partial(self.context.traits.save, self.runtime.engine), self.leases.close):
            try:
                leave()
            except TRANSIENT as error:
                log.warning("a server is away: leases may be left to expire", error=str(error)[:200])
        log.info("worker stopped", worker=self.name)

    def step(self, block_ms: int = BLOCK_MS) -> int:
        """One round: upkeep when due, leases, one micro-batch; how many entries were processed."""
        now = time.monotonic()
        if now - self._looked_at >= FOLLOW_S:  # between batches: each is placed on one corridor
            self._follow_corridor()
            self._looked_at = now
        today = self.runtime.clock.now().date()
        if today != self._upkept_on or now >= self._upkeep_at:
            self.keep_partitions()
            self._upkept_on, self._upkeep_at = today, now + UPKEEP_S
        if not self._groups_made:
            self.reader.create_groups()
            self._groups_made = True
        processed = 0
        if now - self._balanced_at >= 1.0:
            for shard in self.leases.balance():
                processed += self._take_over(shard)
            self._balanced_at = now
        if now - self._looked_back_at >= LOOK_BACK_S:  # whatever this worker has read is acknowledged now
            processed += sum(
                self._take_over(shard) for shard in self.leases.owned if self.reader.has_unacknowledged(shard)
            )
            self._looked_back_at = now
        if not self.leases.owned:
            self._stopping.wait(min(block_ms / 1000, 0.5))
            return processed
        share = max(1, int(BATCH_FIXES / self._fixes_per_entry / len(self.leases.owned)))
        entries = self.reader.read(self.leases.owned, min(share, 2_000), block_ms)
        if entries:
            self.process(entries)
        self._tend(idle=not entries)
        return processed + len(entries)

    def _tend(self, *, idle: bool) -> None:
        """Mend what late fixes changed, and save what was heard of devices, as far as that is due."""
        if self.context.ways_waiting:
            mended = self.mender.mend_due(self.leases.owned, self.runtime.settings.ingest_shards, idle=idle)
            self.context.latest.forget(mended)
            self.context.ways_waiting = bool(mended) or not idle
        self.context.traits.save_due(self.runtime.engine)

    def process(self, entries: list[StreamEntry]) -> None:
        """Take entries through the pipeline and acknowledge them; fixes that fail alone are dead letters."""
        started = time.perf_counter()
        counts: dict[str, int]
        try:
            counts = pipeline.run([entry.fields for entry in entries], self.context)
        except TRANSIENT:
            raise
        except Exception as error:
            log.warning("batch failed, going one by one", entries=len(entries), error=repr(error)[:300])
            self.context.latest.clear()
            if len(entries) > 1:
                self.keep_partitions()  # somebody may have dropped one that is needed
                for entry in entries:
                    self.process([entry])
                return
            counts = self._salvage(entries[0])
        self.reader.acknowledge(entries, counts)
        fixes = sum(int(entry.fields.get(b"n", b"0")) for entry in entries)
        self._fixes_per_entry += 0.3 * (max(1.0, fixes / len(entries)) - self._fixes_per_entry)
        log.debug("batch", entries=len(entries), fixes=fixes, duration_ms=1000 * (time.perf_counter() - started))

    def keep_partitions(self) -> None:
        """Make the daily partitions ahead, and drop the oldest beyond the retention with the last positions of then.

        Only one at a time: should the machine's clock jump a month ahead, a month's fixes are not gone the next moment.
        """
        now = self.runtime.clock.now()
        days = self.runtime.settings.fix_retention_days
        first, last = fix_store.oldest_day(now, days), (now + timedelta(days=DAYS_AHEAD)).date()
        with self.runtime.engine.begin() as connection:
            made = fix_store.ensure_partitions(connection, first, last)
            dropped = fix_store.drop_old_partitions(connection, days, now, max_days=1)
            oldest = fix_store.partition_days(connection)[0]
            gone = fix_store.drop_old_positions(connection, oldest)
            trait_store.drop_old(connection, oldest)
        if oldest < first:
            log.warning("older than the retention", oldest=str(oldest), due=(first - oldest).days)
        if gone:
            self.runtime.redis.hdel(pipeline.LAST_KEY, *map(str, gone))
            self.context.latest.clear()
        if made or dropped:
            log.info("partitions", made=len(made), dropped=len(dropped))

    def _take_over(self, shard: int) -> int:
        """Process first what an earlier owner of `shard` left unacknowledged."""
        self.context.latest.clear()
        self.context.ways_waiting = True
        while self._on_trial:
            self.reader.end_trial(self._on_trial[-1])
            self._on_trial.pop()
        entries, suspects = self.reader.claim(shard)
        if entries or suspects:
            log.info("taking over", shard=shard, entries=len(entries), suspects=len(suspects))
        for entry in suspects:
            self._try_alone(entry)
        for start in range(0, len(entries), 200):
            self.process(entries[start : start + 200])
        return len(entries) + len(suspects)

    def _try_alone(self, entry: StreamEntry) -> None:
        """Process an entry by itself, or give it up if workers that did so before did not live to end it."""
        trial = self.reader.begin_trial(entry)
        self._on_trial.append(entry)
        if trial <= MAX_TRIALS:
            self.process([entry])
        else:
            self._give_up(entry)
        self.reader.end_trial(entry)
        self._on_trial.remove(entry)

    def _give_up(self, entry: StreamEntry) -> None:
        """Cut an entry that ends workers in two, so that its harmless part is stored; a single fix is a dead letter."""
        halves = dead_letters.halve(entry.fields)
        if halves:
            log.warning("cutting an entry that ends workers", stream=stream_key(entry.shard), entry=_id(entry))
            self.reader.replace(entry, halves)
            return
        remains = dead_letters.give_up(entry.fields, "Workers that took it alone ended with it.")
        self._bury(entry, [remains])
        self.reader.acknowledge([entry], {"fixes_dead_total": 1})

    def _salvage(self, entry: StreamEntry) -> dict[str, int]:
        """Store what can be of an entry that failed, keep the rest as dead letters; what to add to the counters."""

        def store(fields: dead_letters.Fields) -> Counter[str]:
            try:
                return pipeline.run([dict(fields)], self.context)
            except Exception:  # raised again: who cuts the entry decides; what was placed in memory was not stored
                self.context.latest.clear()
                raise

        salvage = dead_letters.store_what_can_be(entry.fields, store, TRANSIENT)
        if salvage.remains:
            self._bury(entry, salvage.remains)
        salvage.counts["fixes_dead_total"] += len(salvage.remains)
        return salvage.counts

    def _bury(self, entry: StreamEntry, remains: list[dead_letters.Remains]) -> None:
        now = self.runtime.clock.now()
        with self.runtime.engine.begin() as connection:
            new = dead_letter_store.add(connection, [dead_letters.letter(entry, fix, now) for fix in remains])
        log.error(
            "dead letters", stream=stream_key(entry.shard), entry=_id(entry), new=new, reason=remains[0].reason[:300]
        )

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


def _id(entry: StreamEntry) -> str:
    return entry.entry_id.decode()


def run_worker(runtime: Runtime, *, name: str | None = None) -> None:
    """Run workers in `THREADS` threads until SIGTERM or SIGINT; they finish their batches first.

    While one waits for PostgreSQL to copy its batch, another reads and places the next. If one fails, all stop.
    """
    base = name or runtime.settings.worker_name or f"{socket.gethostname()}-{os.getpid()}"
    count = max(1, min(THREADS, runtime.settings.ingest_shards))
    workers = [Worker(runtime, name=f"{base}-{number}") for number in range(count)]

    def stop_all() -> None:
        for worker in workers:
            worker.stop()

    def run_one(worker: Worker) -> None:
        try:
            worker.run()
        finally:
            stop_all()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop_all())
    with ThreadPoolExecutor(count, thread_name_prefix="worker") as pool:
        for done in as_completed([pool.submit(run_one, worker) for worker in workers]):
            done.result()
