"""What gateways for trackers keep in Redis: pieces of long messages, and numbers that nobody enrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

import orjson
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from ingest.formats.terminal_format import Part

PARTS_KEY = "ck:terminal-parts:{protocol}:{group}"
PARTS_TTL_S = 24 * 3600
UNKNOWN_KEY = "ck:terminals:unknown"
MAX_UNKNOWN = 1_000


@dataclass(frozen=True)
class UnknownTerminal:
    """A number that reports and that no device is enrolled with."""

    number: str
    protocol: str
    address: str
    first_heard_at: datetime
    last_heard_at: datetime
    refused: int


class PartStore:
    """Pieces of long messages until all have come: as durable as a fix, so that each can be acknowledged."""

    def __init__(self, redis: AsyncRedis, protocol: str) -> None:
        self._redis, self._protocol = redis, protocol

    def _key(self, part: Part) -> str:
        return PARTS_KEY.format(protocol=self._protocol, group=part.group)

    async def add(self, part: Part, payload: bytes) -> dict[int, bytes]:
        """Keep a piece; those of its message that are here, by their index.

        Raises
        ------
        RedisError
            If it could not be kept.
        """
        key = self._key(part)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, str(part.index), cast(Any, payload))
            pipe.expire(key, PARTS_TTL_S)
            pipe.hgetall(key)
            kept = (await pipe.execute())[2]
        return {int(index): data for index, data in kept.items()}

    async def forget(self, part: Part) -> None:
        """Drop the pieces of a message that was taken in."""
        await self._redis.delete(self._key(part))


async def note_unknown(redis: AsyncRedis, number: str, *, protocol: str, address: str, now: datetime) -> None:
    """Remember that `number` reported, for administrators to enrol or to turn away."""
    said = await cast(Any, redis.hget(UNKNOWN_KEY, number))
    if said is None and await cast(Any, redis.hlen(UNKNOWN_KEY)) >= MAX_UNKNOWN:
        return
    before = orjson.loads(said) if said else {}
    terminal = UnknownTerminal(
        number,
        protocol,
        address,
        datetime.fromisoformat(before["first_heard_at"]) if before else now,
        now,
        int(before.get("refused", 0)) + 1,
    )
    await cast(Any, redis.hset(UNKNOWN_KEY, number, cast(Any, orjson.dumps(asdict(terminal)))))


def list_unknown(redis: Redis) -> list[UnknownTerminal]:
    """The numbers that reported and are nobody's, the latest first."""
    found = [orjson.loads(said) for said in cast("dict[bytes, bytes]", redis.hgetall(UNKNOWN_KEY)).values()]
    terminals = [
        UnknownTerminal(
            **item
            | {
                "first_heard_at": datetime.fromisoformat(item["first_heard_at"]),
                "last_heard_at": datetime.fromisoformat(item["last_heard_at"]),
            }
        )
        for item in found
    ]
    return sorted(terminals, key=lambda terminal: terminal.last_heard_at, reverse=True)


def forget_unknown(redis: Redis, numbers: Sequence[str]) -> None:
    """Drop numbers that were enrolled."""
    if numbers:
        redis.hdel(UNKNOWN_KEY, *numbers)
