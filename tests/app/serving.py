"""The application, or a server that only notes what it is sent, on a real port of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

import uvicorn
from sse_starlette.sse import AppStatus

from app.ops.install import create_user
from app.platform.runtime import Runtime

ADMINISTRATOR = {"username": "boss", "password": "correct horse battery staple"}


@dataclass(frozen=True)
class Serving:
    """A server that runs in a thread."""

    port: int
    thread: threading.Thread

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"


def create_administrator(runtime: Runtime) -> None:
    """The account `ADMINISTRATOR`, whose password is its own already."""
    name, password = ADMINISTRATOR["username"], ADMINISTRATOR["password"]
    create_user(
        runtime.settings,
        name,
        password,
        "administrator",
        full_name="",
        gate=None,
        organisation=None,
        must_change=False,
    )


@contextmanager
def serve(server: uvicorn.Server) -> Iterator[Serving]:
    """Run `server` in a thread until the end."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield Serving(int(listener.getsockname()[1]), thread)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        AppStatus.should_exit = False  # the library that streams notes a signal for the whole process


@contextmanager
def note_posts(take: Callable[[dict[str, str], bytes], int]) -> Iterator[int]:
    """Give headers and body of every POST to `take`, which says the status of the answer; the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(take(dict(self.headers), body))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
