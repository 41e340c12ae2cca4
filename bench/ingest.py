"""From `/gps/batch` and `/gps/osmand` over HTTP to committed, matched, published rows, with real processes.

One run on one machine, load generator included. The limit beside it is a bare COPY of the very same rows by the same
driver into the same table. Servers: those of `DATABASE_URL` and `REDIS_URL` (their contents are erased), else private
ones that sync to disk like in service.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from redis import Redis
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.ops import migrate
from app.ops.embedded import EmbeddedServers, ServerUrls
from geo.corridor import Corridor
from geo.database import SCHEMAS, make_engine
from geo.store import save_corridor
from ingest import devices, fix_store

ROOT = Path(__file__).parents[1]
VEHICLES = 2_000
BATCH_FIXES = 400_000
BODY_LINES = 5_000
SENDERS = 2
SINGLE_FIXES = 15_000
CONNECTIONS = 32
PROBES = 200
INTERVAL_S = 5.0


def run() -> dict[str, Any]:
    """All figures of ingest; see the module for what they mean."""
    with contextlib.ExitStack() as stack:
        if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
            urls = ServerUrls(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
        else:
            folder = tempfile.TemporaryDirectory(prefix="cuakhau-bench-", ignore_cleanup_errors=True)
            urls = stack.enter_context(EmbeddedServers(Path(stack.enter_context(folder))))
        engine = make_engine(urls.database_url, application_name="cuakhau-bench")
        stack.callback(engine.dispose)
        redis = stack.enter_context(Redis.from_url(urls.redis_url))
        identifiers = _prepare(engine, redis)
        port = stack.enter_context(_platform(urls))
        figures = _batches(engine, redis, port, identifiers)
        figures |= asyncio.run(_singles(port, identifiers))
        figures |= _probes(redis, port, identifiers)
        return figures


def _prepare(engine: Engine, redis: Redis) -> list[str]:
    """An empty platform with the corridor and enrolled devices; their identifiers."""
    redis.flushdb()
    with engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
    migrate.upgrade(engine)
    now = datetime.now(UTC)
    with Session(engine) as session:
        save_corridor(session, Corridor.default())
        made = [devices.enrol(session, f"29C-{n:05d}", "tracker", now=now).identifier for n in range(VEHICLES)]
        session.commit()
    return made


@contextlib.contextmanager
def _platform(urls: ServerUrls) -> Iterator[int]:
    """The web part and one worker as processes of their own; the port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": urls.database_url,
        "REDIS_URL": urls.redis_url,
        "CUAKHAU_DEMO": "1",
        "CUAKHAU_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", "from app.cli import app; app()"]
    parts = [
        subprocess.Popen(
            [*command, part], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for part in ("worker", "serve")
    ]
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/healthz")
                if connection.getresponse().status < 500:
                    break
            if time.monotonic() > deadline or any(part.poll() is not None for part in parts):
                raise RuntimeError("The platform did not start.")
            time.sleep(0.1)
        yield port
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            try:
                part.wait(20)
            except subprocess.TimeoutExpired:
                part.kill()


def _bodies(identifiers: list[str]) -> list[bytes]:
    """NDJSON bodies: all trucks drive toward the border and report every 5 s, over the last minutes."""
    corridor, rng = Corridor.default(), np.random.default_rng(1)
    rounds = BATCH_FIXES // VEHICLES
    began = time.time() - rounds * INTERVAL_S - 60
    truck = np.tile(np.arange(VEHICLES), rounds)
    number = np.repeat(np.arange(rounds), VEHICLES)
    lon, lat = corridor.position("QL1A", 110.0 - truck % 80 - number * INTERVAL_S * 0.012)
    noise = rng.normal(0, 8e-5, (2, len(truck)))
    moments = ((began + number * INTERVAL_S) * 1000).astype("datetime64[ms]")
    times = np.datetime_as_string(moments, timezone="UTC").tolist()
    lines = [
        orjson.dumps(
            {"device": identifiers[who], "time": moment, "lat": y, "lon": x, "speed_mps": 12.0, "heading_deg": 20.0},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for who, moment, y, x in zip(
            truck.tolist(), times, (lat + noise[0]).round(6).tolist(), (lon + noise[1]).round(6).tolist(), strict=True
        )
    ]
    return [b"".join(lines[start : start + BODY_LINES]) for start in range(0, len(lines), BODY_LINES)]


def _batches(engine: Engine, redis: Redis, port: int, identifiers: list[str]) -> dict[str, Any]:
    bodies = _bodies(identifiers)
    _post(port, bodies[:1])  # warm: compiled paths, known devices
    _await_stored(redis, BODY_LINES)
    waiting = list(reversed(bodies[1:]))
    lock = threading.Lock()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with lock:
                if not waiting:
                    return
                body = waiting.pop()
            while _request(connection, body) == 503:
                time.sleep(0.5)

    began = time.perf_counter()
    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    acknowledged_s = time.perf_counter() - began
    total = BODY_LINES * len(bodies)
    _await_stored(redis, total)
    stored_s = time.perf_counter() - began
    fixes = total - BODY_LINES
    with engine.connect() as connection:
        rows = int(connection.scalar(text("SELECT count(*) FROM ingest.fix")) or 0)
        size = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'ingest.fix'::regclass"
        bytes_per_fix = int(connection.scalar(text(size)) or 0) / rows
    copy_per_s = _copy(engine, rows)
    return {
        "fixes_per_s": fixes / stored_s,
        "acknowledged_per_s": fixes / acknowledged_s,
        "copy_per_s": copy_per_s,
        "ratio_to_copy": fixes / stored_s / copy_per_s,
        "lost": total - rows,
        "bytes_per_fix": bytes_per_fix,
    }


def _copy(engine: Engine, rows: int) -> float:
    """Rows a second of a bare COPY of the stored rows into the same, emptied table."""
    buffer = io.BytesIO()
    with engine.connect() as connection:
        out = f"COPY (SELECT {fix_store.FIX_COLUMNS} FROM ingest.fix) TO STDOUT (FORMAT binary)"
        driver: Any = connection.connection
        with driver.cursor() as cursor:
            cursor.copy_expert(out, buffer)
        connection.execute(text("TRUNCATE ingest.fix"))
        connection.commit()
        began = time.perf_counter()
        fix_store.copy_fixes(connection, buffer.getvalue())
        connection.commit()
    return rows / (time.perf_counter() - began)


def _post(port: int, bodies: list[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for body in bodies:
        _request(connection, body)


def _request(connection: http.client.HTTPConnection, body: bytes) -> int:
    connection.request("POST", "/gps/batch", body, {"Content-Type": "application/x-ndjson"})
    answer = connection.getresponse()
    found = answer.read()
    if answer.status not in {200, 503}:
        raise RuntimeError(f"{answer.status}: {found[:200]!r}")
    return answer.status


def _await_stored(redis: Redis, count: int) -> None:
    deadline = time.monotonic() + 120
    while int(redis.hget("ck:counters", "fixes_stored_total") or 0) < count:
        if time.monotonic() > deadline:
            raise RuntimeError("Fixes were not stored.")
        time.sleep(0.005)


async def _singles(port: int, identifiers: list[str]) -> dict[str, Any]:
    """Single fixes as Traccar Client sends them, over kept-alive connections."""
    took_s: list[float] = []
    began_us = int(time.time() * 1000) - 30_000
    place = Corridor.default().position("QL1A", [50.0])
    lon, lat = float(place[0][0]), float(place[1][0])

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in range(SINGLE_FIXES // CONNECTIONS):
            who = identifiers[(number + turn * CONNECTIONS) % VEHICLES]
            query = f"id={who}&timestamp={began_us + turn}&lat={lat}&lon={lon}&speed=10&bearing=20&batt=80"
            sent = time.perf_counter()
            writer.write(f"GET /gps/osmand?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            took_s.append(time.perf_counter() - sent)
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(CONNECTIONS)))
    elapsed_s = time.perf_counter() - began
    return {
        "single_fix_per_s": len(took_s) / elapsed_s,
        "single_fix_p50_ms": float(np.percentile(took_s, 50)) * 1e3,
        "single_fix_p99_ms": float(np.percentile(took_s, 99)) * 1e3,
    }


def _probes(redis: Redis, port: int, identifiers: list[str]) -> dict[str, Any]:
    """From the POST of one fix to its publication, committed."""
    channel = redis.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("ck:positions")
    time.sleep(2.0)
    while channel.get_message(timeout=0.2):
        pass
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took_s = []
    for number in range(PROBES):
        moment = datetime.now(UTC).isoformat()
        fix = {"device": identifiers[number], "time": moment, "lat": 21.5, "lon": 106.35, "speed_mps": 0.0}
        sent = time.perf_counter()
        _request(connection, orjson.dumps(fix))
        # an earlier fix of the truck elsewhere makes this one a jump, which is not published: the rest are
        if channel.get_message(timeout=1.0):
            took_s.append(time.perf_counter() - sent)
    channel.close()
    return {"post_to_published_p99_ms": float(np.percentile(took_s, 99)) * 1e3 if took_s else None}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    asked = parser.parse_args()
    found = run()
    for key, value in found.items():
        print(f"{key:<28} {value:,.2f}" if isinstance(value, float) else f"{key:<28} {value}")
    if asked.json:
        print(json.dumps(found))
