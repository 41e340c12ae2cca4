"""The long-lived parts of a process, wired in one place."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.platform.redis_servers import open_async_redis, open_redis
from app.settings import Settings
from geo.clock import Clock
from geo.corridor import Corridor
from geo.database import make_engine, make_session_factory
from geo.store import load_corridor


@dataclass
class Runtime:
    """Everything a process needs to do its work; opened once at its start."""

    settings: Settings
    clock: Clock
    engine: Engine
    sessions: sessionmaker[Session]
    redis: Redis
    async_redis: AsyncRedis
    corridor: Corridor

    @classmethod
    def open(cls, settings: Settings, *, part: str) -> Runtime:
        """Connect to the servers the settings name and load the corridor.

        `part` names the process in the database's and Redis' client lists.
        """
        engine = make_engine(settings.database_url.get_secret_value(), pool_size=10, application_name=f"cuakhau-{part}")
        sessions = make_session_factory(engine)
        redis_url = settings.redis_url.get_secret_value()
        with sessions() as session:
            corridor = load_corridor(session)
        return cls(
            settings=settings,
            clock=settings.clock(),
            engine=engine,
            sessions=sessions,
            redis=open_redis(redis_url, client_name=f"cuakhau-{part}"),
            async_redis=open_async_redis(redis_url, client_name=f"cuakhau-{part}"),
            corridor=corridor,
        )

    def close(self) -> None:
        """Give the connections back."""
        self.redis.close()
        self.engine.dispose()
