"""How a simulated neighbour misbehaves, drawn from a seed. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Faults:
    """Shares of exchanges, from 0 to 1, in which a simulator is slow (for `slow_s`), fails before it has taken a
    message or after it has, cuts the line instead of answering, answers what cannot be read, sends again what it sent
    before; `shuffles` says whether what it keeps comes in any order.
    """

    slow: float = 0.0
    slow_s: float = 3.0
    fails: float = 0.0
    repeats: float = 0.0
    wrong: float = 0.0
    shuffles: bool = False

    def draw(self, generator: random.Random) -> Mood:
        """How it behaves in one exchange."""
        fails = generator.random() < self.fails
        return Mood(
            slow_s=self.slow_s if generator.random() < self.slow else 0.0,
            fails_before=fails and generator.random() < 0.4,
            cuts=fails and generator.random() < 0.5,
            fails_after=fails,
            is_wrong=generator.random() < self.wrong,
            repeats=generator.random() < self.repeats,
        )


@dataclass(frozen=True)
class Mood:
    """How a simulator behaves in one exchange."""

    slow_s: float = 0.0
    fails_before: bool = False
    fails_after: bool = False
    cuts: bool = False
    is_wrong: bool = False
    repeats: bool = False
