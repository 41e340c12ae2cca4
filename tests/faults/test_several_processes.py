"""Two web processes and two workers that `cuakhau up` starts on one port, of which some are killed under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from bench.chaos.blows import Blow, kill
from bench.chaos.platform import TRUST, Platform, Target, run_platform
from bench.faults import endure
from tests.programs import require

SETTINGS = {"CUAKHAU_WEB_PROCESSES": "2", "CUAKHAU_INGEST_PROCESSES": "2", "CUAKHAU_INGEST_SHARDS": "4"}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    require("servers")
    with run_platform(tmp_path, settings=SETTINGS) as platform:
        yield platform


def web_processes(platform: Platform) -> set[int]:
    found: set[int] = set()
    for process in psutil.Process(platform.process.pid).children(recursive=True):
        if "--descriptor" in process.cmdline():
            found.add(process.pid)
    return found


def requests_counted(platform: Platform) -> float:
    told = httpx.get(f"{platform.url}/metrics", timeout=30, verify=TRUST).text
    lines = [line for line in told.splitlines() if line.startswith('cuakhau_requests_total{route="/gps/osmand"')]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.long
def test_processes_of_a_port_die_and_nothing_acknowledged_is_lost(platform: Platform) -> None:
    before = web_processes(platform)
    assert len(before) == 2
    assert len(platform.processes(Target.WORKER)) == 2
    blows: list[Blow] = [
        kill(Target.WEB_PROCESS),
        kill(Target.WEB_PROCESS, Target.ONE_WORKER),
        kill(Target.WEB_PROCESS),
        kill(Target.WEB),
    ]
    ordeal = endure(platform, blows[:3], trucks=20, payments=4)
    assert ordeal.faults() == []
    figures = ordeal.figures()
    assert (figures["lost"], figures["doubled"], figures["stale_positions"]) == (0, 0, 0)
    assert figures["stored"] >= figures["acknowledged"] > 20
    deadline = time.monotonic() + 120
    while len(now := web_processes(platform)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert now & before != before, "who died was started again"
    counted = [requests_counted(platform) for _ in range(6)]
    assert counted == [counted[0]] * 6, "whichever answers tells of all"
    assert counted[0] > 0
    blows[3].strike(platform)  # their parent: the next one listens before the last of these has ended
    platform.await_ready()
    while len(after := web_processes(platform)) != 2 or after & now:
        assert time.monotonic() < deadline + 120
        time.sleep(0.2)
