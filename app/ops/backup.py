"""Backups: one encrypted archive that holds what an installation cannot be made again from.

An archive is a tar of members, each encrypted by itself in the age format, so that nothing is ever on disk in clear:

| member | holds |
|---|---|
| `database.dump.age` | the database, pg_dump's custom format |
| `streams.age` | what doors acknowledged and no worker has stored yet: the entries of Redis' streams |
| `pictures.tar.age` | pictures of cameras and scanners |
| `manifest.json.age` | versions, each table's rows and checksum, each member's SHA-256 |

Secrets are not in it: `write_secrets` puts them into a file of their own, for another place. The streams are
read before the database's snapshot is taken: what left them until then is in the snapshot; what is in both is stored
once.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import json
import os
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr
from redis import Redis

from app.equipment.pictures import Pictures
from app.ops import backup_store, migrate
from app.ops.backup_store import TableContent
from app.ops.database_programs import read_from
from app.ops.encryption import IDENTITY, Recipients, encrypt, recipients_of
from app.platform.redis_servers import open_redis
from app.settings import OperationsSettings, Settings
from geo.database import make_engine
from geo.errors import ConflictError, UnavailableError
from ingest import signals, stream

FORMAT: Final = 1
PREFIX, SUFFIX = "cuakhau-", ".backup"
NOT_OURS: Final = "--exclude-table-data=*.spatial_ref_sys"
"""PostGIS' own table, which its extension fills and only a superuser writes to."""
DATABASE, STREAMS, PICTURES, MANIFEST = "database.dump.age", "streams.age", "pictures.tar.age", "manifest.json.age"
BATCH = 500


class Manifest(BaseModel):
    """What an archive holds; `members` are SHA-256 sums by member, `streams` entries by stream."""

    model_config = ConfigDict(frozen=True)

    format: int
    made_at: AwareDatetime
    revision: str
    ingest_shards: int
    secret_key_sha256: str
    tables: dict[str, TableContent]
    streams: dict[str, int]
    pictures: int
    members: dict[str, str]


class BackupMade(BaseModel):
    """A backup that was made: its file, and how long it took."""

    file: str
    size_bytes: int
    tables: int
    rows: int
    stream_entries: int
    pictures: int
    took_s: float
    removed: list[str]
    identity: str | None


def make_backup(settings: Settings, operations: OperationsSettings, target: Path) -> BackupMade:
    """Back up everything but secrets into the file `target`, or under a name of its time if that is a folder.

    Of a folder the newest `operations.backup_keep` are kept.

    Raises
    ------
    ConflictError
        If the file exists.
    UnavailableError
        If it cannot be written, or a server does not answer. Nothing is left behind then.
    """
    began, now = time.monotonic(), datetime.now(UTC)
    file = target / f"{PREFIX}{now:%Y%m%dT%H%M%SZ}{SUFFIX}" if target.is_dir() else target
    if file.exists():
        raise ConflictError("{path} exists already; a backup replaces no file.", path=file)
    recipients = recipients_of(operations.recipients(), settings.data_dir)
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder:  # mode 0700
            manifest = _write_members(settings, Path(folder), recipients, now)
            part = Path(folder) / "archive"
            _pack(Path(folder), part)
            _publish(part, file)
    except FileExistsError:
        raise ConflictError("{path} exists already; a backup replaces no file.", path=file) from None
    except OSError as error:
        raise UnavailableError("{path} cannot be written: {reason}", path=file, reason=error.strerror) from error
    removed = drop_old(file.parent, operations.backup_keep) if target.is_dir() else []
    return BackupMade(
        file=str(file),
        size_bytes=file.stat().st_size,
        tables=len(manifest.tables),
        rows=sum(table.rows for table in manifest.tables.values()),
        stream_entries=sum(manifest.streams.values()),
        pictures=manifest.pictures,
        took_s=round(time.monotonic() - began, 2),
        removed=[str(path) for path in removed],
        identity=None if operations.recipients() else str(settings.data_dir / IDENTITY),
    )


def drop_old(folder: Path, keep: int) -> list[Path]:
    """Erase the oldest backups of a folder beyond `keep`, by the time in their names; what was erased."""
    found = sorted(path for path in folder.glob(f"{PREFIX}*{SUFFIX}") if path.is_file())
    for path in found[:-keep]:
        path.unlink()
    return found[:-keep]


def write_secrets(settings: Settings, operations: OperationsSettings, file: Path) -> list[str]:
    """Write what is secret and set into a file of its own, encrypted to the same recipients; the names.

    Raises
    ------
    ConflictError
        If the file exists.
    """
    values = {
        name: value.get_secret_value()
        for each in (settings, operations)
        for name, value in secrets_of(each).items()
        if value.get_secret_value()
    }
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            source = io.BytesIO(json.dumps(values, indent=1).encode())
            encrypt(source, target, recipients_of(operations.recipients(), settings.data_dir))
    except FileExistsError:
        raise ConflictError("{path} exists already; a backup replaces no file.", path=file) from None
    return sorted(values)


def secrets_of(settings: Settings | OperationsSettings) -> dict[str, SecretStr]:
    """The secrets among some settings, by the variable that sets them."""
    found = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            found[str(field.validation_alias or f"CUAKHAU_{name.upper()}")] = value
    return found


