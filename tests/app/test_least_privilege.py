"""The application's role owns nothing and changes no schema; the private servers run without powers or open files."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from app.ops import roles_store
from app.ops.embedded import DATABASE, EmbeddedServers, Server
from app.ops.server_user import make_private
from ingest import fix_store
from tests.programs import require


def test_the_applications_role_has_no_power_and_owns_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        rights = roles_store.rights_of_current_role(connection)
    assert rights == roles_store.RoleRights(False, False, False, False, 0)


def test_the_owner_is_no_superuser(owner_engine: Engine) -> None:
    with owner_engine.connect() as connection:
        rights = roles_store.rights_of_current_role(connection)
    assert not rights.is_superuser
    assert not rights.makes_roles
    assert rights.owned > 100


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE app.own (n int)",
        "CREATE TABLE public.own (n int)",
        "CREATE SCHEMA own",
        "CREATE ROLE own",
        "CREATE DATABASE own",
        "CREATE FUNCTION app.own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE app.trip ADD COLUMN own int",
        "ALTER TABLE app.audit DISABLE TRIGGER audit_append_only",
        "ALTER ROLE cuakhau_app SUPERUSER",
        "DROP TABLE app.trip",
        "DROP FUNCTION app.refuse_audit_change() CASCADE",
        "TRUNCATE app.trip CASCADE",
        "TRUNCATE app.audit",
        "UPDATE app.audit SET actor = 'x'",
        "DELETE FROM app.audit",
        "UPDATE app.audit_head SET audit_id = 1",
        "DELETE FROM app.audit_head",
        "UPDATE public.alembic_version SET version_num = 'x'",
        "SET session_replication_role = replica",
        "SET ROLE cuakhau_owner",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "CREATE EXTENSION dblink",
    ],
)
def test_what_the_application_may_not(engine: Engine, statement: str) -> None:
    level = "AUTOCOMMIT" if statement.startswith("CREATE DATABASE") else "READ COMMITTED"
    with engine.connect().execution_options(isolation_level=level) as connection:
        with pytest.raises(DBAPIError) as refused:
            connection.execute(text(statement))
        connection.rollback()
    assert any(word in str(refused.value) for word in ("permission denied", "must be", "only role"))


def test_every_table_can_be_read_and_written_but_the_log(engine: Engine) -> None:
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT c.oid::regclass::text, has_table_privilege(c.oid, 'SELECT') AND "
                "has_table_privilege(c.oid, 'INSERT'), has_table_privilege(c.oid, 'UPDATE') OR "
                "has_table_privilege(c.oid, 'DELETE'), has_table_privilege(c.oid, 'TRUNCATE') "
                "FROM pg_class c WHERE relkind IN ('r', 'p') AND NOT relispartition "
                "AND relnamespace::regnamespace::text = ANY(:schemas)"
            ),
            {"schemas": ["geo", "routing", "capacity", "ingest", "app"]},
        ).all()
    assert len(rows) > 80
    assert [name for name, adds, _, _ in rows if not adds] == []
    assert {name for name, _, changes, _ in rows if not changes} == set(roles_store.INSERT_ONLY)
    assert [name for name, _, _, empties in rows if empties] == []


def test_the_newest_days_of_fixes_are_kept(engine: Engine) -> None:
    with engine.begin() as connection:
        days = fix_store.partition_days(connection)
        if not days:
            connection.execute(text("SELECT ingest.add_fix_day(date '2026-03-02')"))
            days = fix_store.partition_days(connection)
    with engine.connect() as connection, pytest.raises(Exception, match="newest days"):
        connection.execute(text("SELECT ingest.drop_fix_day(:day)"), {"day": days[-1]})


def test_functions_of_the_owner_fix_their_search_path(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT proname, coalesce(array_to_string(proconfig, ','), ''), "
                "has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc WHERE prosecdef "
                "AND pronamespace::regnamespace::text IN ('geo', 'routing', 'capacity', 'ingest', 'app')"
            )
        ).all()
    assert len(found) >= 2
    assert [name for name, path, _ in found if not path.startswith("search_path=pg_catalog")] == []
    assert [name for name, _, everybody in found if everybody] == []


@pytest.fixture
def closed_home(tmp_path: Path) -> Path:
    """A data directory inside a home that only its owner may enter."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home / "var"


def test_private_servers_have_no_capability_and_only_closed_files(closed_home: Path) -> None:
    require("servers")
    old_umask = os.umask(0o022)
    try:
        with EmbeddedServers(closed_home, durable=False) as urls:
            for pid in servers_pids(closed_home):
                status = Path(f"/proc/{pid}/status").read_text()
                for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    assert f"{capabilities}:\t{0:016x}" in status
                assert "NoNewPrivs:\t1" in status
            open_to_others = [str(path) for path in closed_home.rglob("*") if mode(path) & 0o077]
            assert open_to_others == []
            assert mode(closed_home) == 0o700
            owner = make_url(urls.owner_url)
            assert make_url(urls.database_url).password != owner.password
            with contextlib.closing(psycopg2.connect(urls.database_url)) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT PostGIS_Version()")
    finally:
        os.umask(old_umask)


def servers_pids(data_dir: Path) -> list[int]:
    """The processes that work in a data directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process.pid}/cwd").readlink().is_relative_to(data_dir):
                found.append(process.pid)
    assert len(found) > 3
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) if not path.is_symlink() else 0


def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path) -> None:
    data_dir = tmp_path / "var"
    (data_dir / "log").mkdir(parents=True, mode=0o755)
    (data_dir / "log" / "web.log").write_text("a line")
    (data_dir / "log" / "web.log").chmod(0o644)
    make_private(data_dir)
    assert [mode(path) for path in (data_dir, data_dir / "log", data_dir / "log" / "web.log")] == [0o700, 0o700, 0o600]


def test_a_data_directory_of_an_earlier_version_is_handed_over(closed_home: Path) -> None:
    """One role owned everything and was the superuser."""
    require("servers")
    servers = EmbeddedServers(closed_home, durable=False)
    with servers as urls:
        port, password = make_url(urls.database_url).port, servers._credentials()[Server.POSTGRES]
        place = {"host": "127.0.0.1", "port": port, "user": "cuakhau", "password": password, "dbname": DATABASE}
        with contextlib.closing(psycopg2.connect(**place)) as old, old, old.cursor() as cursor:
            cursor.execute(
                "CREATE SCHEMA app; CREATE TABLE app.old (n int GENERATED BY DEFAULT AS IDENTITY, m serial);"
                "CREATE VIEW app.seen AS SELECT * FROM app.old; CREATE TABLE public.alembic_version (version_num text);"
                "CREATE FUNCTION app.one() RETURNS int LANGUAGE sql AS 'SELECT 1'; INSERT INTO app.old DEFAULT VALUES;"
                "ALTER DATABASE cuakhau OWNER TO cuakhau"
            )
        servers.process(Server.POSTGRES).send_signal(signal.SIGINT)
        servers.process(Server.POSTGRES).wait(20)
        servers.launch(Server.POSTGRES)
        servers._await_postgres(port or 0, servers._credentials())
        with contextlib.closing(psycopg2.connect(urls.owner_url)) as owner, owner, owner.cursor() as cursor:
            cursor.execute("ALTER TABLE app.old ADD COLUMN o int; DROP VIEW app.seen; DROP FUNCTION app.one()")
            cursor.execute("SELECT n, m FROM app.old")
            assert cursor.fetchall() == [(1, 1)]
            cursor.execute("DROP SCHEMA app CASCADE; DROP TABLE public.alembic_version")
