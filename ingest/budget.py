"""How many bytes of messages a process reads at once: a door says "later" before memory grows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from geo.errors import UnavailableError
from ingest.stream import RETRY_AFTER_S


class Share:
    """What one message takes of a `Budget`."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Take so many bytes more.

        Raises
        ------
        UnavailableError
            If they are not there now.
        """
        if self._budget.held_bytes + size_bytes > self._budget.max_bytes:
            raise UnavailableError(
                "Too much is being sent at once; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
            )
        self._budget.held_bytes += size_bytes
        self.held_bytes += size_bytes


class Budget:
    """Bytes shared by all messages that are being read and decoded. Lives in one event loop."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """The share of one message, given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.held_bytes -= share.held_bytes
