"""Messages to a neighbour and their answers, while adapter, simulator and database are killed without warning.

Entries are written to the outbox as acts of the platform write them, by a client that repeats what was not
acknowledged. The neighbour is slow, fails before and after it has taken a message, cuts lines, repeats itself, mixes
the order and answers nonsense now and then. At random the adapter, the simulator, or PostgreSQL with all its children
get SIGKILL. Afterwards both sides are asked what they did: `lost` are entries without their effect on either side,
`acted_twice` are entries with more than one on either.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.integrations import service, store
from app.ops import migrate
from app.ops.child_processes import Part, start, stop, tend
from app.ops.embedded import EmbeddedServers, Server
from bench.chaos.platform import ROOT, free_port
from bench.rig.exchanging import NAME, Entry
from geo.corridor import Corridor
from geo.database import make_engine
from geo.store import save_corridor

MESSAGES = 10_000
BATCH = 20
KILL_AFTER_S = (0.0, 4.0)
PROGRESS = 500
"""So many messages have their effect between two kills, and `KILL_AFTER_S` go by: a machine under load would never get
one through otherwise."""
DRAIN_S = 600.0
KILLED = ("adapter", "simulator", Server.POSTGRES.value)


@dataclass
class Ordeal:
    """The parts of an exchange that are killed, and how often each was."""

    engine: Engine
    parts: dict[str, Part]
    generator: random.Random
    kills: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _is_calm: bool = False

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep the parts running, and kill them, until the context ends."""
        keeper = threading.Thread(target=self._keep, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            self.calm()
            self._over.set()
            keeper.join()

    def calm(self) -> None:
        """No more kills."""
        self._is_calm = True

    def _keep(self) -> None:
        next_kill, before = float("inf"), 0
        while not self._over.wait(0.1):
            tend(list(self.parts.values()), lambda _text: None)
            if self._is_calm:
                continue
            if next_kill == float("inf"):
                if count_effects(self.engine) >= before + PROGRESS:
                    next_kill = time.monotonic() + self.generator.uniform(*KILL_AFTER_S)
            elif time.monotonic() >= next_kill:
                self._kill(self.generator.choice(KILLED))
                next_kill, before = float("inf"), max(before, count_effects(self.engine))

    def _kill(self, name: str) -> None:
        process = self.parts[name].process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
            for victim in (psutil.Process(process.pid), *children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.send_signal(signal.SIGKILL)
            self.kills[name] = self.kills.get(name, 0) + 1


def run(messages: int = MESSAGES, seed: int = 14) -> dict[str, float]:
    """The figures, see the module."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cuakhau-", ignore_cleanup_errors=True)))
        servers = EmbeddedServers(folder / "servers")
        urls = stack.enter_context(servers)
        engine = make_engine(urls.owner_url, application_name="cuakhau-bench")
        stack.callback(engine.dispose)
        _prepare(engine)
        port = free_port()
        environment = os.environ | {
            "DATABASE_URL": urls.owner_url,
            "REDIS_URL": urls.redis_url,
            "CUAKHAU_DEMO": "1",
            "PYTHONPATH": str(ROOT),
        }
        log = stack.enter_context((folder / "parts.log").open("wb"))

        def launch(*arguments: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "bench.rig.exchanging", *arguments]
            return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)

        parts = {
            Server.POSTGRES.value: Part(
                "postgres",
                partial(servers.launch, Server.POSTGRES),
                servers.process(Server.POSTGRES),
                1,
                time.monotonic(),
            ),
            "simulator": Part("simulator", partial(launch, "simulator", str(port), str(folder))),
            "adapter": Part("adapter", partial(launch, "adapter", f"http://127.0.0.1:{port}")),
        }
        own = [parts["simulator"], parts["adapter"]]
        stack.callback(stop, own)
        for part in own:
            start(part, print)
        ordeal = Ordeal(engine, parts, random.Random(seed))
        began = time.monotonic()
        with ordeal.running():
            _write(engine, messages)
            _await(engine, round(messages * 0.9), DRAIN_S)
            ordeal.calm()
            _await(engine, messages, DRAIN_S)
            took_s = time.monotonic() - began
            time.sleep(5.0)  # whatever still comes a second time
            # within: a server that was started again ends with the thread that started it
            figures = _judge(engine, folder / "ledger.sqlite", messages)
        return figures | {
            "kills": sum(ordeal.kills.values()),
            **{f"kills_{name}": number for name, number in sorted(ordeal.kills.items())},
            "seconds": took_s,
            "messages_per_s": messages / took_s,
        }


def _prepare(engine: Engine) -> None:
    migrate.upgrade(engine)
    with Session(engine) as session:
        save_corridor(session, Corridor.default())
        session.execute(text("CREATE TABLE app.bench_ledger (number integer NOT NULL)"))
        store.set_connected(session, [NAME])
        session.commit()


def _write(engine: Engine, messages: int) -> None:
    """Write entries, each batch again until it is acknowledged."""
    for first in range(0, messages, BATCH):
        numbers = range(first, min(first + BATCH, messages))
        while True:
            try:
                with Session(engine) as session:
                    for number in numbers:
                        subject = f"entry {number}"
                        now = datetime.now(UTC)
                        service.send(session, NAME, Entry(number=number), about=str(number), subject=subject, now=now)
                    session.commit()
                break
            except SQLAlchemyError:
                time.sleep(0.2)


def _await(engine: Engine, wanted: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if count_effects(engine) >= wanted:
            return
        time.sleep(0.5)


def count_effects(engine: Engine) -> int:
    """How many entries have had their effect here; 0 while the database is away."""
    with contextlib.suppress(SQLAlchemyError), engine.connect() as connection:
        return int(connection.scalar(text("SELECT count(DISTINCT number) FROM app.bench_ledger")) or 0)
    return 0


def _judge(engine: Engine, storage: Path, messages: int) -> dict[str, float]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT number, count(*) FROM app.bench_ledger GROUP BY number"))
        here = {int(number): int(times) for number, times in rows}
        dead = connection.scalar(
            text(
                "SELECT (SELECT count(*) FROM app.neighbour_outbox WHERE status = 'dead') "
                "+ (SELECT count(*) FROM app.neighbour_inbox WHERE status = 'dead')"
            )
        )
        repeats = connection.scalar(text("SELECT coalesce(sum(repeats), 0) FROM app.neighbour_inbox"))
    with contextlib.closing(sqlite3.connect(storage)) as connection_there:
        there = {
            int(about): int(times)
            for about, times in connection_there.execute("SELECT about, count(*) FROM acted GROUP BY about")
        }
        (sent_again,) = connection_there.execute("SELECT sum(times) - count(*) FROM received").fetchone()
    twice = {number for side in (here, there) for number, times in side.items() if times > 1}
    return {
        "messages": messages,
        "lost": sum(number not in here or number not in there for number in range(messages)),
        "acted_twice": len(twice),
        "dead_letters": int(dead or 0),
        "sent_again": int(sent_again or 0),
        "received_again": int(repeats or 0),
    }
