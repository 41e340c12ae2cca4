"""Several web processes and workers on a Redis Cluster of three and a PostgreSQL with a replica, whose primary dies."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.platform.redis_servers import ClusterAddress, open_redis
from bench.chaos.fleet import Fleet, enrol
from bench.chaos.machines import ReplicatedPostgres, run_cluster, run_replicated, run_spread
from bench.chaos.verdict import judge, settle
from geo.errors import InvalidInputError
from ingest.leases import lease_key
from tests.programs import require


@pytest.fixture
def cluster_url(tmp_path: Path) -> Iterator[str]:
    require("servers")
    with run_cluster(tmp_path / "cluster") as url:
        yield url


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[ReplicatedPostgres]:
    require("servers")
    with run_replicated(tmp_path / "postgres") as postgres:
        yield postgres


@pytest.mark.long
def test_the_primary_dies_and_nothing_acknowledged_is_lost(
    tmp_path: Path, cluster_url: str, postgres: ReplicatedPostgres
) -> None:
    with run_spread(tmp_path, postgres.url, cluster_url) as spread:
        trucks = enrol(spread, 24)
        fleet = Fleet(spread, trucks, threads=4)
        fleet.start()
        await_acknowledged(fleet, 200)
        redis = open_redis(cluster_url, client_name="test")
        owners = {redis.get(lease_key(shard)) for shard in (0, 1)}
        assert len(owners) == 2, "each worker has a shard"
        postgres.kill_primary()
        time.sleep(1.0)  # what is sent now meets no primary
        postgres.promote()
        await_acknowledged(fleet, 200)
        spread.processes[-1].send_signal(signal.SIGKILL)  # and a worker: the other takes its shard
        await_acknowledged(fleet, 200)
        fleet.stop()
        settle(spread)
        verdict = judge(spread, trucks)
        assert verdict.faults == []
        assert (verdict.lost, verdict.doubled, verdict.stale_positions) == (0, 0, 0)
        assert verdict.stored >= verdict.acknowledged > 600
        assert fleet.unexpected == []
        assert fleet.without_retry_after == 0
        counted = {name: int(value) for name, value in redis.hgetall("ck:counters").items()}
        # What a worker stored just before it was killed, the next one counts as a duplicate.
        assert counted[b"fixes_stored_total"] + counted[b"fixes_duplicate_total"] >= verdict.acknowledged
        assert len(redis.hgetall("ck:last")) == len(trucks)
        redis.close()


def await_acknowledged(fleet: Fleet, more: int) -> None:
    """Wait until so many more fixes are acknowledged."""

    def acknowledged() -> int:
        return sum(len(truck.acknowledged_ms) for truck in fleet.trucks)

    wanted, deadline = acknowledged() + more, time.monotonic() + 120
    while acknowledged() < wanted:
        assert time.monotonic() < deadline, f"{acknowledged()} of {wanted}: {fleet.answers}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("url", "nodes", "username", "password"),
    [
        ("redis+cluster://10.0.0.1:7000", (("10.0.0.1", 7000),), None, None),
        ("redis+cluster://:p%40ss@a:1,b:2", (("a", 1), ("b", 2)), None, "p@ss"),
        ("redis+cluster://me:secret@[::1]:7000", (("::1", 7000),), "me", "secret"),
    ],
)
def test_addresses_of_clusters(url: str, nodes: tuple[object, ...], username: str | None, password: str | None) -> None:
    address = ClusterAddress.parse(url)
    assert (address.nodes, address.username, address.password) == (nodes, username, password)


@pytest.mark.parametrize("url", ["redis+cluster://host", "redis+cluster://a:1,b", "redis+cluster://a:1,,b:2"])
def test_a_node_without_a_port_is_refused_by_name(url: str) -> None:
    with pytest.raises(InvalidInputError, match="is not HOST:PORT of a node"):
        ClusterAddress.parse(url)
