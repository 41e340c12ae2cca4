"""A private PostgreSQL with PostGIS and a private Redis, from the system's packages.

Used when no servers are configured: the platform then starts on a bare machine with one command.
Both listen on loopback only, with passwords made at the first start, keep their data under the data
directory, and stop with the process that started them, even if that is killed: the kernel signals
them (`setpriv --pdeathsig`, prctl(2) PR_SET_PDEATHSIG).

Who they run as and how they reach their folders: `app.ops.server_user`. PostgreSQL has four roles: its own
superuser, which only this module uses, to make the others at each start; the owner of the schemas, who migrates; the
application's, which owns nothing; and that of open data, which reads a few views (`app.ops.roles_store`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

import psycopg2
from psycopg2.extensions import connection as Psycopg2Connection  # noqa: N812 - a class
from redis import Redis
from redis.exceptions import RedisError

from app.ops import roles_store
from app.ops.roles_store import APP_ROLE, OPEN_ROLE, OWNER_ROLE
from app.ops.server_user import (
    PRIVATE_UMASK,
    adopt,
    as_server_user,
    in_memory,
    make_private,
    only_owner,
    reach,
    write_private,
)
from geo.errors import ConflictError, UnavailableError

START_TIMEOUT_S = 60.0
DATABASE = "cuakhau"
SUPERUSER = "cuakhau"
"""PostgreSQL's own superuser, who owned everything in earlier versions."""
FIRST_PORT, LAST_PORT = 15_000, 32_000


class Server(StrEnum):
    """A server that the platform can bring with it; its value is the name of its log."""

    POSTGRES = "postgres"
    REDIS = "redis"


@dataclass(frozen=True)
class ServerUrls:
    """Where the two servers answer; the URLs carry passwords.

    `database_url` is the application's, `migration_database_url` the owner's; empty: the same role does both.
    `open_database_url` is that of the role which reads the views for everybody; empty: these are not served.
    """

    database_url: str
    redis_url: str
    migration_database_url: str = ""
    open_database_url: str = ""

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> ServerUrls:
        """The servers that `DATABASE_URL`, `MIGRATION_DATABASE_URL`, `OPEN_DATABASE_URL` and `REDIS_URL` name."""
        owner, reader = environment.get("MIGRATION_DATABASE_URL", ""), environment.get("OPEN_DATABASE_URL", "")
        return cls(environment["DATABASE_URL"], environment["REDIS_URL"], owner, reader)

    @property
    def owner_url(self) -> str:
        """The database as who may change its schema."""
        return self.migration_database_url or self.database_url


