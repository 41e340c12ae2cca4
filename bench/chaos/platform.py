"""A real platform of its own, as `bin/up` starts it, and ways to hurt it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import psutil
from sqlalchemy import Engine

from app.ops.running import read_note
from geo.database import make_engine

ROOT = Path(__file__).parents[2]
READY_S = 180.0
TRUST = ssl.create_default_context()
"""Made once: a client that makes its own spends more time on it than on most requests."""


class Target(StrEnum):
    """A part that can be killed."""

    WEB = "web"
    WEB_PROCESS = "one web process"
    """Any of those that share the port, where there are several."""
    WORKER = "worker"
    ONE_WORKER = "one worker"
    """Any of the workers, where there are several."""
    CONTROL = "control"
    REDIS = "redis"
    POSTGRES = "postgres"


_COMMANDS = {
    Target.WEB: "serve",
    Target.WORKER: "worker",
    Target.ONE_WORKER: "worker",
    Target.CONTROL: "control",
}
ANY_OF_SEVERAL = frozenset({Target.WEB_PROCESS, Target.ONE_WORKER})


class Loaded(Protocol):
    """What load and verdict need of a platform, however it is spread."""

    @property
    def port(self) -> int:
        """The port of a web process; several have turns."""
        ...

    @property
    def host(self) -> str:
        """The address of a web process."""
        ...

    @property
    def redis_url(self) -> str:
        """Where its Redis answers."""
        ...

    @property
    def engine(self) -> Engine:
        """Connections to its database."""
        ...


@dataclass
class Platform:
    """A running platform: its address, its process, where its servers answer."""

    url: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    note: Mapping[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """The port of its doors."""
        return int(self.url.rpartition(":")[2])

    @property
    def host(self) -> str:
        """The address of its doors."""
        return urlsplit(self.url).hostname or ""

    @property
    def redis_url(self) -> str:
        """Where its Redis answers."""
        return self.note["REDIS_URL"]

    @cached_property
    def engine(self) -> Engine:
        """Connections to its database, for those who look whether it kept its word."""
        return make_engine(self.note["DATABASE_URL"], application_name="cuakhau-chaos")

    def processes(self, target: Target) -> list[psutil.Process]:
        """The processes of a part, those of PostgreSQL with all its children; empty while it is down."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=target is Target.WEB_PROCESS)
            found = [child for child in children if _is(child, target)]
            if target in ANY_OF_SEVERAL:
                return random.sample(found, min(1, len(found)))
            if target is Target.POSTGRES:
                found += [descendant for server in found for descendant in server.children(recursive=True)]
            return found
        return []

    def send(self, target: Target, number: signal.Signals) -> bool:
        """Send a signal to all processes of a part; whether there was one."""
        found = self.processes(target)
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return bool(found)

    def rss_bytes(self, target: Target) -> int:
        """Resident memory of a part, its children included; 0 while it is down."""
        total = 0
        for part in self.processes(target):
            with contextlib.suppress(psutil.NoSuchProcess):
                children = [] if target is Target.POSTGRES else part.children(recursive=True)
                total += sum(int(process.memory_info().rss) for process in (part, *children))
        return total

    def await_ready(self, seconds: float = READY_S) -> float:
        """Wait until every part is there; how long it took.

        Raises
        ------
        RuntimeError
            If it does not come up; with the end of its log.
        """
        began = time.monotonic()
        missing = ""
        with httpx.Client(timeout=5, verify=TRUST) as client:
            while time.monotonic() - began < seconds:
                if self.process.poll() is not None:
                    break
                with contextlib.suppress(httpx.HTTPError):
                    answer = client.get(f"{self.url}/readyz")
                    if answer.status_code == 200:
                        return time.monotonic() - began
                    missing = answer.text
                time.sleep(0.1)
        log = (self.data_dir / "up.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"The platform is not ready: {missing}\n{log}")


def _is(process: psutil.Process, target: Target) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        command = process.cmdline()
        if not command:  # it has ended, and nobody has waited for it yet
            return False
        if target is Target.REDIS:
            return "redis-server" in command[0]
        if target is Target.POSTGRES:
            return Path(command[0]).name == "postgres"
        if target is Target.WEB_PROCESS:
            return "app.cli" in command and "--descriptor" in command
        return "app.cli" in command and command[-1] == _COMMANDS[target]
    return False


@contextlib.contextmanager
def run_platform(
    data_dir: Path,
    *,
    settings: Mapping[str, str] | None = None,
    around: tuple[str, ...] = (),
    demo: bool = False,
) -> Iterator[Platform]:
    """`cuakhau up` on `data_dir`, with the demonstration or without; everything that it started ends with it.

    `settings` are further variables of its environment, `around` is a command that runs the platform's.
    """
    port = free_port()
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL")
    }
    # Programs act for people here: nobody is there to show a second factor.
    environment |= {"PYTHONPATH": str(ROOT), "CUAKHAU_SIGN_IN_RULES": "lenient", "CUAKHAU_NEIGHBOUR_SIMULATORS": "0"}
    environment |= settings or {}
    command = [*around, sys.executable, "-m", "app.cli", "up", "--demo" if demo else "--no-demo", "--port", str(port)]
    with (data_dir / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    platform = Platform(f"http://127.0.0.1:{port}", data_dir, process)
    try:
        platform.await_ready()
        platform.note = read_note(data_dir)
        yield platform
        platform.engine.dispose()
    finally:
        end_process(process)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and whatever it started."""
    started = []
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def free_port() -> int:
    """A port that nobody listens on, below those that clients are given."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = 32_000 - int.from_bytes(os.urandom(2), "big") % 12_000
            probe.bind(("127.0.0.1", port))
            return port
