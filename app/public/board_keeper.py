"""Keeps the public board for a few seconds, so that however many look, the database is asked once.

Who asks while a newer board is made gets the one before; while the database is away too, for as long as a board says
of itself when it was made. The pages made of a board that others still ask for are made with the next one.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from anyio import to_thread

from app.public.board import Board

FRESH_S: Final = 5.0
MAX_AGE_S: Final = 120.0
"""A board older than this is not shown for want of a newer one: then it is said that there is none."""
PACK_LEVEL: Final = 6

log = structlog.get_logger("board")


@dataclass(frozen=True)
class KeptBody:
    """A page of the board as it goes over the wire: plain, packed with gzip, its entity tag (weak: it is both), and its
    own Content-Security-Policy if it has one.
    """

    content_type: str
    plain: bytes
    packed: bytes
    etag: str
    policy: str | None = None

    @classmethod
    def of(cls, content_type: str, plain: bytes, policy: str | None = None) -> KeptBody:
        """The forms of a body."""
        digest = hashlib.blake2b(plain, digest_size=12).hexdigest()
        return cls(content_type, plain, gzip.compress(plain, PACK_LEVEL, mtime=0), f'W/"{digest}"', policy)


Make = Callable[[str], Board]
"""The board in a language."""
Write = Callable[[Board, str, str], KeptBody]
"""A board in a language as the body of a path."""


@dataclass
class KeptBoard:
    """A board, and the bodies that were made of it, by their path, as long as it is kept."""

    board: Board
    since_s: float
    bodies: dict[str, KeptBody] = field(default_factory=dict)

    @property
    def age_s(self) -> float:
        """How long ago it was made, by this process' own clock."""
        return time.monotonic() - self.since_s


class BoardKeeper:
    """The board in each language; one is made at a time, in a thread.

    Arguments: `make` makes a board, `write` a body of it.
    """

    def __init__(self, make: Make, write: Write) -> None:
        self._make, self._write = make, write
        self._kept: dict[str, KeptBoard] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def body(self, language: str, path: str) -> KeptBody:
        """What stands at `path`, one of the board's, in `language`; raises as `get`."""
        kept = await self.get(language)
        body = kept.bodies.get(path)
        if body is None:
            async with self._locks[language]:
                body = kept.bodies.get(path)
                if body is None:
                    body = await to_thread.run_sync(self._write, kept.board, language, path)
                    kept.bodies[path] = body
        return body

    async def get(self, language: str) -> KeptBoard:
        """The board in `language`; a new one is made if the kept one is older than `FRESH_S`.

        Raises
        ------
        Exception
            What `make` or `write` raised, if there is no board young enough to show in its place.
        """
        kept = self._kept.get(language)
        lock = self._locks[language]
        if kept is not None and (kept.age_s < FRESH_S or (lock.locked() and kept.age_s < MAX_AGE_S)):
            return kept
        async with lock:
            kept = self._kept.get(language)
            if kept is not None and kept.age_s < FRESH_S:
                return kept
            try:
                made = await to_thread.run_sync(self._renew, language, tuple(kept.bodies) if kept is not None else ())
            except Exception as problem:
                if kept is None or kept.age_s >= MAX_AGE_S:
                    raise
                log.warning("board_not_made", problem=repr(problem))
                return kept
            self._kept[language] = made
            return made

    def _renew(self, language: str, paths: tuple[str, ...]) -> KeptBoard:
        since_s, board = time.monotonic(), self._make(language)
        return KeptBoard(board, since_s, {path: self._write(board, language, path) for path in paths})