class EmbeddedServers:
    """Two private servers under `data_dir`; a context manager.

    `durable=False` gives up crash safety for speed and is for tests only. `wal_archive` is a folder that keeps
    PostgreSQL's write-ahead log, `postgres_settings` are more of its settings.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        wal_archive: Path | None = None,
        postgres_settings: Mapping[str, str] | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.durable = durable
        self.wal_archive = wal_archive
        self.postgres_settings = postgres_settings or {}
        self.start_timeout_s = start_timeout_s
        self._lock: IO[str] | None = None
        self._processes: dict[Server, subprocess.Popen[bytes]] = {}
        self._ports: dict[Server, int] = {}

    def __enter__(self) -> ServerUrls:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> ServerUrls:
        """Start both servers, creating their data at the first start.

        Raises
        ------
        ConflictError
            If another platform already runs on this data directory.
        UnavailableError
            If a program is missing or a server does not come up; the message says what to do.
        """
        find_postgres(), find_redis()  # say what is missing before anything is made
        make_private(self.data_dir)
        self._take_lock()
        try:
            secret = self._credentials()
            self._ports = dict(zip(Server, _free_ports(2), strict=True))
            for server in Server:
                self.launch(server)
            place = f"127.0.0.1:{self._ports[Server.POSTGRES]}/{DATABASE}"
            urls = ServerUrls(
                f"postgresql://{APP_ROLE}:{secret[APP_ROLE]}@{place}",
                f"redis://:{secret['redis']}@127.0.0.1:{self._ports[Server.REDIS]}/0",
                f"postgresql://{OWNER_ROLE}:{secret[OWNER_ROLE]}@{place}",
                f"postgresql://{OPEN_ROLE}:{secret[OPEN_ROLE]}@{place}",
            )
            self._await_postgres(self._ports[Server.POSTGRES], secret)
            self._await_redis(urls.redis_url)
        except BaseException:
            self.stop()
            raise
        return urls

    def launch(self, server: Server) -> subprocess.Popen[bytes]:
        """Start a server's process, or start it again where it answered before; it may not answer yet.

        Only for a server whose process has ended. What a killed PostgreSQL left running is ended first: it would keep
        the new one from starting.
        """
        port, secret = self._ports[server], self._credentials()[server]
        if server is Server.POSTGRES:
            end_left_behind(self.data_dir / "postgres")
            self._processes[server] = self._start_postgres(find_postgres(), port, secret)
        else:
            self._processes[server] = self._start_redis(find_redis(), port, secret)
        return self._processes[server]

    def process(self, server: Server) -> subprocess.Popen[bytes]:
        """The newest process of a server that was started."""
        return self._processes[server]

    def stop(self) -> None:
        """Stop both servers, PostgreSQL by a fast shutdown, and wait for them."""
        _terminate(self._processes.pop(Server.REDIS, None), signal.SIGTERM)
        _terminate(self._processes.pop(Server.POSTGRES, None), signal.SIGINT)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def pids(self) -> dict[str, int]:
        """The process of each server that was started."""
        return {server.value: process.pid for server, process in self._processes.items()}

    def _take_lock(self) -> None:
        # Held through a file descriptor that children do not inherit, so a crash releases it.
        self._lock = open(self.data_dir / "embedded.lock", "w", opener=only_owner)  # noqa: SIM115
        deadline = time.monotonic() + 10
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self._lock.close()
                    self._lock = None
                    raise ConflictError(
                        "Another Cửa Khẩu Số already runs on {path}; stop it or choose another --data-dir.",
                        path=str(self.data_dir),
                    ) from None
                time.sleep(0.2)

    def _credentials(self) -> dict[str, str]:
        path = self.data_dir / "embedded.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        wanted = [*Server, OWNER_ROLE, APP_ROLE, OPEN_ROLE]
        if not known.keys() >= set(wanted):
            known = {name: secrets.token_urlsafe(24) for name in wanted} | known
            write_private(path, json.dumps(known))
        return known

    def _start_postgres(self, bin_dir: Path, port: int, password: str) -> subprocess.Popen[bytes]:
        cluster = self.data_dir / "postgres"
        adopt(cluster)
        if not (cluster / "PG_VERSION").exists():
            self._make_cluster(bin_dir, cluster, password)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "120",
            "shared_buffers": "256MB",
            "work_mem": "16MB",
            "max_wal_size": "2GB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            # Nothing is replicated or recovered: little is logged, and what is, is soon written over.
            settings |= {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "256MB"}
        settings |= self.postgres_settings
        with contextlib.ExitStack() as reached:
            home = reached.enter_context(reach(cluster))
            descriptors = home.descriptors
            if self.wal_archive is not None:
                self.wal_archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                adopt(self.wal_archive)
                archive = reached.enter_context(reach(self.wal_archive.resolve()))
                settings |= archiving(Path(archive.path))
                descriptors += archive.descriptors
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            command = [str(bin_dir / "postgres"), "-D", home.path, *options]
            return self._spawn(command, "postgres.log", signal.SIGINT, descriptors=descriptors)

    def _make_cluster(self, bin_dir: Path, cluster: Path, password: str) -> None:
        """An empty cluster whose superuser has a password that was never in a file."""
        options = ["-U", SUPERUSER, "-A", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"]
        options += [] if self.durable else ["--no-sync"]
        with reach(cluster) as home, in_memory(password) as pwfile:
            done = subprocess.run(
                as_server_user([str(bin_dir / "initdb"), "-D", home.path, "--pwfile", pwfile.path, *options]),
                pass_fds=home.descriptors + pwfile.descriptors,
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
            )
        if done.returncode != 0:
            shutil.rmtree(cluster, ignore_errors=True)
            raise UnavailableError("initdb failed: {reason}", reason=done.stderr.strip()[-500:])

    def _start_redis(self, program: Path, port: int, password: str) -> subprocess.Popen[bytes]:
        folder = self.data_dir / "redis"
        adopt(folder)
        with reach(folder) as home:
            config = [
                "bind 127.0.0.1",
                f"port {port}",
                f"requirepass {password}",
                f'dir "{home.path}"',
                "daemonize no",
                'save ""',
                "appendonly yes",
                f"appendfsync {'always' if self.durable else 'no'}",
                "maxmemory-policy noeviction",
            ]
            stdin = "\n".join(config) + "\n"
            command = [str(program), "-"]
            return self._spawn(command, "redis.log", signal.SIGTERM, stdin=stdin, descriptors=home.descriptors)

    def _spawn(
        self,
        command: list[str],
        log_name: str,
        death_signal: signal.Signals,
        *,
        stdin: str = "",
        descriptors: tuple[int, ...] = (),
    ) -> subprocess.Popen[bytes]:
        log_dir = self.data_dir / "log"
        log_dir.mkdir(mode=0o700, exist_ok=True)
        with open(log_dir / log_name, "ab", opener=only_owner) as log:
            process = subprocess.Popen(
                as_server_user(command, death_signal),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                pass_fds=descriptors,
                umask=PRIVATE_UMASK,
            )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin:  # it ended at once: its log says why
            process.stdin.write(stdin.encode())
        return process

    def _await_postgres(self, port: int, secret: dict[str, str]) -> None:
        deadline = time.monotonic() + self.start_timeout_s
        while True:
            self._check_running(Server.POSTGRES, "PostgreSQL")
            try:
                self._prepare_roles(port, secret)
                return
            except psycopg2.OperationalError as error:
                if time.monotonic() > deadline:
                    raise UnavailableError("PostgreSQL did not come up: {reason}", reason=str(error)) from error
                time.sleep(0.05)

    def _prepare_roles(self, port: int, secret: dict[str, str]) -> None:
        """Who owns and who works; a data directory of an earlier version is handed over to its owner."""

        def connect(database: str) -> contextlib.closing[Psycopg2Connection]:
            made = psycopg2.connect(
                host="127.0.0.1", port=port, user=SUPERUSER, password=secret[Server.POSTGRES], dbname=database
            )
            made.autocommit = True
            return contextlib.closing(made)

        with connect("template1") as server:
            roles_store.make_roles(server, {role: secret[role] for role in (OWNER_ROLE, APP_ROLE, OPEN_ROLE)})
            roles_store.add_postgis(server)
        with connect("postgres") as server:  # a database cannot be copied while somebody is in the template
            roles_store.make_database(server, DATABASE)
        with connect(DATABASE) as server:
            roles_store.add_postgis(server)
            roles_store.hand_over(server)

    def _await_redis(self, url: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with contextlib.closing(Redis.from_url(url)) as redis:
            while True:
                self._check_running(Server.REDIS, "Redis")
                try:
                    redis.ping()
                    return
                except RedisError as error:
                    if time.monotonic() > deadline:
                        raise UnavailableError("Redis did not come up: {reason}", reason=str(error)) from error
                    time.sleep(0.05)

    def _check_running(self, server: Server, name: str) -> None:
        if self._processes[server].poll() is not None:
            log = (self.data_dir / "log" / f"{server}.log").read_text(errors="replace")[-600:]
            raise UnavailableError("{name} stopped while starting; its log ends with: {log}", name=name, log=log)


def archiving(folder: Path) -> dict[str, str]:
    """PostgreSQL's settings that keep each full segment of its log in `folder`, compressed, at least once a minute."""
    part, kept = f'"{folder}/.%f.part"', f'"{folder}/%f.gz"'
    return {
        "archive_mode": "on",
        "archive_timeout": "60",
        "archive_command": f'test ! -e {kept} && gzip -1 -c "%p" > {part} && sync {part} && mv {part} {kept}',
    }


