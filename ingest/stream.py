"""Redis Streams between the intake and the workers.

Promise of the intake: an answer of success means that Redis has the fixes in its append-only file. Fixes of one vehicle
always go to the same stream (shard), and one worker at a time owns a shard (`ingest.leases`), so their order holds.
A worker acknowledges entries after PostgreSQL has committed them; what a dead worker left is claimed by the next owner.
Servers that are away for long make deliveries without end, so their number alone condemns nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import numpy as np
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import RedisCluster
from redis.exceptions import RedisError, ResponseError

from geo.errors import UnavailableError
from ingest.fixes import FIX, Attributes, FixArray, pack
from ingest.formats.report import AttributeValues

GROUP = "ingest"
TRIALS = "ck:trials"
"""Entries that a worker took alone, and how many workers ended before they were through with them."""
COUNTERS = "ck:counters"
MAX_DELIVERIES = 5
"""An entry that was delivered this often without being acknowledged may be what ends workers: it is taken alone."""
CHUNK_FIXES = 5_000
"""Fixes in one entry at most."""
MAX_ENTRIES = 50_000
MAX_BYTES = 256 * 2**20
"""A shard longer than either makes the intake refuse until storage has caught up."""
CLUSTER_PAUSE_S = 0.02
"""Between looks at the streams of a cluster when all were empty."""
MEASURE_EVERY_S = 0.25
MEASURE_EVERY_SHARE = 0.25
"""How full they are is asked this often, or when a writer alone has filled this share of the room that there was."""
MAX_MEMORY_SHARE = 0.8
"""Of what Redis may take: at its end it refuses heartbeats and leases too, and no worker could make room again."""
RETRY_AFTER_S = 5

_ROW = struct.Struct("<iqqqddfffi")
assert _ROW.size == FIX.itemsize


def stream_key(shard: int) -> str:
    """The stream of a shard."""
    return f"ck:fixes:{shard}"


class Memory(TypedDict):
    """What INFO says of a server's memory, as far as it is used; `maxmemory` 0 is no limit."""

    used_memory: int
    maxmemory: int


def memory_of_nodes(info: Any) -> list[Memory]:
    """The section `memory` of INFO of each node: a cluster answers by node, a single server for itself."""
    return [info] if "used_memory" in info else list(info.values())


def refused(reason: str) -> str:
    """The counter of fixes refused for `reason`."""
    return f'fixes_refused_total{{reason="{reason}"}}'


def pack_row(
    vehicle_id: int,
    device_id: int,
    time_us: int,
    received_us: int,
    lon: float,
    lat: float,
    speed_mps: float,
    heading_deg: float,
    accuracy_m: float,
    flags: int,
) -> bytes:
    """One fix in the layout of `FIX`, without the cost of an array; NaN for what is unknown."""
    return _ROW.pack(vehicle_id, device_id, time_us, received_us, lon, lat, speed_mps, heading_deg, accuracy_m, flags)


@dataclass
class _Rows:
    data: bytes
    attributes: AttributeValues | None
    door: str


