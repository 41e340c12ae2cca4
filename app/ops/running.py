"""The platform that runs on a data directory: `cuakhau up` writes down how to reach it, every other command reads it.

The note holds passwords, so only its owner may read it. It counts while the process that wrote it holds its lock; the
kernel lets go for a process that dies, so that a note left behind misleads nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from app.ops.embedded import EmbeddedServers
from app.ops.server_user import only_owner, write_private
from app.settings import WORKER_NAME, Settings, get_settings
from geo.errors import ConflictError, UnavailableError

NOTE: Final = "running.json"
LOCK: Final = "running.lock"
OWNER_URL: Final = "MIGRATION_DATABASE_URL"
_SERVERS: Final = ("DATABASE_URL", "REDIS_URL")


@contextmanager
def running(data_dir: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Let other commands find the platform that runs on `data_dir` with some environment, until the context ends.

    Raises
    ------
    UnavailableError
        If another one runs there.
    """
    note = data_dir / NOTE
    with open(data_dir / LOCK, "w", opener=only_owner) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError("A platform runs on {folder} already.", folder=data_dir) from None
        kept = {
            name: value
            for name, value in environment.items()
            if name in (*_SERVERS, OWNER_URL) or name.startswith("CUAKHAU_")
        }
        kept.pop(WORKER_NAME, None)  # a worker that is started beside it needs a name of its own
        write_private(note, json.dumps(kept))
        try:
            yield
        finally:
            note.unlink(missing_ok=True)


def find_settings(data_dir: Path) -> Settings:
    """The settings of the environment if it names the servers, else of the platform that runs on `data_dir`.

    Raises
    ------
    UnavailableError
        If none runs there, or what the environment says cannot be used.
    """
    if not any(os.environ.get(name) for name in _SERVERS):
        os.environ.update(read_note(data_dir))  # for the processes that this one starts, too
    try:
        return get_settings()
    except ValidationError as error:
        reasons = "; ".join(str(fault["msg"]) for fault in error.errors())
        raise UnavailableError("The settings cannot be used: {reason}", reason=reasons) from None


@contextmanager
def servers_of(data_dir: Path) -> Iterator[Settings]:
    """The servers that the environment names, else the private ones of `data_dir`, started for as long as this lasts.

    Raises
    ------
    ConflictError
        If a platform runs on `data_dir`.
    """
    if any(os.environ.get(name) for name in _SERVERS):
        yield find_settings(data_dir)
        return
    try:
        read_note(data_dir)
    except UnavailableError:
        pass
    else:
        raise ConflictError("A platform runs on {folder}; stop it first.", folder=data_dir)
    servers = EmbeddedServers(data_dir)
    with servers as urls:
        named = {"DATABASE_URL": urls.database_url, "REDIS_URL": urls.redis_url, "CUAKHAU_DATA_DIR": str(data_dir)}
        if urls.migration_database_url:
            named[OWNER_URL] = urls.migration_database_url
        if "CUAKHAU_SECRET_KEY" not in os.environ:
            named["CUAKHAU_SECRET_KEY"] = secret_key(data_dir)
        before = dict(os.environ)
        os.environ.update(named)
        get_settings.cache_clear()
        try:
            yield find_settings(data_dir)
        finally:
            for name in named:
                os.environ.pop(name)
            os.environ.update(before)
            get_settings.cache_clear()


def secret_key(data_dir: Path) -> str:
    """The secret key of the platform on a data directory, made at its first start."""
    path = data_dir / "secret-key"
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    return path.read_text()


def find_url(data_dir: Path) -> str:
    """Where people open the platform that runs on `data_dir`; of one elsewhere, what the environment says."""
    settings = find_settings(data_dir)
    return settings.public_url or local_url(settings.host, settings.port)


def local_url(host: str, port: int) -> str:
    """The address of a platform on this machine that listens on a host and port."""
    reached = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not listened on
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}"


def read_note(data_dir: Path) -> dict[str, str]:
    """The environment of the platform that runs on `data_dir`, as far as others need it.

    Raises
    ------
    UnavailableError
        If none runs there, or it is another user's.
    """
    nobody = UnavailableError(
        "No platform runs on {folder}. Start it with bin/up --data-dir {folder}, name its folder with --data-dir, or "
        "set DATABASE_URL and REDIS_URL.",
        folder=data_dir,
    )
    try:
        with (data_dir / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:  # its owner holds it: it runs
        pass
    except FileNotFoundError:
        raise nobody from None
    except PermissionError:
        raise UnavailableError("The platform on {folder} is another user's.", folder=data_dir) from None
    else:
        raise nobody
    try:
        noted: dict[str, str] = json.loads((data_dir / NOTE).read_text())
    except FileNotFoundError:
        raise UnavailableError("The platform on {folder} is just starting or stopping.", folder=data_dir) from None
    except PermissionError:
        raise UnavailableError("The platform on {folder} is another user's.", folder=data_dir) from None
    return noted