def key_sum(settings: Settings) -> str:
    """What shows whether two installations have the same secret key, and not which."""
    key = settings.secret_key.get_secret_value().encode()
    return hmac.new(key, b"cuakhau backup", hashlib.sha256).hexdigest()[:32]


def streams_of(shards: int) -> list[str]:
    """The streams whose entries are acknowledged to devices before they are stored; what is stored is erased there."""
    return [*(stream.stream_key(shard) for shard in range(shards)), signals.STREAM]


def _write_members(settings: Settings, folder: Path, recipients: Recipients, now: datetime) -> Manifest:
    redis = open_redis(settings.redis_url.get_secret_value(), client_name="cuakhau-cli")
    engine = make_engine(settings.owner_database_url, pool_size=1, application_name="cuakhau-cli")
    streams: dict[str, int] = {}
    try:
        with contextlib.closing(redis):
            write = _encrypted(folder / STREAMS, recipients)
            write(lambda target: streams.update(_copy_streams(redis, settings.ingest_shards, target)))
        with engine.connect() as connection, connection.begin():
            snapshot = backup_store.export_snapshot(connection)
            arguments = ["--format=custom", "--no-owner", f"--snapshot={snapshot}", NOT_OURS]
            with private(folder / DATABASE) as target:
                read_from(settings, "pg_dump", arguments, lambda source: encrypt(source, target, recipients))
            tables = backup_store.table_contents(connection)
            revision = migrate.present_revision(connection)
    finally:
        engine.dispose()
    pictures: list[int] = []
    source = Pictures.of(settings.data_dir).folder
    _encrypted(folder / PICTURES, recipients)(lambda target: pictures.append(_copy_pictures(source, target)))
    manifest = Manifest(
        format=FORMAT,
        made_at=now,
        revision=revision or "",
        ingest_shards=settings.ingest_shards,
        secret_key_sha256=key_sum(settings),
        tables=tables,
        streams=streams,
        pictures=pictures[0],
        members={name: sha256_of(folder / name) for name in (DATABASE, STREAMS, PICTURES)},
    )
    with private(folder / MANIFEST) as target:
        encrypt(io.BytesIO(manifest.model_dump_json(indent=1).encode()), target, recipients)
    return manifest


def _encrypted(file: Path, recipients: Recipients) -> Callable[[Callable[[IO[bytes]], None]], None]:
    """A function that encrypts into `file` what another writes, through a pipe."""

    def run(write: Callable[[IO[bytes]], None]) -> None:
        ends = os.pipe()
        failures: list[BaseException] = []

        def encrypt_pipe() -> None:
            try:
                with open(ends[0], "rb") as source, private(file) as target:
                    encrypt(source, target, recipients)
            except BaseException as error:  # told to whoever waits
                failures.append(error)

        worker = threading.Thread(target=encrypt_pipe, name="encrypt")
        worker.start()
        try:
            with open(ends[1], "wb") as source:
                write(source)
        except BrokenPipeError:
            if not failures:
                raise
        finally:
            worker.join()
        if failures:
            raise failures[0]

    return run


def _copy_streams(redis: Redis, shards: int, target: IO[bytes]) -> dict[str, int]:
    """Write each entry as one line of JSON (bytes in base64); how many of each stream."""
    found = {}
    for name in streams_of(shards):
        entries = 0
        for entry_id, fields in entries_of(redis, name):
            line = [name, entry_id.decode(), [[key, value] for key, value in fields.items()]]
            target.write(msgspec.json.encode(line) + b"\n")
            entries += 1
        found[name] = entries
    return found


def entries_of(redis: Redis, name: str) -> Iterator[tuple[bytes, Mapping[bytes, bytes]]]:
    """The entries of a stream, oldest first."""
    start = "-"
    while True:
        found: list[tuple[bytes, Mapping[bytes, bytes]]] = redis.xrange(name, min=start, count=BATCH)  # type: ignore[assignment]
        yield from found
        if len(found) < BATCH:
            return
        start = f"({found[-1][0].decode()}"


def _copy_pictures(folder: Path, target: IO[bytes]) -> int:
    """Write the pictures as a tar; how many. One that is erased just now is left out."""
    copied = 0
    with tarfile.open(fileobj=target, mode="w|") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".part":
                with contextlib.suppress(FileNotFoundError):
                    archive.add(path, arcname=str(path.relative_to(folder)), recursive=False)
                    copied += 1
    return copied


def _pack(folder: Path, part: Path) -> None:
    with private(part) as target:
        with tarfile.open(fileobj=target, mode="w") as archive:
            for name in (MANIFEST, STREAMS, DATABASE, PICTURES):
                archive.add(folder / name, arcname=name)
                (folder / name).unlink()
        target.flush()
        os.fsync(target.fileno())


def _publish(part: Path, file: Path) -> None:
    """Give a finished archive its name: whole or not at all, and in the place of no other."""
    try:
        os.link(part, file)
    except FileExistsError:
        raise
    except OSError:  # no hard links here, as on many network disks
        part.rename(file)


def private(path: Path) -> IO[bytes]:
    """A new file that only its owner can read."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
