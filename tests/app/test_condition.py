"""The condition of the platform: the administrator's page and the figures for Prometheus."""

from __future__ import annotations

from fastapi.testclient import TestClient
from redis.exceptions import ConnectionError as RedisConnectionError

from app.ops import metrics
from app.platform.runtime import Runtime
from app.tracking.worker import Worker
from tests.app.gps import drain
from tests.app.test_dead_letters import NUL, append
from tests.app.test_worker import fixes


def bury(runtime: Runtime, count: int) -> None:
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    append(runtime, fixes(runtime, [2], count), {row: NUL for row in range(count)})
    drain(worker)


def test_the_page_shows_parts_streams_and_dead_letters(runtime: Runtime, sign_in) -> None:
    administrator = sign_in("administrator")
    page = administrator.get("/admin/condition").text
    assert "Cơ sở dữ liệu" in page
    assert page.count("không trả lời") == 2  # ingest and control send no heartbeat in this test
    bury(runtime, 3)
    page = administrator.get("/admin/condition").text
    assert page.count("<td>batch,osmand</td>") == 3
    assert "không lưu được" in page
    assert "cannot be converted to text" in page
    assert "/admin/condition" in administrator.get("/admin").text
    assert sign_in("auditor").get("/admin/condition").status_code == 200
    assert sign_in("planner").get("/admin/condition").status_code == 403


def test_the_page_is_there_while_redis_is_away(runtime: Runtime, sign_in, monkeypatch) -> None:
    administrator = sign_in("administrator")

    def fail(*_: object) -> None:
        raise RedisConnectionError("Connection refused.")

    monkeypatch.setattr(metrics, "stream_lag", fail)
    page = administrator.get("/admin/condition")
    assert page.status_code == 200
    assert "không rõ" in page.text or "Chưa rõ" in page.text or "chưa rõ" in page.text


def test_dead_letters_are_a_figure_by_kind(runtime: Runtime, application) -> None:
    with TestClient(application, client=("127.0.0.1", 50000)) as local:
        assert 'cuakhau_dead_letters{kind="refused"} 0.0' in local.get("/metrics").text
        bury(runtime, 2)
        figures = local.get("/metrics").text
    assert 'cuakhau_dead_letters{kind="refused"} 2.0' in figures
    assert 'cuakhau_dead_letters{kind="deadly"} 0.0' in figures
    assert "cuakhau_fixes_dead_total 2.0" in figures
