"""Fixed windows of counted attempts, kept in Redis: how often something may happen before it has to wait."""

from __future__ import annotations

import time
from functools import lru_cache

from limits import RateLimitItem
from limits.storage import RedisClusterStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import Redis
from redis.cluster import RedisCluster


@lru_cache(maxsize=8)
def limiter(redis: Redis) -> FixedWindowRateLimiter:
    """Counts in the servers that `redis` is connected to; a window begins with its first attempt."""
    if isinstance(redis, RedisCluster):
        nodes = ",".join(f"{node.host}:{node.port}" for node in redis.get_primaries())
        known = redis.nodes_manager.connection_kwargs
        login = {name: known[name] for name in ("username", "password") if known.get(name)}
        return FixedWindowRateLimiter(RedisClusterStorage(f"redis+cluster://{nodes}", key_prefix="ck", **login))
    return FixedWindowRateLimiter(RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="ck"))


def wait_s(windows: FixedWindowRateLimiter, item: RateLimitItem, *name: str) -> int:
    """Seconds until the present window ends, 1 or more. Windows pass on the wall clock, also in a demonstration."""
    return max(int(windows.get_window_stats(item, *name).reset_time - time.time()), 1)
