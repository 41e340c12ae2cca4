"""What routes are given: session, Redis, clock, corridor, the principal.

What does not wait for anything is a coroutine, so that FastAPI calls it at once instead of sending it to a thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, cast

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import Depends, Request
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.runtime import Runtime
from app.platform.shared_facts import READ_ONLY
from geo.clock import Clock
from geo.corridor import Corridor


async def get_runtime(request: Request) -> Runtime:
    """The long-lived parts of this process."""
    return cast(Runtime, request.app.state.runtime)


async def get_session(request: Request, runtime: Annotated[Runtime, Depends(get_runtime)]) -> AsyncIterator[Session]:
    """The transaction of this request: committed before the answer is sent, rolled back on any error.

    To open it asks the database nothing, so only its end goes to a thread, which no other request can take away.
    """
    session = runtime.sessions()
    session.info[READ_ONLY] = request.method in ("GET", "HEAD")
    try:
        yield session
        if session.in_transaction():
            await to_thread.run_sync(_commit, session, runtime, limiter=CapacityLimiter(1))
    finally:
        if session.in_transaction():
            with CancelScope(shield=True):
                await to_thread.run_sync(session.close, limiter=CapacityLimiter(1))


def _commit(session: Session, runtime: Runtime) -> None:
    with session:
        session.commit()
        outbox.relay_after_commit(session, runtime.redis)


async def get_clock(runtime: Annotated[Runtime, Depends(get_runtime)]) -> Clock:
    """The platform's clock."""
    return runtime.clock


async def get_corridor(runtime: Annotated[Runtime, Depends(get_runtime)]) -> Corridor:
    """The corridor served here."""
    return runtime.corridor


def take_up_corridor(runtime: Annotated[Runtime, Depends(get_runtime)]) -> Corridor:
    """The corridor as it stands in the database: for pages on which it is changed, before this process looks itself."""
    runtime.take_up_corridor()
    return runtime.corridor


async def get_redis(runtime: Annotated[Runtime, Depends(get_runtime)]) -> Redis:
    """The blocking Redis client."""
    return runtime.redis


async def get_async_redis(runtime: Annotated[Runtime, Depends(get_runtime)]) -> AsyncRedis:
    """The asynchronous Redis client."""
    return runtime.async_redis


def client_address(request: Request) -> str:
    """The caller's network address, as far as the web server knows it."""
    return request.client.host if request.client else ""


RuntimeDep = Annotated[Runtime, Depends(get_runtime)]
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
ClockDep = Annotated[Clock, Depends(get_clock)]
CorridorDep = Annotated[Corridor, Depends(get_corridor)]
NewestCorridorDep = Annotated[Corridor, Depends(take_up_corridor)]
RedisDep = Annotated[Redis, Depends(get_redis)]
AsyncRedisDep = Annotated[AsyncRedis, Depends(get_async_redis)]
