"""Everything that a hostile sender can do at once, and what an officer notices of it.

Slow forms of a signed-in account, idle sockets beyond Debian's limit of files, bodies without end from nobody, batches
of unknown devices, streams, workbooks that unpack to gigabytes, all against one web process for half a minute, while
an officer's page asks for what it shows. The attackers run in a process of their own; everything is on this machine, so
what they take of its two cores is counted in.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import multiprocessing
import resource
import secrets
import threading
import time
import zipfile
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import orjson
from sqlalchemy.orm import Session

from app.accounts import service
from app.platform.actions import ActionContext
from bench.rig.starting import Rig, started

SECONDS: Final = 30.0
IDLE_SOCKETS: Final = 1_100
SLOW_FORMS: Final = 60
ENDLESS_BODIES: Final = 4
BATCHES: Final = 3
STREAMS: Final = 200
WORKBOOKS: Final = 2
FILES: Final = 1_024
"""Debian's soft limit of open files."""
PASSWORD: Final = secrets.token_urlsafe(16)
PAGES: Final = ("/api/v1/me", "/api/v1/positions", "/police", "/healthz")
_SHEET: Final = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row>'


def run() -> dict[str, Any]:
    """All figures; see the module for what they mean."""
    with _debian_limit(), started({}) as rig:
        cookies = _sign_in_all(rig)
        port = rig.platform.port
        quiet = _honest(port, cookies["officer"], 5.0)
        attack = multiprocessing.get_context("spawn").Process(target=attack_for, args=(SECONDS, port, cookies))
        attack.start()
        peak = _Peak(rig.platform.pids["web"])
        with peak:
            figures = _honest(port, cookies["officer"], SECONDS - 2.0)
        attack.join()
    return {
        "quiet_p99_ms": quiet["p99_ms"],
        "honest_requests": figures["requests"],
        "honest_p50_ms": figures["p50_ms"],
        "honest_p99_ms": figures["p99_ms"],
        "honest_failed": figures["failed"],
        "rss_peak_mb": peak.mb,
    }


@contextlib.contextmanager
def _debian_limit() -> Any:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _sign_in_all(rig: Rig) -> dict[str, dict[str, str]]:
    now = datetime.now(UTC)
    with Session(rig.engine) as session:
        action = ActionContext(session, None, now)
        company = service.create_organisation(action, name="Hostile", kind="enterprise")
        roles = {"officer": "traffic_police", "slow": "traffic_police", "enterprise": "enterprise"}
        for name, role in roles.items():
            own = company.organisation_id if role == "enterprise" else None
            service.create_account(
                action, username=name, password=PASSWORD, full_name=name, role=role, organisation_id=own
            )
        session.commit()
    found = {}
    for name in roles:
        form = {"username": name, "password": PASSWORD}
        answer = httpx.post(f"http://127.0.0.1:{rig.platform.port}/signin", data=form, timeout=30)
        found[name] = dict(answer.cookies)
    form = {"username": "enterprise", "password": PASSWORD}
    answer = httpx.post(f"http://127.0.0.1:{rig.platform.port}/api/v1/tokens", data=form, timeout=30)
    found["enterprise"] = {"token": answer.json()["access_token"]}
    return found


def _honest(port: int, cookies: dict[str, str], seconds: float) -> dict[str, float]:
    """An officer's requests, one after the other with a pause, and how long each took."""
    took: list[float] = []
    failed = 0
    deadline = time.monotonic() + seconds
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=10) as client:
        while time.monotonic() < deadline:
            for page in PAGES:
                began = time.perf_counter()
                try:
                    failed += client.get(page).status_code != 200
                except httpx.HTTPError:
                    failed += 1
                took.append((time.perf_counter() - began) * 1000.0)
            time.sleep(0.05)
    p50_ms, p99_ms = np.percentile(took, [50, 99])
    return {"requests": len(took), "p50_ms": float(p50_ms), "p99_ms": float(p99_ms), "failed": failed}


