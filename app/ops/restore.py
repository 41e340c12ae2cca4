"""Restoring a backup: into an empty server, or in place of what is there; compared table by table afterwards."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import msgspec
from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine, make_url

from app.equipment.pictures import Pictures
from app.ops import backup_store, migrate
from app.ops.backup import (
    DATABASE,
    FORMAT,
    MANIFEST,
    PICTURES,
    STREAMS,
    Manifest,
    entries_of,
    key_sum,
    sha256_of,
    streams_of,
)
from app.ops.backup_store import TableContent
from app.ops.database_programs import write_to
from app.ops.encryption import IDENTITY, Identities, decrypt, read_identities
from app.ops.running import servers_of
from app.platform.redis_servers import open_redis
from app.settings import Settings
from geo.database import make_engine
from geo.errors import ConflictError, InvalidInputError


class Restored(BaseModel):
    """What was restored and found equal; `same_secret_key`: whether secrets made with it can still be read."""

    made_at: str
    revision: str
    tables: int
    rows: int
    stream_entries: int
    pictures: int
    same_secret_key: bool
    database_s: float
    compared_s: float
    took_s: float


def restore_backup(data_dir: Path, file: Path, *, identity: Path | None, replace: bool) -> Restored:
    """Restore `file` to the servers of the environment, else to those of `data_dir`, where no platform may run.

    Raises
    ------
    InvalidInputError
        If the file is no backup, was changed, is for another identity, or of a newer version than this one.
    ConflictError
        If the database holds something and `replace` is not set, or parts of the platform work on it.
    """
    began = time.monotonic()
    identities = read_identities(identity or data_dir / IDENTITY)
    with tempfile.TemporaryDirectory(dir=file.parent if os.access(file.parent, os.W_OK) else None) as unpacked:
        folder = Path(unpacked)
        manifest = _open(file, folder, identities)
        with servers_of(data_dir) as settings:
            if settings.ingest_shards < manifest.ingest_shards:
                raise InvalidInputError(
                    "The backup was made with CUAKHAU_INGEST_SHARDS={value}; restore it with as many.",
                    field="file",
                    value=manifest.ingest_shards,
                )
            engine = make_engine(settings.owner_database_url, pool_size=1, application_name="cuakhau-cli")
            try:
                return _fill(settings, engine, folder, manifest, identities, replace=replace, began=began)
            finally:
                engine.dispose()


def differences(expected: dict[str, TableContent], found: dict[str, TableContent]) -> list[str]:
    """What is not the same, a line for each table."""
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        wanted, present = expected.get(name), found.get(name)
        if wanted is None or present is None:
            lines.append(f"{name} is {'not expected' if wanted is None else 'missing'}")
        elif wanted != present:
            rows = f"{present.rows} rows for {wanted.rows}" if wanted.rows != present.rows else "other values"
            lines.append(f"{name} holds {rows}")
    return lines


def _fill(
    settings: Settings,
    engine: Engine,
    folder: Path,
    manifest: Manifest,
    identities: Identities,
    *,
    replace: bool,
    began: float,
) -> Restored:
    with engine.connect() as connection:
        parts = backup_store.working_parts(connection)
        if parts:
            raise ConflictError("These parts work on the database; stop them first: {parts}.", parts=", ".join(parts))
        if not replace and not backup_store.is_empty(connection):
            raise ConflictError("The database holds a platform already; give --replace to put the backup in its place.")
    filling = time.monotonic()
    _restore_database(settings, engine, folder / DATABASE, identities)
    database_s = time.monotonic() - filling
    comparing = time.monotonic()
    with engine.connect() as connection:
        faults = differences(manifest.tables, backup_store.table_contents(connection))
    if faults:
        raise ConflictError("What was restored is not what was backed up: {faults}.", faults="; ".join(faults[:20]))
    compared_s = time.monotonic() - comparing
    entries = _restore_streams(settings, folder / STREAMS, identities, replace=replace)
    pictures = _restore_pictures(settings, folder / PICTURES, identities)
    if entries != sum(manifest.streams.values()) or pictures != manifest.pictures:
        raise ConflictError("What was restored is not what was backed up: {faults}.", faults="streams, pictures")
    migrate.upgrade(engine, app_role=make_url(settings.database_url.get_secret_value()).username or "")
    (settings.data_dir / "prepared").unlink(missing_ok=True)  # the next start looks at the schema again
    return Restored(
        made_at=manifest.made_at.isoformat(),
        revision=manifest.revision,
        tables=len(manifest.tables),
        rows=sum(table.rows for table in manifest.tables.values()),
        stream_entries=entries,
        pictures=pictures,
        same_secret_key=key_sum(settings) == manifest.secret_key_sha256,
        database_s=round(database_s, 2),
        compared_s=round(compared_s, 2),
        took_s=round(time.monotonic() - began, 2),
    )


def _open(file: Path, folder: Path, identities: Identities) -> Manifest:
    """Unpack the encrypted members of an archive and check that they are those it was made with."""
    names = (MANIFEST, STREAMS, DATABASE, PICTURES)
    try:
        with tarfile.open(file) as archive:
            members = {member.name: member for member in archive.getmembers() if member.isreg()}
            missing = [name for name in names if name not in members]
            if missing:
                raise InvalidInputError("{path} is no backup: it lacks {missing}.", path=file, missing=missing[0])
            for name in names:
                archive.extract(members[name], folder, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise InvalidInputError("{path} is no backup: {reason}.", path=file, reason=str(error)) from None
    plain = io.BytesIO()
    with (folder / MANIFEST).open("rb") as source:
        decrypt(source, plain, identities)
    try:
        record = json.loads(plain.getvalue())
        if record.get("format") != FORMAT:
            raise InvalidInputError("{path} is of a format that this version cannot read.", path=file)
        manifest = Manifest.model_validate(record)
    except (ValueError, ValidationError) as error:
        raise InvalidInputError("{path} is no backup: {reason}.", path=file, reason=str(error)[:200]) from None
    for name, wanted in manifest.members.items():
        if sha256_of(folder / name) != wanted:
            raise InvalidInputError("{path} was changed: {name} is not what was backed up.", path=file, name=name)
    if not migrate.is_known(manifest.revision):
        raise InvalidInputError(
            "{path} is of the schema {revision}, newer than this version's; install that version first.",
            path=file,
            revision=manifest.revision,
        )
    return manifest


def _restore_database(settings: Settings, engine: Engine, member: Path, identities: Identities) -> None:
    """Put the backup in the place of what is there, which comes back if that fails.

    Rights are given by the migrations, extensions are the server's: neither is restored.
    """
    with engine.begin() as connection:
        backup_store.put_aside(connection)
    arguments = ["--no-owner", "--no-privileges", "--no-comments", "--single-transaction", "--exit-on-error"]
    database = make_url(settings.owner_database_url).database or ""

    def give(target: IO[bytes]) -> None:
        with member.open("rb") as source:
            decrypt(source, target, identities)

    try:
        write_to(settings, "pg_restore", [*arguments, "-d", database], give)
    except BaseException:
        with engine.begin() as connection:
            backup_store.bring_back(connection)
        raise
    with engine.begin() as connection:
        backup_store.drop_aside(connection)


def _restore_streams(settings: Settings, member: Path, identities: Identities, *, replace: bool) -> int:
    """Put the entries back under numbers of their own, in their order; a fix that is stored already is not twice."""
    added = 0
    with closing(open_redis(settings.redis_url.get_secret_value(), client_name="cuakhau-cli")) as redis:
        if replace:  # what waits there belongs to the platform that is replaced
            for name in streams_of(settings.ingest_shards):
                for entry_id, _ in list(entries_of(redis, name)):
                    redis.xdel(name, entry_id)
        with decrypted(member, identities) as source:
            for line in source:
                name, _, fields = msgspec.json.decode(line, type=tuple[str, str, list[tuple[bytes, bytes]]])
                redis.xadd(name, dict(fields))
                added += 1
    return added


def _restore_pictures(settings: Settings, member: Path, identities: Identities) -> int:
    folder = Pictures.of(settings.data_dir).folder
    restored = 0
    with decrypted(member, identities) as source, tarfile.open(fileobj=source, mode="r|") as archive:
        for picture in archive:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            archive.extract(picture, folder, filter="data")
            restored += 1
    return restored


@contextmanager
def decrypted(member: Path, identities: Identities) -> Iterator[IO[bytes]]:
    """What an encrypted member holds, through a pipe."""
    ends = os.pipe()
    failures: list[BaseException] = []

    def decrypt_to_pipe() -> None:
        try:
            with member.open("rb") as source, open(ends[1], "wb") as target:
                decrypt(source, target, identities)
        except BaseException as error:  # told to whoever reads
            failures.append(error)

    worker = threading.Thread(target=decrypt_to_pipe, name="decrypt")
    worker.start()
    try:
        with open(ends[0], "rb") as source:
            yield source
            source.read()
    finally:
        worker.join()
    if failures:
        raise failures[0]
