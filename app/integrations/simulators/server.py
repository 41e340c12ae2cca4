"""The HTTP side of a simulated neighbour: takes messages, keeps answers to be fetched, misbehaves as it is told.

`POST /messages`, `GET /messages?after=…` as the adapter expects them; `GET /status` counts; `PUT /records/{key}` says
what the neighbour is to know, for tests and demonstrations. Every answer says `Simulated: true`.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from app.integrations.messages import Codec, JsonCodec, Message, parse_body
from app.integrations.simulators.faults import Faults, Mood
from app.integrations.simulators.storage import Planned, Storage
from app.platform.json import JsonObject
from geo.clock import Clock
from geo.errors import InvalidInputError

MAX_BODY: Final = 1_000_000


class Script(Protocol):
    """What a simulated neighbour knows and says."""

    @property
    def name(self) -> str:
        """What the neighbour is called."""
        ...

    def answer(self, storage: Storage, message: Message, clock: Clock, generator: random.Random) -> Sequence[Planned]:
        """What is said to a message that is new, within the transaction in which it is kept; raises InvalidInputError
        if it is none of its own."""
        ...

    def keep(self, storage: Storage, key: str, data: JsonObject, clock: Clock) -> Sequence[Planned]:
        """Know something from now on, and what is said of it to those who asked before; as `answer` otherwise."""
        ...


class Simulator:
    """A simulated neighbour that listens on a port of this machine (0: a free one)."""

    def __init__(
        self,
        script: Script,
        path: Path,
        clock: Clock,
        *,
        port: int = 0,
        faults: Faults | None = None,
        seed: int = 0,
        codec: Codec | None = None,
    ) -> None:
        self.script, self.clock, self.faults = script, clock, faults or Faults()
        self.codec = codec or JsonCodec()
        self.storage = Storage(path)
        self._generator, self._lock = random.Random(seed), threading.Lock()
        simulator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_POST(self) -> None:
                simulator.take(self)

            def do_GET(self) -> None:
                simulator.give(self)

            def do_PUT(self) -> None:
                simulator.keep(self)

            def log_message(self, *_: object) -> None:
                """Say nothing: the figures of /status do."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        """Answer until told to stop."""
        self.server.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Stop answering, from another thread."""
        self.server.shutdown()
        self.server.server_close()
        self.storage.close()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Take a message."""
        data, mood = _read(request), self._mood()
        if mood.fails_before:
            self._fail(request, mood)
            return
        try:
            (message,) = self.codec.decode(data)
            with self.storage.transaction():
                if self.storage.take(message):
                    planned = self.script.answer(self.storage, message, self.clock, self._generator)
                    self.storage.plan(planned, time.time())
        except (InvalidInputError, ValueError) as error:
            _answer(request, 422, str(error).encode())
            return
        if mood.fails_after:
            self._fail(request, mood)
        elif mood.is_wrong:
            _answer(request, 200, b"<html>maintenance</html>", "text/html")
        else:
            _answer(request, 200, self.codec.encode_all([]), self.codec.content_type)

    def give(self, request: BaseHTTPRequestHandler) -> None:
        """Give what is kept for whoever asks, or the figures, or a record."""
        parts = urlsplit(request.path)
        if parts.path == "/status":
            figures = {"neighbour": self.script.name, "simulated": True, **asdict(self.storage.figures())}
            _answer(request, 200, json.dumps(figures).encode())
        elif parts.path.startswith("/records/"):
            record = self.storage.find_record(unquote(parts.path.removeprefix("/records/")))
            _answer(request, 404 if record is None else 200, json.dumps(record, ensure_ascii=False).encode())
        elif parts.path == "/messages":
            self._give_messages(request, parse_qs(parts.query))
        else:
            _answer(request, 404, b"")

    def keep(self, request: BaseHTTPRequestHandler) -> None:
        """Know what it is told."""
        key = unquote(urlsplit(request.path).path.removeprefix("/records/"))
        try:
            self.tell(key, parse_body(_read(request).decode()))
        except (InvalidInputError, ValueError) as error:
            _answer(request, 422, str(error).encode())
            return
        _answer(request, 204, b"")

    def tell(self, key: str, data: JsonObject) -> None:
        """Let the neighbour know something from now on; raises InvalidInputError if it can make nothing of it."""
        with self.storage.transaction():
            self.storage.plan(self.script.keep(self.storage, key, data, self.clock), time.time())

    def _give_messages(self, request: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
        mood = self._mood()
        if mood.fails_after:
            self._fail(request, mood)
            return
        if mood.is_wrong:
            _answer(request, 200, b"<html>maintenance</html>", "text/html")
            return
        after, limit = query.get("after", ["0"])[0], query.get("limit", ["100"])[0]
        if not (after or "0").isdecimal() or not limit.isdecimal():
            _answer(request, 422, b"after and limit are numbers")
            return
        messages, cursor = self.storage.fetch(
            int(after or "0"),
            int(limit),
            time.time(),
            self._generator,
            shuffles=self.faults.shuffles,
            repeats=mood.repeats,
        )
        _answer(request, 200, self.codec.encode_all(messages), self.codec.content_type, {"Next-Cursor": str(cursor)})

    def _mood(self) -> Mood:
        with self._lock:
            mood = self.faults.draw(self._generator)
        if mood.slow_s:
            time.sleep(mood.slow_s)
        return mood

    def _fail(self, request: BaseHTTPRequestHandler, mood: Mood) -> None:
        if mood.cuts:
            request.close_connection = True
        else:
            _answer(request, 503, b"busy")


def _read(request: BaseHTTPRequestHandler) -> bytes:
    length = min(int(request.headers.get("Content-Length") or 0), MAX_BODY)
    return request.rfile.read(length)


def _answer(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> None:
    request.send_response(status)
    all_headers = {
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
        "Simulated": "true",
        **(headers or {}),
    }
    for name, value in all_headers.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
