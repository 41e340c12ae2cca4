"""The platform's parts as processes of their own, and the CPU seconds that each has used."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.ops.embedded import ServerUrls

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 240.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Platform:
    """A running web part and worker."""

    port: int
    pids: dict[str, int]
    """Process by part: `web`, `worker`, and `postgres` and `redis` where they are ours."""

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds of each part so far, its children included."""
        return {part: cpu_s(pid) for part, pid in self.pids.items()}


@contextlib.contextmanager
def start_platform(urls: ServerUrls, servers: dict[str, int], settings: dict[str, str]) -> Iterator[Platform]:
    """Start the web part and one worker.

    `servers` are the processes of the servers, as far as they are known, `settings` more of the environment.

    Raises
    ------
    RuntimeError
        If a part does not come up.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = (
        os.environ
        | settings
        | {
            "DATABASE_URL": urls.database_url,
            "REDIS_URL": urls.redis_url,
            "CUAKHAU_DEMO": "1",
            "CUAKHAU_PORT": str(port),
            "PYTHONPATH": str(ROOT),
        }
    )
    command = [sys.executable, "-c", "from app.cli import app; app()"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    parts = {
        part: subprocess.Popen([*command, name], env=environment, cwd=ROOT, **quiet)
        for part, name in (("worker", "worker"), ("web", "serve"))
    }
    try:
        _await_start(port, list(parts.values()))
        yield Platform(port, {part: process.pid for part, process in parts.items()} | servers)
    finally:
        for process in parts.values():
            process.terminate()
        for process in parts.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_start(port: int, parts: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status < 500:
                return
        if time.monotonic() > deadline or any(part.poll() is not None for part in parts):
            raise RuntimeError("The platform did not start.")
        time.sleep(0.1)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, of its children that ended, and of those that live."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(entry.name) == pid:
                    total += sum(map(int, fields[11:15]))
                elif int(fields[1]) == pid:
                    total += sum(map(int, fields[11:13]))
    return total / _TICKS_PER_S
