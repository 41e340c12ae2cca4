"""Programs of the system that some tests need. A pure test needs none of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def has_servers() -> bool:
    """Whether PostgreSQL with PostGIS and Redis are installed, or servers are named by the environment."""
    from app.ops.embedded import find_postgres, find_redis
    from geo.errors import UnavailableError

    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return True
    try:
        find_postgres(), find_redis()
    except UnavailableError:
        return False
    return True


def has_broker() -> bool:
    """Whether the MQTT broker Mosquitto is installed."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin") is not None


def has_browser() -> bool:
    """Whether Chromium is installed, and the third-party files that the pages load."""
    return shutil.which(CHROMIUM) is not None and (ROOT / "node_modules" / ".installed").exists()


CHECKS: dict[str, Callable[[], bool]] = {"servers": has_servers, "broker": has_broker, "browser": has_browser}


def require(group: str) -> None:
    """Have the programs of `group` ("servers", "broker" or "browser"), or fail the test with one line that says how.

    `bin/test` allows installing them (`CUAKHAU_TEST_SETUP`); plain pytest installs nothing on anybody's machine.
    """
    has_programs = CHECKS[group]
    if not has_programs() and os.environ.get("CUAKHAU_TEST_SETUP"):
        subprocess.run([ROOT / "bin" / "setup", group], check=False)
    if not has_programs():
        pytest.fail(
            f"This test needs programs that are not installed here; install them with: bin/setup {group}", False
        )
