"""What no test of a run was given before: plates, numbers of customs declarations, names.

A test that failed is tried once more on the same platform, where its first try may have left an open trip of every
truck that it declared.
"""

from __future__ import annotations

import itertools
import os

from ingest.plates import display_plate

MOST = 10_000
"""How many one process gives."""
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = itertools.count()


def fresh_number() -> int:
    """A number of at most five digits that no process of this run gave before; one that died is followed by another."""
    number = next(_numbers)
    assert number < MOST, "give the plates more digits"
    assert _PROCESS < 10, "give the plates more digits"
    return MOST * _PROCESS + number


def fresh_plate(series: str = "29E") -> str:
    """A plate as people write it, of a series that the demonstration has no truck of."""
    return display_plate(f"{series}{fresh_number():05d}")


def fresh_trailer() -> str:
    """A trailer's plate."""
    return fresh_plate("29R")


def fresh_chinese_plate() -> str:
    """A plate of a Chinese truck."""
    return fresh_plate("桂K")


def fresh_customs_number() -> str:
    """The number of a customs declaration, which every system that is told of it then knows."""
    return f"3059{fresh_number():08d}"
