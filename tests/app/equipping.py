"""What tests of equipment begin with: devices with keys, messages of cameras, trips with confirmed steps."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from tests.programs import require

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
BOUNDARY = "----b0undary"


def set_up(administrator: TestClient, kind: str, vendor: str = "generic", **more: Any) -> dict[str, Any]:
    """A device set up over the API, with its key."""
    answer = administrator.post("/api/v1/equipment", json={"kind": kind, "vendor": vendor, "name": "Device", **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def bearer(device: dict[str, Any]) -> dict[str, str]:
    """The headers a device proves itself with."""
    return {"Authorization": f"Bearer {device['key']}"}


def rekor(plate: str, moment: Any, confidence: float = 92.0, uuid: str = "u1", **more: Any) -> bytes:
    """A Rekor message of one passage."""
    return json.dumps(
        {
            "data_type": "alpr_group",
            "best_plate_number": plate,
            "best_confidence": confidence,
            "camera_id": 7,
            "epoch_start": round(moment.timestamp() * 1000),
            "best_uuid": uuid,
            "candidates": [{"plate": plate, "confidence": confidence}],
            **more,
        }
    ).encode()


def send(client: TestClient, device: dict[str, Any], body: bytes, vendor: str = "rekor", **more: Any) -> Any:
    """A camera's webhook; the answer."""
    return client.post(f"/cameras/{vendor}", content=body, headers=bearer(device) | more.pop("headers", {}), **more)


def one(runtime: Runtime, query: str, **values: Any) -> Any:
    """The one row that a query finds, as committed."""
    with runtime.engine.connect() as connection:
        return connection.execute(text(query), values).one()


def confirm(runtime: Runtime, trip_id: int, step: str) -> None:
    """The step of a trip as confirmed, without the sheet around it."""
    with runtime.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO app.trip_step (trip_id, step, status, since, done_at) "
                "VALUES (:trip_id, :step, 'done', :now, :now)"
            ),
            {"trip_id": trip_id, "step": step, "now": runtime.clock.now()},
        )


@contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """A private Mosquitto; its address."""
    require("broker")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
