"""What is compiled is kept for the contents of all files with rules, once for all kinds of runs, and told of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from numba import njit

import routing
from geo.compiling import digest
from geo.corridor import Corridor
from routing import compiling, engine, simulation
from routing.compiling import DIGEST, PARTS, SOURCES, while_compiling
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.graph import build_network
from routing.scenario import parse_scenario, run_scenario

FOLDER = Path(routing.__file__).parent


def test_every_file_with_rules_counts() -> None:
    with_rules = {
        path.stem for path in FOLDER.glob("*.py") if "from routing.compiling import" in path.read_text(encoding="utf-8")
    }
    with_rules -= {"preparing"}  # asks how far it is, and has no rules
    assert with_rules | {"arrays", "compiling"} == set(SOURCES)


def test_what_is_kept_counts_for_all_of_them() -> None:
    for function in (engine.run, simulation._waits, compiling.compiled(lambda x: x)):
        assert function._cache._cache_file._source_stamp == DIGEST
    assert digest(FOLDER, SOURCES) == DIGEST


def test_forecasts_and_scenarios_run_the_same_code(corridor: Corridor) -> None:
    state = CorridorState(made_at=datetime(2026, 3, 2, 3, 0, tzinfo=UTC))
    forecast(build_network(corridor), state, runs=2, horizon_s=1800.0, seed=1)
    world = {"gates": {"huu-nghi": {"exports_veh_per_day": 300, "standing_veh": 20}}}
    change = {"closures": [{"road": "QL1A", "km_from": 40, "km_to": 42, "to_h": 1}], "bans": [{"to_h": 1}]}
    scenario = parse_scenario({"name": "x", "horizon_h": 1, "world": world, "change": change})
    assert run_scenario(corridor, scenario, seed=1, runs=2, threads=1) is not None
    assert len(engine.run.signatures) == 1  # type: ignore[attr-defined]


def test_each_part_is_told() -> None:
    told: list[tuple[int, int]] = []
    function = njit(lambda x: x + 1)
    while_compiling(lambda: function(1), lambda done, parts: told.append((done, parts)))
    assert told == [(number + 1, PARTS) for number in range(len(told))]
    assert told
    told.clear()
    while_compiling(lambda: function(2), lambda done, parts: told.append((done, parts)))
    assert told == []
