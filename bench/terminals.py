"""JT/T 808 terminals that stay connected and report, with real processes: how long each waits for its acknowledgement.

One machine, the terminals included: they are one more process' event loop. Servers: those of `DATABASE_URL` and
`REDIS_URL` (their contents are erased), else private ones that sync to disk like in service.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from redis import Redis
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.ops import migrate
from app.ops.embedded import EmbeddedServers, ServerUrls
from app.ops.limits import allow_many_files
from bench.rig.processes import cpu_s
from geo.corridor import Corridor
from geo.database import SCHEMAS, make_engine
from geo.store import save_corridor
from ingest import devices
from ingest.formats.jt808_frame import checksum, escape, unescape

ROOT = Path(__file__).parents[1]
TERMINALS = 5_000
INTERVAL_S = 10.0
DURATION_S = 60.0
CONNECT_PER_S = 500.0


def run(terminals: int = TERMINALS, duration_s: float = DURATION_S) -> dict[str, Any]:
    """Connect `terminals`, let each report every `INTERVAL_S` for `duration_s`; counts and waits."""
    allow_many_files()
    with contextlib.ExitStack() as stack:
        if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
            urls = ServerUrls.of_environment(os.environ)
        else:
            folder = tempfile.TemporaryDirectory(prefix="cuakhau-bench-", ignore_cleanup_errors=True)
            urls = stack.enter_context(EmbeddedServers(Path(stack.enter_context(folder))))
        engine = make_engine(urls.owner_url, application_name="cuakhau-bench")
        stack.callback(engine.dispose)
        redis = stack.enter_context(Redis.from_url(urls.redis_url))
        phones = _prepare(engine, redis, terminals)
        port, gateway = stack.enter_context(_platform(urls))
        before_s, own_s = cpu_s(gateway), time.process_time()
        figures = uvloop.run(_drive(port, phones, duration_s))
        figures["gateway_rss_mb"] = _rss_mb(gateway)
        figures["gateway_cpu_us_per_report"] = (cpu_s(gateway) - before_s) / figures["sent"] * 1e6
        figures["load_cpu_us_per_report"] = (time.process_time() - own_s) / figures["sent"] * 1e6
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and any(redis.xlen(f"ck:fixes:{shard}") for shard in range(2)):
            time.sleep(0.2)
        with engine.connect() as connection:
            figures["stored"] = connection.execute(text("SELECT count(*) FROM ingest.fix")).scalar_one()
        figures["lost"] = figures["acknowledged"] - figures["stored"]
        return figures


def _prepare(engine: Engine, redis: Redis, terminals: int) -> list[str]:
    redis.flushdb()
    with engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
    migrate.upgrade(engine)
    phones = [f"0139{number:08d}" for number in range(terminals)]
    with Session(engine) as session:
        save_corridor(session, Corridor.default())
        for number, phone in enumerate(phones):
            devices.enrol(session, f"29C-{number:05d}", "tracker", now=datetime.now(UTC), imei=phone)
        session.commit()
    return phones


@contextlib.contextmanager
def _platform(urls: ServerUrls) -> Iterator[tuple[int, int]]:
    """A worker and the gateway as processes of their own; the port, and the gateway's process id."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": urls.database_url,
        "REDIS_URL": urls.redis_url,
        "CUAKHAU_DEMO": "1",
        "PYTHONPATH": str(ROOT),
    }
    parts = [
        subprocess.Popen(
            [sys.executable, "-m", "app.cli", *part],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for part in (["worker"], ["jt808", "--port", str(port)])
    ]
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.monotonic() > deadline:
                raise RuntimeError("The gateway did not start.")
            time.sleep(0.1)
        yield port, parts[1].pid
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            part.wait(20)


def _frame(message_id: int, phone: str, serial: int, body: bytes) -> bytes:
    data = struct.pack(">HH", message_id, len(body)) + bytes.fromhex(phone) + struct.pack(">H", serial) + body
    return b"\x7e" + escape(data + bytes([checksum(data)])) + b"\x7e"


def _location(step: int) -> bytes:
    beijing = (datetime.now(UTC) + timedelta(hours=8)).strftime("%y%m%d%H%M%S")
    place = (0, 3, 21_900_000 + step, 106_700_000)
    return struct.pack(">IIIIHHH", *place, 250, 360, 10) + bytes.fromhex(beijing) + bytes.fromhex("300114310109")


async def _drive(port: int, phones: list[str], duration_s: float) -> dict[str, Any]:
    waits_s: list[float] = []
    sent, wrong = 0, 0
    until = time.monotonic() + len(phones) / CONNECT_PER_S + duration_s

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frame: bytes) -> bytes:
        writer.write(frame)
        await reader.readuntil(b"\x7e")
        return unescape((await reader.readuntil(b"\x7e"))[:-1])

    async def terminal(number: int, phone: str) -> None:
        nonlocal sent, wrong
        await asyncio.sleep(number / CONNECT_PER_S)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        code = (await ask(reader, writer, _frame(0x0100, phone, 0, bytes(37))))[15:-1]
        if (await ask(reader, writer, _frame(0x0102, phone, 1, code)))[-2] != 0:
            wrong += 1
        serial = 2
        await asyncio.sleep(INTERVAL_S * number / len(phones))
        while time.monotonic() < until:
            started = time.monotonic()
            sent += 1
            answer = await ask(reader, writer, _frame(0x0200, phone, serial & 0xFF, _location(serial)))
            waits_s.append(time.monotonic() - started)
            wrong += answer[-2] != 0
            serial += 1
            await asyncio.sleep(max(0.0, INTERVAL_S - (time.monotonic() - started)))
        writer.close()

    await asyncio.gather(*(terminal(number, phone) for number, phone in enumerate(phones)))
    waits_ms = np.array(waits_s) * 1000
    return {
        "terminals": len(phones),
        "sent": sent,
        "acknowledged": len(waits_s) - wrong,
        "ack_p50_ms": float(np.percentile(waits_ms, 50)),
        "ack_p99_ms": float(np.percentile(waits_ms, 99)),
        "fixes_per_s": len(waits_s) / duration_s,
    }


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terminals", type=int, default=TERMINALS)
    parser.add_argument("--seconds", type=float, default=DURATION_S)
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.terminals, arguments.seconds)))
