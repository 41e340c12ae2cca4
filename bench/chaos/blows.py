"""What can befall a platform: killed parts, servers that hang or stay away, cut lines, a full disk."""

from __future__ import annotations

import contextlib
import errno
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.ops.embedded import EmbeddedServers, Server
from bench.chaos.line import Line, line_to
from bench.chaos.platform import Platform, Target, run_platform

PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Blow:
    """One thing that befalls a platform; `strike` returns when it is over, with the number of kills."""

    name: str
    strike: Callable[[Platform], int]


def kill(*targets: Target) -> Blow:
    """SIGKILL to parts, PostgreSQL with all its children."""

    def strike(platform: Platform) -> int:
        return sum(platform.send(target, signal.SIGKILL) for target in targets)

    return Blow(f"kill {' and '.join(targets)}", strike)


def hang(target: Target, seconds: float) -> Blow:
    """A part stops for a while and goes on: nobody gets an answer, and nobody an error."""

    def strike(platform: Platform) -> int:
        platform.send(target, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            platform.send(target, signal.SIGCONT)
        return 0

    return Blow(f"hang {target} {seconds:.0f} s", strike)


def keep_down(target: Target, seconds: float) -> Blow:
    """Killed again as soon as it is back, for a while."""

    def strike(platform: Platform) -> int:
        kills = 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            kills += platform.send(target, signal.SIGKILL)
            time.sleep(0.05)
        return kills

    return Blow(f"keep {target} down {seconds:.0f} s", strike)


def cut(lines: Mapping[Server, Line], servers: Sequence[Server], seconds: float, *, silently: bool) -> Blow:
    """The lines to servers are cut for a while."""

    def strike(_platform: Platform) -> int:
        for server in servers:
            lines[server].cut(silently=silently)
        time.sleep(seconds)
        for server in servers:
            lines[server].mend()
        return 0

    how = "cut the line to" if silently else "take away"
    return Blow(f"{how} {' and '.join(servers)} {seconds:.0f} s", strike)


def set_clock(file: Path, hours: float, seconds: float) -> Blow:
    """The clock of a platform on `jumping_clock` is wrong by so many hours for a while, then right again."""

    def move(offset_s: int) -> None:
        with file.open("r+b") as opened:
            opened.write(struct.pack("<q", offset_s))

    def strike(_platform: Platform) -> int:
        move(round(hours * 3600.0))
        time.sleep(seconds)
        move(0)
        return 0

    return Blow(f"clock {hours:+.0f} h for {seconds:.0f} s", strike)


def jumping_clock(folder: Path) -> tuple[Path, dict[str, str]]:
    """A file for `set_clock`, and settings by which a platform and its servers see the clock that it moves.

    Without a compiler of C there are no settings.
    """
    file, library = folder / "clock", folder / "clock.so"
    compiler = shutil.which("cc")
    if compiler is None:
        return file, {}
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)], check=True)
    file.write_bytes(bytes(8))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    return file, {"LD_PRELOAD": str(library), "CHAOS_CLOCK_FILE": str(file)}


def fill_disk(folder: Path, seconds: float) -> Blow:
    """The disk of `folder` is full for a while."""

    def strike(_platform: Platform) -> int:
        ballast = folder / "ballast"
        try:
            deadline = time.monotonic() + seconds
            with ballast.open("ab", buffering=0) as file:
                while time.monotonic() < deadline:
                    try:
                        file.write(bytes(PIECE_BYTES))
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        time.sleep(0.05)
        finally:
            ballast.unlink(missing_ok=True)
        return 0

    return Blow(f"full disk {seconds:.0f} s", strike)


@contextlib.contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[bool]:
    """`folder` on a disk of its own of that size; whether that may be done here (it takes the right to mount)."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=755", "cuakhau-small-disk", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextlib.contextmanager
def run_on_lines(folder: Path) -> Iterator[tuple[Platform, dict[Server, Line]]]:
    """A platform that reaches its servers over lines that can be cut, and the lines."""
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(EmbeddedServers(folder / "servers"))
        named = {Server.POSTGRES: urls.database_url, Server.REDIS: urls.redis_url}
        lines = {server: stack.enter_context(line_to(urlsplit(url).port or 0)) for server, url in named.items()}
        over = {
            server: url.replace(f":{urlsplit(url).port}/", f":{lines[server].port}/") for server, url in named.items()
        }
        settings = {
            "DATABASE_URL": over[Server.POSTGRES],
            "MIGRATION_DATABASE_URL": urls.migration_database_url,
            "REDIS_URL": over[Server.REDIS],
        }
        yield stack.enter_context(run_platform(folder, settings=settings)), lines
