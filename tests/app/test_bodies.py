"""Slow senders, large bodies, idle sockets and too many streams hold nothing that others need."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from app.bootstrap import web
from app.platform.runtime import Runtime
from app.tracking import stream_places
from app.web import bodies, connections
from app.web.connections import GuardedProtocol
from geo.errors import UnavailableError
from ingest.budget import Share
from tests.app.serving import serve

SignIn = Callable[..., TestClient]
MEGABYTE = 2**20


@pytest.fixture
def address(runtime: Runtime) -> Iterator[str]:
    """The application on a real port, as it is served."""
    config = uvicorn.Config(web(runtime), log_level="warning", timeout_graceful_shutdown=1, http=GuardedProtocol)
    with serve(uvicorn.Server(config)) as serving:
        yield serving.url


@pytest.fixture
def cookies(address: str, runtime: Runtime, sign_in: SignIn) -> dict[str, str]:
    """A driver's, signed in with a browser."""
    sign_in("driver")
    form = {"username": "driver-1", "password": "correct horse battery staple"}
    answer = httpx.post(f"{address}/signin", data=form, timeout=60)
    assert answer.status_code == 303, answer.text
    return dict(answer.cookies)


def open_socket(address: str, sent: bytes = b"") -> socket.socket:
    found = urlsplit(address)
    assert found.hostname
    assert found.port
    opened = socket.create_connection((found.hostname, found.port), timeout=60)
    opened.sendall(sent)
    return opened