def find_postgres() -> Path:
    """The folder of PostgreSQL's programs, the newest version that has PostGIS.

    Raises
    ------
    UnavailableError
        If there is none.
    """
    found: list[tuple[int, Path]] = []
    for folder in Path("/usr/lib/postgresql").glob("*/bin"):
        version = folder.parent.name
        control = Path("/usr/share/postgresql") / version / "extension" / "postgis.control"
        if re.fullmatch(r"\d+", version) and (folder / "postgres").exists() and control.exists():
            found.append((int(version), folder))
    if not found:
        raise UnavailableError(
            "PostgreSQL with PostGIS is not installed; install the packages postgresql and postgresql-postgis, "
            "or set DATABASE_URL to a server that has them."
        )
    return max(found)[1]


def find_redis() -> Path:
    """The program `redis-server`.

    Raises
    ------
    UnavailableError
        If there is none.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise UnavailableError("redis-server is not installed; install it, or set REDIS_URL to a running server.")
    return Path(program)


def end_left_behind(cluster: Path) -> None:
    """Kill the processes of a PostgreSQL that was killed on `cluster` itself; each of them works in that folder."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # it ended just now, or is not ours to see
            if os.readlink(entry / "cwd") == str(cluster) and Path(os.readlink(entry / "exe")).name == "postgres":
                os.kill(int(entry.name), signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    """Free ports below those that the kernel gives to clients.

    Among those a client that asks for a server just killed may get the server's own port, connect to itself, and keep
    the server from coming back.
    """
    found: list[int] = []
    while len(found) < count:
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


def _terminate(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
