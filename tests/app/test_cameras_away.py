"""A camera's read while Redis is away: it is kept, and its place on the map is sent when Redis is back."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import text

from app.control.tick import Tick
from app.platform.runtime import Runtime
from app.tracking.worker import Worker
from app.trips.places import Places
from ingest import dead_letters
from tests.app.equipping import one, rekor, send
from tests.app.gps import drain
from tests.app.test_cameras import PLATE, camera
from tests.app.test_cameras import administrator as administrator
from tests.app.test_cameras import stage as stage


def test_a_read_on_the_highway_is_a_position_later(
    runtime: Runtime, client, stage, administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(runtime)
    worker.keep_partitions()
    with runtime.sessions() as session:
        session.execute(text("DELETE FROM ingest.last_position"))
        session.execute(text("UPDATE app.trip SET stage = 'on_the_road'"))
        session.commit()
    device = camera(administrator, "camera-chi-lang")
    tick = Tick(runtime, Places.of(runtime.corridor), {})

    def refuse(*_: object, **__: object) -> None:
        raise RedisConnectionError("Error 111 connecting to 127.0.0.1:6379. Connection refused.")

    with monkeypatch.context() as patch:
        patch.setattr(runtime.redis, "xadd", refuse)
        assert send(client, device, rekor(PLATE, runtime.clock.now())).json()["new"] == 1
        assert send(client, device, rekor(PLATE, runtime.clock.now())).json()["new"] == 0
        with runtime.sessions() as session:
            assert dead_letters.count_dead(session) == {"unsent": 1}
            assert tick._send_unsent(session, runtime.clock.now()) == 0
    for sent in (1, 0):
        with runtime.sessions() as session:
            assert tick._send_unsent(session, runtime.clock.now()) == sent
            session.commit()
    drain(worker)
    found = one(runtime, "SELECT km, device_id FROM ingest.last_position")
    assert found.km == pytest.approx(53.64, abs=0.1)
    assert found.device_id == -device["equipment_id"]
    assert one(runtime, "SELECT count(*) AS n FROM ingest.fix").n == 1
