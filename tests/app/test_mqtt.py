"""OwnTracks over a real broker: nothing is lost while the gateway is away, and nothing is acknowledged too soon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from paho.mqtt import publish
from redis.asyncio import Redis as AsyncRedis

from app.equipment import drivers
from app.platform.runtime import Runtime
from app.tracking.mqtt_gateway import Subscription, owntracks_subscription
from app.tracking.worker import Worker
from geo.errors import UnavailableError
from ingest.devices import DeviceDirectory
from ingest.intake import FixIntake
from ingest.stream import FixWriter
from tests.app.equipping import mosquitto
from tests.app.gps import counters, drain, enrol, rows
from tests.app.listening import listen, wait_for


@pytest.fixture
def device(sign_in) -> str:
    return str(enrol(sign_in("administrator"))["device_id"])


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="test")
    worker.keep_partitions()
    return worker


def make_intake(runtime: Runtime) -> FixIntake:
    return FixIntake(
        writer=FixWriter(AsyncRedis.from_url(runtime.settings.redis_url.get_secret_value()), 2),
        directory=DeviceDirectory(),
        sessions=runtime.sessions,
        clock=runtime.clock,
        retention_days=30,
        future_tolerance_s=120.0,
    )


def post(broker: str, topic: str, message: dict[str, Any] | bytes) -> None:
    host, port = drivers.address(broker)
    payload = message if isinstance(message, bytes) else json.dumps(message)
    publish.single(topic, payload, qos=1, hostname=host, port=port)


def location(runtime: Runtime, ago_s: int) -> dict[str, Any]:
    return {"_type": "location", "lat": 21.9, "lon": 106.7, "tst": int(runtime.clock.now().timestamp()) - ago_s}


def waiting(runtime: Runtime) -> int:
    return int(runtime.redis.hget("ck:counters", "fixes_in_total") or 0)


def test_what_is_published_while_the_gateway_is_away_is_kept(runtime, device, worker, tmp_path) -> None:
    topic = f"owntracks/driver/{device}"
    with mosquitto(tmp_path) as broker:

        def session(until: Callable[[], bool]) -> None:
            stop = threading.Event()
            thread = listen(broker, lambda: [owntracks_subscription(make_intake(runtime))], stop)
            try:
                assert wait_for(until)
            finally:
                stop.set()
                thread.join(10)

        def first_is_in() -> bool:
            post(broker, topic, location(runtime, 100))
            return waiting(runtime) > 0

        session(first_is_in)
        for ago_s in range(50):
            post(broker, topic, location(runtime, ago_s))
        post(broker, f"{topic}/event", {"_type": "transition", "event": "enter", "desc": "Yard", "tst": 1, "tid": "x"})
        post(broker, topic, {"_type": "lwt", "tst": 1})
        post(broker, f"{topic}/waypoint", {"_type": "waypoint", "desc": "Yard", "tst": 1})
        post(broker, topic, b"not json")
        post(broker, "owntracks/driver/nobody", location(runtime, 1))
        before = waiting(runtime)
        session(lambda: waiting(runtime) >= before + 50 and refusals(runtime) == {"malformed": 1, "unknown_device": 1})
    drain(worker)
    assert rows(runtime, "SELECT count(*), count(DISTINCT time) FROM ingest.fix") == [(51, 51)]


def refusals(runtime: Runtime) -> dict[str, int]:
    prefix = "fixes_refused_total{reason="
    return {key[len(prefix) + 1 : -2]: value for key, value in counters(runtime).items() if key.startswith(prefix)}


def test_a_message_is_acknowledged_only_once_it_is_kept(runtime, device, worker, tmp_path) -> None:
    """While nothing can be kept the gateway is killed, and starts again: the broker has it all still."""
    topic = f"owntracks/driver/{device}"
    seen: list[str] = []

    async def unable(name: str, _payload: bytes) -> None:
        seen.append(name)
        raise UnavailableError("Storage is behind.")

    with mosquitto(tmp_path) as broker:
        stop = threading.Event()
        thread = listen(broker, lambda: [Subscription("owntracks/#", unable)], stop)
        assert wait_for(lambda: post(broker, topic, location(runtime, 60)) or seen)
        for ago_s in range(10):
            post(broker, topic, location(runtime, ago_s))
        assert wait_for(lambda: len(seen) > 12)
        stop.set()
        thread.join(10)
        stop = threading.Event()
        thread = listen(broker, lambda: [owntracks_subscription(make_intake(runtime))], stop)
        try:
            assert wait_for(lambda: waiting(runtime) >= 11)
        finally:
            stop.set()
            thread.join(10)
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(11,)]


def test_the_process_killed_without_warning_loses_nothing(runtime, device, worker, tmp_path) -> None:
    topic = f"owntracks/driver/{device}"
    settings = runtime.settings
    environment = os.environ | {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "CUAKHAU_DEMO": "1",
        "CUAKHAU_FIX_RETENTION_DAYS": "36500",
    }
    with mosquitto(tmp_path) as broker:
        environment["MQTT_URL"] = broker

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-m", "app.cli", "mqtt"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

        process = start()
        try:
            assert wait_for(lambda: post(broker, topic, location(runtime, 100)) or waiting(runtime) > 0, 60)
            for ago_s in range(20):
                post(broker, topic, location(runtime, ago_s))
                if ago_s == 7:
                    process.send_signal(signal.SIGKILL)
                    process.wait(10)
            process = start()
            drained = lambda: drain(worker) or rows(runtime, "SELECT count(*) FROM ingest.fix") == [(21,)]  # noqa: E731
            assert wait_for(drained, 60)
        finally:
            process.terminate()
            process.wait(20)