def post(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def status(opened: socket.socket) -> int:
    """The status of the answer; 0 if the connection ends without one."""
    line = opened.recv(4096).split(b"\r\n", 1)[0].split()
    return int(line[1]) if len(line) > 1 else 0


def test_slow_forms_of_a_signed_in_account_hold_up_nobody(
    address: str, cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 8.0)
    header = "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items())
    form = post("/signout", header, "Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000000")
    held = [open_socket(address, form + b"a") for _ in range(60)]
    began = time.monotonic()
    with httpx.Client(base_url=address, cookies=cookies, timeout=7.5) as client:
        for _ in range(5):
            assert client.get("/api/v1/me").status_code == 200
    assert time.monotonic() - began < 7.9, "while they are still held"
    assert {status(each) for each in held} == {408}
    for each in held:
        each.close()


def test_slow_messages_of_devices_hold_up_no_other_device(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 2.0)
    slow = post("/gps/batch", f"Content-Length: {8 * MEGABYTE}")
    held = [open_socket(address, slow + b"{") for _ in range(40)]  # five times what is held of messages at once
    fix = b'{"device":"nobody","lat":21.9,"lon":106.7,"time":"2026-03-02T03:00:00Z"}'
    assert httpx.post(f"{address}/gps/batch", content=fix, timeout=60).status_code == 200
    assert {status(each) for each in held} == {503}, "the only answer that means: send again"
    for each in held:
        each.close()


def test_more_than_memory_is_meant_for_is_refused(
    address: str, cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_share: Share, _size_bytes: int) -> None:
        raise UnavailableError("Too much at once.", retry_after_s=2)

    monkeypatch.setattr(Share, "take", full)
    answer = httpx.post(f"{address}/signout", data={"a": "b"}, cookies=cookies, timeout=60)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_a_body_without_end_is_refused_when_it_is_too_large(address: str) -> None:
    opened = open_socket(address, post("/api/v1/trips", "Content-Type: application/json", "Transfer-Encoding: chunked"))
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    sent = 0
    try:
        while sent < 40:
            opened.sendall(piece)
            sent += 1
    except OSError:
        pass
    assert status(opened) == 413
    opened.close()


@pytest.mark.parametrize("path", ["/api/v1/trips/1/attachments", "/declarations/import", "/cameras/rekor"])
def test_a_large_body_is_read_of_those_alone_who_have_proved_who_they_are(address: str, path: str) -> None:
    for authorization in ((), ("Authorization: Bearer wrong",)):
        length = f"Content-Length: {5 * MEGABYTE}"
        opened = open_socket(
            address, post(path, "Content-Type: multipart/form-data; boundary=x", length, *authorization)
        )
        assert status(opened) == 401, "before a byte of it came"
        opened.close()


@pytest.mark.parametrize("length", [bodies.MAX_BYTES + 1, 300 * MEGABYTE])
@pytest.mark.parametrize("path", ["/signin", "/api/v1/trips", "/api/v1/tokens", "/no/such/page"])
def test_a_body_that_says_that_it_is_too_large_is_not_read(address: str, path: str, length: int) -> None:
    opened = open_socket(address, post(path, "Content-Type: application/json", f"Content-Length: {length}"))
    assert status(opened) == 413
    opened.close()


def test_headers_that_never_end_are_not_waited_for(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.5)
    for sent in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "):
        opened = open_socket(address, sent)
        assert status(opened) == 0
        opened.close()
    opened = open_socket(address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status(opened) == 200
    opened.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
    assert status(opened) == 0, "of a second request neither"
    opened.close()


def test_who_does_not_read_is_not_written_to_for_ever(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SEND_S", 1.0)
    config = uvicorn.Config(web(runtime), log_level="warning", timeout_graceful_shutdown=1, http=GuardedProtocol)
    server = uvicorn.Server(config)
    with serve(server) as serving:
        held = [
            open_socket(serving.url, b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40)
            for _ in range(5)
        ]
        deadline = time.monotonic() + 60
        while len(server.server_state.connections) < len(held):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        while server.server_state.connections:
            assert time.monotonic() < deadline, "they are still held"
            time.sleep(0.1)
        assert httpx.get(f"{serving.url}/healthz", timeout=60).status_code == 200
        for each in held:
            each.close()


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"a"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"X-A: b\r\n"),
        (b"GET /", b"a"),
        (post("/signin", "Transfer-Encoding: chunked") + b"1;", b"a"),
        (post("/signin", "Transfer-Encoding: chunked"), b"1;" + b"b" * 400 + b"\r\na\r\n"),
        (post("/signin", "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\nX-A: ", b"a"),
    ],
    ids=["one header", "many headers", "address", "extension", "extensions", "trailer"],
)
def test_what_is_no_body_is_bounded_too(address: str, begin: bytes, more: bytes) -> None:
    opened = open_socket(address, begin)
    piece = more * (MEGABYTE // len(more))
    sent = 0
    try:
        while sent < 30:
            opened.sendall(piece)
            sent += 1
    except OSError:
        pass
    assert sent < 30, "the connection ends long before"
    opened.close()
    fine = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n"
    opened = open_socket(address, fine * 2 + post("/healthz", "Transfer-Encoding: chunked") + b"1\r\na\r\n" * 20_000)
    opened.sendall(b"0\r\n\r\n" + fine)
    answers = read_until_ends(opened, 4)
    assert answers == [200, 200, 405, 200]
    opened.close()


def read_until_ends(opened: socket.socket, count: int) -> list[int]:
    """The statuses of so many answers on one connection."""
    found = b""
    while found.count(b"HTTP/1.1 ") < count and (piece := opened.recv(65536)):
        found += piece
    return [int(each[:3]) for each in found.split(b"HTTP/1.1 ")[1:]]


def test_idle_connections_make_room_for_who_comes(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "max_connections", lambda: 10)
    idle = [open_socket(address, b"GET / HTTP/1.1\r\n") for _ in range(40)]
    for _ in range(5):
        assert httpx.get(f"{address}/healthz", timeout=60).status_code == 200
    for each in idle[:25]:
        each.settimeout(connections.HEADERS_S / 4)
        assert is_ended(each), "the longest idle ones made room, long before their time was over"
    for each in idle:
        each.close()


def is_ended(opened: socket.socket) -> bool:
    try:
        return opened.recv(1) == b""
    except ConnectionResetError:
        return True


def test_one_account_follows_in_so_many_windows_and_no_more(
    address: str, cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_places, "MAX_STREAMS_OF_ACCOUNT", 3)
    header = "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items())
    request = f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode()
    streams = [open_socket(address, request) for _ in range(3)]
    for stream in streams:
        assert b" 200 " in read_until(stream, b"hello")
    refused = read_until(open_socket(address, request), b"\r\n\r\n")
    assert b" 429 " in refused
    assert b"retry-after: 30" in refused.lower()
    streams[0].close()
    deadline = time.monotonic() + 60
    while b" 200 " not in read_until(another := open_socket(address, request), b"\r\n\r\n"):
        assert time.monotonic() < deadline
        another.close()
        time.sleep(0.1)
    for stream in (*streams[1:], another):
        stream.close()


def read_until(opened: socket.socket, wanted: bytes) -> bytes:
    """What comes until something came; the socket's timeout ends it."""
    found = b""
    while wanted not in found:
        piece = opened.recv(4096)
        if not piece:
            break
        found += piece
    return found
