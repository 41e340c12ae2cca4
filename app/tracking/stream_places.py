"""How many event streams an account and a network address have open, counted over all web processes, in Redis.

A stream holds a place in the sorted set of its account and in that of its address, good for `GOOD_FOR_S` and renewed
while the stream lasts: what a process held that died is free again by then. Times are the wall clock's, also in a
demonstration. While Redis is away places are given without being counted, and counted once it is back.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from geo.errors import TooManyRequestsError

GOOD_FOR_S: Final = 10.0
RENEW_EVERY_S: Final = 3.0
MAX_STREAMS_OF_ACCOUNT = 20
"""More windows than a person looks at; each costs every message."""
MAX_STREAMS_OF_ADDRESS = 400
"""A whole office behind one address."""


@dataclass(frozen=True, slots=True)
class Place:
    """That of one stream, by its name in each of its keys."""

    name: str
    keys: tuple[str, ...]


class StreamPlaces:
    """Places of one process' streams. Lives in one event loop."""

    def __init__(self, redis: Redis, now_s: Callable[[], float] = time.time) -> None:
        self._redis: Any = redis
        self._now_s = now_s
        self._held: set[Place] = set()

    async def take(self, account_id: int, address: str) -> Place:
        """A place for a stream, which `hold` makes last.

        Raises
        ------
        TooManyRequestsError
            If account or address have as many as they may; the client asks again later.
        """
        limits = {
            f"ck:streams:account:{account_id}": MAX_STREAMS_OF_ACCOUNT,
            f"ck:streams:address:{address}": MAX_STREAMS_OF_ADDRESS,
        }
        place, now_s = Place(uuid.uuid4().hex, tuple(limits)), self._now_s()
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in place.keys:
                    pipeline.zremrangebyscore(key, "-inf", now_s)
                    pipeline.zadd(key, {place.name: now_s + GOOD_FOR_S})
                    pipeline.expire(key, round(2 * GOOD_FOR_S))
                    pipeline.zcard(key)
                counts = (await pipeline.execute())[3::4]
            if any(count > limit for count, limit in zip(counts, limits.values(), strict=True)):
                await self._remove(place)
                raise TooManyRequestsError("Too many windows follow live; close some.", retry_after_s=30)
        except (RedisError, OSError):
            pass  # the stream itself waits for Redis
        return place

    def hold(self, place: Place) -> None:
        """The stream has begun."""
        self._held.add(place)

    async def give_back(self, place: Place) -> None:
        """The stream has ended."""
        self._held.discard(place)
        await self._remove(place)

    async def renew(self) -> None:
        """The streams of this process last."""
        if not self._held:
            return
        until_s = self._now_s() + GOOD_FOR_S
        async with self._redis.pipeline(transaction=False) as pipeline:
            for place in self._held:
                for key in place.keys:
                    pipeline.zadd(key, {place.name: until_s})
                    pipeline.expire(key, round(2 * GOOD_FOR_S))
            await pipeline.execute()

    async def _remove(self, place: Place) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in place.keys:
                pipeline.zrem(key, place.name)
            await pipeline.execute()