class _Peak:
    """The largest memory of a process and its children while the context lasts."""

    def __init__(self, pid: int) -> None:
        self.pid, self.mb = pid, 0.0
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Peak:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            self.mb = max(self.mb, sum(_rss_mb(pid) for pid in _family(self.pid)))


def _family(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    return found


def _rss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024.0
    return 0.0


def attack_for(seconds: float, port: int, cookies: dict[str, dict[str, str]]) -> None:
    """Attack for so long, in a process of its own."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    slow = "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies["slow"].items()) + "\r\n"
    enterprise = f"Authorization: Bearer {cookies['enterprise']['token']}\r\n"
    form = f"POST /signout HTTP/1.1\r\nHost: localhost\r\n{slow}Content-Type: application/x-www-form-urlencoded\r\n"
    endless = (
        "POST /api/v1/trips HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    stream = f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{slow}\r\n"
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    batch, workbook = _unknown_batch(), _workbook(enterprise)
    every = [
        *[_hold(port, b"GET / HTTP/1.1\r\nHost:") for _ in range(IDLE_SOCKETS)],
        *[_hold(port, f"{form}Content-Length: 1000000\r\n\r\na".encode()) for _ in range(SLOW_FORMS)],
        *[_hold(port, stream.encode()) for _ in range(STREAMS)],
        *[_pour(port, endless.encode(), piece, 4_800) for _ in range(ENDLESS_BODIES)],
        *[_pour(port, batch, b"", 0) for _ in range(BATCHES)],
        *[_pour(port, workbook, b"", 0) for _ in range(WORKBOOKS)],
    ]
    asyncio.run(_all(every, seconds))


async def _all(every: list[Callable[[], Coroutine[Any, Any, None]]], seconds: float) -> None:
    async def again(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await act()
            await asyncio.sleep(0.2)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(again(act) for act in every))


def _hold(port: int, sent: bytes) -> Callable[[], Coroutine[Any, Any, None]]:
    """Open a connection, send a piece, and wait until the other side ends it."""

    async def act() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(sent)
            await writer.drain()
            while await reader.read(65_536):
                pass
        finally:
            writer.close()

    return act


def _pour(port: int, head: bytes, piece: bytes, pieces: int) -> Callable[[], Coroutine[Any, Any, None]]:
    """Send a head and many pieces, and take the answer."""

    async def act() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head)
            for _ in range(pieces):
                writer.write(piece)
                await writer.drain()
            await writer.drain()
            await asyncio.wait_for(reader.read(65_536), 90)
        finally:
            writer.close()

    return act


def _unknown_batch() -> bytes:
    fix = {"lat": 21.9, "lon": 106.7, "time": datetime.now(UTC).isoformat()}
    body = b"\n".join(orjson.dumps(fix | {"device": f"unknown-{number:08d}"}) for number in range(80_000))
    head = (
        "POST /gps/batch HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _workbook(cookie: str) -> bytes:
    """An import of a workbook with one row of nine million cells, 40 kB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", _SHEET + "<c/>" * 9_000_000 + "</row></sheetData></worksheet>")
        for name, text in _PARTS.items():
            archive.writestr(name, text)
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.xlsx"\r\n\r\n'
        + packed.getvalue()
        + b"\r\n--b--\r\n"
    )
    head = (
        f"POST /api/v1/declarations/imports HTTP/1.1\r\nHost: localhost\r\n{cookie}"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_OFFICE: Final = "http://schemas.openxmlformats.org"
_PARTS: Final = {
    "[Content_Types].xml": f'<Types xmlns="{_OFFICE}/package/2006/content-types">'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="r1" '
    f'Type="{_OFFICE}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_OFFICE}/spreadsheetml/2006/main" '
    f'xmlns:r="{_OFFICE}/officeDocument/2006/relationships"><sheets>'
    '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="r1" '
    f'Type="{_OFFICE}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
