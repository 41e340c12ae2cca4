"""Recovery of the private PostgreSQL to a point in time: base backups, the archive of the write-ahead log, replay.

PostgreSQL documentation, 26.3 "Continuous Archiving and Point-in-Time Recovery". Of a server that is not ours,
whoever runs it does this with their own tools.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from sqlalchemy import make_url

from app.ops.embedded import SUPERUSER, EmbeddedServers, find_postgres
from app.ops.server_user import adopt_all, write_private
from app.settings import OperationsSettings, Settings
from geo.errors import ConflictError, InvalidInputError, UnavailableError

PREFIX: Final = "base-"
KEPT_BASES: Final = 2
SEGMENT: Final = re.compile(r"\(file ([0-9A-F]{24})\)")
RECOVERY_S: Final = 24 * 3600.0


class BaseBackup(BaseModel):
    """A copy of the cluster that replay can begin with, and which older ones were erased."""

    folder: str
    took_s: float
    removed: list[str]


class Recovered(BaseModel):
    """A cluster brought to a moment; `put_aside` is the folder of the one that was there."""

    to: str
    put_aside: str | None
    took_s: float


def make_base_backup(settings: Settings, folder: Path) -> BaseBackup:
    """Copy the private PostgreSQL of the running platform into a new folder in `folder`, checked by its manifest.

    The newest `KEPT_BASES` are kept, and of the archive what they need.

    Raises
    ------
    UnavailableError
        If the server is not the platform's own, or the copy fails.
    """
    began, target = time.monotonic(), folder / f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = make_url(settings.owner_database_url)
    credentials = settings.data_dir / "embedded.json"
    if not credentials.exists():
        raise UnavailableError("The database is no private one of this data directory; its own tools copy it.")
    environment = os.environ | {"PGPASSWORD": json.loads(credentials.read_text())["postgres"]}
    place = ["-h", str(url.host), "-p", str(url.port), "-U", SUPERUSER]
    _run("pg_basebackup", [*place, "-D", str(target), "-X", "stream", "--checkpoint=fast"], environment)
    _run("pg_verifybackup", [str(target)])
    write_private(_end_file(target), datetime.now(UTC).isoformat())
    kept = sorted(path for path in folder.glob(f"{PREFIX}*") if path.is_dir())
    removed, kept = kept[:-KEPT_BASES], kept[-KEPT_BASES:]
    for old in removed:
        shutil.rmtree(old)
        _end_file(old).unlink(missing_ok=True)
    archive = OperationsSettings().wal_archive
    oldest = SEGMENT.search((kept[0] / "backup_label").read_text())
    if archive is not None and removed and oldest is not None:
        _run("pg_archivecleanup", ["-x", ".gz", str(archive), oldest[1]])
    return BaseBackup(
        folder=str(target), took_s=round(time.monotonic() - began, 2), removed=[str(path) for path in removed]
    )


def recover_to(data_dir: Path, base: Path, archive: Path, to: datetime) -> Recovered:
    """Put the cluster as it was at `to` in the place of the one of `data_dir`, which is put aside.

    Raises
    ------
    InvalidInputError
        If `to` is before the base backup or after everything archived, or the base backup is damaged; the present
        cluster is then in its place again.
    ConflictError
        If a platform runs there.
    """
    began, cluster = time.monotonic(), data_dir / "postgres"
    _refuse_running(data_dir)
    try:
        _run("pg_verifybackup", [str(base)])
        ended_at = datetime.fromisoformat(_end_file(base).read_text())
    except (UnavailableError, OSError, ValueError) as error:
        raise InvalidInputError("{path} cannot be used: {reason}", field="base", path=base, reason=str(error)) from None
    if to < ended_at:
        raise InvalidInputError(
            "It cannot be brought to {value}: the base backup was made until {ended_at}; take an older one.",
            field="to",
            value=to.isoformat(),
            ended_at=ended_at.isoformat(),
        )
    aside = None
    if cluster.exists():
        aside = data_dir / f"postgres-before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        cluster.rename(aside)
    try:
        _replay(data_dir, base, archive, to)
    except BaseException as error:
        shutil.rmtree(cluster, ignore_errors=True)
        if aside is not None:
            aside.rename(cluster)
        if isinstance(error, UnavailableError):
            raise InvalidInputError(
                "It cannot be brought to {value}: {reason}", field="to", value=to.isoformat(), reason=str(error)
            ) from error
        raise
    return Recovered(
        to=to.isoformat(),
        put_aside=None if aside is None else str(aside),
        took_s=round(time.monotonic() - began, 2),
    )


def _end_file(base: Path) -> Path:
    """Beside a base backup, whose own files are all in its manifest: until when it was made."""
    return base.with_name(f"{base.name}.ended")


def _refuse_running(data_dir: Path) -> None:
    with (data_dir / "embedded.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("A platform runs on {folder}; stop it first.", folder=data_dir) from None


def _replay(data_dir: Path, base: Path, archive: Path, to: datetime) -> None:
    cluster = data_dir / "postgres"
    shutil.copytree(base, cluster, symlinks=True)
    logs = cluster / "replayed"  # in its own folder the server reaches them whoever it runs as
    shutil.copytree(archive, logs)
    (cluster / "recovery.signal").touch()
    settings = {
        "restore_command": "gunzip -c replayed/%f.gz > %p",
        "recovery_target_time": to.astimezone(UTC).isoformat(),
        "recovery_target_action": "promote",
        "hot_standby": "off",  # nobody gets in before it is through
    }
    servers = EmbeddedServers(data_dir, postgres_settings=settings, start_timeout_s=RECOVERY_S)
    adopt_all(cluster)
    with servers:
        pass
    shutil.rmtree(logs)


def _run(program: str, arguments: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(find_postgres() / program), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = " ".join(done.stderr.split())[-1000:]
        raise UnavailableError("{program} failed: {reason}", program=program, reason=reason)
