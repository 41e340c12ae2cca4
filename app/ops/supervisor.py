"""`cuakhau up`: every part of the platform under one foreground process.

Starts the private servers if none are configured, migrates, fills an empty installation, starts the
parts, waits until the platform is ready, and keeps it so: a part that dies is started again. When it
is told to stop, or dies itself, everything it started stops.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO

import httpx
from rich.console import Console
from watchfiles import PythonFilter

import geo
from app.accounts.first_administrator import first_token
from app.integrations.simulators.registry import SIMULATED
from app.ops.child_processes import Part, ends_with_its_parent, start, stop, tend
from app.ops.embedded import EmbeddedServers, Server, ServerUrls
from app.ops.running import OWNER_URL, local_url, running, secret_key
from app.ops.server_user import PRIVATE_UMASK, make_private, write_private
from app.settings import WORKER_NAME, GatewaySettings, NeighbourSettings, OperationsSettings, ProcessSettings
from geo.errors import UnavailableError

READY_TIMEOUT_S = 240.0
LOG_LIMIT_BYTES = 20_000_000
SIMULATED_FAULTS = ("--fails", "0.02", "--repeats", "0.05", "--slow", "0.01", "--shuffle")
"""How the neighbours of the demonstration misbehave, as real ones do."""

PACKAGES_DIR = Path(geo.__file__).parents[1]
PACKAGES = ("app", "geo", "routing", "capacity", "ingest", "maps")


class SourceFilter(PythonFilter):
    """Files that a process reads once, at its start: code, messages, definitions. Templates are read when shown."""

    def __init__(self, *, ignore_paths: Sequence[str | Path] | None = None) -> None:
        super().__init__(ignore_paths=ignore_paths, extra_extensions=(".po", ".yaml"))


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
    _processes: ProcessSettings = field(default_factory=ProcessSettings)

    def run(self) -> int:
        """Bring everything up, wait in the foreground, take everything down; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        self._check_port()
        os.umask(PRIVATE_UMASK)
        make_private(self.data_dir)
        with ExitStack() as stack:
            urls, servers = self._servers(stack)
            environment = self._environment(urls)
            if self._stopping:
                return 0
            simulators = self._simulators(environment)
            owners = environment | {OWNER_URL: urls.owner_url}  # for those who migrate and back up, no part of ours
            stack.enter_context(running(self.data_dir, owners))
            self._prepare(owners)
            parts = [
                self._part("web", environment, "serve"),
                *(self._worker(number, environment) for number in range(1, self._processes.ingest_processes + 1)),
                self._part("control", environment, "control"),
                *simulators,
            ]
            stack.callback(stop, parts)
            for part in parts:
                start(part, self._warn)
            if not self._await_ready([*servers, *parts]):
                return 0 if self._stopping else 1
            self._announce(environment)
            parts += self.gateways(environment, GatewaySettings())
            if self.demo:
                parts.append(self._part("demo", environment, "demo", "run"))
            while not self._stopping:
                self._tend([*servers, *parts])
                time.sleep(0.2)
            self.console.print("Stopping…")
        return 0

    @property
    def url(self) -> str:
        """Where people open the platform."""
        return local_url(self.host, self.port)

    def _check_port(self) -> None:
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise UnavailableError(
                    "Port {port} cannot be used ({reason}); choose another with --port or CUAKHAU_PORT.",
                    port=self.port,
                    reason=error.strerror,
                ) from None

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _servers(self, stack: ExitStack) -> tuple[ServerUrls, list[Part]]:
        """Where the servers answer, and those that are ours to keep running."""
        database_url, redis_url = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        if database_url and redis_url:
            return ServerUrls.of_environment(os.environ), []
        if database_url or redis_url:
            raise UnavailableError("Set both DATABASE_URL and REDIS_URL, or neither for private servers.")
        self.console.print("Starting private PostGIS and Redis…")
        servers = EmbeddedServers(
            self.data_dir,
            wal_archive=OperationsSettings().wal_archive,
            postgres_settings={"max_connections": str(self._processes.max_connections())},
        )
        urls, now = stack.enter_context(servers), time.monotonic()
        return urls, [
            Part(server, partial(servers.launch, server), servers.process(server), starts=1, started_at=now)
            for server in Server
        ]

    def _environment(self, urls: ServerUrls) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name != OWNER_URL}
        environment |= {
            "DATABASE_URL": urls.database_url,
            "REDIS_URL": urls.redis_url,
            "OPEN_DATABASE_URL": urls.open_database_url,
            "CUAKHAU_DATA_DIR": str(self.data_dir),
            "CUAKHAU_DEMO": "1" if self.demo else "0",
            "CUAKHAU_FILES_CHANGE": "1" if self.reload else "0",
            "CUAKHAU_HOST": self.host,
            "CUAKHAU_PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
        }
        if "CUAKHAU_SECRET_KEY" not in environment:
            environment["CUAKHAU_SECRET_KEY"] = secret_key(self.data_dir)
        if self.speed != 1.0:
            environment["CUAKHAU_CLOCK_ORIGIN"] = datetime.now(UTC).isoformat()
            environment["CUAKHAU_CLOCK_SPEED"] = str(self.speed)
        return environment

    def _worker(self, number: int, environment: dict[str, str]) -> Part:
        """Named alike after each start: a worker takes the shards of the one that died in its place at once."""
        part = "ingest" if number == 1 else f"ingest-{number}"
        own_name = f"{socket.gethostname()}-{self.data_dir}" + ("" if number == 1 else f"-{number}")
        return self._part(part, environment | {WORKER_NAME: own_name}, "worker")

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

    def _part(self, name: str, environment: dict[str, str], *arguments: str) -> Part:
        """The part that runs `cuakhau ARGUMENTS`."""

        def launch() -> subprocess.Popen[bytes]:
            command = ends_with_its_parent([sys.executable, "-m", "app.cli", *arguments])
            if self.reload:
                command = ends_with_its_parent(_restarted_on_change(command))
            with self._log(name) as log:
                return subprocess.Popen(
                    command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )

        return Part(name, launch)

    def _simulators(self, environment: dict[str, str]) -> list[Part]:
        """In a demonstration without neighbours, simulated ones; `environment` then says where they are reached."""
        settings = NeighbourSettings()
        if not self.demo or not settings.neighbour_simulators or settings.neighbour_urls:
            return []
        parts, urls = [], {}
        for name in SIMULATED:
            port = _free_port()
            urls[name] = local_url("127.0.0.1", port)
            arguments = ("neighbour", name, "--port", str(port), "--data-dir", str(self.data_dir), *SIMULATED_FAULTS)
            parts.append(self._part(f"neighbour-{name}", environment, *arguments))
        environment["CUAKHAU_NEIGHBOUR_URLS"] = json.dumps(urls)
        return parts

    def gateways(self, environment: dict[str, str], settings: GatewaySettings) -> list[Part]:
        """The gateways that are wanted."""
        ports = settings.terminal_ports()
        parts = [self._part(name, environment, name, "--port", str(port)) for name, port in ports.items()]
        if settings.mqtt_url.get_secret_value():  # the process reads it by itself: an argument would show the password
            parts.append(self._part("mqtt", environment, "mqtt"))
        if settings.traccar_url:
            parts.append(self._part("traccar", environment, "traccar"))
        return parts

    def _warn(self, text: str) -> None:
        """Tell the person in front; what cannot be written (a full disk) must not end the platform."""
        with contextlib.suppress(OSError):
            self.console.print(f"[yellow]{text} See {self.data_dir / 'log'}.[/yellow]")

    def _log(self, name: str) -> IO[bytes]:
        path = self.data_dir / "log" / f"{name}.log"
        path.parent.mkdir(exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def _tend(self, parts: list[Part]) -> None:
        tend(parts, self._warn)

    def _await_ready(self, parts: list[Part]) -> bool:
        deadline = time.monotonic() + READY_TIMEOUT_S
        missing = "web"
        # One client: each that is made loads the system's certificates, which takes longer than the question.
        with self.console.status("Starting…") as status, httpx.Client(timeout=2) as client:
            while not self._stopping:
                try:
                    answer = client.get(f"{self.url}/readyz")
                    if answer.status_code == 200:
                        return True
                    missing = answer.text
                except httpx.HTTPError:
                    pass
                if time.monotonic() > deadline:
                    self.console.print(f"[red]Not ready after {READY_TIMEOUT_S:.0f} s: {missing}[/red]")
                    return False
                status.update(f"Starting… ({missing[:200]})")
                self._tend(parts)
                time.sleep(0.1)
        return False

    def _announce(self, environment: Mapping[str, str]) -> None:
        print(f"\nCửa Khẩu Số: {self.url}\n", flush=True)
        accounts = self.data_dir / "demo-accounts.json"
        if self.demo and accounts.exists():
            print("Demo accounts (traffic is simulated):")
            for role, account in json.loads(accounts.read_text()).items():
                print(f"  {role:<18} {account['username']:<20} {account['password']}")
            print(f"  (kept in {accounts})")
        elif not self.demo:
            token = first_token(environment["CUAKHAU_SECRET_KEY"])
            link = f"{self.url}/first-administrator/{token}"
            if httpx.get(link, timeout=20).status_code == 200:
                print("There is no administrator yet. Open this link, for yourself alone, and become the first:")
                print(f"  {link}")
                print(f"or make one here: bin/cuakhau user create --role administrator NAME --data-dir {self.data_dir}")
        print("\nCtrl-C stops everything.", flush=True)


def _free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
