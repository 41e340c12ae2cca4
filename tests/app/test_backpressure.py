"""Doors say 503 with Retry-After before memory grows, whatever is behind; what they took is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import orjson
import pytest
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from app.tracking.fix_intake import open_fix_intake
from app.tracking.worker import Worker
from ingest.budget import Budget
from ingest.stream import stream_key
from tests.app.gps import drain, enrol, rows

LINES = 2_000


def body(runtime: Runtime, device: str, number: int, lines: int = LINES) -> bytes:
    """Fixes of one truck that stands still, one each second, the `number`-th such body going back in time."""
    newest = runtime.clock.now() - timedelta(seconds=number * lines)
    (lon,), (lat,) = runtime.corridor.position("QL1A", [50.0])
    times = (newest - timedelta(seconds=second) for second in range(lines))
    return b"\n".join(
        orjson.dumps({"device": device, "time": time.isoformat(), "lat": float(lat), "lon": float(lon)})
        for time in times
    )


@pytest.fixture
def device(sign_in) -> str:
    return str(enrol(sign_in("administrator"))["device_id"])


def test_full_streams_are_said_so_and_drained(runtime: Runtime, client: TestClient, device: str) -> None:
    runtime.settings.ingest_max_stream_mb = 1
    answers = [client.post("/gps/batch", content=body(runtime, device, number)) for number in range(40)]
    taken = [answer.status_code for answer in answers].count(200)
    assert {answer.status_code for answer in answers} == {200, 503}
    assert answers[-1].headers["Retry-After"] == "5"
    query = {"id": device, "lat": 21.9, "lon": 106.7}
    assert client.get("/gps/osmand", params=query).status_code == 503
    size = sum(int(runtime.redis.memory_usage(stream_key(shard)) or 0) for shard in (0, 1))
    assert size < 1.5 * 2**20
    worker = Worker(runtime, name="one")
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(taken * LINES,)]
    client.app.state.fix_intake[1].writer._measured_s = -1e9  # type: ignore[attr-defined] # a quarter second later
    assert client.get("/gps/osmand", params=query).status_code == 200


@pytest.fixture
def small_memory(runtime: Runtime) -> Iterator[int]:
    """The server may take little more memory than it does."""
    limit = int(runtime.redis.info("memory")["used_memory"]) + 4 * 2**20
    runtime.redis.config_set("maxmemory", limit)
    yield limit
    runtime.redis.config_set("maxmemory", 0)


def test_redis_near_its_limit_takes_no_more_fixes_but_heartbeats(
    runtime: Runtime, client: TestClient, device: str, small_memory: int
) -> None:
    statuses = []
    while len(statuses) < 600 and 503 not in statuses:  # what tests before left may be freed as they go on
        statuses.append(client.post("/gps/batch", content=body(runtime, device, len(statuses))).status_code)
    taken = statuses.count(200)
    assert statuses[-1] == 503
    assert int(runtime.redis.info("memory")["used_memory"]) < small_memory
    worker = Worker(runtime, name="one")
    runtime.redis.set("ck:heartbeat:ingest", "one", ex=15)
    drain(worker)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(taken * LINES,)]


def test_messages_read_at_once_are_bounded(runtime: Runtime, client: TestClient, device: str) -> None:
    message = body(runtime, device, 0, 20)
    assert client.post("/gps/batch", content=message).status_code == 200
    messages = client.app.state.fix_intake[1].messages  # type: ignore[attr-defined]
    assert messages.held_bytes == 0
    messages.max_bytes = len(message) - 1
    answer = client.post("/gps/batch", content=message)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    chunked = client.post("/gps/batch", content=iter([message[:100], message[100:]]))
    assert chunked.status_code == 503
    assert messages.held_bytes == 0
    assert client.post("/gps/owntracks", content=b"not json").status_code == 400
    assert messages.held_bytes == 0
    messages.max_bytes = len(message)
    assert client.post("/gps/batch", content=message).status_code == 200


def test_a_budget_is_shared_and_given_back() -> None:
    budget = Budget(100)
    with budget.share() as share:
        share.take(60)
        with budget.share() as other, pytest.raises(Exception, match="Too much"):
            other.take(41)
        with budget.share() as other:
            other.take(40)
            assert budget.held_bytes == 100
        assert budget.held_bytes == 60
    assert budget.held_bytes == 0


def test_the_limit_is_a_setting(runtime: Runtime) -> None:
    runtime.settings.ingest_max_stream_mb = 7
    assert open_fix_intake(runtime).writer.max_bytes == 7 * 2**20
