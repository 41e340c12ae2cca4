"""Alive, ready, figures."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import text


@pytest.fixture
def local(application):
    with TestClient(application, client=("127.0.0.1", 50000)) as client:
        yield client


def test_healthz_says_that_it_lives(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_names_what_is_missing(client, runtime):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"] == {
        "database": "ok",
        "redis": "ok",
        "migrations": "ok",
        "ingest": "no heartbeat",
        "control": "no heartbeat",
    }
    for part in ("ingest", "control"):
        runtime.redis.set(f"ck:heartbeat:{part}", 1, ex=15)
    assert client.get("/readyz").status_code == 200


def test_readyz_sees_a_database_that_is_behind(client, owner_engine):
    with owner_engine.begin() as connection:
        newest = connection.scalar(text("SELECT version_num FROM public.alembic_version"))
        connection.execute(text("UPDATE public.alembic_version SET version_num = '0001'"))
    try:
        assert client.get("/readyz").json()["parts"]["migrations"] == "not at the newest revision"
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("UPDATE public.alembic_version SET version_num = :newest"), {"newest": newest})


def test_metrics_are_for_this_machine_or_the_bearer_of_the_token(client, local, runtime):
    assert client.get("/metrics").status_code == 403
    assert local.get("/metrics").status_code == 200
    assert local.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403
    runtime.settings.metrics_token = SecretStr("prometheus-may-read")
    assert client.get("/metrics", headers={"Authorization": "Bearer prometheus-may-read"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 403


def test_metrics_sum_up_what_the_processes_counted(local, runtime):
    redis = runtime.redis
    redis.hset(
        "ck:counters",
        mapping={
            "fixes_in_total": 7,
            'fixes_refused_total{reason="mock"}': 2,
            'fixes_refused_total{reason="future"}': 1,
        },
    )
    redis.hset(
        "ck:gauges", mapping={"forecast_made_at_s": runtime.clock.now().timestamp() - 30, "forecast_duration_s": 4.5}
    )
    for number in range(3):
        redis.xadd("ck:fixes:0", {"n": number})
    redis.xgroup_create("ck:fixes:0", "ingest", id="0")
    redis.xreadgroup("ingest", "worker", {"ck:fixes:0": ">"}, count=1)
    body = local.get("/metrics").text
    for line in (
        "cuakhau_fixes_in_total 7.0",
        'cuakhau_fixes_refused_total{reason="mock"} 2.0',
        'cuakhau_fixes_refused_total{reason="future"} 1.0',
        "cuakhau_forecast_age_s 30.0",
        "cuakhau_forecast_duration_s 4.5",
        'cuakhau_stream_lag_entries{shard="0"} 2.0',
        'cuakhau_stream_pending_entries{shard="0"} 1.0',
        'cuakhau_stream_lag_entries{shard="1"} 0.0',
        "cuakhau_sse_connections 0.0",
        "# TYPE cuakhau_fixes_in_total counter",
    ):
        assert line in body
