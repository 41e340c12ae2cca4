"""A line to a server that is cut without a word: nobody waits for ever, and what was lost is not said to be kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis as AsyncRedis

from app.ops.embedded import ServerUrls
from app.platform.runtime import Runtime
from app.tracking.fix_intake import open_fix_intake
from bench.chaos.line import Line, line_to
from geo.database import make_engine, make_session_factory
from geo.errors import UnavailableError
from ingest import intake
from ingest.formats.gps_format import RawMessage
from ingest.formats.registry import GPS_FORMATS
from tests.app.gps import enrol

WAIT_S = 0.5


def over(url: str, line: Line) -> str:
    return url.replace(f":{urlsplit(url).port}/", f":{line.port}/")


@pytest.fixture
def message(runtime: Runtime, sign_in) -> RawMessage:
    device = enrol(sign_in("administrator"))["device_id"]
    return RawMessage(b"", query=f"id={device}&lat=21.9&lon=106.7".encode(), headers={}, gateway_token=None)


@pytest.fixture
def postgres_line(runtime: Runtime, servers: ServerUrls) -> Iterator[Line]:
    with line_to(urlsplit(servers.database_url).port or 0) as line:
        engine = make_engine(over(servers.database_url, line))
        runtime.sessions = make_session_factory(engine)
        yield line
        engine.dispose()


@pytest.mark.parametrize("silently", [True, False])
def test_whose_device_it_is_cannot_be_asked(
    runtime: Runtime,
    servers: ServerUrls,
    message: RawMessage,
    postgres_line: Line,
    monkeypatch: pytest.MonkeyPatch,
    silently: bool,
) -> None:
    monkeypatch.setattr(intake, "_ASK_TIMEOUT_S", WAIT_S)

    async def send() -> None:
        runtime.async_redis = AsyncRedis.from_url(servers.redis_url)  # of this event loop
        doors = open_fix_intake(runtime)
        assert (await doors.receive(GPS_FORMATS["osmand"], message)).accepted == 1
        doors.directory.forget()
        postgres_line.cut(silently=silently)
        await asyncio.sleep(0.2)
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            await doors.receive(GPS_FORMATS["osmand"], message)
        assert time.monotonic() - began < WAIT_S + 20
        postgres_line.mend()
        await asyncio.sleep(0.2)
        assert (await doors.receive(GPS_FORMATS["osmand"], message)).accepted == 1
        await runtime.async_redis.aclose()

    asyncio.run(send())


@pytest.mark.parametrize("silently", [True, False])
def test_the_stream_does_not_answer(runtime: Runtime, servers: ServerUrls, message: RawMessage, silently: bool) -> None:
    async def send() -> None:
        with line_to(urlsplit(servers.redis_url).port or 0) as line:
            runtime.async_redis = AsyncRedis.from_url(over(servers.redis_url, line), socket_timeout=WAIT_S)
            doors = open_fix_intake(runtime)
            assert (await doors.receive(GPS_FORMATS["osmand"], message)).accepted == 1
            line.cut(silently=silently)
            await asyncio.sleep(0.2)
            with pytest.raises(UnavailableError):
                await doors.receive(GPS_FORMATS["osmand"], message)
            line.mend()
            await asyncio.sleep(0.2)
            assert (await doors.receive(GPS_FORMATS["osmand"], message)).accepted == 1
            assert doors.writer._waiting_bytes == 0
            await runtime.async_redis.aclose()

    asyncio.run(send())
