"""Cases out of bytes: where ten thousand are drawn, strategies for each of their parts take most of the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Drawn:
    """Choices read off bytes one after the other; where there are no more, zeros: the first of everything."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def number(self, below: int) -> int:
        """A number from 0 on."""
        size = max(2, ((below - 1).bit_length() + 7) // 8)
        taken = self.raw[self.at : self.at + size]
        self.at += size
        return int.from_bytes(taken, "big") % below

    def choice(self, choices: Sequence[T]) -> T:
        """One of some."""
        return choices[self.number(len(choices))]
