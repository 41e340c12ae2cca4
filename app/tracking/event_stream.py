"""Live events of this process: one subscriber to Redis, fanned out to every open event stream.

Two sources: the stream `ck:events` (what changed; each event names its audience and has an id to resume from) and
the channel `ck:positions` (new last positions). Positions are gathered and sent at most five times a second, so that a
slow page gets fewer and fuller messages, not a backlog. A client that does not keep up loses its queue and is told to
fetch the state again (`resync`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson
import structlog
from anyio import to_thread
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.platform.outbox import SCOPES_CHANGED, SESSION_ENDED, STREAM, STREAM_LENGTH, Audience
from app.platform.permissions import Principal, Scope
from app.platform.runtime import Runtime
from app.tracking import event_stream_store
from app.tracking.positions import SILENT_AFTER, state
from app.tracking.stream_places import RENEW_EVERY_S, Place, StreamPlaces
from geo.errors import InvalidInputError
from ingest.positions import PublishedPosition

POSITIONS = "ck:positions"
QUEUE_LENGTH = 200
POSITIONS_EVERY_S = 0.2
"""A position is gathered with others for no longer; browsers draw once a second whatever comes."""
TRIPS_EVERY_S = 5.0
SCOPES_EVERY_S = 10.0
SESSIONS_EVERY_S = 2.0
"""A desk that nobody touches locks by itself, and a session ends by the clock: its streams do so within this time."""
RETRY_S = 2.0
MOVING_AFTER_S = 0.2
MOVING_SPREAD_S = 4.0
"""Streams that are sent to another process come back there spread over this time."""
BLOCK_MS = 2000
"""How long one read waits for events; shorter than the client's socket timeout."""

log = structlog.get_logger("live")

StreamId = tuple[int, int]

P = ParamSpec("P")
Result = TypeVar("Result")


class LivePosition(PublishedPosition):
    """A new position as people are sent it, with the trip that its truck is on."""

    trip_id: int | None
    simulated: bool
    goods_class: str | None
    perishable: bool | None


