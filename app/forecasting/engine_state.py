"""Whether the traffic engine is ready: compiled at set-up, or at the first start, which takes a while and is shown."""

from __future__ import annotations

import json
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from app.platform.steps import log
from geo.errors import NotFoundError
from routing.preparing import prepare

KEY: Final = "ck:engine"
KEEP_S: Final = 600
"""How long a part may take to compile on a busy machine before nobody is believed to be at it."""


def prepare_engine(redis: Redis) -> None:
    """Compile the engine where that has not been done yet, telling how far it is."""

    def tell(done: int, parts: int) -> None:
        try:
            redis.set(KEY, json.dumps({"done": done, "parts": parts}), ex=KEEP_S)
        except RedisError:
            log.warning("Redis is away", engine_parts=done)

    prepare(tell)
    try:
        redis.delete(KEY)
    except RedisError:
        log.warning("Redis is away")


def find_progress(redis: Redis) -> tuple[int, int] | None:
    """How many parts of how many are compiled while the engine is being prepared; else None."""
    try:
        found = redis.get(KEY)
    except RedisError:
        return None
    if not isinstance(found, bytes | str):
        return None
    record = json.loads(found)
    return int(record["done"]), int(record["parts"])


def no_forecast(redis: Redis, gate: str) -> NotFoundError:
    """Why there is no forecast for a gate yet, with how far the engine is (`engine_done`, `engine_parts`)."""
    progress = find_progress(redis)
    if progress is None:
        return NotFoundError("There is no forecast for {gate} yet; the first comes within a minute.", gate=gate)
    done, parts = progress
    return NotFoundError(
        "The forecasting engine is being prepared, {engine_done} of {engine_parts} parts are done; the first forecast "
        "for {gate} follows.",
        gate=gate,
        engine_done=done,
        engine_parts=parts,
    )
