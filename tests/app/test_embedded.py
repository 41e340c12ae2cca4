"""Private servers: started again where they answered before, whatever was left of them; commands find them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
from redis import Redis

from app.ops.child_processes import Part, tend
from app.ops.embedded import FIRST_PORT, LAST_PORT, EmbeddedServers, Server, ServerUrls
from tests.programs import require


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[EmbeddedServers, ServerUrls]]:
    require("servers")
    servers = EmbeddedServers(tmp_path)
    with servers as urls:
        yield servers, urls


def await_postgres(servers: EmbeddedServers, urls: ServerUrls) -> None:
    for _ in range(600):
        with contextlib.suppress(psycopg2.OperationalError), contextlib.closing(psycopg2.connect(urls.database_url)):
            return
        with contextlib.suppress(psutil.TimeoutExpired):
            psutil.Process(servers.process(Server.POSTGRES).pid).wait(0.05)
    raise AssertionError("PostgreSQL did not come back")


def test_killed_servers_come_back_where_they_were(servers: tuple[EmbeddedServers, ServerUrls]) -> None:
    embedded, urls = servers
    with (
        contextlib.closing(psycopg2.connect(urls.owner_url)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    busy = psycopg2.connect(urls.database_url)  # its process outlives a postmaster that is killed alone, for a while
    parent = psutil.Process(embedded.process(Server.POSTGRES).pid)
    children = parent.children(recursive=True)
    assert children
    children[-1].send_signal(signal.SIGSTOP)  # and this one does not notice at all
    parent.kill()
    embedded.process(Server.POSTGRES).wait()
    embedded.launch(Server.POSTGRES)
    await_postgres(embedded, urls)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    with contextlib.closing(psycopg2.connect(urls.owner_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM kept")
        assert cursor.fetchall() == [(7,)]
    busy.close()

    with Redis.from_url(urls.redis_url) as redis:
        redis.set("kept", 7)
        embedded.process(Server.REDIS).kill()
        embedded.process(Server.REDIS).wait()
        embedded.launch(Server.REDIS)
        embedded._await_redis(urls.redis_url)
        assert redis.get("kept") == b"7"


def test_ports_are_not_those_of_clients(servers: tuple[EmbeddedServers, ServerUrls]) -> None:
    assert all(FIRST_PORT <= port < LAST_PORT for port in servers[0]._ports.values())
    first, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert first >= LAST_PORT, "this machine gives these ports to clients"


def test_a_part_that_cannot_be_started_is_tried_again_later() -> None:
    tries, said = [], list[str]()

    def fail() -> None:
        tries.append(1)
        raise OSError(28, "No space left on device")

    part = Part("web", fail)  # type: ignore[arg-type]
    for _ in range(3):
        tend([part], said.append)
    assert (len(tries), part.process) == (1, None)
    part.next_start = 0.0
    tend([part], said.append)
    assert len(tries) == 2
    assert said == ["web cannot be started: [Errno 28] No space left on device"] * 2
