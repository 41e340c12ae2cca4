"""Web processes behind our proxies are stopped and started in turn, and nobody notices.

Requests and event streams go on all the time, through nginx and through Caddy, set up by the files of `deploy/`.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson
import pytest

from app.accounts.store import list_organisations
from app.platform import outbox
from app.platform.outbox import Audience
from app.platform.runtime import Runtime
from bench.chaos.platform import ROOT, TRUST, free_port
from tests.app.serving import ADMINISTRATOR, create_administrator
from tests.deployment.proxies import Proxy, run_caddy, run_nginx

DRAIN_S = 4.0
"""Longer than a proxy keeps a connection that nobody uses, and than it leaves out a process that did not answer."""
EVENT_EVERY_S = 0.05
PAUSE_S = 0.02
"""Between two requests of a client: the machine is for the others, too."""
START_S = 180.0


@dataclass
class WebProcess:
    """A web process that can be stopped and started again."""

    port: int
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            command = [sys.executable, "-m", "app.cli", "serve"]
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
            )

    def await_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log.read_text()[-2000:]
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5, verify=TRUST).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        """Tell it to stop; how it ended."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def webs(runtime: Runtime, tmp_path: Path) -> Iterator[list[WebProcess]]:
    settings = runtime.settings
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "CUAKHAU_DATA_DIR": str(tmp_path),
        "CUAKHAU_DEMO": "1",
        "CUAKHAU_DRAIN_S": str(DRAIN_S),
        "CUAKHAU_PUBLIC_URL": "https://127.0.0.1",
    }
    for part in ("ingest", "control"):
        runtime.redis.set(f"ck:heartbeat:{part}", 1)
    ports = [free_port(), free_port()]
    found = [
        WebProcess(port, environment | {"CUAKHAU_PORT": str(port)}, tmp_path / f"web-{port}.log") for port in ports
    ]
    try:
        for web in found:
            web.start()
        for web in found:
            web.await_ready()
        yield found
    finally:
        for web in found:
            if web.process is not None and web.process.poll() is None:
                web.process.kill()
                web.process.wait()


@dataclass
class Traffic:
    """What goes on until it is told to stop: requests and streams; what failed, and what was got."""

    stop: threading.Event = field(default_factory=threading.Event)
    failed: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    made: list[str] = field(default_factory=list)
    heard: list[list[int]] = field(default_factory=list)
    following: set[int] = field(default_factory=set)
    moved: Counter[int] = field(default_factory=Counter)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)

    def ask(self, proxy: str, client: httpx.Client) -> None:
        """Read, again and again, over connections that are kept."""
        while not self.stop.is_set():
            self._note(proxy, lambda: client.get("/api/v1/yards"), 200)

    def write(self, proxy: str, client: httpx.Client) -> None:
        """Make something, once each: a request that no proxy may repeat."""

        def make() -> httpx.Response:
            return client.post("/api/v1/organisations", json={"name": name, "kind": "enterprise"})

        for number in itertools.count():
            if self.stop.is_set():
                return
            name = f"Công ty {proxy} {number}"
            if self._note(proxy, make, 201):
                self.made.append(name)

    def follow(self, number: int, client: httpx.Client) -> None:
        """Follow live as a browser does: come back after the time that was told, from the last event on."""
        last_id, retry_s = "", 1.0
        while not self.stop.is_set():
            headers = {"Last-Event-ID": last_id} if last_id else {}
            try:
                with client.stream("GET", "/api/v1/events", headers=headers) as answer:
                    if answer.status_code != 200:
                        self.failed.append(f"stream {number}: {answer.status_code}")
                    for line in answer.iter_lines():
                        name, _, value = line.partition(": ")
                        if name == "id":
                            last_id = value
                        elif name == "retry":
                            retry_s = float(value) / 1000.0
                        elif name == "event":
                            kind = value
                            self.following.add(number)
                        elif name == "data" and kind == "forecast":
                            self.heard[number].append(orjson.loads(value)["number"])
                        elif name == "data" and kind == "resync":
                            self.failed.append(f"stream {number} was told to fetch everything again")
                        if self.stop.is_set():
                            return
            except httpx.HTTPError as error:
                self.failed.append(f"stream {number}: {error!r}")
            self.moved[number] += 1
            self.stop.wait(retry_s)

    def _note(self, proxy: str, send: Callable[[], httpx.Response], expected: int) -> bool:
        self.stop.wait(PAUSE_S)
        try:
            answer = send()
        except httpx.HTTPError as error:
            self.failed.append(f"{proxy}: {error!r}")
            return False
        if answer.status_code != expected:
            self.failed.append(f"{proxy}: {answer.status_code} {answer.text[:200]}")
            return False
        self.answered[proxy] += 1
        return True


