"""Web, worker and control on machines of their own, as namespaces make them, cut from one server after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ops.embedded import Server
from bench.chaos.namespaces import NetworkedPlatform, cut_cables, run_in_namespaces
from bench.chaos.platform import Target
from bench.faults import endure
from tests.programs import require


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[NetworkedPlatform]:
    require("servers")
    with run_in_namespaces(tmp_path) as platform:
        if platform is None:
            pytest.skip("network namespaces may not be made here")
        yield platform


@pytest.mark.long
def test_cut_lines_lose_and_double_nothing_and_nobody_waits_for_ever(platform: NetworkedPlatform) -> None:
    blows = [
        cut_cables(Target.WEB, [Server.REDIS], 7.0),
        cut_cables(Target.WORKER, [Server.REDIS], 7.0),
        cut_cables(Target.WEB, [Server.POSTGRES], 12.0),
        cut_cables(Target.WORKER, [Server.POSTGRES], 30.0),
    ]
    ordeal = endure(platform, blows, trucks=20, payments=6)
    assert ordeal.faults() == []
    figures = ordeal.figures()
    assert (figures["lost"], figures["doubled"], figures["stale_positions"]) == (0, 0, 0)
    assert figures["stored"] >= figures["acknowledged"] > 50
    assert figures["deeds"] > 20
    assert max(ordeal.recovery_s) < 90, "whoever waited has noticed by itself"
