"""Limits of the operating system on this process."""

from __future__ import annotations

import resource


def allow_many_files() -> None:
    """Raise the number of files and connections that may be open to what the system lets this process have."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
