"""`cuakhau up`: every part of the platform under one foreground process.

Starts the private servers if none are configured, migrates, fills an empty installation, starts the
parts, waits until the platform is ready, and keeps it so: a part that dies is started again. When it
is told to stop, or dies itself, everything it started stops.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import IO

import httpx
from rich.console import Console
from watchfiles import PythonFilter

import geo
from app.ops.embedded import EmbeddedServers, ServerUrls, write_private
from geo.errors import UnavailableError

READY_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 15.0
LOG_LIMIT_BYTES = 20_000_000


PACKAGES_DIR = Path(geo.__file__).parents[1]
PACKAGES = ("app", "geo", "routing", "capacity", "ingest", "maps")


class SourceFilter(PythonFilter):
    """Files that a process reads once, at its start: code, messages, definitions. Templates are read when shown."""

    def __init__(self, *, ignore_paths: Sequence[str | Path] | None = None) -> None:
        super().__init__(ignore_paths=ignore_paths, extra_extensions=(".po", ".yaml"))


@dataclass
class Part:
    """One child process and how often it had to be started."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    started_at: float = 0.0
    next_start: float = 0.0


@dataclass
class Supervisor:
    """Runs the platform on `data_dir` at `host:port` until it is told to stop.

    With `reload` each part starts again when its code, messages or definitions change.
    """

    data_dir: Path
    host: str
    port: int
    demo: bool
    speed: float = 1.0
    reload: bool = False
    console: Console = field(default_factory=lambda: Console(stderr=True))
    _stopping: bool = False

    def run(self) -> int:
        """Bring everything up, wait in the foreground, take everything down; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        self._check_port()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            environment = self._environment(self._servers(stack))
            if self._stopping:
                return 0
            self._prepare(environment)
            parts = [Part("web", ["serve"]), Part("ingest", ["worker"]), Part("control", ["control"])]
            stack.callback(self._stop, parts)
            for part in parts:
                self._start(part, environment)
            if not self._await_ready(parts, environment):
                return 0 if self._stopping else 1
            self._announce()
            if self.demo:
                parts.append(Part("demo", ["demo", "run"]))
            while not self._stopping:
                self._tend(parts, environment)
                time.sleep(0.5)
            self.console.print("Stopping…")
        return 0

    @property
    def url(self) -> str:
        """Where people open the platform."""
        return f"http://{'127.0.0.1' if self.host in ('0.0.0.0', '::') else self.host}:{self.port}"  # noqa: S104

    def _check_port(self) -> None:
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise UnavailableError(
                    "Port {port} cannot be used ({reason}); choose another with --port.",
                    port=self.port,
                    reason=error.strerror,
                ) from None

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _servers(self, stack: ExitStack) -> ServerUrls:
        database_url, redis_url = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        if database_url and redis_url:
            return ServerUrls(database_url, redis_url)
        if database_url or redis_url:
            raise UnavailableError("Set both DATABASE_URL and REDIS_URL, or neither for private servers.")
        self.console.print("Starting private PostGIS and Redis…")
        return stack.enter_context(EmbeddedServers(self.data_dir))

    def _environment(self, urls: ServerUrls) -> dict[str, str]:
        environment = dict(os.environ)
        environment |= {
            "DATABASE_URL": urls.database_url,
            "REDIS_URL": urls.redis_url,
            "CUAKHAU_DATA_DIR": str(self.data_dir),
            "CUAKHAU_DEMO": "1" if self.demo else "0",
            "CUAKHAU_HOST": self.host,
            "CUAKHAU_PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
        }
        if "CUAKHAU_SECRET_KEY" not in environment:
            environment["CUAKHAU_SECRET_KEY"] = self._secret_key()
        if self.speed != 1.0:
            environment["CUAKHAU_CLOCK_ORIGIN"] = datetime.now(UTC).isoformat()
            environment["CUAKHAU_CLOCK_SPEED"] = str(self.speed)
        return environment

    def _secret_key(self) -> str:
        path = self.data_dir / "secret-key"
        if not path.exists():
            write_private(path, secrets.token_hex(32))
        return path.read_text()

    def _prepare(self, environment: dict[str, str]) -> None:
        """Migrate and fill, unless this very version already did so in this data directory."""
        done = self.data_dir / "prepared"
        fingerprint = f"{_fingerprint()} demo={self.demo}"
        own_servers = environment["DATABASE_URL"] != os.environ.get("DATABASE_URL")
        if own_servers and done.exists() and done.read_text() == fingerprint:
            return
        done.unlink(missing_ok=True)
        with self.console.status("Preparing the database…"):
            self._command(["migrate"], environment)
        if self.demo:
            with self.console.status("Preparing the demonstration…"):
                self._command(["demo", "seed"], environment)
        write_private(done, fingerprint)

    def _command(self, arguments: list[str], environment: dict[str, str]) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise UnavailableError(
                "cuakhau {command} failed: {reason}",
                command=" ".join(arguments),
                reason=(done.stderr or done.stdout).strip()[-2000:],
            )

    def _start(self, part: Part, environment: dict[str, str]) -> None:
        command = _ends_with_its_parent([sys.executable, "-m", "app.cli", *part.arguments])
        if self.reload:
            command = _ends_with_its_parent(_restarted_on_change(command))
        with self._log(part) as log:
            part.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        part.starts += 1
        part.started_at = time.monotonic()

    def _log(self, part: Part) -> IO[bytes]:
        path = self.data_dir / "log" / f"{part.name}.log"
        path.parent.mkdir(exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def _tend(self, parts: list[Part], environment: dict[str, str]) -> None:
        """Start again what has died, at once the first time, later with growing pauses."""
        now = time.monotonic()
        for part in parts:
            if part.process is None:
                self._start(part, environment)
                continue
            if part.process.poll() is None:
                continue
            if part.next_start < part.started_at:
                lived_s = now - part.started_at
                part.starts = 1 if lived_s > 60 else part.starts
                part.next_start = now + min(30.0, 2.0 ** (part.starts - 1) - 1)
                self.console.print(
                    f"[yellow]{part.name} stopped (status {part.process.returncode}); see "
                    f"{self.data_dir / 'log' / (part.name + '.log')}. Starting it again.[/yellow]"
                )
            if now >= part.next_start:
                self._start(part, environment)

    def _await_ready(self, parts: list[Part], environment: dict[str, str]) -> bool:
        deadline = time.monotonic() + READY_TIMEOUT_S
        missing = "web"
        with self.console.status("Starting…") as status:
            while not self._stopping:
                try:
                    answer = httpx.get(f"{self.url}/readyz", timeout=2)
                    if answer.status_code == 200:
                        return True
                    missing = answer.text
                except httpx.HTTPError:
                    pass
                if time.monotonic() > deadline:
                    self.console.print(f"[red]Not ready after {READY_TIMEOUT_S:.0f} s: {missing}[/red]")
                    return False
                status.update(f"Starting… ({missing[:200]})")
                self._tend(parts, environment)
                time.sleep(0.1)
        return False

    def _announce(self) -> None:
        print(f"\nCửa Khẩu Số: {self.url}\n", flush=True)
        accounts = self.data_dir / "demo-accounts.json"
        if self.demo and accounts.exists():
            print("Demo accounts (traffic is simulated):")
            for role, account in json.loads(accounts.read_text()).items():
                print(f"  {role:<18} {account['username']:<20} {account['password']}")
            print(f"  (kept in {accounts})")
        elif not self.demo:
            print("No accounts yet? Make the first: bin/cuakhau user create --role administrator NAME")
        print("\nCtrl-C stops everything.", flush=True)

    def _stop(self, parts: list[Part]) -> None:
        for part in reversed(parts):
            if part.process is not None and part.process.poll() is None:
                part.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for part in parts:
            if part.process is None:
                continue
            try:
                part.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()


def _ends_with_its_parent(command: list[str]) -> list[str]:
    """`command`, stopped by the kernel should the process that starts it be killed."""
    setpriv = shutil.which("setpriv")
    return command if setpriv is None else [setpriv, "--pdeathsig", "TERM", "--", *command]


def _restarted_on_change(command: list[str]) -> list[str]:
    """`command` under watchfiles, which starts it again when a source file changes."""
    return [
        *(sys.executable, "-m", "watchfiles", "--target-type", "command", "--sigint-timeout", "3"),
        *("--filter", f"{SourceFilter.__module__}.{SourceFilter.__qualname__}"),
        shlex.join(command),
        *(str(PACKAGES_DIR / package) for package in PACKAGES),
    ]


def _fingerprint() -> str:
    """What a prepared data directory depends on: the migrations, the shipped corridor and demo day."""
    here = Path(__file__).parents[1]
    files = [
        *sorted((here / "migrations" / "versions").glob("*.py")),
        *sorted((here / "demo").rglob("*.parquet")),
        here.parent / "geo" / "data" / "corridor.geojson",
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