@dataclass(eq=False)
class Connection:
    """One open event stream: who, what is waiting to be sent, and which vehicles it may see (`None`: all)."""

    principal: Principal
    vehicles: frozenset[int] | None
    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_LENGTH))
    scoping: asyncio.Lock = field(default_factory=asyncio.Lock)

    def put(self, message: bytes, resync: Callable[[], bytes]) -> bool:
        """Add a message; if the client is too slow, replace all that waits by `resync()`. Whether it was added."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(resync())
            return False
        return True

    def part(self, farewell: bytes) -> None:
        """End the stream after what waits and `farewell`; the client is sent the rest where it resumes."""
        if self.queue.maxsize - self.queue.qsize() < 2:
            self.close(farewell)
            return
        self.queue.put_nowait(farewell)
        self.queue.put_nowait(None)

    def close(self, farewell: bytes | None = None) -> None:
        """End the stream at once, after `farewell` if given."""
        while not self.queue.empty():
            self.queue.get_nowait()
        if farewell is not None:
            self.queue.put_nowait(farewell)
        self.queue.put_nowait(None)


class Live:
    """Subscribes to Redis while the process serves, and holds the open connections."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.places = StreamPlaces(runtime.async_redis)
        self.connections: set[Connection] = set()
        self.delivered = 0
        self.resyncs = 0
        self._last_id: StreamId = (0, 0)
        self._started = asyncio.Event()
        self._changed: dict[int, PublishedPosition] = {}
        self._trips: dict[int, event_stream_store.OpenTrip] = {}
        self._simulated: frozenset[int] = frozenset()
        self._trips_due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._sends_away = False

    async def __aenter__(self) -> Live:
        jobs = (
            self._follow_events,
            self._follow_positions,
            self._send_positions,
            self._refresh_trips,
            self._refresh_scopes,
            self._refresh_sessions,
            self._renew_places,
        )
        self._tasks = [asyncio.create_task(self._keep_doing(job), name=job.__name__) for job in jobs]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        waiting = set(self._tasks)
        while waiting:  # a cancellation may get lost in a library's own timeout, so it is repeated
            for task in waiting:
                task.cancel()
            _, waiting = await asyncio.wait(waiting, timeout=1.0)
        for connection in self.connections:
            connection.close()

    def send_away(self) -> None:
        """Tell every stream, now and from now on, to go on at another process; what waits for it is sent before.

        Each is told a moment of its own, so that they do not all arrive at once.
        """
        self._sends_away = True
        for connection in list(self.connections):
            connection.part(_moving())

    async def stream(self, principal: Principal, last_event_id: str | None, place: Place) -> AsyncIterator[bytes]:
        """The event stream of `principal` as encoded messages, resumed after `last_event_id` if given."""
        self.places.hold(place)
        try:
            async for message in self._messages(principal, last_event_id):
                yield message
        finally:
            self._background(self.places.give_back(place))

    async def _messages(self, principal: Principal, last_event_id: str | None) -> AsyncIterator[bytes]:
        last = parse_id(last_event_id) if last_event_id else None
        if self._sends_away:
            yield _moving()
            return
        await self._started.wait()
        if not self.connections:
            await self._load_trips()  # nobody listened, so what is known is old
        connection = Connection(principal, await self._visible(principal))
        present = self._last_id
        self.connections.add(connection)
        if self._sends_away:  # since it was asked above
            connection.part(_moving())
        try:
            yield encode("hello", {"now": self.runtime.clock.now()}, None if last else present)
            if last is not None:
                async for message in self._replay(principal, last, present):
                    yield message
            while (waiting := await connection.queue.get()) is not None:
                yield waiting
        finally:
            self.connections.discard(connection)

    async def _replay(self, principal: Principal, last: StreamId, present: StreamId) -> AsyncIterator[bytes]:
        redis: Any = self.runtime.async_redis
        first = await redis.xrange(STREAM, count=1)
        if last > present or (first and last < parse_id(first[0][0].decode()) and last != (0, 0)):
            yield encode("resync", {}, present)
            return
        missed = await redis.xrange(STREAM, min=f"({format_id(last)}", max=format_id(present), count=STREAM_LENGTH)
        for entry_id, fields in missed:
            event = Event.read(entry_id, fields)
            if event.type != SESSION_ENDED and event.audience.includes(principal):
                self.delivered += 1
                yield event.encoded

    async def _keep_doing(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run a job for ever; when a server is away, try again."""
        while True:
            try:
                await job()
            except (RedisError, SQLAlchemyError, OSError) as error:
                log.warning("waiting for a server", job=job.__name__, error=str(error).splitlines()[0][:200])
            except Exception:  # a fault in one event must not silence all that come after it
                log.exception("live job failed", job=job.__name__)
            await asyncio.sleep(RETRY_S)

    async def _follow_events(self) -> None:
        redis: Any = self.runtime.async_redis
        if not self._started.is_set():
            newest = await redis.xrevrange(STREAM, count=1)
            self._last_id = parse_id(newest[0][0].decode()) if newest else (0, 0)
            self._started.set()
        while True:
            answer = await redis.xread({STREAM: format_id(self._last_id)}, count=500, block=BLOCK_MS)
            for _, entries in answer or ():
                for entry_id, fields in entries:
                    self._dispatch(Event.read(entry_id, fields))

    def _dispatch(self, event: Event) -> None:
        self._last_id = event.id
        touched = [connection for connection in self.connections if event.audience.includes(connection.principal)]
        if event.type == SESSION_ENDED:
            self._background(self._close_ended(touched))
            return
        if event.type == SCOPES_CHANGED:
            limited = [connection for connection in self.connections if connection.vehicles is not None]
            self._background(self._rescope(limited))
            return
        for connection in touched:
            self._put(connection, event.encoded)
        if event.type == "trip":
            self._trips_due.set()
            self._background(self._rescope([connection for connection in touched if connection.vehicles is not None]))

    async def _follow_positions(self) -> None:
        async with self.runtime.async_redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(POSITIONS)
            async for message in pubsub.listen():
                if self.connections:
                    for position in orjson.loads(message["data"]):
                        self._changed[position["vehicle_id"]] = position

    async def _send_positions(self) -> None:
        while True:
            await asyncio.sleep(POSITIONS_EVERY_S)
            changed, self._changed = self._changed, {}
            if not changed or not self.connections:
                continue
            now = self.runtime.clock.now()
            records = {vehicle_id: self._enrich(position, now) for vehicle_id, position in changed.items()}
            everything = encode("positions", list(records.values()))
            for connection in list(self.connections):
                if connection.vehicles is None:
                    self._put(connection, everything)
                elif own := [records[vehicle_id] for vehicle_id in connection.vehicles & records.keys()]:
                    self._put(connection, encode("positions", own))

    def _enrich(self, position: PublishedPosition, now: datetime) -> LivePosition:
        trip = self._trips.get(position["vehicle_id"])
        silent = now - datetime.fromisoformat(position["time"]) > SILENT_AFTER
        return {
            **position,
            "state": state(position["state"], trip.stage if trip else None, silent=silent),
            "trip_id": trip.trip_id if trip else None,
            "gate": (trip.gate_id if trip else None) or position.get("gate"),
            "simulated": position["vehicle_id"] in self._simulated,
            "goods_class": trip.goods_class if trip else None,
            "perishable": trip.perishable if trip else None,
        }

    async def _renew_places(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            await self.places.renew()

    async def _load_trips(self) -> None:
        self._trips = await self._query(event_stream_store.open_trips)
        self._simulated = await self._query(event_stream_store.simulated_vehicle_ids)

    async def _refresh_trips(self) -> None:
        while True:
            if self.connections:
                self._trips_due.clear()
                await self._load_trips()
            await asyncio.sleep(1.0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._trips_due.wait(), TRIPS_EVERY_S - 1.0)

    async def _refresh_scopes(self) -> None:
        while True:
            await asyncio.sleep(SCOPES_EVERY_S)
            await self._rescope([connection for connection in self.connections if connection.vehicles is not None])
            if self.delivered:
                delivered, self.delivered = self.delivered, 0
                await self.runtime.async_redis.hincrby("ck:counters", "events_delivered_total", delivered)
            if self.resyncs:
                resyncs, self.resyncs = self.resyncs, 0
                await self.runtime.async_redis.hincrby("ck:counters", "events_resync_total", resyncs)

    async def _refresh_sessions(self) -> None:
        while True:
            await asyncio.sleep(SESSIONS_EVERY_S)
            await self._close_ended(list(self.connections))

    async def _rescope(self, connections: Iterable[Connection]) -> None:
        """Ask again which vehicles connections may see; those that see others than before fetch them again.

        One at a time for a connection: whoever finds the change first tells it, and no older answer overwrites it.
        """
        for connection in connections:
            async with connection.scoping:
                before = connection.vehicles
                connection.principal = await self._query(
                    event_stream_store.renew_principal, connection.principal, self.runtime.clock.now()
                )
                connection.vehicles = await self._visible(connection.principal)
                if connection.vehicles != before:
                    self._put(connection, encode("resync", {}, self._last_id))

    async def _close_ended(self, connections: list[Connection]) -> None:
        """End the streams whose session is over or locked, or whose account is another than when they began."""
        if not connections:
            return
        hashes = {connection.principal.session_hash for connection in connections}
        standing = await self._query(event_stream_store.standing_sessions, hashes, self.runtime.clock.now())
        for connection in connections:
            present = standing.get(connection.principal.session_hash)
            if present is None:
                connection.close(encode("signed_out", {}))
            elif present.state.is_locked:
                connection.close(encode("locked", {}))
            elif _rights(present) != _rights(connection.principal):
                connection.close()  # the client comes again, as who it is now

    async def _visible(self, principal: Principal) -> frozenset[int] | None:
        scope = principal.scope("positions.read")
        if scope is Scope.ALL:
            return None
        if scope is None:
            return frozenset()
        return await self._query(event_stream_store.visible_vehicle_ids, principal)

    async def _query(
        self, function: Callable[Concatenate[Session, P], Result], *arguments: P.args, **options: P.kwargs
    ) -> Result:
        def run() -> Result:
            with self.runtime.sessions() as session:
                return function(session, *arguments, **options)

        return await to_thread.run_sync(run)

    def _put(self, connection: Connection, message: bytes) -> None:
        if connection.put(message, lambda: encode("resync", {}, self._last_id)):
            self.delivered += 1
        else:
            self.resyncs += 1

    def _background(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except (RedisError, SQLAlchemyError, OSError) as error:
                log.warning("live update put off", error=str(error).splitlines()[0][:200])

        task = asyncio.create_task(run())
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)


@dataclass(frozen=True)
class Event:
    """One entry of the event stream, ready to be sent."""

    id: StreamId
    type: str
    audience: Audience
    encoded: bytes

    @classmethod
    def read(cls, entry_id: bytes, fields: dict[bytes, bytes]) -> Event:
        """From an entry as `app.platform.outbox.encode` writes it."""
        audience = Audience.from_record(orjson.loads(fields[b"audience"]))
        key = parse_id(entry_id.decode())
        type_ = fields[b"type"].decode()
        return cls(key, type_, audience, encode(type_, orjson.loads(fields[b"data"]), key))


def _rights(principal: Principal) -> tuple[object, ...]:
    """What of an account decides what it is sent; vehicle and powers of attorney are asked for with the scopes."""
    return principal.role, principal.organisation_id, principal.gate_id


def _moving() -> bytes:
    """The last message of a stream that goes on elsewhere: `retry` is how long the client waits until it comes back."""
    after_ms = round(1000 * random.uniform(MOVING_AFTER_S, MOVING_AFTER_S + MOVING_SPREAD_S))
    return f"retry: {after_ms}\n".encode() + encode("moving", {"after_ms": after_ms})


def encode(type_: str, data: object, event_id: StreamId | None = None) -> bytes:
    """A server-sent event (WHATWG HTML, 9.2.5)."""
    head = f"event: {type_}\n" if event_id is None else f"id: {format_id(event_id)}\nevent: {type_}\n"
    return head.encode() + b"data: " + orjson.dumps(data, option=orjson.OPT_UTC_Z) + b"\n\n"


def parse_id(text: str) -> StreamId:
    """A Redis stream id, comparable.

    Raises
    ------
    InvalidInputError
        If it is none.
    """
    milliseconds, _, sequence = text.partition("-")
    if not (milliseconds.isdecimal() and (sequence or "0").isdecimal() and len(text) < 42):
        raise InvalidInputError(
            "{value} is no event id; leave Last-Event-ID out to begin now.", field="Last-Event-ID", value=text[:42]
        )
    return int(milliseconds), int(sequence or 0)


def format_id(key: StreamId) -> str:
    """A Redis stream id as text."""
    return f"{key[0]}-{key[1]}"
