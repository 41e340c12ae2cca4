"""How often an address may ask for open data."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from limits import RateLimitItemPerMinute
from redis.exceptions import RedisError

from app.platform.dependencies import client_address
from app.platform.throttle import limiter
from geo.errors import TooManyRequestsError

REQUESTS: Final = RateLimitItemPerMinute(600, namespace="open:requests")
"""From one address: a map that is moved asks for dozens of tiles."""


def check_pace(request: Request) -> None:
    """Refuse an address that asks too often; while Redis is away nobody is refused.

    Raises
    ------
    TooManyRequestsError
        If it has asked `REQUESTS` times in this minute.
    """
    try:
        is_within = limiter(request.app.state.runtime.redis).hit(REQUESTS, client_address(request))
    except RedisError:
        return
    if not is_within:
        message = "Too many requests from your address. Wait a moment."
        raise TooManyRequestsError(message, retry_after_s=REQUESTS.get_expiry())
