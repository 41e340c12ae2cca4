"""What a lost answer or a silent line leaves behind: entries that nobody has, sessions whose client is gone."""

from __future__ import annotations

from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.tracking import worker as workers
from app.tracking.worker import Worker
from ingest.stream import GROUP, stream_key
from tests.app.gps import enrol, rows
from tests.conftest import SignIn


def test_entries_whose_answer_was_lost_are_stored(runtime: Runtime, client: TestClient, sign_in: SignIn) -> None:
    device = enrol(sign_in("administrator"))["device_id"]
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    worker.step(block_ms=10)
    assert client.get("/gps/osmand", params={"id": device, "lat": 21.9, "lon": 106.7}).status_code == 200
    lost = [
        entry
        for shard in worker.leases.owned
        for entry in runtime.redis.xreadgroup(GROUP, "one", {stream_key(shard): ">"}) or ()
    ]
    assert len(lost) == 1, "Redis has told the worker, on a line that was cut"
    for _ in range(3):
        worker.step(block_ms=10)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(0,)]
    worker._looked_back_at -= workers.LOOK_BACK_S
    worker.step(block_ms=10)
    assert rows(runtime, "SELECT count(*) FROM ingest.fix") == [(1,)]
    assert sum(int(runtime.redis.xlen(stream_key(shard))) for shard in worker.leases.owned) == 0


def test_the_database_gives_up_sessions_whose_client_is_gone_without_a_word(runtime: Runtime) -> None:
    with runtime.engine.connect() as connection:
        found = [
            connection.scalar(text(f"SHOW {name}"))
            for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        ]
    assert found == ["10", "5", "3", "20000"]
