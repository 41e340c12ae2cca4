"""Which worker owns which shard: one lease a shard, held by at most one worker and renewed while it lives.

A worker that dies stops renewing, and after `LEASE_S` another takes its shards. A worker that was only held up finds
its lease gone at the next renewal; what it stores until then does no harm, since a fix is stored once.
"""

from __future__ import annotations

import contextlib

from redis import Redis
from redis.exceptions import LockError

WORKERS = "ck:workers"
LEASE_S = 15.0


def lease_key(shard: int) -> str:
    """The lock of a shard; its value is the name of the worker that holds it."""
    return f"ck:lease:{shard}"


class ShardLeases:
    """The leases of the worker `name` among `shards` shards; `owned` are the shards it holds."""

    def __init__(self, redis: Redis, shards: int, name: str) -> None:
        self.redis, self.shards, self.name = redis, shards, name
        self.owned: list[int] = []
        # A lease bears its worker's name, and the heartbeat's thread renews what the main thread took.
        self._locks = [
            redis.lock(lease_key(shard), timeout=LEASE_S, blocking=False, thread_local=False) for shard in range(shards)
        ]
        for lock in self._locks:
            lock.local.token = name.encode()  # what a worker of this name held before it was started again is ours

    def balance(self) -> list[int]:
        """Renew this worker's leases and take or give up shards for a fair share; the shards newly taken.

        The share is the number of shards by that of live workers, rounded up.
        """
        seconds, _ = self.redis.time()
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.zadd(WORKERS, {self.name: seconds})
            pipe.zremrangebyscore(WORKERS, 0, seconds - LEASE_S)
            pipe.zcard(WORKERS)
            workers = int(pipe.execute()[2])
        share = -(-self.shards // max(1, workers))
        for shard in list(self.owned):
            if not self._renew(shard):
                self.owned.remove(shard)
        while len(self.owned) > share:
            self._release(self.owned.pop())
        taken = []
        for shard in range(self.shards):
            if len(self.owned) >= share:
                break
            if shard in self.owned:
                continue
            if self._locks[shard].acquire(token=self.name) or self._renew(shard):  # its own from before a failure
                self.owned.append(shard)
                taken.append(shard)
        return taken

    def renew(self) -> None:
        """Renew the leases without taking or giving up any: called while a batch takes long."""
        seconds, _ = self.redis.time()
        self.redis.zadd(WORKERS, {self.name: seconds})
        for shard in list(self.owned):
            self._renew(shard)

    def close(self) -> None:
        """Give up every shard."""
        self.redis.zrem(WORKERS, self.name)
        while self.owned:
            self._release(self.owned.pop())

    def _renew(self, shard: int) -> bool:
        """Whether the lease is still this worker's; then it runs for the whole time again."""
        try:
            self._locks[shard].reacquire()
        except LockError:  # expired, another's, or never taken
            return False
        return True

    def _release(self, shard: int) -> None:
        with contextlib.suppress(LockError):  # expired: nothing to give back
            self._locks[shard].release()
