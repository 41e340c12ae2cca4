"""Programs of the system that some tests need. A pure test needs none of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHROMIUMS = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
"""Chromium without windows, or else the whole one, which takes three times as much of the processor for a page."""

UNPACKED = ROOT / ".venv" / "programs"
"""Where `bin/setup` puts programs of packages that it does not install."""
DEPLOYMENT = ("nginx", "caddy", "promtool", "systemd-analyze")


def chromium() -> str:
    """The browser that tests drive: the one that the environment names, else the quickest that is installed."""
    return os.environ.get("CHROMIUM") or next((path for path in CHROMIUMS if Path(path).exists()), CHROMIUMS[-1])


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
    return find_program("mosquitto") is not None


def find_program(name: str) -> str | None:
    """Where a program is that is installed or that `bin/setup` unpacked."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:{UNPACKED}")


def has_gis() -> bool:
    """Whether GDAL's `ogrinfo` is installed."""
    return find_program("ogrinfo") is not None


SYSTEM_PYTHON = "/usr/bin/python3"


def has_qgis() -> bool:
    """Whether the Python of the system has QGIS' client code (Debian's `python3-qgis`)."""
    if not Path(SYSTEM_PYTHON).exists():
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], capture_output=True, check=False).returncode == 0


def has_clients() -> bool:
    """Whether what makes and checks a TypeScript client is installed."""
    return (ROOT / "tests" / "clients" / "node_modules" / ".installed").exists()


def has_deployment() -> bool:
    """Whether what reads the files of `deploy/` is there: nginx, Caddy, promtool, systemd-analyze."""
    return all(map(find_program, DEPLOYMENT))


def program(name: str) -> str:
    """Where a program of `DEPLOYMENT` is, or the test fails with one line that says how to get it."""
    require("deployment")
    found = find_program(name)
    assert found is not None
    return found


def has_browser() -> bool:
    """Whether Chromium is installed, and the third-party files that the pages load."""
    return shutil.which(chromium()) is not None and (ROOT / "node_modules" / ".installed").exists()


CHECKS: dict[str, Callable[[], bool]] = {
    "servers": has_servers,
    "broker": has_broker,
    "gis": has_gis,
    "clients": has_clients,
    "browser": has_browser,
    "deployment": has_deployment,
}


def require(group: str) -> None:
    """Have the programs of `group` of `CHECKS`, or fail the test with one line that says how.

    `bin/test` allows installing them (`CUAKHAU_TEST_SETUP`); plain pytest installs nothing on anybody's machine.
    """
    has_programs = CHECKS[group]
    if not has_programs() and os.environ.get("CUAKHAU_TEST_SETUP"):
        subprocess.run([ROOT / "bin" / "setup", group], check=False)
    if not has_programs():
        pytest.fail(
            f"This test needs programs that are not installed here; install them with: bin/setup {group}", False
        )
