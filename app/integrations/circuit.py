"""When a neighbour that does not answer is left alone, and how it is judged. Pure.

The circuit breaker of M. Nygard (Release It!, 2nd ed., chapter 5): after some failures in a row it is open, nothing is
sent; after a pause one message tries (half-open); an answer closes it, another failure opens it for longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.integrations.vocabulary import Health
from app.platform.retrying import Pauses

OPEN_AFTER: Final = 3
"""Failures in a row after which a neighbour is down."""
PAUSES: Final = Pauses.of_seconds((1, 2, 5, 10, 20, 40, 60), spread=0.25)
"""Before the next try; the last again and again, so that a neighbour that returns is heard within little more."""
SLOW_MS: Final = 2_000


@dataclass(frozen=True)
class Circuit:
    """How exchanges with a neighbour went: failures in a row, since when, and when the next try may be."""

    failures: int = 0
    down_since: datetime | None = None
    retry_at: datetime | None = None
    ok_at: datetime | None = None
    took_ms: int | None = None

    def may_try(self, now: datetime) -> bool:
        """Whether something may be sent."""
        return self.retry_at is None or self.retry_at <= now

    @property
    def is_closed(self) -> bool:
        """Whether all may be sent; otherwise one message tries."""
        return self.failures == 0

    def after_failure(self, now: datetime, draw: float) -> Circuit:
        """After an exchange without an answer; `draw` from [0, 1) spreads the pause."""
        failures = self.failures + 1
        return replace(
            self,
            failures=failures,
            down_since=self.down_since or now,
            retry_at=PAUSES.longest_after(failures, now, draw),
        )

    def after_answer(self, now: datetime, took_ms: int) -> Circuit:
        """After an exchange with an answer."""
        return Circuit(ok_at=now, took_ms=took_ms)

    def health(self, *, is_connected: bool) -> Health:
        """How the neighbour does."""
        if not is_connected:
            return Health.OFF
        if self.failures >= OPEN_AFTER:
            return Health.DOWN
        if self.ok_at is None:
            return Health.UNKNOWN
        return Health.SLOW if (self.took_ms or 0) > SLOW_MS else Health.UP
