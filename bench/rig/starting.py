"""An empty platform with the corridor and enrolled trackers, running."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from redis import Redis
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.ops import migrate
from app.ops.embedded import EmbeddedServers, ServerUrls
from bench.rig.batches import VEHICLES
from bench.rig.processes import Platform, start_platform
from geo.corridor import Corridor
from geo.database import SCHEMAS, make_engine
from geo.store import save_corridor
from ingest import devices


@dataclass(frozen=True)
class Rig:
    """What a measurement works with: two fleets of trackers by their identifiers, and a folder to write in."""

    engine: Engine
    redis: Redis
    platform: Platform
    driving: list[str]
    standing: list[str]
    folder: Path


@contextlib.contextmanager
def started(settings: dict[str, str]) -> Iterator[Rig]:
    """The running platform, on the servers of `DATABASE_URL` and `REDIS_URL` (erased) or private ones.

    `settings` are more of the parts' environment.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cuakhau-", ignore_cleanup_errors=True)))
        servers: dict[str, int] = {}
        if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
            urls = ServerUrls.of_environment(os.environ)
        else:
            embedded = EmbeddedServers(folder / "servers")
            urls = stack.enter_context(embedded)
            servers = embedded.pids()
        engine = make_engine(urls.owner_url, application_name="cuakhau-bench")
        stack.callback(engine.dispose)
        redis = stack.enter_context(Redis.from_url(urls.redis_url))
        driving = prepare(engine, redis, "29C")
        standing = _enrol(engine, "30C")
        with start_platform(urls, servers, settings) as platform:
            yield Rig(engine, redis, platform, driving, standing, folder)


def prepare(engine: Engine, redis: Redis, series: str) -> list[str]:
    """An empty platform with the corridor and enrolled devices; their identifiers."""
    redis.flushdb()
    with engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
    migrate.upgrade(engine)
    with Session(engine) as session:
        save_corridor(session, Corridor.default())
        session.commit()
    return _enrol(engine, series)


def _enrol(engine: Engine, series: str) -> list[str]:
    now = datetime.now(UTC)
    with Session(engine) as session:
        made = [devices.enrol(session, f"{series}-{n:05d}", "tracker", now=now).identifier for n in range(VEHICLES)]
        session.commit()
    return made
