"""Sending again what was not taken: after growing pauses, in rounds that hold up nobody. One home for every sender."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

log = structlog.get_logger("sending")


@dataclass(frozen=True)
class Pauses:
    """How long after each failed try the next comes; after the last there is none: a dead letter.

    `spread` is the share by which a pause may be longer, so that what failed together is not tried together again.
    """

    pauses: tuple[timedelta, ...]
    spread: float = 0.0

    @classmethod
    def of_seconds(cls, seconds: Sequence[float], *, spread: float = 0.0) -> Pauses:
        """The pauses, in seconds."""
        return cls(tuple(timedelta(seconds=each) for each in seconds), spread)

    def next_try(self, tries: int, now: datetime, draw: float = 0.0) -> datetime | None:
        """When to try again after the failed try number `tries` (from 1); `None`: no more.

        Arguments: `draw` from [0, 1), by which the pause is spread.
        """
        if tries > len(self.pauses):
            return None
        return now + self.pauses[tries - 1] * (1.0 + self.spread * draw)

    def longest_after(self, failures: int, now: datetime, draw: float = 0.0) -> datetime:
        """As `next_try` for what is never given up: the last pause comes again and again."""
        return now + self.pauses[min(failures, len(self.pauses)) - 1] * (1.0 + self.spread * draw)


class Rounds:
    """Runs rounds of sending in a thread of its own, so that a slow receiver never holds up who asks for them."""

    def __init__(self, name: str, run: Callable[[], object]) -> None:
        self._name, self._run = name, run
        self._thread: threading.Thread | None = None

    def tend(self) -> None:
        """Begin a round unless one is under way; returns at once."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._round, name=self._name, daemon=True)
            self._thread.start()

    def _round(self) -> None:
        try:
            self._run()
        except Exception:  # a fault must not end it for good; the next tick begins again
            log.exception("a round of sending failed", sender=self._name)
