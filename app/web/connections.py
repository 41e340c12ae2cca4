"""Connections of the web server: idle ones, slow headers and those who do not read end; the newest always find room."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.platform.limits import max_connections

HEADERS_S: Final = 10.0
"""How long a request's line and headers may take, from the connection or from their first byte."""
SEND_S: Final = 30.0
"""How long a client may take to read what fills the buffer of its connection, some 50 kB."""
MAX_OVERHEAD_BYTES: Final = 64 * 1024
"""What a request may have beside its body: its line and headers, sizes and extensions of chunks, trailers."""
OVERHEAD_OF_A_BYTE: Final = 8
"""A body may come in chunks of a byte each, which takes six others."""
_NUMBERS = itertools.count()
"""In which order connections came: the event loop's clock does not tell those of one turn apart."""


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it; a connection on which no request comes or no answer is read in time is closed.

    Neither the parser nor uvicorn limits headers: what is no body is counted here.

    Where there are more connections than a process may hold, one on which nothing is asked makes room.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._headers_timer: asyncio.TimerHandle | None = None
        self._number = next(_NUMBERS)
        self._overhead_bytes = 0
        self._send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, so long and no longer."""
        super().connection_made(transport)
        self._await_headers()
        if len(self.connections) > max_connections():
            self._make_room()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered on it."""
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> None:
        """Close one: of those that owe a request the first that came, else of those between two requests; else this."""
        held = [each for each in self.connections if isinstance(each, GuardedProtocol) and not each.is_closing]
        if len(held) > max_connections():
            idle = (each for each in held if each.is_idle)
            min(idle, key=lambda each: (each._headers_timer is None, each._number), default=self).close()

    @property
    def is_closing(self) -> bool:
        """Whether it ends already, though the server still counts it."""
        return self.transport is None or self.transport.is_closing()

    def close(self) -> None:
        """End the connection at once."""
        self._stop_waiting()
        if not self.is_closing:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take a piece; of a next request the headers are waited for as of the first."""
        if self.is_idle and self._headers_timer is None:
            self._await_headers()
        for start in range(0, len(data), MAX_OVERHEAD_BYTES):
            piece = data[start : start + MAX_OVERHEAD_BYTES]
            self._overhead_bytes += len(piece)
            super().data_received(piece)
            if self._overhead_bytes > MAX_OVERHEAD_BYTES:
                self._refuse_overhead()
            if self.is_closing:
                break

    def on_message_begin(self) -> None:
        """Another request: it counts for itself, from somewhere in this piece on."""
        self._overhead_bytes = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """What is body is counted where bodies are read."""
        self._overhead_bytes = max(0, self._overhead_bytes - len(body) * OVERHEAD_OF_A_BYTE)
        super().on_body(body)

    def _refuse_overhead(self) -> None:
        if self.is_idle and not self.is_closing:
            self.transport.write(
                b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.close()
        self._stop_waiting()
        if not self.is_closing:
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is sent to: from now on it has its time."""
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        """It has read."""
        self._stop_sending()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an unused connection; what is not read of its last answer is not kept for ever."""
        super().timeout_keep_alive_handler()
        self._await_reading()

    def on_headers_complete(self) -> None:
        """The request is there."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._stop_sending()
        super().connection_lost(exc)

    def _await_reading(self) -> None:
        self._stop_sending()
        self._send_timer = self.loop.call_later(SEND_S, self.transport.abort)

    def _stop_sending(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _await_headers(self) -> None:
        self._headers_timer = self.loop.call_later(HEADERS_S, self.close)

    def _stop_waiting(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None
