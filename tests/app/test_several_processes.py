"""What several web processes of one platform know together: places of streams, clocks of devices, figures."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import mark_process_dead
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from app.gates.adding import add_gates
from app.ops import metrics
from app.ops.embedded import ServerUrls
from app.ops.web_processes import listen
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.settings import ProcessSettings
from app.tracking import stream_places
from app.tracking.fix_intake import open_fix_intake
from app.tracking.stream_places import GOOD_FOR_S, StreamPlaces
from app.tracking.worker import Worker
from bench.chaos.platform import free_port
from geo.clock import FixedClock
from geo.corridor import Corridor
from geo.errors import TooManyRequestsError, UnavailableError
from geo.store import load_corridor, save_corridor
from ingest.devices import DeviceDirectory
from ingest.formats.gps_format import RawMessage
from ingest.formats.registry import GPS_FORMATS
from tests.app.gps import drain, enrol, rows
from tests.conftest import SignIn

ACCOUNT = 7
ADDITION = Path(__file__).parents[2] / "docs" / "recipes" / "coc-nam.geojson"
ROOT = Path(__file__).parents[2]


def test_streams_of_an_account_are_counted_over_processes(
    runtime: Runtime, servers: ServerUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_places, "MAX_STREAMS_OF_ACCOUNT", 3)
    now_s = [1000.0]

    async def follow() -> None:
        redis = AsyncRedis.from_url(servers.redis_url)
        first, second = (StreamPlaces(redis, lambda: now_s[0]) for _ in range(2))
        places = [await places.take(ACCOUNT, "203.0.113.1") for places in (first, second, second)]
        first.hold(places[0])
        second.hold(places[1])
        for process in (first, second):
            with pytest.raises(TooManyRequestsError):
                await process.take(ACCOUNT, "203.0.113.2")
            await process.take(ACCOUNT + 1, "203.0.113.1")
        await first.give_back(places[0])
        await first.take(ACCOUNT, "203.0.113.1")
        now_s[0] += GOOD_FOR_S / 2
        await second.renew()  # the first has died, and the third stream has never begun
        now_s[0] += 0.6 * GOOD_FOR_S
        assert await redis.zcount(f"ck:streams:account:{ACCOUNT}", now_s[0], "+inf") == 1
        for _ in range(2):
            await first.take(ACCOUNT, "203.0.113.1")
        with pytest.raises(TooManyRequestsError):
            await first.take(ACCOUNT, "203.0.113.1")
        await redis.aclose()

    asyncio.run(follow())


def test_streams_of_an_address_are_counted_too(
    runtime: Runtime, servers: ServerUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_places, "MAX_STREAMS_OF_ADDRESS", 2)

    async def follow() -> None:
        redis = AsyncRedis.from_url(servers.redis_url)
        for account in (1, 2):
            await StreamPlaces(redis).take(account, "2001:db8::1")
        with pytest.raises(TooManyRequestsError):
            await StreamPlaces(redis).take(3, "2001:db8::1")
        await StreamPlaces(redis).take(3, "2001:db8::2")
        await redis.aclose()

    asyncio.run(follow())


def test_who_follows_while_redis_is_away_is_counted_when_it_is_back(runtime: Runtime, servers: ServerUrls) -> None:
    async def follow() -> None:
        away = AsyncRedis.from_url("redis://127.0.0.1:1/0")
        places = StreamPlaces(away)
        place = await places.take(ACCOUNT, "203.0.113.1")
        places.hold(place)
        with pytest.raises((RedisError, OSError)):
            await places.renew()
        places._redis = redis = AsyncRedis.from_url(servers.redis_url)
        await places.renew()
        assert await redis.zcard(f"ck:streams:account:{ACCOUNT}") == 1
        await away.aclose()
        await redis.aclose()

    asyncio.run(follow())


def test_what_one_process_held_is_kept_once_another_understands_the_clock(
    runtime: Runtime, servers: ServerUrls, sign_in, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = enrol(sign_in("administrator"))["device_id"]
    monkeypatch.setattr(DeviceDirectory, "MAX_AGE_S", 0.0)  # seconds later

    def message(number: int) -> RawMessage:
        clock.advance(30)
        said = int((clock.now() + timedelta(hours=7)).timestamp())
        (lon,), (lat,) = runtime.corridor.position("QL1A", [60 - 0.4 * number])
        return RawMessage(query=f"id={device}&timestamp={said}&lat={lat}&lon={lon}".encode())

    async def send() -> list[int]:
        runtime.async_redis = AsyncRedis.from_url(servers.redis_url)  # of this event loop
        first, second = open_fix_intake(runtime), open_fix_intake(runtime)
        accepted = []
        for number, intake in enumerate([first, first, second, second, second, first, first]):
            accepted.append((await intake.receive(GPS_FORMATS["osmand"], message(number))).accepted)
        await runtime.async_redis.aclose()
        return accepted

    assert asyncio.run(send()) == [0, 0, 0, 0, 1, 1, 1]
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    drain(worker)
    found = rows(runtime, "SELECT time FROM ingest.fix ORDER BY time")
    assert [(clock.now() - moment).total_seconds() for (moment,) in found] == [180, 150, 120, 90, 60, 30, 0]


COUNTED = """
from app.web.request_metrics import RequestFigures
figures = RequestFigures()
figures.answers.labels("/gps/osmand", "200").inc(5)
figures.durations.labels("GET", "/gps/osmand").observe(0.02)
figures.streams.inc(3)
import os
print(os.getpid())
"""


def test_figures_of_all_processes_are_told_whichever_is_asked(runtime: Runtime, tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    pids = [
        int(subprocess.run([sys.executable, "-c", COUNTED], env=environment, check=True, capture_output=True).stdout)
        for _ in range(2)
    ]
    runtime.settings.metrics_dir = tmp_path
    mark_process_dead(pids[0], str(tmp_path))  # its streams are gone, what it counted is not
    told = metrics.exposition(runtime, CollectorRegistry()).decode()
    assert 'cuakhau_requests_total{route="/gps/osmand",status="200"} 10.0' in told
    assert 'cuakhau_request_duration_s_count{method="GET",route="/gps/osmand"} 2.0' in told
    assert "cuakhau_sse_connections 3.0" in told


def environment_of(servers: ServerUrls, data_dir: Path, port: int) -> dict[str, str]:
    """What processes of the platform are started with."""
    return os.environ | {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "CUAKHAU_SECRET_KEY": "x" * 32,
        "CUAKHAU_DATA_DIR": str(data_dir),
        "CUAKHAU_PORT": str(port),
        "CUAKHAU_WEB_PROCESSES": "2",
        "CUAKHAU_DRAIN_S": "5",
        "PYTHONPATH": str(ROOT),
    }


@contextmanager
def running(part: str, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the platform, ended afterwards."""
    with log.open("ab") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", part], env=environment, stdout=written, stderr=written
        )
    yield process
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def served(runtime: Runtime, servers: ServerUrls, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Two web processes and their parent, and where they answer."""
    port = free_port()
    with running("serve", environment_of(servers, tmp_path, port), tmp_path / "web.log") as process:
        yield process, f"http://127.0.0.1:{port}"


def eventually(holds: Callable[[], bool], within_s: float = 120.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.long
def test_all_processes_take_up_a_changed_corridor(
    runtime: Runtime, servers: ServerUrls, corridor: Corridor, sign_in: SignIn, tmp_path: Path
) -> None:
    """Two web processes, a worker and control run on, and a gate that is added is one: asked, driven to, forecast."""
    port, log = free_port(), tmp_path / "platform.log"
    environment = environment_of(servers, tmp_path, port)
    device = enrol(sign_in("administrator"))["device_id"]
    url, gate, yard = f"http://127.0.0.1:{port}", "coc-nam", "coc-nam-1"

    def answers(path: str) -> set[int]:
        return {httpx.get(f"{url}{path}", timeout=60).status_code for _ in range(12)}  # whichever process accepts

    def has(query: str, **values: object) -> bool:
        return bool(rows(runtime, f"SELECT 1 FROM {query} LIMIT 1", **values))

    def listening() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{url}/healthz").status_code == 200
        return False

    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(running(part, environment, log)) for part in ("serve", "worker", "control")]
        eventually(listening)
        eventually(lambda: len(psutil.Process(processes[0].pid).children()) == 2)
        eventually(lambda: has("routing.forecast_gate"), 300)
        before = {child.pid for child in psutil.Process(processes[0].pid).children()}
        assert answers(f"/board/{gate}") == {404}
        try:
            with runtime.sessions.begin() as session:
                add_gates(ActionContext(session, None, runtime.clock.now()), ADDITION.read_bytes())
                site = load_corridor(session).sites[yard]
            eventually(lambda: answers(f"/board/{gate}") == {200}, 30)

            def is_seen() -> bool:
                place = {"id": device, "timestamp": int(time.time()), "lat": site.lat, "lon": site.lon, "speed": 0}
                assert httpx.get(f"{url}/gps/osmand", params=place).status_code == 200
                time.sleep(1)
                return has(f"ingest.site_event WHERE site_id = '{yard}'")

            eventually(is_seen, 60)
            eventually(lambda: has(f"routing.forecast_gate WHERE gate_id = '{gate}'"), 300)
        finally:
            with runtime.sessions.begin() as session:
                save_corridor(session, corridor)
        eventually(lambda: answers(f"/board/{gate}") == {404}, 30)
        assert [process.poll() for process in processes] == [None, None, None]
        assert {child.pid for child in psutil.Process(processes[0].pid).children()} == before


@pytest.mark.long
def test_they_drain_when_their_parent_is_told_to_stop(served: tuple[subprocess.Popen[bytes], str]) -> None:
    parent, url = served
    deadline = time.monotonic() + 180
    with httpx.Client(base_url=url, timeout=60) as client:
        children: list[psutil.Process] = []
        while len(children) < 2 or client.get("/healthz").status_code != 200:
            assert time.monotonic() < deadline
            children = psutil.Process(parent.pid).children()
            time.sleep(0.1)
        with socket.socket() as probe, pytest.raises(OSError, match="in use"):
            probe.bind(("127.0.0.1", int(url.rpartition(":")[2])))
        parent.send_signal(signal.SIGTERM)
        while (answer := client.get("/readyz")).headers.get("connection") != "close":
            assert answer.status_code == 503, "there is no worker here"
            assert time.monotonic() < deadline
        assert answer.json()["parts"]["web"] == "draining"
    assert parent.wait(120) == 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_port_that_others_listen_on_is_waited_for_and_then_named() -> None:
    port = free_port()
    with listen("127.0.0.1", port), pytest.raises(UnavailableError, match=f"Port {port} cannot be used"):
        listen("127.0.0.1", port, patience_s=0.2)
    other = listen("127.0.0.1", port)
    threading.Timer(0.3, other.close).start()
    listen("127.0.0.1", port, patience_s=60.0).close()


def test_a_private_database_has_connections_for_all() -> None:
    each = 20  # of a process' pool, at most
    settings = ProcessSettings(web_processes=4, ingest_processes=2)
    gateways, control, people = 4, 1, 5
    assert settings.max_connections() >= each * (4 + 2 + control) + people * gateways
