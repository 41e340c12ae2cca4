"""Cases out of bytes: where ten thousand are drawn, strategies for each of their parts take most of the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TypeVar

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.profiles import examples

T = TypeVar("T")
Test = Callable[[bytes], None]
TOGETHER = 20
"""How many cases are drawn at once: what Hypothesis does around each example took longer than most of them."""


def cases(n: int, size: int, *, shortest: int | None = None) -> Callable[[Test], Test]:
    """Run a test of some bytes on `n` cases (`tests.profiles`), each of `size` bytes, or of `shortest` to `size`.

    The case that fails is named below the error; the others of its example shrink to zeros.
    """

    def decorate(test: Test) -> Test:
        @examples(n, together=TOGETHER, suppress=list(HealthCheck))
        @given(st.binary(min_size=(size + 2) * TOGETHER, max_size=(size + 2) * TOGETHER))
        @wraps(test)
        def on_each(raw: bytes) -> None:
            for at in range(0, len(raw), size + 2):
                case = raw[at : at + size]
                if shortest is not None:
                    spread = int.from_bytes(raw[at + size : at + size + 2], "big") % (size - shortest + 1)
                    case = case[: shortest + spread]
                try:
                    test(case)
                except BaseException as error:
                    error.add_note(f"The case is {case!r}.")
                    raise

        return on_each

    return decorate


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
