"""Recovery of the private PostgreSQL to a point in time: what was written before is there, what came after is not."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class
from sqlalchemy import make_url

from app.ops.embedded import SUPERUSER, EmbeddedServers, ServerUrls
from app.ops.recovery import make_base_backup, recover_to
from app.settings import Settings
from geo.errors import ConflictError, InvalidInputError
from tests.programs import require

KEPT_S = 90


def test_a_row_written_before_the_moment_is_there_and_a_later_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("servers")
    data_dir, archive = tmp_path / "data", tmp_path / "wal"
    data_dir.mkdir()
    monkeypatch.setenv("CUAKHAU_WAL_ARCHIVE", str(archive))
    with EmbeddedServers(data_dir, wal_archive=archive) as urls:
        settings = Settings(  # type: ignore[call-arg]
            DATABASE_URL=urls.database_url, REDIS_URL=urls.redis_url, demo=True, data_dir=data_dir
        )
        superuser = connect_as_superuser(data_dir, urls)
        connection = psycopg2.connect(urls.owner_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE written (what text)")
            base = Path(make_base_backup(settings, tmp_path / "bases").folder)
            cursor.execute("INSERT INTO written VALUES ('before')")
            cursor.execute("SELECT clock_timestamp()")
            moment: datetime = cursor.fetchone()[0]
            time.sleep(0.05)
            cursor.execute("INSERT INTO written VALUES ('after')")
            cursor.execute("SELECT pg_walfile_name(pg_current_wal_lsn())")
            segment: str = cursor.fetchone()[0]
            with superuser.cursor() as privileged:
                privileged.execute("SELECT pg_switch_wal()")
            superuser.close()
            deadline = time.monotonic() + KEPT_S
            while not (archive / f"{segment}.gz").exists():
                assert time.monotonic() < deadline, os.listdir(archive)
                time.sleep(0.05)
        connection.close()
        with pytest.raises(ConflictError):  # its servers run
            recover_to(data_dir, base, archive, moment)
    assert not archive.stat().st_mode & 0o077
    for wrong in (moment - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)):
        with pytest.raises(InvalidInputError, match="cannot be brought"):
            recover_to(data_dir, base, archive, wrong)
    assert rows(data_dir) == ["before", "after"], "what cannot be done changes nothing"
    recovered = recover_to(data_dir, base, archive, moment)
    assert recovered.put_aside is not None
    assert (Path(recovered.put_aside) / "PG_VERSION").exists()
    assert rows(data_dir) == ["before"]
    (base / "PG_VERSION").write_text("damaged")
    with pytest.raises(InvalidInputError, match="PG_VERSION"):
        recover_to(data_dir, base, archive, moment)


def connect_as_superuser(data_dir: Path, urls: ServerUrls) -> Connection:
    """Only the server's own superuser may end a segment of its log."""
    password = json.loads((data_dir / "embedded.json").read_text())["postgres"]
    url = make_url(urls.database_url).set(username=SUPERUSER, password=password)
    found = psycopg2.connect(url.render_as_string(hide_password=False))
    found.autocommit = True
    return found


def rows(data_dir: Path) -> list[str]:
    with EmbeddedServers(data_dir) as urls:
        connection = psycopg2.connect(urls.owner_url)
        with connection.cursor() as cursor:
            cursor.execute("SELECT what FROM written ORDER BY what DESC")
            found = [row[0] for row in cursor.fetchall()]
        connection.close()
    return found
