"""PostgreSQL or Redis away while the API is asked: what was done is said, what was not done is asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from fastapi.testclient import TestClient
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from sqlalchemy import text
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from app.platform import outbox
from app.platform.runtime import Runtime
from app.trips import service as trips
from tests.app.dispatching import Stage, set_stage

SignIn = Callable[..., TestClient]


@pytest.fixture
def stage(runtime: Runtime, sign_in: SignIn) -> Stage:
    return set_stage(runtime, sign_in)


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def waiting(runtime: Runtime) -> int:
    with runtime.sessions() as session:
        return int(session.scalar(text("SELECT count(*) FROM app.outbox WHERE relayed_at IS NULL")) or 0)


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("Error 111 connecting to 127.0.0.1:6379. Connection refused."),
        ResponseError("OOM command not allowed when used memory > 'maxmemory'."),
        OperationalError("SELECT", {}, psycopg2.OperationalError("server closed the connection unexpectedly")),
    ],
)
def test_what_is_committed_is_answered_as_done_and_its_events_wait(
    runtime: Runtime, stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    before = waiting(runtime)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "relay_waiting", raising(error))
        order_id = stage.issue()
    assert stage.police.get(f"/api/v1/orders/{order_id}").status_code == 200
    assert waiting(runtime) > before
    with runtime.sessions() as session:
        assert outbox.relay_waiting(session, runtime.redis) > 0
        session.commit()


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("Error 111 connecting to 127.0.0.1:6379. Connection refused."),
        OperationalError("SELECT", {}, psycopg2.OperationalError("could not connect to server")),
        InternalError("INSERT", {}, psycopg2.InternalError("cannot execute INSERT in a read-only transaction")),
        PoolTimeoutError("QueuePool limit reached"),
        psycopg2.OperationalError("could not extend file: No space left on device"),
    ],
)
def test_what_is_not_done_is_asked_for_again(stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(trips, "get_trip", raising(error))
    answer = stage.enterprise.get(f"/api/v1/trips/{stage.trip_id}")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "chưa có gì thay đổi" in answer.json()["detail"]


def test_a_connection_that_breaks_at_the_commit_is_not_said_to_have_done_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = OperationalError(
        "COMMIT",
        {},
        psycopg2.OperationalError("server closed the connection unexpectedly"),
        connection_invalidated=True,
    )
    monkeypatch.setattr(Session, "commit", raising(broken))
    answer = stage.police.post("/api/v1/orders", json=stage.order())
    assert answer.status_code == 503
    assert "chưa chắc thao tác đã được thực hiện" in answer.json()["detail"]
