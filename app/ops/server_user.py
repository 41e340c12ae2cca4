"""Whom the private servers run as, what they may do, and the files that only their owner reads.

PostgreSQL refuses to run as root. Started as root, the servers run as the user `postgres` (or `nobody`) without any
capability and without a way to gain one. Their folders lie in a data directory that nobody else may enter, root's home
perhaps: they are handed over as open descriptors (`/proc/self/fd/N`, proc_pid_fd(5)), which are followed without asking
who may enter the folders above.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geo.errors import UnavailableError

PRIVATE_UMASK = 0o077
"""What the platform's processes make is their owner's alone."""


@dataclass(frozen=True)
class Reached:
    """A folder or file as a child process finds it: its path there, and the descriptors to pass on."""

    path: str
    descriptors: tuple[int, ...] = ()


def server_user() -> pwd.struct_passwd | None:
    """Whom the servers run as if we are root; `None` if we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise UnavailableError("PostgreSQL does not run as root and there is no user postgres or nobody to run it as.")


def as_server_user(command: list[str], death_signal: signal.Signals | None = None) -> list[str]:
    """`command`, run as the user of the servers if we are root, and ended by a signal when its parent ends."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UnavailableError("The program setpriv (package util-linux) is not installed.")
    options = ["--no-new-privs"]
    if death_signal is not None:
        options += ["--pdeathsig", death_signal.name.removeprefix("SIG")]
    user = server_user()
    if user is not None:
        options += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--inh-caps=-all"]
    return [setpriv, *options, "--", *command]


def adopt(path: Path) -> None:
    """Make `path` a private folder of the user the servers run as."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    user = server_user()
    if user is not None and path.stat().st_uid != user.pw_uid:
        os.chown(path, user.pw_uid, user.pw_gid)


def adopt_all(path: Path) -> None:
    """Make a folder and everything in it private to the user the servers run as."""
    adopt(path)
    owner = path.stat()
    for each in path.rglob("*"):
        os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextlib.contextmanager
def reach(folder: Path) -> Iterator[Reached]:
    """`folder` as the servers' user reaches it, whoever may enter the folders above it."""
    if server_user() is None:
        yield Reached(str(folder))
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Reached(f"/proc/self/fd/{descriptor}", (descriptor,))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def in_memory(text: str) -> Iterator[Reached]:
    """A file with `text` that lies on no disk and that a child of the servers' user can read, and nobody else."""
    descriptor = os.memfd_create("cuakhau")
    try:
        os.write(descriptor, text.encode())
        os.fchmod(descriptor, 0o600)
        user = server_user()
        if user is not None:
            os.fchown(descriptor, user.pw_uid, user.pw_gid)
        yield Reached(f"/proc/self/fd/{descriptor}", (descriptor,))
    finally:
        os.close(descriptor)


def only_owner(path: str, flags: int) -> int:
    """An opener (`open(…, opener=only_owner)`) of files that only their owner may read."""
    return os.open(path, flags, 0o600)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def make_private(data_dir: Path) -> None:
    """Make a data directory that only its owner enters; one of an earlier version becomes so, with what lies in it.

    A folder that belongs to somebody else, or that others put files into (`/tmp`), is left as it is: what the platform
    makes in it is private all the same.
    """
    data_dir.mkdir(parents=True, mode=0o700, exist_ok=True)
    found = data_dir.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o1000:
        return
    data_dir.chmod(0o700)
    for path in data_dir.iterdir():
        if path.name not in ("postgres", "redis"):  # the servers' own, private since they were made
            _close(path)


def _close(path: Path) -> None:
    with contextlib.suppress(OSError):  # gone just now, or not ours
        if path.is_symlink():
            return
        path.chmod(path.stat().st_mode & 0o700)
        if path.is_dir():
            for inner in path.iterdir():
                _close(inner)
