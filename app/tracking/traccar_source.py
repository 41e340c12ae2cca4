"""A Traccar server beside us, read as a source of positions: its REST API and its WebSocket.

By its documented API (https://www.traccar.org/traccar-api/): `GET /api/session?token=` signs in and sets the cookie
that the WebSocket asks for; `GET /api/devices` and `GET /api/positions` answer what is there, `/api/socket` tells of
what changes. A position and its device together are what Traccar forwards, so the intake and its format are those of
`/gps/traccar`: devices are enrolled here by Traccar's `uniqueId`, what is told twice is kept once. What a server tells
while nobody listens is not asked for later: its forwarding repeats, this does not.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx
import orjson
import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from geo.errors import CuaKhauError, UnavailableError
from ingest.formats import traccar
from ingest.formats.gps_format import RawMessage
from ingest.formats.report import JsonObject
from ingest.intake import FixIntake

FIRST_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 30.0
TIMEOUT_S: Final = 20.0
MAX_MESSAGE_BYTES: Final = 16 * 2**20

log = structlog.get_logger("traccar")


@dataclass
class TraccarSource:
    """One Traccar server at `url` (`https://host`), read with a user's `token`; lives in one event loop.

    `gateway_token` is the token of a gateway of ours, where Traccar knows devices by IMEI only.
    """

    url: str
    token: str
    intake: FixIntake
    gateway_token: str | None = None
    _unique_ids: dict[object, object] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set; a server that is away, or refuses, is tried again with growing pauses."""
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            try:
                await self._listen(stop)
                pause_s = FIRST_PAUSE_S
            except (httpx.HTTPError, WebSocketException, OSError, ValueError, UnavailableError) as problem:
                log.warning("not read", server=urlsplit(self.url).hostname, reason=_reason(problem))
            try:
                await asyncio.wait_for(stop.wait(), pause_s)
            except TimeoutError:
                pause_s = min(2 * pause_s, MAX_PAUSE_S)

    async def _listen(self, stop: asyncio.Event) -> None:
        """Sign in, take in what is there, then what is told, until the connection ends or `stop` is set."""
        async with httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT_S) as client:
            session = await client.get("/api/session", params={"token": self.token})
            session.raise_for_status()
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            address = f"{self.url.replace('http', 'ws', 1)}/api/socket"
            async with connect(
                address, additional_headers={"Cookie": cookie}, max_size=MAX_MESSAGE_BYTES, open_timeout=TIMEOUT_S
            ) as socket:
                # The socket is open before what is there is asked for, so that nothing falls between the two.
                for kind in ("devices", "positions"):
                    answer = await client.get(f"/api/{kind}")
                    answer.raise_for_status()
                    await self._take({kind: answer.json()})
                ending = asyncio.create_task(stop.wait())
                try:
                    while not stop.is_set():
                        heard = asyncio.ensure_future(socket.recv())
                        await asyncio.wait({heard, ending}, return_when=asyncio.FIRST_COMPLETED)
                        if not heard.done():
                            heard.cancel()
                            return
                        message = orjson.loads(heard.result())
                        if isinstance(message, dict):
                            await self._take(message)
                finally:
                    ending.cancel()

    async def _take(self, message: JsonObject) -> None:
        """Take in a message: devices are remembered, positions go to the intake.

        Raises
        ------
        UnavailableError
            If they could not be kept now; the next connection begins with the newest again.
        """
        for device in _objects(message.get("devices")):
            self._unique_ids[device.get("id")] = device.get("uniqueId")
        for position in _objects(message.get("positions")):
            unique_id = self._unique_ids.get(position.get("deviceId"))
            if unique_id is None:
                continue  # one that this user may not see, or that was made a moment ago: it is told of with its device
            body = orjson.dumps({"position": position, "device": {"uniqueId": unique_id}})
            try:
                await self.intake.receive(traccar.FORMAT, RawMessage(body, gateway_token=self.gateway_token))
            except UnavailableError:
                raise
            except CuaKhauError as error:
                log.info("position not accepted", reason=str(error)[:200])


def _reason(problem: Exception) -> str:
    """What was wrong, in words that hold no address: the one that signs in has the token in it."""
    if isinstance(problem, httpx.HTTPStatusError):
        return f"answered {problem.response.status_code}"
    return type(problem).__name__


def _objects(value: object) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
