"""Real servers for the tests: one private PostGIS and one private Redis a run.

They start when a fixture asks for them. Nothing heavy is imported at the top, so that a pure test starts at once and
needs nothing but Python packages.

`DATABASE_URL` and `REDIS_URL`, if set, name servers to use instead; their contents are erased.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.profiles import PROFILE
from tests.programs import CHROMIUM, require

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from redis import Redis
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from app.ops.embedded import ServerUrls
    from app.platform.runtime import Runtime
    from app.settings import Settings
    from app.sheets.service import Sheets
    from geo.clock import FixedClock
    from geo.corridor import Corridor

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""The moment at which tests with a fixed clock begin: Monday 10:00 in Lạng Sơn."""


def pytest_report_header() -> str:
    """How thorough this run is, for whoever reads its output."""
    return f"property tests: profile {PROFILE} (HYPOTHESIS_PROFILE)"


@pytest.fixture(scope="session")
def servers() -> Iterator[ServerUrls]:
    """Where PostgreSQL and Redis answer."""
    from app.ops.embedded import EmbeddedServers, ServerUrls

    require("servers")
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        yield ServerUrls(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
        return
    with (
        tempfile.TemporaryDirectory(prefix="cuakhau-test-", ignore_cleanup_errors=True) as folder,
        EmbeddedServers(Path(folder), durable=False) as urls,
    ):
        yield urls


@pytest.fixture(scope="session")
def corridor() -> Corridor:
    """The corridor the platform ships with."""
    from geo.corridor import Corridor

    return Corridor.default()


@pytest.fixture(scope="session")
def engine(servers: ServerUrls, corridor: Corridor) -> Iterator[Engine]:
    """A migrated database with the corridor in it and nothing else."""
    from sqlalchemy import text
    from sqlalchemy.orm import Session

    from app.ops import migrate
    from geo.database import SCHEMAS, make_engine
    from geo.store import save_corridor

    engine = make_engine(servers.database_url, pool_size=10, application_name="cuakhau-test")
    with engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
    migrate.upgrade(engine)
    with Session(engine) as session:
        save_corridor(session, corridor)
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session whose work is undone at the end, commits included."""
    from sqlalchemy.orm import Session

    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield session
        outer.rollback()


@pytest.fixture
def redis(servers: ServerUrls) -> Iterator[Redis]:
    """An empty Redis."""
    from redis import Redis

    with Redis.from_url(servers.redis_url) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def clean_database(engine: Engine) -> Iterator[Engine]:
    """The database for tests that really commit: all but the corridor is erased afterwards."""
    yield engine
    erase(engine)


def erase(engine: Engine) -> None:
    """Empty every table but the corridor's, and let its ids begin again.

    Deleting from the few tables that hold something takes a tenth of the time that truncating all of them does.
    """
    from sqlalchemy import text

    from geo.database import SCHEMAS

    with engine.begin() as connection:
        connection.execute(
            text(
                """
                DO $$
                DECLARE
                    found record;
                    is_used boolean;
                BEGIN
                    SET LOCAL session_replication_role = replica;  -- neither triggers nor references
                    FOR found IN
                        SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
                        WHERE schemaname = ANY(:schemas) AND schemaname <> 'geo'
                    LOOP
                        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', found.name) INTO is_used;
                        IF is_used THEN
                            EXECUTE format('DELETE FROM %s', found.name);
                        END IF;
                    END LOOP;
                    FOR found IN
                        SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences
                        WHERE schemaname = ANY(:schemas) AND schemaname <> 'geo' AND last_value IS NOT NULL
                    LOOP
                        PERFORM setval(found.name::regclass, 1, false);
                    END LOOP;
                END $$
                """.replace(":schemas", "'{" + ",".join(SCHEMAS) + "}'")
            )
        )


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at `NOW` until it is moved."""
    from geo.clock import FixedClock

    return FixedClock(NOW)


@pytest.fixture
def settings(servers: ServerUrls, tmp_path: Path) -> Settings:
    """Settings of a demonstration on the test servers."""
    from app.settings import Settings

    return Settings(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url, demo=True, data_dir=tmp_path)  # type: ignore[call-arg]


@pytest.fixture
def runtime(
    settings: Settings,
    clean_database: Engine,
    redis: Redis,
    clock: FixedClock,
    corridor: Corridor,
    monkeypatch: pytest.MonkeyPatch,
) -> Runtime:
    """The long-lived parts on real servers, with a clock that stands still and passwords that are cheap to check."""
    from argon2 import PasswordHasher
    from redis.asyncio import Redis as AsyncRedis

    from app.accounts import service
    from app.platform.runtime import Runtime
    from geo.database import make_session_factory

    # Most tests sign somebody in; at the product's strength that took a tenth of all their time.
    monkeypatch.setattr(service, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return Runtime(
        settings=settings,
        clock=clock,
        engine=clean_database,
        sessions=make_session_factory(clean_database),
        redis=redis,
        async_redis=AsyncRedis.from_url(settings.redis_url.get_secret_value()),
        corridor=corridor,
    )


@pytest.fixture
def sheets() -> Sheets:
    """The sheets of the platform; a test module that looks at sheets alone has a fixture of its own."""
    from app.bootstrap import make_sheets

    return make_sheets()


@pytest.fixture
def client(runtime: Runtime, sheets: Sheets) -> Iterator[TestClient]:
    """The application, nobody signed in."""
    from fastapi.testclient import TestClient

    from app.main import create_app

    with TestClient(create_app(sheets, runtime=runtime)) as client:
        yield client


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, drawing WebGL in software."""
    require("browser")
    return {
        "executable_path": CHROMIUM,
        "args": [
            "--no-sandbox",
            "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ],
    }


SignIn = Callable[..., "TestClient"]


@pytest.fixture
def sign_in(runtime: Runtime, client: TestClient) -> Iterator[SignIn]:
    """A function `sign_in(role, **bindings) -> TestClient` that makes an account and carries its bearer token.

    `bindings` are `organisation_id`, `gate_id`, `vehicle_id`; the account's id is `client.account_id`.
    """
    from fastapi.testclient import TestClient

    from app.accounts import service
    from app.platform.actions import ActionContext

    opened: list[TestClient] = []
    count = 0

    def sign_in(role: str, **bindings: Any) -> TestClient:
        nonlocal count
        count += 1
        username, password = f"{role}-{count}", "correct horse battery staple"
        with runtime.sessions() as session:
            account = service.create_account(
                ActionContext(session, None, runtime.clock.now()),
                username=username,
                password=password,
                full_name=username,
                role=role,
                **bindings,
            )
            session.commit()
            account_id = account.account_id
        answer = client.post("/api/v1/tokens", data={"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        own = TestClient(client.app, headers={"Authorization": f"Bearer {answer.json()['access_token']}"})
        own.account_id = account_id  # type: ignore[attr-defined]
        opened.append(own)
        return own

    yield sign_in
    for account_client in opened:
        account_client.close()