class FixWriter:
    """Appends fixes to the streams; many requests share one round trip.

    While one append is on its way, others gather and leave together with the next: under load this makes few large
    entries of many single fixes, at rest it adds no delay. Lives in one event loop.
    """

    MAX_WAITING_BYTES = 64 * 2**20

    def __init__(
        self,
        redis: AsyncRedis,
        shards: int,
        *,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.redis, self.shards = redis, shards
        self.max_entries, self.max_bytes = max_entries, max_bytes
        self._monotonic = monotonic
        self._parts: dict[int, list[_Rows]] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._waiting_bytes = 0
        self._counts: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._full = False
        self._measured_s = -math.inf
        self._bytes_since = 0
        self._room_bytes = max_bytes

    async def append_row(
        self, vehicle_id: int, row: bytes, attributes: AttributeValues | None, *, door: str = ""
    ) -> None:
        """Append one fix as `pack_row` made it, which came through `door`; returns when it is durable.

        Raises
        ------
        UnavailableError
            If the streams are too long or Redis does not answer.
        """
        await self.require_room()
        self._add(vehicle_id % self.shards, row, attributes or None, door)
        await self._flushed()

    async def append(self, fixes: FixArray, counts: dict[str, int] | None = None, *, door: str = "") -> None:
        """Append many fixes that came through `door`, and add to the platform's counters; returns when all are durable.

        Raises
        ------
        UnavailableError
            If the streams are too long or Redis does not answer; some may be durable then, repeating does no harm.
        """
        await self.require_room()
        self._counts.update(counts or {})
        shard = fixes["vehicle_id"] % self.shards
        for number in np.unique(shard):
            own = fixes[shard == number] if self.shards > 1 else fixes
            for start in range(0, len(own), CHUNK_FIXES):
                self._add(int(number), own[start : start + CHUNK_FIXES].tobytes(), None, door)
        await self._flushed()

    async def count(self, counts: dict[str, int]) -> None:
        """Add to the platform's counters; a count that cannot be kept is no reason to fail a request."""
        self._counts.update(counts)
        with contextlib.suppress(UnavailableError):
            await self._flushed()

    async def require_room(self) -> None:
        """Let through if there is room.

        Raises
        ------
        UnavailableError
            If storage has fallen behind so far that the streams are too long.
        """
        if self._full or self._waiting_bytes > self.MAX_WAITING_BYTES:
            if self._is_measuring_due():
                with contextlib.suppress(RedisError, OSError):
                    await self._measure()
            if self._full or self._waiting_bytes > self.MAX_WAITING_BYTES:
                raise UnavailableError(
                    "Storage is behind; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
                )

    def _is_measuring_due(self) -> bool:
        return (
            self._monotonic() - self._measured_s > MEASURE_EVERY_S
            or self._bytes_since > self._room_bytes * MEASURE_EVERY_SHARE
        )

    async def _measure(self) -> None:
        self._measured_s, self._bytes_since = self._monotonic(), 0
        async with self.redis.pipeline(transaction=False) as pipe:
            for shard in range(self.shards):
                pipe.xlen(stream_key(shard))
                pipe.memory_usage(stream_key(shard), samples=3)
            sizes = await pipe.execute()
        of_all: dict[str, str] = {"target_nodes": "primaries"} if isinstance(self.redis, AsyncRedisCluster) else {}
        nodes = memory_of_nodes(await self.redis.info("memory", **of_all))
        self._room_bytes = min(
            *(self.max_bytes - (size or 0) for size in sizes[1::2]),
            *(int(node["maxmemory"] * MAX_MEMORY_SHARE) - node["used_memory"] for node in nodes if node["maxmemory"]),
            self.max_bytes,
        )
        self._full = self._room_bytes < 0 or any(entries > self.max_entries for entries in sizes[::2])

    def _add(self, shard: int, data: bytes, attributes: AttributeValues | None, door: str) -> None:
        self._parts.setdefault(shard, []).append(_Rows(data, attributes, door))
        self._waiting_bytes += len(data)

    async def _flushed(self) -> None:
        if not self._parts and not self._counts:
            return  # nothing was added: no flush would ever wake us
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._start()
        await future

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        while self._parts or self._counts:
            parts, self._parts = self._parts, {}
            waiting, self._waiting = self._waiting, []
            counts, self._counts = self._counts, Counter()
            failure: Exception | None = None
            try:
                await self._send(parts, counts)
            except (RedisError, OSError):
                failure = UnavailableError(
                    "The queue does not answer; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
                )
            except Exception as error:  # whoever waits must get it, whatever it is
                failure = error
            self._waiting_bytes -= sum(len(part.data) for own in parts.values() for part in own)
            for future in waiting:
                if future.done():
                    continue
                if failure is None:
                    future.set_result(None)
                else:
                    future.set_exception(failure)

    async def _send(self, parts: dict[int, list[_Rows]], counts: Counter[str]) -> None:
        accepted = 0
        async with self.redis.pipeline(transaction=False) as pipe:
            for shard, own in parts.items():
                for chunk in _chunks(own):
                    data = b"".join(part.data for part in chunk)
                    rows = len(data) // FIX.itemsize
                    accepted += rows
                    attributes: Attributes = {}
                    row = 0
                    for part in chunk:
                        if part.attributes:
                            attributes[row] = part.attributes
                        row += len(part.data) // FIX.itemsize
                    entry = pack(np.frombuffer(data, FIX), attributes)
                    entry[b"d"] = ",".join(sorted({part.door for part in chunk})).encode()
                    pipe.xadd(stream_key(shard), cast(Any, entry))
            if accepted:
                counts["fixes_in_total"] += accepted
            for name, amount in counts.items():
                pipe.hincrby(COUNTERS, name, amount)
            await pipe.execute()
        self._bytes_since += accepted * FIX.itemsize
        if accepted and self._is_measuring_due():
            await self._measure()


def _chunks(parts: list[_Rows]) -> Iterable[list[_Rows]]:
    chunk: list[_Rows] = []
    size = 0
    for part in parts:
        if chunk and size + len(part.data) > CHUNK_FIXES * FIX.itemsize:
            yield chunk
            chunk, size = [], 0
        chunk.append(part)
        size += len(part.data)
    if chunk:
        yield chunk


@dataclass(frozen=True)
class StreamEntry:
    """A stream entry as read: its shard, its number, its fields."""

    shard: int
    entry_id: bytes
    fields: dict[bytes, bytes]


class _Pending(TypedDict):
    """What Redis says of an entry that was delivered and not acknowledged, as far as it is used."""

    message_id: bytes
    times_delivered: int


class FixReader:
    """A worker's end of the streams: entries, acknowledgement, dead letters. `name` is the worker's."""

    def __init__(self, redis: Redis, shards: int, name: str) -> None:
        self.redis, self.shards, self.name = redis, shards, name

    def create_groups(self) -> None:
        """Create streams and consumer groups that do not exist yet."""
        for shard in range(self.shards):
            try:
                self.redis.xgroup_create(stream_key(shard), GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    def claim(self, shard: int) -> tuple[list[StreamEntry], list[StreamEntry]]:
        """Take over what earlier owners of `shard` read but never acknowledged, oldest first.

        Result: entries to process, and suspects to process alone: entries that were delivered often. The lease makes it
        safe not to wait for them to idle.
        """
        key = stream_key(shard)
        entries: list[StreamEntry] = []
        start: Any = "0-0"
        while True:
            start, claimed, *_ = cast(
                tuple[Any, ...],
                self.redis.xautoclaim(key, GROUP, self.name, min_idle_time=0, start_id=start, count=500),
            )
            entries += [StreamEntry(shard, entry_id, fields) for entry_id, fields in claimed if fields]
            if start in (b"0-0", "0-0"):
                break
        worn = {
            item["message_id"]
            for item in cast("list[_Pending]", self.redis.xpending_range(key, GROUP, "-", "+", len(entries) + 1))
            if item["times_delivered"] > MAX_DELIVERIES
        }
        return (
            [entry for entry in entries if entry.entry_id not in worn],
            [entry for entry in entries if entry.entry_id in worn],
        )

    def has_unacknowledged(self, shard: int) -> bool:
        """Whether entries of `shard` were read and not acknowledged, by whomever."""
        return int(cast("dict[str, int]", self.redis.xpending(stream_key(shard), GROUP))["pending"]) > 0

    def read(self, shards: Sequence[int], count: int, block_ms: int) -> list[StreamEntry]:
        """Up to `count` new entries of each of `shards`; waits at most `block_ms` if there are none."""
        if not shards:
            return []
        if isinstance(self.redis, RedisCluster):
            return self._read_in_turn(shards, count, block_ms)
        return self._read(shards, count, block_ms)

    def _read(self, shards: Sequence[int], count: int, block_ms: int | None) -> list[StreamEntry]:
        streams: dict[Any, Any] = {stream_key(shard): ">" for shard in shards}
        answer = cast(list[Any], self.redis.xreadgroup(GROUP, self.name, streams, count=count, block=block_ms) or [])
        return [
            StreamEntry(int(key.rpartition(b":")[2]), entry_id, fields)
            for key, items in answer
            for entry_id, fields in items
        ]

    def _read_in_turn(self, shards: Sequence[int], count: int, block_ms: int) -> list[StreamEntry]:
        """As `read` in a cluster, where one question asks one stream: they may be on different nodes."""
        deadline = time.monotonic() + block_ms / 1000
        while True:
            entries = [entry for shard in shards for entry in self._read([shard], count, None)]
            if entries or time.monotonic() >= deadline:
                return entries
            time.sleep(CLUSTER_PAUSE_S)

    def acknowledge(self, entries: list[StreamEntry], counts: dict[str, int]) -> None:
        """Drop entries whose fixes are committed, and add to the counters, in one transaction.

        In a cluster each shard has a transaction of its own, and the counters, which have none, come first: a worker
        that dies in between has its entries counted again as duplicates, never not at all.
        """
        shards = {entry.shard for entry in entries}
        in_cluster = isinstance(self.redis, RedisCluster)
        if in_cluster:
            with self.redis.pipeline(transaction=False) as pipe:
                _count(pipe, counts)
                pipe.execute()
        for part in [{shard} for shard in shards] if in_cluster else [shards]:
            with self.redis.pipeline(transaction=True) as pipe:
                for shard in part:
                    ids = [entry.entry_id for entry in entries if entry.shard == shard]
                    pipe.xack(stream_key(shard), GROUP, *ids)
                    pipe.xdel(stream_key(shard), *ids)
                if not in_cluster:
                    _count(pipe, counts)
                pipe.execute()

    def begin_trial(self, entry: StreamEntry) -> int:
        """Note that `entry` is taken alone; which trial it is, counting those that workers did not live to end."""
        return self.redis.hincrby(TRIALS, _trial(entry), 1)

    def end_trial(self, entry: StreamEntry) -> None:
        """Note that whatever came of `entry`, it did not end its worker."""
        self.redis.hdel(TRIALS, _trial(entry))

    def replace(self, entry: StreamEntry, parts: Sequence[dict[bytes, bytes]]) -> None:
        """Put smaller entries in the place of one, at the end of its stream, in one transaction."""
        key = stream_key(entry.shard)
        with self.redis.pipeline(transaction=True) as pipe:
            for part in parts:
                pipe.xadd(key, cast(Any, part))
            pipe.xack(key, GROUP, entry.entry_id)
            pipe.xdel(key, entry.entry_id)
            pipe.execute()


def _count(pipe: Any, counts: dict[str, int]) -> None:
    for name, amount in counts.items():
        if amount:
            pipe.hincrby(COUNTERS, name, amount)


def _trial(entry: StreamEntry) -> str:
    return f"{entry.shard}:{entry.entry_id.decode()}"
