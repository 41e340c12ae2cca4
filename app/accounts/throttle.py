"""Slows down guessing of passwords: failed sign-ins counted in Redis."""

from __future__ import annotations

import hashlib
from typing import Final

from limits import RateLimitItem, RateLimitItemPerSecond
from redis import Redis

from app.platform.throttle import limiter, wait_s
from geo.errors import TooManyRequestsError

WINDOW_S: Final = 900
PAIR: Final = RateLimitItemPerSecond(10, WINDOW_S, "signin:pair")
ACCOUNT: Final = RateLimitItemPerSecond(60, WINDOW_S, "signin:account")
ADDRESS: Final = RateLimitItemPerSecond(100, WINDOW_S, "signin:address")
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
    windows = limiter(redis)
    for item, *name in _names(username, address):
        if not windows.test(item, *name):
            seconds = wait_s(windows, item, *name)
            raise TooManyRequestsError(
                "Too many failed sign-ins. Try again in {minutes} minutes.",
                minutes=-(-seconds // 60),
                retry_after_s=seconds,
            )


def note_failure(redis: Redis, username: str, address: str) -> None:
    """Count a failed sign-in."""
    windows = limiter(redis)
    for item, *name in _names(username, address):
        windows.hit(item, *name)


def note_success(redis: Redis, username: str, address: str) -> None:
    """Forget the failures of this account from this address."""
    limiter(redis).clear(PAIR, _hash(username), address)


def _names(username: str, address: str) -> list[tuple[RateLimitItem, str] | tuple[RateLimitItem, str, str]]:
    account = _hash(username)
    return [(PAIR, account, address), (ACCOUNT, account), (ADDRESS, address)]


def _hash(username: str) -> str:
    return hashlib.sha256(username.encode()).hexdigest()[:32]
