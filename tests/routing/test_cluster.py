"""Studies on a real Dask cluster: one scheduler, two workers, and what becomes of them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError, UnavailableError
from routing import study
from routing.cluster import run_on_cluster
from routing.gates import assumed_settings
from routing.scenario import Scenario, ScenarioResult, parse_scenario, run_scenario

RUNS = 203
ROOT = Path(__file__).parents[2]
SCENARIO = parse_scenario(
    {
        "name": "cluster",
        "start": "07:00",
        "horizon_h": 6,
        "world": {
            "gates": {
                "huu-nghi": {"exports_veh_per_day": 700, "entrance_lanes": 1, "entrance_service_mean_s": 120},
                "tan-thanh": {"exports_veh_per_day": 100},
            }
        },
        "change": {"demand": [{"factor": 1.2}]},
    }
)


@dataclass
class Cluster:
    """A scheduler and its workers, processes of this test."""

    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self) -> None:
        arguments = ["worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
        self.workers.append(start([*arguments, "--local-directory", str(self.folder)]))

    def stop(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait(10)


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def cluster_of(workers: int, folder: Path) -> Iterator[Cluster]:
    port = free_port()
    scheduler = start(["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show"])
    cluster = Cluster(f"tcp://127.0.0.1:{port}", folder, scheduler)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        cluster.stop()


def run(corridor: Corridor, scenario: Scenario = SCENARIO, **options: object) -> ScenarioResult:
    result = run_scenario(corridor, scenario, seed=11, runs=RUNS, **options)  # type: ignore[arg-type]
    assert result is not None
    return result


def test_a_study_with_a_worker_killed_midway_is_the_local_one_to_the_bit(corridor: Corridor, tmp_path: Path) -> None:
    told: list[float] = []
    with cluster_of(2, tmp_path) as cluster:

        def progress(share: float) -> None:
            told.append(share)
            if share > 0.2 and cluster.workers[0].poll() is None:
                cluster.workers[0].kill()

        spread = run_on_cluster(cluster.address)
        far = run(corridor, spread=spread, progress=progress)
        assert cluster.workers[0].poll() is not None
        assert cluster.workers[1].poll() is None
    assert told == sorted(told)
    assert told[-1] == 1.0
    near = run(corridor, threads=2)
    for name in ("queue_veh", "wait_s", "tail_km", "occupancy_veh"):
        assert getattr(far, name).tobytes() == getattr(near, name).tobytes(), name
    for name, values in near.totals.items():
        assert values.shape[1] == RUNS
        assert far.totals[name].tobytes() == values.tobytes(), name
    assert far.summary() == near.summary()


def test_a_scheduler_that_dies_is_said(corridor: Corridor, tmp_path: Path) -> None:
    with cluster_of(1, tmp_path) as cluster:

        def progress(share: float) -> None:
            cluster.scheduler.kill()

        with pytest.raises(UnavailableError, match=f"{cluster.address} is gone"):
            run(corridor, spread=run_on_cluster(cluster.address), progress=progress)


def test_a_cluster_nobody_works_in_and_one_that_is_not_there(corridor: Corridor, tmp_path: Path) -> None:
    with cluster_of(0, tmp_path) as cluster, pytest.raises(UnavailableError, match="has no workers"):
        run(corridor, spread=run_on_cluster(cluster.address, no_worker_s=0.5))
    for address in (f"tcp://127.0.0.1:{free_port()}", "carrier-pigeon://coop"):
        with pytest.raises(UnavailableError, match=f"{address} cannot be reached"):
            run(corridor, spread=run_on_cluster(address, connect_s=0.5))


def test_a_study_on_a_cluster_is_cancelled_and_a_bad_one_is_not_sent(corridor: Corridor, tmp_path: Path) -> None:
    bad = parse_scenario(SCENARIO.to_record() | {"change": {"yards": {"nowhere": {"capacity_veh": 1}}}})
    with pytest.raises(InvalidInputError, match="nowhere"):
        run(corridor, bad, spread=run_on_cluster(f"tcp://127.0.0.1:{free_port()}"))
    with cluster_of(1, tmp_path) as cluster:
        spread = run_on_cluster(cluster.address)
        assert run_scenario(corridor, SCENARIO, seed=1, runs=RUNS, spread=spread, cancelled=lambda: True) is None


def test_a_worker_of_another_version_refuses(corridor: Corridor) -> None:
    inputs = study.StudyInputs(
        corridor,
        SCENARIO,
        seed=1,
        settings=tuple(assumed_settings(corridor)),
        yard_places={},
        code_version="older",
    )
    with pytest.raises(ConflictError, match="older"):
        study.work_on(inputs, range(2))


@pytest.mark.parametrize("runs", [1, 9, 10, 11, 203])
def test_chunks_hold_every_run_once_and_always_the_same(runs: int) -> None:
    chunks = study.chunks_of(runs)
    np.testing.assert_array_equal(np.concatenate([list(chunk) for chunk in chunks]), np.arange(runs))
    assert list(chunks[:-1]) == list(study.chunks_of(1000))[: len(chunks) - 1]
