"""Servers as several machines have them, started for real on this one: a Redis Cluster, PostgreSQL with a replica."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg2
from redis import Redis
from redis.exceptions import RedisError

from app.ops.embedded import DATABASE, SUPERUSER, EmbeddedServers, Server, find_postgres, find_redis
from app.ops.server_user import adopt, as_server_user, reach
from bench.chaos.platform import ROOT, TRUST, free_port
from geo.database import make_engine

SLOTS = 16_384
START_S = 180.0
PASSWORD = "replicated"
USER = SUPERUSER


@contextlib.contextmanager
def run_cluster(folder: Path, nodes: int = 3) -> Iterator[str]:
    """A Redis Cluster of some masters; its URL."""
    ports = [free_port() for _ in range(nodes)]
    with contextlib.ExitStack() as stack:
        for port in ports:
            home = folder / f"redis-{port}"
            home.mkdir(parents=True)
            config = {
                "port": port,
                "bind": "127.0.0.1",
                "requirepass": PASSWORD,
                "masterauth": PASSWORD,
                "cluster-enabled": "yes",
                "cluster-port": free_port(),
                "cluster-config-file": "nodes.conf",
                "appendonly": "yes",
                "appendfsync": "always",
                "save": "",
                "dir": home,
            }
            command = [str(find_redis())]
            for name, value in config.items():
                command += [f"--{name}", str(value)]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=home)
            stack.callback(_end, process)
        clients = [stack.enter_context(Redis(port=port, password=PASSWORD)) for port in ports]
        _join(clients)
        yield f"redis+cluster://:{PASSWORD}@" + ",".join(f"127.0.0.1:{port}" for port in ports)


def _join(clients: list[Redis]) -> None:
    def info(client: Redis) -> dict[str, Any]:
        found: dict[str, Any] = client.execute_command("CLUSTER INFO")
        return found

    for client in clients:
        _until(lambda client=client: bool(client.ping()))  # type: ignore[misc]
    bounds = [SLOTS * number // len(clients) for number in range(len(clients) + 1)]
    for client, first, end in zip(clients, bounds[:-1], bounds[1:], strict=True):
        client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
    for number, client in enumerate(clients[1:], 2):
        client.execute_command("CLUSTER SET-CONFIG-EPOCH", number)
    for client in clients[1:]:
        port = client.connection_pool.connection_kwargs["port"]
        bus = int(client.config_get("cluster-port")["cluster-port"])
        clients[0].execute_command("CLUSTER MEET", "127.0.0.1", port, bus)
    for client in clients:
        _until(
            lambda client=client: (  # type: ignore[misc]
                info(client)["cluster_state"] == "ok" and int(info(client)["cluster_known_nodes"]) == len(clients)
            )
        )


@dataclass
class ReplicatedPostgres:
    """A primary whose commits wait for its replica, and the replica; by number, 0 and 1."""

    ports: tuple[int, int]
    password: str
    processes: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        """Where the one of the two that takes writes is found."""
        hosts = "&".join(f"host=127.0.0.1:{port}" for port in self.ports)
        return f"postgresql://{USER}:{self.password}@/{DATABASE}?{hosts}&target_session_attrs=read-write"

    def kill_primary(self) -> None:
        """SIGKILL to the primary and all its children."""
        primary = psutil.Process(self.processes[0].pid)
        primary.suspend()  # so that it starts no new ones
        for process in [*primary.children(recursive=True), primary]:
            process.kill()
        self.processes[0].wait()

    def promote(self) -> None:
        """Let the replica take writes."""
        with self.connection(1) as cursor:
            cursor.execute("SELECT pg_promote()")

    def set_primary(self, name: str, value: str) -> None:
        """Change a setting of the primary, and of new transactions on it."""
        with self.connection(0) as cursor:
            cursor.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            cursor.execute("SELECT pg_reload_conf()")

    @contextlib.contextmanager
    def connection(self, which: int) -> Iterator[Any]:
        """A cursor on one of the two, by number; each statement commits."""
        options: dict[str, Any] = {"port": self.ports[which], "password": self.password, "dbname": DATABASE}
        with contextlib.closing(psycopg2.connect(host="127.0.0.1", user=USER, **options)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor


@contextlib.contextmanager
def run_replicated(folder: Path, *, synchronous_commit: str = "remote_apply") -> Iterator[ReplicatedPostgres]:
    """PostgreSQL with a streaming replica that commits wait for."""
    servers = EmbeddedServers(folder)
    with servers as urls, contextlib.ExitStack() as stack:
        address = urlsplit(urls.database_url)
        ports = (address.port or 0, free_port())
        password = json.loads((folder / "embedded.json").read_text())[Server.POSTGRES]
        replica = folder / "replica"
        environment = os.environ | {"PGPASSWORD": password}
        command = [str(find_postgres() / "pg_basebackup"), "-h", "127.0.0.1", "-p", str(ports[0]), "-U", USER]
        adopt(replica)
        home = stack.enter_context(reach(replica))
        copied = subprocess.run(
            as_server_user([*command, "-D", home.path, "-R", "-X", "stream", "--checkpoint=fast"]),
            env=environment,
            capture_output=True,
            check=False,
            cwd="/",
            pass_fds=home.descriptors,
        )
        if copied.returncode:
            raise RuntimeError(copied.stderr.decode())
        options = ("-c", f"port={ports[1]}", "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1")
        process = subprocess.Popen(
            as_server_user(
                [str(find_postgres() / "postgres"), "-D", home.path, *options, "-c", "max_connections=120"],
                signal.SIGINT,
            ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            pass_fds=home.descriptors,
        )
        stack.callback(_end, process, signal.SIGINT)
        found = ReplicatedPostgres(ports, password, (servers.process(Server.POSTGRES), process))
        found.set_primary("synchronous_commit", synchronous_commit)
        with found.connection(0) as cursor:
            _until(lambda: _count(cursor, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1)
            found.set_primary("synchronous_standby_names", "*")
            _until(lambda: _count(cursor, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1)
        yield found


def _count(cursor: Any, query: str) -> int:
    cursor.execute(query)
    return int(cursor.fetchone()[0])


def _until(check: Any) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(RedisError, psycopg2.Error, OSError, httpx.HTTPError):
            if check():
                return
        if time.monotonic() > deadline:
            raise RuntimeError("The servers did not come up.")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Spread:
    """Web processes and workers as on several machines, on servers that are somewhere else."""

    database_url: str
    redis_url: str
    ports: list[int]
    processes: list[subprocess.Popen[bytes]]

    host = "127.0.0.1"

    def __post_init__(self) -> None:
        self._turns = itertools.cycle(self.ports)
        self.engine = make_engine(self.database_url, application_name="cuakhau-chaos")

    @property
    def port(self) -> int:
        """The ports of the web processes in turn, as a load balancer would."""
        return next(self._turns)


@contextlib.contextmanager
def run_spread(folder: Path, database_url: str, redis_url: str, *, webs: int = 2, workers: int = 2) -> Iterator[Spread]:
    """Several web processes and several workers on the given servers, migrated first."""
    ports = [free_port() for _ in range(webs)]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "CUAKHAU_SECRET_KEY": secrets.token_hex(32),
        "CUAKHAU_DATA_DIR": str(folder),
    }
    command = [sys.executable, "-m", "app.cli"]
    subprocess.run([*command, "migrate"], env=environment, cwd=ROOT, check=True, capture_output=True)
    with contextlib.ExitStack() as stack:
        started = [("serve", {"CUAKHAU_PORT": str(port)}) for port in ports] + [("worker", {})] * workers
        processes = []
        for number, (part, own) in enumerate(started):
            log = stack.enter_context((folder / f"{part}-{number}.log").open("wb"))
            process = subprocess.Popen([*command, part], env=environment | own, cwd=ROOT, stdout=log, stderr=log)
            stack.callback(_end, process)
            processes.append(process)
        for port in ports:
            _until(lambda port=port: httpx.get(f"http://127.0.0.1:{port}/healthz", verify=TRUST).status_code == 200)  # type: ignore[misc]
        spread = Spread(database_url, redis_url, ports, processes)
        stack.callback(spread.engine.dispose)
        yield spread
