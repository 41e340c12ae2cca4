"""The public board over HTTP, with real processes: how many requests a second one web process answers.

One run on one machine, load generator (`bench.rig.load`) included. Nobody signs in; requests come over kept-alive
connections, in three languages, for the page, the screen of a gate and the JSON in turn, packed with gzip as browsers
ask for it; and for each of them alone, the page unpacked too. The board has a forecast and a yard plan, made once
before. No answer is a 304: those are smaller. Servers: as `bench.rig.starting`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import structlog
from redis.asyncio import Redis as AsyncRedis

from app.control.minute import Minute
from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from app.settings import Settings
from bench.rig import load
from bench.rig.starting import Rig, started
from capacity.store import seed_yards
from geo.clock import SystemClock
from geo.corridor import Corridor
from geo.database import make_session_factory

REQUESTS: Final = 20_000
CONNECTIONS: Final = 64
LANGUAGES: Final = ("vi", "en", "zh")
PAGE, SCREEN, JSON = "/", "/board/huu-nghi", "/api/v1/board"


def run() -> dict[str, Any]:
    """All figures of the board; see the module for what they mean."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with started({}) as rig:
        _prepare(rig)
        figures = _measure(rig, "", (PAGE, SCREEN, JSON), "gzip")
        for name, path, encoding in (
            ("page_", PAGE, "gzip"),
            ("page_unpacked_", PAGE, "identity"),
            ("screen_", SCREEN, "gzip"),
            ("json_", JSON, "gzip"),
        ):
            figures |= _measure(rig, name, (path,), encoding)
        return figures


def _prepare(rig: Rig) -> None:
    """Yards, gates, and one minute of the loop: a forecast and a plan."""
    settings = Settings(demo=True, forecast_runs=16)
    corridor, clock = Corridor.default(), SystemClock()
    idle: AsyncRedis = AsyncRedis()  # the minute speaks with the other client alone
    runtime = Runtime(settings, clock, rig.engine, make_session_factory(rig.engine), rig.redis, idle, corridor)
    with runtime.sessions.begin() as session:
        seed_yards(session, corridor, now=clock.now())
        seed_profiles(session, corridor, now=clock.now())
    failed = Minute.of(runtime).run().failed
    if {"forecast", "yard_plan"} & set(failed):
        raise RuntimeError(f"The minute failed: {failed}")


def _measure(rig: Rig, name: str, paths: tuple[str, ...], encoding: str) -> dict[str, Any]:
    file = rig.folder / "requests"
    load.write_requests(file, itertools.islice(_requests(paths, encoding), 1000))
    load.finish(load.start(rig.platform.port, file, connections=CONNECTIONS))  # warms up
    load.write_requests(file, itertools.islice(_requests(paths, encoding), REQUESTS))
    before = rig.platform.cpu_s()["web"]
    sent = load.finish(load.start(rig.platform.port, file, connections=CONNECTIONS))
    web_s = rig.platform.cpu_s()["web"] - before
    return {
        f"{name}requests_per_s": REQUESTS / (sent.ended - sent.began),
        f"{name}ms_p50": float(np.quantile(sent.took_s, 0.5)) * 1e3,
        f"{name}ms_p99": float(np.quantile(sent.took_s, 0.99)) * 1e3,
        f"{name}web_cpu_us": web_s / REQUESTS * 1e6,
        f"{name}load_cpu_us": sent.cpu_s / REQUESTS * 1e6,
    }


def _requests(paths: tuple[str, ...], encoding: str) -> Iterator[bytes]:
    for path, language in itertools.cycle(itertools.product(paths, LANGUAGES)):
        headers = f"Host: localhost\r\nAccept-Language: {language}\r\nAccept-Encoding: {encoding}\r\n"
        yield f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode()
