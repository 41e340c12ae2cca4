"""Fixed windows of counted attempts, kept in Redis: how often something may happen before it has to wait."""

from __future__ import annotations

import time

from limits import RateLimitItem
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import Redis


def limiter(redis: Redis) -> FixedWindowRateLimiter:
    """Counts in the servers that `redis` is connected to; a window begins with its first attempt."""
    return FixedWindowRateLimiter(RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="ck"))


def wait_s(windows: FixedWindowRateLimiter, item: RateLimitItem, *name: str) -> int:
    """Seconds until the present window ends, 1 or more. Windows pass on the wall clock, also in a demonstration."""
    return max(int(windows.get_window_stats(item, *name).reset_time - time.time()), 1)
