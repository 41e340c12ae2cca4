"""The long-lived parts of a process, wired in one place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from app.platform.redis_servers import open_async_redis, open_redis
from app.platform.shared_fact_store import fact_versions
from app.platform.shared_facts import SharedFact
from app.settings import Settings
from geo.clock import Clock
from geo.corridor import Corridor
from geo.database import make_engine, make_session_factory
from geo.errors import NotFoundError
from geo.store import load_corridor

FOLLOW_S: Final = 1.0
"""How often a process looks whether the corridor was changed."""

log = structlog.get_logger("platform")


@dataclass
class Runtime:
    """Everything a process needs to do its work; opened once at its start.

    The corridor is never changed, but another takes its place: who works in rounds looks for it between two of them
    (`take_up_corridor`), and what it has made of the corridor before it makes again.
    """

    settings: Settings
    clock: Clock
    engine: Engine
    sessions: sessionmaker[Session]
    redis: Redis
    async_redis: AsyncRedis
    corridor: Corridor
    corridor_version: UUID | None = None
    _taking_up: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(cls, settings: Settings, *, part: str) -> Runtime:
        """Connect to the servers the settings name and load the corridor.

        `part` names the process in the database's and Redis' client lists.
        """
        engine = make_engine(settings.database_url.get_secret_value(), pool_size=10, application_name=f"cuakhau-{part}")
        sessions = make_session_factory(engine)
        redis_url = settings.redis_url.get_secret_value()
        with sessions() as session:
            version, corridor = _read_corridor(session)
        return cls(
            settings=settings,
            clock=settings.clock(),
            engine=engine,
            sessions=sessions,
            redis=open_redis(redis_url, client_name=f"cuakhau-{part}"),
            async_redis=open_async_redis(redis_url, client_name=f"cuakhau-{part}"),
            corridor=corridor,
            corridor_version=version,
        )

    def take_up_corridor(self) -> bool:
        """Read the corridor again if it was changed; whether it was. For any thread.

        Raises
        ------
        DBAPIError
            If the database is away.
        """
        with self._taking_up, self.sessions() as session:
            if fact_versions(session).get(SharedFact.CORRIDOR) == self.corridor_version:
                return False
            session.rollback()
            self.corridor_version, self.corridor = _read_corridor(session)
            corridor = self.corridor
        log.info("corridor taken up", roads=len(corridor.roads), sites=len(corridor.sites))
        return True

    def close(self) -> None:
        """Give the connections back."""
        self.redis.close()
        self.engine.dispose()


@asynccontextmanager
async def following_corridor(runtime: Runtime) -> AsyncIterator[None]:
    """Take the corridor up whenever it was changed; for a process that answers others and has no rounds of its own."""

    async def follow() -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            with suppress(DBAPIError, PoolTimeoutError, NotFoundError):  # away, or being loaded: later
                await asyncio.to_thread(runtime.take_up_corridor)

    task = asyncio.create_task(follow(), name="corridor")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _read_corridor(session: Session) -> tuple[UUID | None, Corridor]:
    """The corridor with its version: roads and sites of one moment."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return fact_versions(session).get(SharedFact.CORRIDOR), load_corridor(session)
