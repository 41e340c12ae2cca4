"""A private PostgreSQL with PostGIS and a private Redis, from the system's packages.

Used when no servers are configured: the platform then starts on a bare machine with one command.
Both listen on loopback only, with passwords made at the first start, keep their data under the data
directory, and stop with the process that started them, even if that is killed: the kernel signals
them (`setpriv --pdeathsig`, prctl(2) PR_SET_PDEATHSIG).

PostgreSQL refuses to run as root. Started as root, the servers run as the user `postgres` (or
`nobody`), which keeps only the capability to pass file permissions, so that a data directory inside
root's home works too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg2
from redis import Redis
from redis.exceptions import RedisError

from geo.errors import ConflictError, UnavailableError

START_TIMEOUT_S = 60.0
DATABASE = "cuakhau"


@dataclass(frozen=True)
class ServerUrls:
    """Where the two servers answer; both URLs carry a password."""

    database_url: str
    redis_url: str


class EmbeddedServers:
    """Two private servers under `data_dir`; a context manager.

    `durable=False` gives up crash safety for speed and is for tests only.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self.durable = durable
        self._lock: IO[str] | None = None
        self._postgres: subprocess.Popen[bytes] | None = None
        self._redis: subprocess.Popen[bytes] | None = None

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
        postgres_bin, redis_server = find_postgres(), find_redis()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            secret = self._credentials()
            postgres_port, redis_port = _free_ports(2)
            self._start_postgres(postgres_bin, postgres_port, secret["postgres"])
            self._start_redis(redis_server, redis_port, secret["redis"])
            urls = ServerUrls(
                f"postgresql://cuakhau:{secret['postgres']}@127.0.0.1:{postgres_port}/{DATABASE}",
                f"redis://:{secret['redis']}@127.0.0.1:{redis_port}/0",
            )
            self._await_postgres(postgres_port, secret["postgres"])
            self._await_redis(urls.redis_url)
        except BaseException:
            self.stop()
            raise
        return urls

    def stop(self) -> None:
        """Stop both servers, PostgreSQL by a fast shutdown, and wait for them."""
        _terminate(self._redis, signal.SIGTERM)
        _terminate(self._postgres, signal.SIGINT)
        self._redis = self._postgres = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def alive(self) -> bool:
        """Whether both server processes still run."""
        return all(process is not None and process.poll() is None for process in (self._postgres, self._redis))

    def _take_lock(self) -> None:
        # Held through a file descriptor that children do not inherit, so a crash releases it.
        self._lock = (self.data_dir / "embedded.lock").open("w")
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
        if not path.exists():
            secret = {"postgres": secrets.token_urlsafe(24), "redis": secrets.token_urlsafe(24)}
            write_private(path, json.dumps(secret))
        loaded: dict[str, str] = json.loads(path.read_text())
        return loaded

    def _start_postgres(self, bin_dir: Path, port: int, password: str) -> None:
        cluster = self.data_dir / "postgres"
        self._adopt(cluster)
        if not (cluster / "PG_VERSION").exists():
            with tempfile.NamedTemporaryFile("w", dir=self.data_dir, prefix="pw") as pwfile:
                pwfile.write(password)
                pwfile.flush()
                os.chmod(pwfile.name, 0o644 if os.geteuid() == 0 else 0o600)
                sync = [] if self.durable else ["--no-sync"]
                command = [
                    str(bin_dir / "initdb"),
                    "-D",
                    str(cluster),
                    "-U",
                    "cuakhau",
                    "-A",
                    "scram-sha-256",
                    "--pwfile",
                    pwfile.name,
                    "--encoding",
                    "UTF8",
                    "--locale",
                    "C.UTF-8",
                    *sync,
                ]
                done = subprocess.run(_as_server_user(command), capture_output=True, text=True, check=False, cwd="/")
            if done.returncode != 0:
                shutil.rmtree(cluster, ignore_errors=True)
                raise UnavailableError("initdb failed: {reason}", reason=done.stderr.strip()[-500:])
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
        command = [str(bin_dir / "postgres"), "-D", str(cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._postgres = self._spawn(command, "postgres.log", signal.SIGINT)

    def _start_redis(self, program: Path, port: int, password: str) -> None:
        home = self.data_dir / "redis"
        self._adopt(home)
        config = [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            f'dir "{home}"',
            "daemonize no",
            'save ""',
            "appendonly yes",
            f"appendfsync {'always' if self.durable else 'no'}",
            "maxmemory-policy noeviction",
        ]
        self._redis = self._spawn([str(program), "-"], "redis.log", signal.SIGTERM, stdin="\n".join(config) + "\n")

    def _spawn(
        self, command: list[str], log_name: str, death_signal: signal.Signals, stdin: str = ""
    ) -> subprocess.Popen[bytes]:
        log_dir = self.data_dir / "log"
        log_dir.mkdir(exist_ok=True)
        with (log_dir / log_name).open("ab") as log:
            process = subprocess.Popen(
                _as_server_user(command, death_signal),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )
        assert process.stdin is not None
        process.stdin.write(stdin.encode())
        process.stdin.close()
        return process

    def _adopt(self, path: Path) -> None:
        """Make `path` a private folder of the user the servers run as."""
        path.mkdir(mode=0o700, exist_ok=True)
        user = _server_user()
        if user is not None and path.stat().st_uid != user.pw_uid:
            os.chown(path, user.pw_uid, user.pw_gid)

    def _await_postgres(self, port: int, password: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            self._check_running(self._postgres, "PostgreSQL", "postgres.log")
            try:
                connection = psycopg2.connect(
                    host="127.0.0.1", port=port, user="cuakhau", password=password, dbname="postgres"
                )
                break
            except psycopg2.OperationalError as error:
                if time.monotonic() > deadline:
                    raise UnavailableError("PostgreSQL did not come up: {reason}", reason=str(error)) from error
                time.sleep(0.05)
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{DATABASE}"')

    def _await_redis(self, url: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with contextlib.closing(Redis.from_url(url)) as redis:
            while True:
                self._check_running(self._redis, "Redis", "redis.log")
                try:
                    redis.ping()
                    return
                except RedisError as error:
                    if time.monotonic() > deadline:
                        raise UnavailableError("Redis did not come up: {reason}", reason=str(error)) from error
                    time.sleep(0.05)

    def _check_running(self, process: subprocess.Popen[bytes] | None, name: str, log_name: str) -> None:
        if process is not None and process.poll() is not None:
            log = (self.data_dir / "log" / log_name).read_text(errors="replace")[-600:]
            raise UnavailableError("{name} stopped while starting; its log ends with: {log}", name=name, log=log)


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


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def _server_user() -> pwd.struct_passwd | None:
    """Whom the servers run as if we are root; `None` if we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise UnavailableError("PostgreSQL does not run as root and there is no user postgres or nobody to run it as.")


def _as_server_user(command: list[str], death_signal: signal.Signals | None = None) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UnavailableError("The program setpriv (package util-linux) is not installed.")
    options: list[str] = []
    if death_signal is not None:
        options += ["--pdeathsig", death_signal.name.removeprefix("SIG")]
    user = _server_user()
    if user is not None:
        options += [
            f"--reuid={user.pw_uid}",
            f"--regid={user.pw_gid}",
            "--clear-groups",
            "--inh-caps=-all,+dac_override",
            "--ambient-caps=-all,+dac_override",
        ]
    return [setpriv, *options, "--", *command] if options else command


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _terminate(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
