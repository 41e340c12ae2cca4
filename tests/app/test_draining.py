"""A web process that is told to stop: it says so, answers on, sends its streams away, and ends."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from sqlalchemy import Engine, text

from app.bootstrap import web
from app.ops import migrate
from app.platform import outbox
from app.platform.outbox import Audience
from app.platform.runtime import Runtime
from app.tracking.event_stream import MOVING_AFTER_S, MOVING_SPREAD_S, Connection
from app.web.draining import DrainingServer
from geo.errors import UnavailableError
from tests.app.serving import ADMINISTRATOR, create_administrator, serve
from tests.app.test_events import Stream

DRAIN_S = 300.0
"""No test waits for it, however slow the machine: a second signal ends it."""


@dataclass
class Served:
    server: DrainingServer
    thread: threading.Thread
    url: str


@pytest.fixture
def served(runtime: Runtime) -> Iterator[Served]:
    app = web(runtime)

    def drain() -> None:
        app.state.draining = True
        app.state.live.send_away()

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
    server = DrainingServer(config, drain, DRAIN_S)
    with serve(server) as serving:
        yield Served(server, serving.thread, serving.url)


def test_it_says_so_answers_on_sends_streams_away_and_ends(runtime: Runtime, served: Served) -> None:
    for part in ("ingest", "control"):
        runtime.redis.set(f"ck:heartbeat:{part}", 1)
    create_administrator(runtime)
    with httpx.Client(base_url=served.url, timeout=30) as client:
        login = client.post("/api/v1/tokens", data=ADMINISTRATOR)
        token = login.json()["access_token"]
        assert client.get("/readyz/web").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert ready.headers.get("connection") != "close"
        stream = Stream(served.url, token)
        with runtime.sessions() as session:
            outbox.publish_event(session, "forecast", Audience(), {"before": True}, at=runtime.clock.now())
            session.commit()
            outbox.relay_after_commit(session, runtime.redis)
        served.server.handle_exit(signal.SIGTERM, None)
        moving = stream.wait_for("moving", 60.0)
        assert 1000 * MOVING_AFTER_S <= moving["after_ms"] <= 1000 * (MOVING_AFTER_S + MOVING_SPREAD_S)
        assert stream.ended.wait(60)
        draining = client.get("/readyz")
        assert draining.status_code == 503
        assert draining.json()["parts"]["web"] == "draining"
        assert draining.headers["connection"] == "close"
        assert client.get("/readyz/web").status_code == 503
        answered = client.get("/api/v1/yards", headers={"Authorization": f"Bearer {token}"})
        assert answered.status_code == 200
        late = client.get("/api/v1/events", headers={"Authorization": f"Bearer {token}"})
        assert late.text.startswith("retry: ")
        assert "event: moving" in late.text
    served.server.handle_exit(signal.SIGTERM, None)
    served.thread.join(60)
    assert not served.thread.is_alive()


def test_what_waits_for_a_stream_is_sent_before_it_is_sent_away(served: Served) -> None:
    connection = Connection(principal=None, vehicles=None)  # type: ignore[arg-type]
    for number in range(5):
        connection.queue.put_nowait(str(number).encode())
    connection.part(b"farewell")
    assert [connection.queue.get_nowait() for _ in range(7)] == [b"0", b"1", b"2", b"3", b"4", b"farewell", None]
    while not connection.queue.full():
        connection.queue.put_nowait(b"more")
    connection.part(b"farewell")
    assert [connection.queue.get_nowait() for _ in range(2)] == [b"farewell", None]
    served.server.handle_exit(signal.SIGTERM, None)
    served.server.handle_exit(signal.SIGTERM, None)  # a second time: at once
    served.thread.join(60)
    assert not served.thread.is_alive()


def test_who_had_connected_when_it_stopped_listening_is_answered(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.draining.LAST_S", 3.0)
    server = DrainingServer(uvicorn.Config(web(runtime), log_level="warning"), lambda: None, 0.01)
    with serve(server) as serving, ExitStack() as stack:
        is_busy, goes_on = threading.Event(), threading.Event()
        (listening,) = (each for listener in server.servers for each in listener.sockets)
        address = listening.getsockname()

        def be_busy_and_stop() -> None:
            is_busy.set()
            goes_on.wait(60)
            server.should_exit = True

        assert server._loop is not None
        server._loop.call_soon_threadsafe(be_busy_and_stop)
        assert is_busy.wait(60)
        callers = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(20)]
        for caller in callers[::2]:
            caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        goes_on.set()
        while listens(address):
            pass
        for caller in callers[1::2]:
            caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [caller.recv(15) for caller in callers] == [b"HTTP/1.1 200 OK"] * 20
        serving.thread.join(60)
        assert not serving.thread.is_alive()


def listens(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=60):
            return True
    except ConnectionRefusedError:
        return False


def test_a_database_of_a_newer_version_is_refused(runtime: Runtime, owner_engine: Engine) -> None:
    migrate.check_schema(runtime.settings)
    with owner_engine.begin() as connection:
        newest = connection.scalar(text("SELECT version_num FROM public.alembic_version"))
        connection.execute(text("UPDATE public.alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(UnavailableError, match="newer version"):
            migrate.check_schema(runtime.settings)
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("UPDATE public.alembic_version SET version_num = :newest"), {"newest": newest})
