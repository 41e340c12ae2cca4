"""Backups: made, restored into an empty server, compared, and refused when they are not what they say."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest
from sqlalchemy import make_url, text

from app.equipment.pictures import Pictures
from app.ops import backup_store, migrate
from app.ops.backup import DATABASE, MANIFEST, drop_old, entries_of, key_sum, make_backup, streams_of, write_secrets
from app.ops.backup_keeping import BackupRunner, is_due, make_and_note
from app.ops.encryption import IDENTITY, decrypt, read_identities
from app.ops.restore import restore_backup
from app.platform.runtime import Runtime
from app.settings import OperationsSettings, Settings, get_settings
from geo.database import make_engine
from geo.errors import ConflictError, InvalidInputError, UnavailableError
from tests.app.databases import drop_database
from tests.app.test_dead_letters import append
from tests.app.test_worker import fixes

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
ON_THE_WAY = 3


@pytest.fixture
def filled(runtime: Runtime, sign_in) -> Runtime:
    """A platform with accounts, partitions, a picture, and messages of devices that no worker has read."""
    sign_in("administrator"), sign_in("planner")
    Pictures.of(runtime.settings.data_dir).keep(PNG, runtime.clock.now())
    append(runtime, fixes(runtime, [2], ON_THE_WAY), {})
    return runtime


@pytest.fixture
def elsewhere(servers, owner_engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """An empty database and an empty Redis that commands find by the environment."""
    with owner_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        drop_database(connection, "restored")
        connection.execute(text("CREATE DATABASE restored"))
    url, owner_url = (
        make_url(found).set(database="restored").render_as_string(hide_password=False)
        for found in (servers.database_url, servers.owner_url)
    )
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    owner = {"MIGRATION_DATABASE_URL": owner_url}
    named = owner | {"DATABASE_URL": url, "REDIS_URL": servers.redis_url.rpartition("/")[0] + "/1", "CUAKHAU_DEMO": "1"}
    for name, value in {**named, "CUAKHAU_DATA_DIR": str(folder)}.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield Settings()
    get_settings.cache_clear()
    with owner_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        drop_database(connection, "restored")


@pytest.fixture
def restored_redis(servers) -> Iterator[object]:
    from redis import Redis

    with Redis.from_url(servers.redis_url.rpartition("/")[0] + "/1") as client:
        client.flushdb()
        yield client
        client.flushdb()


def test_the_drill(filled: Runtime, elsewhere: Settings, owner_engine, restored_redis, tmp_path: Path, capsys) -> None:
    operations, archive = OperationsSettings(), tmp_path / "one.backup"
    made = make_backup(filled.settings, operations, archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert made.rows > 100
    assert (made.stream_entries, made.pictures) == (1, 1)
    raw = archive.read_bytes()
    assert b"administrator-1" not in raw
    assert PNG not in raw
    identity = filled.settings.data_dir / IDENTITY
    assert stat.S_IMODE(identity.stat().st_mode) == 0o600
    restored = restore_backup(elsewhere.data_dir, archive, identity=identity, replace=False)
    assert (restored.rows, restored.tables) == (made.rows, made.tables)
    assert (restored.stream_entries, restored.pictures, restored.same_secret_key) == (1, 1, True)
    with capsys.disabled():
        print(f"\nrestore drill: backup {made.took_s} s, restore {restored.took_s} s, {restored.rows} rows")
    engine = make_engine(elsewhere.owner_database_url)
    with owner_engine.connect() as before, engine.connect() as after:
        assert backup_store.table_contents(before) == backup_store.table_contents(after)
        assert after.scalar(text("SELECT count(*) FROM app.account")) == 2
        assert migrate.is_current(after)
        taken = after.scalar(
            text(
                "INSERT INTO app.backup (started_at, ended_at, file, size_bytes) VALUES "
                "(now(), now(), 'x', 0) RETURNING backup_id"
            )
        )
        assert taken is not None, "identities go on"
        after.rollback()
    engine.dispose()
    streams = streams_of(filled.settings.ingest_shards)
    assert [[fields for _, fields in entries_of(filled.redis, name)] for name in streams] == [
        [fields for _, fields in entries_of(restored_redis, name)] for name in streams
    ]
    pictures = [path for path in Pictures.of(elsewhere.data_dir).folder.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in pictures] == [PNG]

    # There is a platform now: it is replaced only if that is asked for, and not while parts work on it.
    with pytest.raises(ConflictError, match="--replace"):
        restore_backup(elsewhere.data_dir, archive, identity=identity, replace=False)
    part = make_engine(elsewhere.owner_database_url, application_name="cuakhau-web")
    with part.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(ConflictError, match="web"):
            restore_backup(elsewhere.data_dir, archive, identity=identity, replace=True)
        connection.execute(text("DELETE FROM app.session; DELETE FROM app.account WHERE username LIKE 'planner%'"))
        connection.commit()
    part.dispose()

    # A dump that ends early leaves what was there.
    broken = repack(archive, tmp_path / "broken.backup", identity, cut_database=True)
    with pytest.raises((InvalidInputError, UnavailableError)):
        restore_backup(elsewhere.data_dir, broken, identity=identity, replace=True)
    engine = make_engine(elsewhere.owner_database_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM app.account")) == 1
        assert migrate.is_current(connection)
    again = restore_backup(elsewhere.data_dir, archive, identity=identity, replace=True)
    assert again.rows == made.rows
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM app.account")) == 2
        assert connection.scalar(text("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%replaced'")) == 0
    engine.dispose()
    assert sum(len(list(entries_of(restored_redis, name))) for name in streams) == 1, "what waited before is not kept"

    # Of a newer version, changed, or for somebody else: refused before anything is touched.
    newer = repack(archive, tmp_path / "newer.backup", identity, revision="9999")
    for file, with_identity, reason in (
        (newer, identity, "newer"),
        (repack(archive, tmp_path / "swapped.backup", identity, swap=True), identity, "changed"),
        (archive, own_identity(tmp_path / "other.txt"), "decrypted"),
        (archive, tmp_path / "nowhere.txt", "nowhere.txt"),
        (identity, identity, "is no backup"),
    ):
        with pytest.raises(InvalidInputError, match=reason):
            restore_backup(elsewhere.data_dir, file, identity=with_identity, replace=True)


def own_identity(path: Path) -> Path:
    path.write_text(str(pyrage.x25519.Identity.generate()) + "\n")
    return path


def repack(
    archive: Path,
    target: Path,
    identity: Path,
    *,
    revision: str | None = None,
    swap: bool = False,
    cut_database: bool = False,
) -> Path:
    """An archive with some of it changed by whoever has the recipient."""
    import hashlib

    keys = read_identities(identity)
    to = [key.to_public() for key in keys]
    with tarfile.open(archive) as opened:
        members = {member.name: opened.extractfile(member).read() for member in opened}  # type: ignore[union-attr]
    plain = io.BytesIO()
    decrypt(io.BytesIO(members[MANIFEST]), plain, keys)
    manifest = json.loads(plain.getvalue())
    if revision is not None:
        manifest["revision"] = revision
    if swap:
        members[DATABASE] = pyrage.encrypt(b"something else", to)
    if cut_database:
        dump = io.BytesIO()
        decrypt(io.BytesIO(members[DATABASE]), dump, keys)
        members[DATABASE] = pyrage.encrypt(dump.getvalue()[: len(dump.getvalue()) // 2], to)
        manifest["members"][DATABASE] = hashlib.sha256(members[DATABASE]).hexdigest()
    members[MANIFEST] = pyrage.encrypt(json.dumps(manifest).encode(), to)
    with tarfile.open(target, "w") as written:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            written.addfile(info, io.BytesIO(data))
    return target


def test_a_backup_replaces_no_file_and_leaves_nothing_half_made(runtime: Runtime, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "there").write_text("kept")
    with pytest.raises(ConflictError, match="exists already"):
        make_backup(runtime.settings, OperationsSettings(), folder / "there")
    assert (folder / "there").read_text() == "kept"
    away = runtime.settings.model_copy(update={"redis_url": type(runtime.settings.redis_url)("redis://127.0.0.1:1/0")})
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
        make_backup(away, OperationsSettings(), folder / "new.backup")
    with pytest.raises(InvalidInputError, match="age1nonsense"):
        make_backup(runtime.settings, OperationsSettings(backup_recipients="age1nonsense"), folder / "new.backup")
    assert [path.name for path in folder.iterdir()] == ["there"]


def test_the_oldest_backups_of_a_folder_go(tmp_path: Path) -> None:
    names = [f"cuakhau-2026030{day}T000000Z.backup" for day in range(1, 7)]
    for name in [*names, "notes.txt", "cuakhau-other.txt"]:
        (tmp_path / name).write_text("x")
    assert [path.name for path in drop_old(tmp_path, 2)] == names[:4]
    assert {path.name for path in tmp_path.iterdir()} == {*names[4:], "notes.txt", "cuakhau-other.txt"}


def test_secrets_are_in_a_file_of_their_own(runtime: Runtime, tmp_path: Path) -> None:
    key = pyrage.x25519.Identity.generate()
    operations = OperationsSettings(backup_recipients=str(key.to_public()), smtp_url="smtp://me:pass@mail")  # type: ignore[arg-type]
    names = write_secrets(runtime.settings, operations, tmp_path / "secrets.age")
    assert {"CUAKHAU_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "CUAKHAU_SMTP_URL"} <= set(names)
    assert stat.S_IMODE((tmp_path / "secrets.age").stat().st_mode) == 0o600
    values = json.loads(pyrage.decrypt((tmp_path / "secrets.age").read_bytes(), [key]))
    assert values["CUAKHAU_SECRET_KEY"] == runtime.settings.secret_key.get_secret_value()
    assert key_sum(runtime.settings) not in values.values()
    with pytest.raises(ConflictError, match="exists already"):
        write_secrets(runtime.settings, operations, tmp_path / "secrets.age")


def test_backups_are_due_by_the_last_good_one(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = OperationsSettings(backup_dir=tmp_path / "kept", backup_interval_h=24, backup_keep=1)
    with runtime.sessions() as session:
        assert is_due(session, operations, runtime.clock.now())
        assert not is_due(session, OperationsSettings(), runtime.clock.now())
    with pytest.raises(UnavailableError):
        make_and_note(runtime.settings, operations, tmp_path / "no" / "such" / "folder" / "x.backup")
    with runtime.sessions() as session:
        failed = backup_store.newest_backup(session)
        assert failed is not None
        assert failed.failure is not None
        assert "cannot be written" in failed.failure
        assert backup_store.newest_good_backup(session) is None
        assert not is_due(session, operations, failed.ended_at + timedelta(minutes=30))
        assert is_due(session, operations, failed.ended_at + timedelta(minutes=90))
        for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL"):
            monkeypatch.setenv(name, getattr(runtime.settings, name.lower()).get_secret_value())
        monkeypatch.setenv("CUAKHAU_DEMO", "1")
        monkeypatch.setenv("CUAKHAU_DATA_DIR", str(tmp_path))
        runner = BackupRunner(operations)
        assert runner.tend(session, failed.ended_at + timedelta(minutes=90))
        assert runner._process is not None
        assert runner._process.wait(60) == 0
        assert not runner.tend(session, failed.ended_at + timedelta(minutes=91))
    with runtime.sessions() as session:
        good = backup_store.newest_good_backup(session)
        assert good is not None
        assert Path(good.file).stat().st_size == good.size_bytes
        assert not is_due(session, operations, good.started_at + timedelta(hours=23))
        assert is_due(session, operations, good.started_at + timedelta(hours=25))
