"""A Traccar server read as a source: by its documented shapes, into the intake of all positions, through breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from structlog.testing import capture_logs

from app.platform.runtime import Runtime
from app.tracking.traccar_source import TraccarSource
from app.tracking.worker import Worker
from tests.app.gps import drain, enrol
from tests.app.serving import serve
from tests.app.test_mqtt import make_intake

TOKEN, COOKIE = "token-of-a-user", "node0session"


class FakeTraccar:
    """What of Traccar 6's API is used: session, devices, positions, socket; nothing without its token or cookie."""

    def __init__(self, runtime: Runtime, device: str) -> None:
        self.devices = [
            {"id": 7, "name": "29C-123.45", "uniqueId": device, "status": "online", "attributes": {}},
            {"id": 8, "name": "?", "uniqueId": "nobody-enrolled-it", "status": "online", "attributes": {}},
        ]
        self.runtime = runtime
        self.positions = [self.position(1, 7, 60.0), self.position(2, 8, 60.0), self.position(3, 9, 60.0)]
        self.told: list[dict[str, Any]] = []
        self.connections = self.sign_ins = 0
        self.is_garbled = False
        routes = [Route(f"/api/{name}", self.answer) for name in ("session", "devices", "positions")]
        self.app = Starlette(routes=[*routes, WebSocketRoute("/api/socket", self.socket)])

    def position(self, number: int, device_id: int, ago_s: float) -> dict[str, Any]:
        at = (self.runtime.clock.now() - timedelta(seconds=ago_s)).isoformat().replace("+00:00", "Z")
        place = {"latitude": 21.85, "longitude": 106.76, "altitude": 260.0, "speed": 20.0, "course": 350.0}
        times = {"serverTime": at, "deviceTime": at, "fixTime": at}
        return {
            **{"id": number, "deviceId": device_id, "protocol": "osmand", "valid": True, "outdated": False},
            **{"accuracy": 5.0, "address": None, "network": None, "attributes": {"batteryLevel": 80, "motion": True}},
            **place,
            **times,
        }

    async def answer(self, request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        if name == "session":
            if request.query_params.get("token") != TOKEN:
                return Response("Unauthorized", 401)
            self.sign_ins += 1
            answer = JSONResponse({"id": 1, "name": "reader"})
            answer.set_cookie("JSESSIONID", COOKIE)
            return answer
        if request.cookies.get("JSESSIONID") != COOKIE:
            return Response("Unauthorized", 401)
        if self.is_garbled:
            self.is_garbled = False
            return Response("<html>busy</html>")
        return JSONResponse(self.devices if name == "devices" else self.positions)

    async def socket(self, socket: WebSocket) -> None:
        if socket.cookies.get("JSESSIONID") != COOKIE:
            await socket.close(1008)
            return
        await socket.accept()
        self.connections += 1
        number = self.connections
        await socket.send_json({})  # Traccar keeps a connection alive so
        await socket.send_json({"devices": [{**self.devices[0], "lastUpdate": None}]})
        await socket.send_json({"events": [{"id": 1, "type": "deviceMoving", "deviceId": 7}]})
        await socket.send_json({"positions": [self.position(10 + number, 7, 60.0 - 10.0 * number)]})
        if number == 1:
            await asyncio.sleep(0.2)
            await socket.close()  # the server restarts
            return
        await socket.receive()


@pytest.fixture
def fake(runtime: Runtime, sign_in) -> Iterator[tuple[FakeTraccar, str]]:
    fake = FakeTraccar(runtime, str(enrol(sign_in("administrator"))["device_id"]))
    with serve(uvicorn.Server(uvicorn.Config(fake.app, port=0, log_config=None))) as serving:
        yield fake, serving.url


async def read_until(source: TraccarSource, is_enough, timeout_s: float = 60.0) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(source.run(stop))
    try:
        async with asyncio.timeout(timeout_s):
            while not await asyncio.to_thread(is_enough):
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await running


def test_positions_come_in_once_through_a_break(runtime: Runtime, fake: tuple[FakeTraccar, str]) -> None:
    server, url = fake
    worker = Worker(runtime, name="test")
    worker.keep_partitions()

    def stored() -> int:
        drain(worker)
        with runtime.sessions() as session:
            return int(session.execute(text("SELECT count(*) FROM ingest.fix")).scalar_one())

    async def story() -> None:
        await read_until(
            TraccarSource(url, TOKEN, make_intake(runtime)), lambda: stored() == 3 and server.sign_ins == 2
        )

    asyncio.run(story())
    assert stored() == 3, "the newest, and one by each connection; what was told again is one"
    with runtime.sessions() as session:
        row = session.execute(
            text("SELECT speed_mps, heading_deg, road_id FROM ingest.fix ORDER BY time LIMIT 1")
        ).one()
    assert row.speed_mps == pytest.approx(20.0 * 0.514444, abs=0.01)
    assert row.heading_deg == 350.0


def test_a_wrong_token_and_a_server_that_is_away_are_tried_again(
    runtime: Runtime, fake: tuple[FakeTraccar, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.tracking.traccar_source.FIRST_PAUSE_S", 0.01)
    server, url = fake

    async def story(address: str) -> None:
        stop = asyncio.Event()
        source = TraccarSource(address, "wrong-token", make_intake(runtime))
        running = asyncio.create_task(source.run(stop))
        await asyncio.sleep(0.5)
        assert not running.done()
        stop.set()
        await running

    with capture_logs() as logged:
        for address in (url, "http://127.0.0.1:9"):
            asyncio.run(story(address))
    assert {line["reason"] for line in logged if "reason" in line} == {"answered 401", "ConnectError"}
    assert "wrong-token" not in str(logged)
    assert (server.sign_ins, server.connections) == (0, 0)


def test_a_server_that_answers_no_json_is_asked_again(
    runtime: Runtime, fake: tuple[FakeTraccar, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.tracking.traccar_source.FIRST_PAUSE_S", 0.01)
    server, url = fake
    server.is_garbled = True
    source = TraccarSource(url, TOKEN, make_intake(runtime))
    asyncio.run(read_until(source, lambda: server.connections >= 2))
    assert not server.is_garbled
