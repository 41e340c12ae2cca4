"""Slows down guessing of passwords: failed sign-ins counted in Redis."""

from __future__ import annotations

import hashlib
from typing import cast

from redis import Redis

from geo.errors import TooManyRequestsError

WINDOW_S = 900
LIMITS = {"pair": 10, "account": 60, "address": 100}
"""Failures within the window after which sign-in pauses: of one account from one address, of one account from
anywhere (high, so that a stranger cannot easily lock somebody out), and from one address (a yard's whole office
may share one)."""


def check(redis: Redis, username: str, address: str) -> None:
    """Refuse to even look at a password while there were too many failures.

    Raises
    ------
    TooManyRequestsError
        With `retry_after_s`, the time until the window ends.
    """
    for kind, key in _keys(username, address).items():
        count = cast(bytes | None, redis.get(key))
        if count is not None and int(count) >= LIMITS[kind]:
            wait_s = max(int(redis.ttl(key)), 1)
            raise TooManyRequestsError(
                "Too many failed sign-ins. Try again in {minutes} minutes.",
                minutes=-(-wait_s // 60),
                retry_after_s=wait_s,
            )


def note_failure(redis: Redis, username: str, address: str) -> None:
    """Count a failed sign-in."""
    with redis.pipeline() as pipe:
        for key in _keys(username, address).values():
            pipe.incr(key)
            pipe.expire(key, WINDOW_S, nx=True)
        pipe.execute()


def note_success(redis: Redis, username: str, address: str) -> None:
    """Forget the failures of this account from this address."""
    redis.delete(_keys(username, address)["pair"])


def _keys(username: str, address: str) -> dict[str, str]:
    account = hashlib.sha256(username.encode()).hexdigest()[:32]
    return {
        "pair": f"ck:signin:pair:{account}:{address}",
        "account": f"ck:signin:account:{account}",
        "address": f"ck:signin:address:{address}",
    }
