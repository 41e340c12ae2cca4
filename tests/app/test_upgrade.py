"""An installation of an earlier version, with what people and devices left in it, comes to this schema whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from app.ops import migrate
from app.ops.embedded import find_postgres
from app.ops.install import install
from app.settings import Settings
from geo.database import make_engine
from geo.errors import UnavailableError
from tests.app.databases import drop_database

OLD = Path(__file__).parent / "data" / "installation_0030.dump"
"""Made by `data/make_old_installation.py`."""
SAME = """
SELECT jsonb_build_object(
    'accounts', (SELECT jsonb_agg(jsonb_build_array(account_id, username, role, password_hash) ORDER BY account_id)
                 FROM app.account),
    'trips', (SELECT jsonb_agg(jsonb_build_array(trip_id, code, vehicle_id, gate_id, goods, stage) ORDER BY trip_id)
              FROM app.trip),
    'vehicles', (SELECT jsonb_agg(jsonb_build_array(vehicle_id, plate_norm) ORDER BY vehicle_id) FROM ingest.vehicle),
    'positions', (SELECT jsonb_agg(jsonb_build_array(vehicle_id, time, ST_AsText(geom)) ORDER BY vehicle_id)
                  FROM ingest.last_position),
    'fixes', (SELECT jsonb_agg(jsonb_build_array(vehicle_id, time, ST_AsText(geom)) ORDER BY vehicle_id, time)
              FROM ingest.fix),
    'audit', (SELECT jsonb_agg(jsonb_build_array(audit_id, encode(hash, 'hex')) ORDER BY audit_id) FROM app.audit),
    'movements', (SELECT jsonb_agg(to_jsonb(m) ORDER BY m) FROM capacity.movement m)
)
"""


@pytest.fixture
def old(owner_engine: Engine) -> Iterator[Engine]:
    """A database as the earlier version left it."""
    engine = owner_engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        drop_database(connection, "old_installation")
        connection.execute(text("CREATE DATABASE old_installation"))
    url = engine.url.set(database="old_installation")
    made = make_engine(url.render_as_string(hide_password=False), pool_size=1, application_name="cuakhau-test")
    with made.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))
        connection.execute(text("CREATE TABLE public.alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO public.alembic_version VALUES ('0030')"))
    place = ["-h", str(url.host), "-p", str(url.port), "-U", str(url.username), "-d", "old_installation"]
    subprocess.run(
        [
            str(find_postgres() / "pg_restore"),
            *place,
            "--no-owner",
            "--exit-on-error",
            "--single-transaction",
            str(OLD),
        ],
        env=os.environ | {"PGPASSWORD": str(url.password)},
        check=True,
    )
    yield made
    made.dispose()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        drop_database(connection, "old_installation")


def test_what_was_there_is_there_after_the_upgrade(old: Engine, servers, settings: Settings, tmp_path: Path) -> None:
    with old.connect() as connection:
        before = connection.execute(text(SAME)).scalar_one()
        assert not migrate.is_current(connection)
    assert len(before["trips"]) > 1000
    assert len(before["fixes"]) > 100
    url = old.url.render_as_string(hide_password=False)
    upgraded = settings.model_copy(update=dict.fromkeys(("database_url", "migration_database_url"), SecretStr(url)))
    install(upgraded)
    with old.connect() as connection:
        assert connection.execute(text(SAME)).scalar_one() == before
        assert migrate.is_current(connection)
        invalid = connection.scalar(text("SELECT count(*) FROM pg_constraint WHERE NOT convalidated"))
        assert invalid == 0
    install(upgraded)  # a second time changes nothing
    with old.connect() as connection:
        assert connection.execute(text(SAME)).scalar_one() == before

    # And a version that does not know its schema leaves it alone.
    with old.begin() as connection:
        connection.execute(text("UPDATE public.alembic_version SET version_num = '9999'"))
    with pytest.raises(UnavailableError, match=r"revision 9999, made by a newer version"):
        install(upgraded)
    said = subprocess.run(
        [sys.executable, "-m", "app.cli", "control"],
        env=os.environ | {"DATABASE_URL": url, "REDIS_URL": servers.redis_url, "CUAKHAU_SECRET_KEY": "k" * 40},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    assert "made by a newer version" in said.stderr
    assert "Traceback" not in said.stderr
