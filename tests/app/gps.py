"""What tests of the path from the doors to the map share."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.tracking.worker import Worker


def drain(worker: Worker) -> None:
    """Process all that waits."""
    while worker.step(block_ms=20):
        pass


def enrol(client: TestClient, plate: str = "29C-123.45", **more: Any) -> dict[str, Any]:
    """A device enrolled by `client`."""
    answer = client.post("/api/v1/devices", json={"plate": plate, "kind": "phone", **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rows(runtime: Runtime, query: str) -> list[tuple[Any, ...]]:
    """What `query` finds, as committed."""
    with runtime.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def counters(runtime: Runtime) -> dict[str, int]:
    """The platform's counters."""
    return {key.decode(): int(value) for key, value in runtime.redis.hgetall("ck:counters").items()}
