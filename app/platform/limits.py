"""What the operating system lets a process hold."""

from __future__ import annotations

import resource
from typing import Final

SPARE_FILES: Final = 256
"""Of the files that a process may open, those that are for anything but connections."""


def max_connections() -> int:
    """How many connections a process may hold, by how many files it may open."""
    return max(SPARE_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