@pytest.mark.long
def test_restarting_one_after_the_other_fails_no_request_and_loses_no_event(
    runtime: Runtime, webs: list[WebProcess], tmp_path: Path
) -> None:
    create_administrator(runtime)
    ports = [web.port for web in webs]
    traffic = Traffic()
    with ExitStack() as stack:
        proxies: dict[str, Proxy] = {}
        for name, run in (("nginx", run_nginx), ("caddy", run_caddy)):
            folder = tmp_path / name
            folder.mkdir()
            proxies[name] = stack.enter_context(run(folder, ports))

        def open_client(name: str, token: str = "") -> httpx.Client:
            url, trust = proxies[name].url, proxies[name].trust()
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return stack.enter_context(httpx.Client(base_url=url, verify=trust, headers=headers, timeout=30))

        login = open_client("nginx").post("/api/v1/tokens", data=ADMINISTRATOR)
        token = login.json()["access_token"]
        published, over, everybody = 0, threading.Event(), Audience(roles=("administrator",))

        def publish() -> None:
            nonlocal published
            while not over.is_set():
                with runtime.sessions() as session:
                    outbox.publish_event(session, "forecast", everybody, {"number": published}, at=runtime.clock.now())
                    session.commit()
                    outbox.relay_after_commit(session, runtime.redis)
                published += 1
                over.wait(EVENT_EVERY_S)

        for name in (*proxies, *proxies):
            traffic.begin(traffic.ask, name, open_client(name, token))
            traffic.heard.append([])
            traffic.begin(traffic.follow, len(traffic.heard) - 1, open_client(name, token))
        for name in proxies:
            traffic.begin(traffic.write, name, open_client(name, token))
        deadline = time.monotonic() + START_S
        while len(traffic.following) < len(traffic.heard):  # before the first event
            assert time.monotonic() < deadline, traffic.failed
            time.sleep(0.05)
        publisher = threading.Thread(target=publish, daemon=True)
        publisher.start()
        stack.callback(over.set)
        stack.callback(traffic.end)  # first: what follows ends with the next event
        for web in webs:
            before = dict(traffic.answered)
            assert web.stop() in {0, -signal.SIGTERM}, web.log.read_text()[-2000:]
            web.start()
            web.await_ready()
            assert all(traffic.answered[name] > before.get(name, 0) for name in proxies), "nobody was answered"
        expected = published
        time.sleep(2.0)
        traffic.end()
        over.set()
        publisher.join(60)
        with runtime.sessions() as session:
            names = [each.name for each in list_organisations(session)]
    assert Counter(traffic.failed) == {}
    assert min(traffic.answered.values()) > 100, traffic.answered
    assert expected > 100
    assert [len(heard) >= expected for heard in traffic.heard] == [True] * 4, [heard[-3:] for heard in traffic.heard]
    for number, heard in enumerate(traffic.heard):
        assert heard == list(range(len(heard))), "each event once, none left out"
        assert traffic.moved[number] >= 1
    assert sorted(names) == sorted(traffic.made), "each made once"
