"""Real servers for the tests: one private PostGIS and one private Redis a run.

They start when a fixture asks for them. Nothing heavy is imported at the top, so that a pure test starts at once and
needs nothing but Python packages.

`DATABASE_URL` and `REDIS_URL`, if set, name servers to use instead; their contents are erased. `MIGRATION_DATABASE_URL`
names the owner of the database then, as which its schema is made; without it `DATABASE_URL` does both.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests.profiles import PROFILE
from tests.programs import chromium, require

if TYPE_CHECKING:
    from fastapi import FastAPI
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


PLAIN_LOG = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def pytest_report_header() -> str:
    """How thorough this run is, for whoever reads its output."""
    return f"property tests: profile {PROFILE} (HYPOTHESIS_PROFILE)"


def pytest_configure(config: pytest.Config) -> None:
    """Look for garbage less often: with the defaults it took a tenth of the tests' time.

    And log exceptions as Python shows them. Drawn with all local variables, as structlog does by default and no process
    of the platform, one failing step of a minute took seconds.
    """
    config.addinivalue_line("markers", "long: takes a quarter of a minute or more; begins first, the others beside it")
    gc.set_threshold(20_000, 20, 20)
    gc.disable()  # until what is imported and collected is there: a fifth of the time that takes
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], PLAIN_LOG])
    os.environ.setdefault("CUAKHAU_ALLOWED_HOSTS", "testserver")  # how httpx names the application under test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first, so that no process is alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of the search for garbage: it lasts until the end of the run."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def servers() -> Iterator[ServerUrls]:
    """Where PostgreSQL and Redis answer."""
    from app.ops.embedded import EmbeddedServers, ServerUrls

    require("servers")
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        yield ServerUrls.of_environment(os.environ)
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
def owner_engine(servers: ServerUrls, corridor: Corridor) -> Iterator[Engine]:
    """A migrated database with the corridor in it and nothing else, as its owner: for what the application may not."""
    from sqlalchemy import make_url, text
    from sqlalchemy.orm import Session

    from app.ops import migrate
    from geo.database import SCHEMAS, make_engine
    from geo.store import save_corridor

    engine = make_engine(servers.owner_url, pool_size=10, application_name="cuakhau-test-owner")
    with engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
    migrate.upgrade(engine, app_role=make_url(servers.database_url).username or "")
    with Session(engine) as session:
        save_corridor(session, corridor)
        session.commit()
    make_eraser(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def engine(servers: ServerUrls, owner_engine: Engine) -> Iterator[Engine]:
    """The migrated database as the application reaches it, with the corridor in it and nothing else."""
    from geo.database import make_engine

    engine = make_engine(servers.database_url, pool_size=10, application_name="cuakhau-test")
    yield engine
    engine.dispose()


@pytest.fixture
def owner_session(owner_engine: Engine) -> Iterator[Session]:
    """A session of the database's owner whose work is undone at the end, commits included."""
    yield from undone(owner_engine)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session whose work is undone at the end, commits included."""
    yield from undone(engine)


def undone(engine: Engine) -> Iterator[Session]:
    """Yield a session on `engine` and undo what it did."""
    from sqlalchemy.orm import Session

    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield session
        outer.rollback()


@pytest.fixture(scope="session")
def redis_client(servers: ServerUrls) -> Iterator[Redis]:
    """Redis with whatever is in it: to connect again took longer than to empty it."""
    from redis import Redis

    with Redis.from_url(servers.redis_url) as client:
        yield client


@pytest.fixture
def redis(redis_client: Redis) -> Iterator[Redis]:
    """An empty Redis."""
    redis_client.flushdb()
    yield redis_client
    redis_client.flushdb()


@pytest.fixture(scope="session")
def eraser(servers: ServerUrls, owner_engine: Engine) -> Iterator[Engine]:
    """The database as its owner whom neither triggers nor references stop."""
    from sqlalchemy import event

    from geo.database import make_engine

    engine = make_engine(servers.owner_url, pool_size=1, application_name="cuakhau-test-eraser")

    @event.listens_for(engine, "connect")
    def become_replica(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:  # for good: each change of it throws away all plans
            cursor.execute("SET session_replication_role = replica")
        connection.commit()

    yield engine
    engine.dispose()


@pytest.fixture
def clean_database(engine: Engine, eraser: Engine) -> Iterator[Engine]:
    """The database for tests that really commit: all but the corridor is erased afterwards, by its owner."""
    yield engine
    erase(eraser)


def erase(engine: Engine) -> None:
    """Empty every table but the corridor's, and let its ids begin again.

    Deleting from the few tables that hold something takes a tenth of the time that truncating all of them does, and
    a connection plans the statements of a function once: planned again for each test, they took most of the rest.
    """
    from sqlalchemy import text

    with engine.begin() as connection:
        connection.execute(text("SELECT app.erase_after_a_test()"))


def make_eraser(engine: Engine) -> None:
    """Make the function that `erase` calls, from the tables and sequences that there are."""
    from sqlalchemy import text

    from geo.database import SCHEMAS

    listed = """
        SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind AS kind
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(:schemas) AND n.nspname <> 'geo' AND c.relname <> 'shared_fact'
          AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition
    """
    empty = "IF EXISTS (SELECT FROM {0}) THEN DELETE FROM {0}; END IF;"
    restart = "IF (SELECT is_called FROM {0}) THEN PERFORM setval('{0}', 1, false); END IF;"
    with engine.begin() as connection:
        found = connection.execute(text(listed), {"schemas": list(SCHEMAS)}).all()
        steps = [(restart if kind == "S" else empty).format(name) for name, kind in found]
        connection.exec_driver_sql(f"""
            CREATE OR REPLACE FUNCTION app.erase_after_a_test() RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
                {" ".join(steps)}
                UPDATE app.shared_fact SET version = gen_random_uuid();  -- as the triggers would have
            END $$
        """)


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at `NOW` until it is moved."""
    from geo.clock import FixedClock

    return FixedClock(NOW)


