"""What a simulated neighbour keeps: a SQLite file of its own, on which nothing of the platform looks."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.integrations.messages import Message
from app.platform.json import JsonObject
from geo.clock import Clock
from geo.errors import InvalidInputError

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS received (message_id TEXT PRIMARY KEY, about TEXT NOT NULL, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS acted (
    message_id TEXT NOT NULL, kind TEXT NOT NULL, about TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS acted_kind ON acted (kind, about);
CREATE TABLE IF NOT EXISTS outgoing (
    number INTEGER PRIMARY KEY AUTOINCREMENT, due_s REAL NOT NULL, seq INTEGER, message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS outgoing_seq ON outgoing (seq);
CREATE TABLE IF NOT EXISTS record (key TEXT PRIMARY KEY, data TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Planned:
    """A message that a simulator will send, some seconds from now."""

    message: Message
    after_s: float = 0.0


@dataclass(frozen=True)
class Figures:
    """What a simulator counts: messages it has, how often they came again, acts, and acts that were done twice."""

    received: int
    repeats: int
    acted: int
    acted_twice: int
    waiting: int


class Unasked:
    """A simulated neighbour that is asked nothing: it says what it is told to say."""

    def answer(
        self, _storage: Storage, message: Message, _clock: Clock, _generator: random.Random
    ) -> Sequence[Planned]:
        """It knows no question; raises InvalidInputError."""
        raise InvalidInputError("There is no message {kind}.", kind=message.kind)


class Storage:
    """The file of one simulator; safe for several threads. Every use is a transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30.0)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is undone by what is raised in it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def take(self, message: Message) -> bool:
        """Note a message within a transaction; whether it is new."""
        self._connection.execute(
            "INSERT INTO received VALUES (?, ?, 1) ON CONFLICT (message_id) DO UPDATE SET times = times + 1",
            (message.id, message.about),
        )
        (times,) = self._connection.execute("SELECT times FROM received WHERE message_id = ?", (message.id,)).fetchone()
        if times > 1:
            return False
        self._connection.execute(
            "INSERT INTO acted VALUES (?, ?, ?, ?)",
            (message.id, message.kind, message.about, json.dumps(message.body, ensure_ascii=False)),
        )
        return True

    def plan(self, planned: Sequence[Planned], now_s: float) -> None:
        """Keep messages to be fetched, within a transaction."""
        self._connection.executemany(
            "INSERT INTO outgoing (due_s, message) VALUES (?, ?)",
            [(now_s + each.after_s, each.message.model_dump_json()) for each in planned],
        )

    def fetch(
        self, after: int, limit: int, now_s: float, generator: random.Random, *, shuffles: bool, repeats: bool
    ) -> tuple[list[Message], int]:
        """Messages that are due and come after a number, and the number to ask after next."""
        with self.transaction() as connection:
            due = [
                row[0]
                for row in connection.execute(
                    "SELECT number FROM outgoing WHERE seq IS NULL AND due_s <= ? ORDER BY due_s, number", (now_s,)
                )
            ]
            if shuffles:
                generator.shuffle(due)
            (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM outgoing").fetchone()
            connection.executemany(
                "UPDATE outgoing SET seq = ? WHERE number = ?",
                [(last + place, number) for place, number in enumerate(due, 1)],
            )
            rows = connection.execute(
                "SELECT seq, message FROM outgoing WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ).fetchall()
            old = (
                connection.execute(
                    "SELECT seq, message FROM outgoing WHERE seq <= ? ORDER BY seq DESC LIMIT 5", (after,)
                ).fetchall()
                if repeats
                else []
            )
        found = [Message.model_validate_json(text) for _, text in (*rows, *old, *(rows[:5] if repeats else ()))]
        if shuffles:
            generator.shuffle(found)
        return found, rows[-1][0] if rows else after

    def find_record(self, key: str) -> JsonObject | None:
        """What is kept under a key."""
        with self._lock:
            row = self._connection.execute("SELECT data FROM record WHERE key = ?", (key,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def keep_record(self, key: str, data: JsonObject) -> None:
        """Keep something under a key."""
        with self._lock:
            self._connection.execute(
                "INSERT INTO record VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET data = excluded.data",
                (key, json.dumps(data, ensure_ascii=False)),
            )

    def acts(self, kind: str) -> list[JsonObject]:
        """The bodies of messages of a kind that were acted on, the oldest first."""
        with self._lock:
            rows = self._connection.execute("SELECT body FROM acted WHERE kind = ? ORDER BY rowid", (kind,)).fetchall()
        return [dict(json.loads(body)) for (body,) in rows]

    def said(self, kind: str) -> list[Message]:
        """The messages of a kind that were handed out, the oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT message FROM outgoing WHERE seq IS NOT NULL ORDER BY seq"
            ).fetchall()
        return [message for (text,) in rows if (message := Message.model_validate_json(text)).kind == kind]

    def figures(self) -> Figures:
        """What was counted."""
        with self._lock:
            query = self._connection.execute
            received, times = query("SELECT count(*), coalesce(sum(times), 0) FROM received").fetchone()
            (acted,) = query("SELECT count(*) FROM acted").fetchone()
            (twice,) = query(
                "SELECT count(*) FROM (SELECT 1 FROM acted GROUP BY message_id HAVING count(*) > 1)"
            ).fetchone()
            (waiting,) = query("SELECT count(*) FROM outgoing WHERE seq IS NULL").fetchone()
        return Figures(received, times - received, acted, twice, waiting)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
