"""A load generator over raw sockets, in a process of its own: ``python -m bench.rig.load PORT REQUESTS [--per-s N]``.

REQUESTS is a file of prebuilt HTTP requests (`write_requests`), sent over kept-alive connections by one event loop of
epoll; nothing is encoded while it runs. Without `--per-s` each connection sends its next request as soon as the last
one is answered, with it requests leave by the clock whether or not the ones before were answered (on another
connection then). A 503 is sent again after half a second, as its clients do. The last line is a JSON object: when it
began and ended (Unix time), its own CPU seconds, how long each request took.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

RETRY_S = 0.5


@dataclass(frozen=True)
class Load:
    """What a generator measured: seconds each request took, when it began and ended, CPU seconds of its own."""

    took_s: np.ndarray[Any, Any]
    """In the order of the answers."""
    sent: np.ndarray[Any, Any]
    """Unix time at which each request was due to leave, in the order of the requests."""
    began: float
    ended: float
    cpu_s: float
    retries: int


def request_bytes(method: str, target: str, body: bytes = b"", content_type: str = "") -> bytes:
    """One HTTP request as it goes over the wire."""
    typed = f"Content-Type: {content_type}\r\n" if content_type else ""
    sized = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{typed}{sized}\r\n".encode() + body


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """The file that the generator reads: each request after its length (8 bytes, big-endian)."""
    with path.open("wb") as file:
        for request in requests:
            file.write(struct.pack(">Q", len(request)))
            file.write(request)


def start(port: int, path: Path, *, connections: int, per_s: float | None = None) -> subprocess.Popen[str]:
    """Start a generator; `finish` waits for it."""
    command = [sys.executable, "-m", "bench.rig.load", str(port), str(path), "--connections", str(connections)]
    more = [] if per_s is None else ["--per-s", str(per_s)]
    return subprocess.Popen([*command, *more], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


def finish(generator: subprocess.Popen[str]) -> Load:
    """What a generator measured.

    Raises
    ------
    RuntimeError
        If a request was refused.
    """
    out, _ = generator.communicate()
    if generator.returncode:
        raise RuntimeError(out.strip() or "The load generator failed.")
    found = json.loads(out.splitlines()[-1])
    return Load(np.array(found.pop("took_s")), np.array(found.pop("sent")), **found)


@dataclass
class _Connection:
    socket: socket.socket
    waiting: memoryview = field(default_factory=lambda: memoryview(b""))
    sent_at: float = 0.0
    request: bytes = b""
    answer: bytes = b""
    is_blocked: bool = False


class _Generator:
    def __init__(self, port: int, requests: Sequence[bytes], connections: int, per_s: float | None) -> None:
        self.requests, self.per_s = deque(requests), per_s
        self.left, self.retries = len(requests), 0
        self.took_s: list[float] = []
        self.sent: list[float] = []
        self.again: deque[tuple[float, bytes]] = deque()
        self.poll = select.epoll()
        self.open: dict[int, _Connection] = {}
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", port))
            opened.setblocking(False)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open[opened.fileno()] = _Connection(opened)
            self.poll.register(opened.fileno(), select.EPOLLIN)
        self.idle = deque(self.open.values())

    def run(self) -> None:
        began, number = time.perf_counter(), 0
        while self.left:
            now = time.perf_counter()
            while self.again and self.again[0][0] <= now and self.idle:
                self._begin(self.idle.popleft(), self.again.popleft()[1], now)
            while self.requests and self.idle and (self.per_s is None or began + number / self.per_s <= now):
                due = now if self.per_s is None else began + number / self.per_s
                self._begin(self.idle.popleft(), self.requests.popleft(), due)
                self.sent.append(due)
                number += 1
            for descriptor, event in self.poll.poll(0.002 if self.per_s or self.again else 1.0):
                connection = self.open[descriptor]
                if event & select.EPOLLOUT:
                    self._write(connection)
                if event & (select.EPOLLIN | select.EPOLLHUP):
                    self._read(connection)

    def _begin(self, connection: _Connection, request: bytes, at: float) -> None:
        connection.request, connection.waiting, connection.sent_at = request, memoryview(request), at
        self._write(connection)

    def _write(self, connection: _Connection) -> None:
        try:
            sent = connection.socket.send(connection.waiting)
        except BlockingIOError:
            sent = 0
        connection.waiting = connection.waiting[sent:]
        if bool(connection.waiting) != connection.is_blocked:
            connection.is_blocked = bool(connection.waiting)
            events = select.EPOLLIN | (select.EPOLLOUT if connection.is_blocked else 0)
            self.poll.modify(connection.socket.fileno(), events)

    def _read(self, connection: _Connection) -> None:
        part = connection.socket.recv(65536)
        if not part:
            raise SystemExit("The server closed a connection.")
        connection.answer += part
        head, separator, body = connection.answer.partition(b"\r\n\r\n")
        if not separator:
            return
        if len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        now, status = time.perf_counter(), connection.answer[9:12]
        if status == b"503":
            self.retries += 1
            self.again.append((now + RETRY_S, connection.request))
        elif status != b"200":
            raise SystemExit(f"{head[:40]!r}: {body[:200]!r}")
        else:
            self.took_s.append(now - connection.sent_at)
            self.left -= 1
        connection.answer = b""
        self.idle.append(connection)


def main() -> None:
    """Send all requests of the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("requests", type=Path)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--per-s", type=float)
    asked = parser.parse_args()
    data, at, requests = asked.requests.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from(">Q", data, at)
        requests.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    generator = _Generator(asked.port, requests, asked.connections, asked.per_s)
    began, cpu_s = time.time(), time.process_time()
    generator.run()
    figures = {"began": began, "ended": time.time(), "cpu_s": time.process_time() - cpu_s, "retries": generator.retries}
    clock_s = time.time() - time.perf_counter()
    print(json.dumps({"took_s": generator.took_s, "sent": [at + clock_s for at in generator.sent], **figures}))


if __name__ == "__main__":
    main()
