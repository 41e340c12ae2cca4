"""What routes are given: session, Redis, clock, corridor, the principal.

What does not wait for anything is a coroutine, so that FastAPI calls it at once instead of sending it to a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, cast

from fastapi import Depends, Request
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from sqlalchemy.orm import Session

from app import events
from app.accounts import sessions
from app.accounts.permissions import PERMISSIONS, Principal
from app.runtime import Runtime
from geo.clock import Clock
from geo.corridor import Corridor
from geo.errors import UnauthenticatedError


async def get_runtime(request: Request) -> Runtime:
    """The long-lived parts of this process."""
    return cast(Runtime, request.app.state.runtime)


def get_session(runtime: Annotated[Runtime, Depends(get_runtime)]) -> Iterator[Session]:
    """The transaction of this request: committed before the answer is sent, rolled back on any error."""
    with runtime.sessions() as session:
        yield session
        session.commit()
        events.relay_after_commit(session, runtime.redis)


async def get_clock(runtime: Annotated[Runtime, Depends(get_runtime)]) -> Clock:
    """The platform's clock."""
    return runtime.clock


async def get_corridor(runtime: Annotated[Runtime, Depends(get_runtime)]) -> Corridor:
    """The corridor served here."""
    return runtime.corridor


async def get_redis(runtime: Annotated[Runtime, Depends(get_runtime)]) -> Redis:
    """The blocking Redis client."""
    return runtime.redis


async def get_async_redis(runtime: Annotated[Runtime, Depends(get_runtime)]) -> AsyncRedis:
    """The asynchronous Redis client."""
    return runtime.async_redis


RuntimeDep = Annotated[Runtime, Depends(get_runtime)]
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
ClockDep = Annotated[Clock, Depends(get_clock)]
CorridorDep = Annotated[Corridor, Depends(get_corridor)]
RedisDep = Annotated[Redis, Depends(get_redis)]
AsyncRedisDep = Annotated[AsyncRedis, Depends(get_async_redis)]


def find_principal(request: Request, session: SessionDep, clock: ClockDep) -> Principal | None:
    """Who is asking, by bearer token or session cookie; `None` if nobody.

    A cookie-borne request that changes something must carry the session's CSRF token.

    Raises
    ------
    UnauthenticatedError
        If a bearer token is sent that is unknown or over.
    ForbiddenError
        If the CSRF token is missing or wrong.
    """
    return sessions.find_principal(session, request, clock)


def allow(act: str) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets through only who may do `act`, and gives the principal.

    The returned function carries the act as its attribute `act`; a test walks every route by it.
    """
    if act not in PERMISSIONS:
        raise KeyError(act)

    async def authorise(principal: Annotated[Principal | None, Depends(find_principal)]) -> Principal:
        if principal is None:
            raise UnauthenticatedError("Sign in first.")
        principal.require(act)
        return principal

    authorise.act = act  # type: ignore[attr-defined]
    return authorise
