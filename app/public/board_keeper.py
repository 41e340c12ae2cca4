"""Keeps the public board for a few seconds, so that however many look, the database is asked once.

Who asks while a newer board is made gets the one before; while the database is away too, for as long as a board says
of itself when it was made.
"""

from __future__ import annotations

import asyncio
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

log = structlog.get_logger("board")


@dataclass
class KeptBoard:
    """A board, and the pages that were made of it, by their name, as long as it is kept."""

    board: Board
    since_s: float
    pages: dict[str, bytes] = field(default_factory=dict)

    @property
    def age_s(self) -> float:
        """How long ago it was made, by this process' own clock."""
        return time.monotonic() - self.since_s


class BoardKeeper:
    """The board in each language; one is made at a time."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptBoard] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, language: str, make: Callable[[], Board]) -> KeptBoard:
        """The board in `language`, made by `make` in a thread if the kept one is older than `FRESH_S`.

        Raises
        ------
        Exception
            What `make` raised, if there is no board young enough to show in its place.
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
                made = KeptBoard(await to_thread.run_sync(make), time.monotonic())
            except Exception as problem:
                if kept is None or kept.age_s >= MAX_AGE_S:
                    raise
                log.warning("board_not_made", problem=repr(problem))
                return kept
            self._kept[language] = made
            return made
