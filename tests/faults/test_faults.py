"""A real platform under load, hurt in every way of `bench/faults.py`, but shortly: what it took is there once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.chaos.blows import Blow, fill_disk, hang, keep_down, kill, small_disk
from bench.chaos.platform import Platform, Target, run_platform
from bench.faults import SMALL_DISK_MB, endure
from tests.programs import require

HANG_S = 6.0
"""Longer than clients of Redis wait for an answer."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, bool]]:
    """A folder, and whether it is on a small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, SMALL_DISK_MB) as is_small:
        yield folder, is_small


@pytest.fixture
def platform(disk: tuple[Path, bool]) -> Iterator[Platform]:
    require("servers")
    with run_platform(disk[0]) as platform:
        yield platform


@pytest.mark.long
def test_nothing_acknowledged_is_lost_or_doubled(platform: Platform, disk: tuple[Path, bool]) -> None:
    folder, is_small = disk
    blows: list[Blow] = [
        kill(Target.WORKER),
        kill(Target.POSTGRES),
        kill(Target.REDIS),
        hang(Target.REDIS, HANG_S),
        hang(Target.POSTGRES, HANG_S),
        keep_down(Target.POSTGRES, 5.0),
        kill(Target.WEB, Target.WORKER),
        kill(Target.CONTROL, Target.REDIS),
    ]
    if is_small:
        blows.insert(5, fill_disk(folder, 4.0))
    ordeal = endure(platform, blows, trucks=20, payments=8)
    assert ordeal.faults() == []
    assert ordeal.kills >= 8
    figures = ordeal.figures()
    assert (figures["lost"], figures["doubled"], figures["stale_positions"]) == (0, 0, 0)
    assert figures["stored"] >= figures["acknowledged"] > 500
    assert figures["deeds"] > 40
    assert max(ordeal.recovery_s) < 120