@pytest.fixture
def settings(servers: ServerUrls, tmp_path: Path) -> Settings:
    """Settings of a demonstration on the test servers."""
    from app.settings import Settings

    return Settings(  # type: ignore[call-arg]
        DATABASE_URL=servers.database_url,
        MIGRATION_DATABASE_URL=servers.owner_url,
        OPEN_DATABASE_URL=servers.open_database_url,
        REDIS_URL=servers.redis_url,
        demo=True,
        data_dir=tmp_path,
    )


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

    from app.accounts import passwords
    from app.platform.runtime import Runtime
    from geo.database import make_session_factory

    # Most tests sign somebody in; at the product's strength that took a tenth of all their time.
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
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


@pytest.fixture(scope="session")
def built_application(servers: ServerUrls) -> FastAPI:
    """The application without what it works on. Preparing its routes took half the time of all tests of the API."""
    gc.disable()
    try:
        from app.bootstrap import web
        from app.settings import Settings

        return web(
            settings=Settings(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url, demo=True)  # type: ignore[call-arg]
        )
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def application(built_application: FastAPI, runtime: Runtime, sheets: Sheets) -> Iterator[FastAPI]:
    """The application on a test's runtime and sheets; what it kept in its state is forgotten afterwards."""
    from starlette.datastructures import State

    from app.main import work_on

    state = built_application.state
    built_application.state = State(dict(state._state))
    built_application.state.runtime = runtime
    work_on(built_application, sheets)
    yield built_application
    built_application.state = state


@pytest.fixture
def client(application: FastAPI) -> Iterator[TestClient]:
    """The application, nobody signed in."""
    from fastapi.testclient import TestClient

    with TestClient(application) as client:
        yield client


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, drawing WebGL in software."""
    require("browser")
    return {
        "executable_path": chromium(),
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
        own.portal = client.portal  # the running event loop; a client without one starts a loop for every request
        own.account_id = account_id  # type: ignore[attr-defined]
        opened.append(own)
        return own

    yield sign_in
    for account_client in opened:
        account_client.close()
