"""Commands find the platform that runs on a data directory, and say plainly when there is none."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.ops.running import NOTE, find_settings, find_url, local_url, running
from app.settings import get_settings
from geo.errors import UnavailableError

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "CUAKHAU_SECRET_KEY": "k" * 64,
    "CUAKHAU_HOST": "0.0.0.0",
    "CUAKHAU_PORT": "8123",
    "CUAKHAU_WORKER_NAME": "a name of its own",
    "PATH": "/never/kept",
}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in ENVIRONMENT and name != "PATH":
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    get_settings.cache_clear()


def test_what_runs_is_found_until_it_ends(tmp_path: Path) -> None:
    with running(tmp_path, ENVIRONMENT):
        note = tmp_path / NOTE
        assert stat.S_IMODE(note.stat().st_mode) == 0o600
        assert "/never/kept" not in note.read_text()
        assert "a name of its own" not in note.read_text()
        settings = find_settings(tmp_path)
        assert settings.database_url.get_secret_value() == ENVIRONMENT["DATABASE_URL"]
        assert (settings.port, settings.demo) == (8123, False)
        assert find_url(tmp_path) == "http://127.0.0.1:8123"
        with pytest.raises(UnavailableError, match="already"), running(tmp_path, ENVIRONMENT):
            pass
        assert note.exists(), "who came second leaves the note of the first alone"
    assert not (tmp_path / NOTE).exists()


def test_nobody_runs_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="No platform runs"):
        find_settings(tmp_path / "not-there")
    with running(tmp_path, ENVIRONMENT):
        left_behind = (tmp_path / NOTE).read_text()
    (tmp_path / NOTE).write_text(left_behind)  # of one that was killed
    with pytest.raises(UnavailableError, match="No platform runs"):
        find_settings(tmp_path)


def test_the_environment_goes_first(tmp_path: Path) -> None:
    os.environ |= ENVIRONMENT | {"CUAKHAU_PORT": "9000"}
    with running(tmp_path, ENVIRONMENT):
        assert find_settings(tmp_path).port == 9000


@pytest.mark.parametrize(("host", "url"), [("::", "http://127.0.0.1:80"), ("::1", "http://[::1]:80")])
def test_the_address_of_this_machine(host: str, url: str) -> None:
    assert local_url(host, 80) == url


@pytest.mark.parametrize(
    "command",
    [
        ["user", "create", "--role", "administrator", "boss"],
        ["audit", "verify"],
        ["gateway", "g"],
        ["backup", "x.dump"],
        ["migrate"],
        ["calibrate"],
    ],
)
def test_a_command_without_a_platform_is_one_line(tmp_path: Path, command: list[str]) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CUAKHAU_")}
    said = {
        what: subprocess.run(
            [sys.executable, "-m", "app.cli", *command, *more],
            env=clean | {"PYTHONPATH": str(ROOT)} | servers,
            cwd=tmp_path,
            input="correct horse battery staple\n",
            capture_output=True,
            text=True,
            check=False,
        )
        for what, more, servers in (
            ("none", ["--data-dir", str(tmp_path)], {}),
            ("dead", [], {name: ENVIRONMENT[name] for name in ("DATABASE_URL", "REDIS_URL", "CUAKHAU_SECRET_KEY")}),
        )
    }
    for done in said.values():
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert f"No platform runs on {tmp_path}" in said["none"].stderr
