"""Ending a web process without a failed request, beside others behind a balancer.

Told to stop, it first says at `/readyz` that it is no more ready, answers what comes and lets every connection end with
its answer, and sends open event streams to the other processes; after `drain_s` it stops listening, answers those who
had connected by then, and finishes what is under way.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from types import FrameType
from typing import Final

import structlog
import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FINISH_S: Final = 10
"""How long requests under way may take once nothing new is listened for."""
LAST_S: Final = 1.0
"""Once nothing new is listened for: how long a request of who had connected by then may take to come."""

log = structlog.get_logger("web")


class Draining:
    """Whether a web process drains; pure ASGI: its answers then close their connections."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the balancer sends the next one of its connection elsewhere."""
        if scope["type"] != "http" or not is_draining(scope["app"]):
            await self.app(scope, receive, send)
            return

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self.app(scope, receive, send_and_close)


def is_draining(app: object) -> bool:
    """Whether the process of an application was told to stop."""
    return bool(getattr(app.state, "draining", False))  # type: ignore[attr-defined]


class DrainingServer(uvicorn.Server):
    """Uvicorn that drains before it stops; a second signal stops it at once."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None], drain_s: float) -> None:
        super().__init__(config)
        self._drain, self._drain_s = drain, drain_s
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Listen; from now on a signal means to drain."""
        await super().startup(sockets)  # type: ignore[arg-type]
        self._loop = asyncio.get_running_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and finish; after a drain nobody who had connected is turned away.

        Uvicorn closes connections on which no request has come yet, and the kernel those that wait to be accepted: to a
        balancer that has sent its request already, one that may have been done and must not be sent again.
        """
        if self._drain_s > 0 and not self.force_exit:
            loop = asyncio.get_running_loop()
            for last in self._stop_listening(sockets or []):
                await loop.connect_accepted_socket(self._protocol, last)
            await asyncio.sleep(LAST_S)
        await super().shutdown(sockets)

    def _stop_listening(self, sockets: list[socket.socket]) -> list[socket.socket]:
        """Stop; the connections that waited to be accepted."""
        waiting = []
        listening = [socket.socket(fileno=os.dup(each.fileno())) for server in self.servers for each in server.sockets]
        for server in self.servers:
            server.close()
        for each in sockets:
            each.close()
        for each in listening:
            with each:
                each.setblocking(False)
                while (last := _accept(each)) is not None:
                    last.setblocking(False)
                    waiting.append(last)
        return waiting

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or stop."""
        if self._loop is None:
            super().handle_exit(sig, frame)
            return
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(self._begin, loop, sig, frame)

    def _begin(self, loop: asyncio.AbstractEventLoop, sig: int, frame: FrameType | None) -> None:
        log.info("draining", for_s=self._drain_s)
        self._drain()
        loop.call_later(self._drain_s, super().handle_exit, sig, frame)


def _accept(listening: socket.socket) -> socket.socket | None:
    try:
        return listening.accept()[0]
    except BlockingIOError:
        return None
