"""From the POST of a fix to the event of its position in a browser's stream, while 2,000 fixes a second come in."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.accounts import service
from app.platform.actions import ActionContext
from bench.rig import load
from bench.rig.processes import Platform

FIXES_PER_S = 2_000
POST_FIXES = 10
"""Fixes in a POST, as a tracker company's server hands on what came in since the last."""
DURATION_S = 12.0


def measure(
    engine: Engine, platform: Platform, identifiers: list[str], folder: Path, *, place: tuple[float, float]
) -> dict[str, Any]:
    """Seconds from the moment at which each POST was due to that at which its fixes' events were read."""
    token = _sign_in(engine, platform.port)
    posts = int(FIXES_PER_S * DURATION_S / POST_FIXES)
    lon, lat = place
    began = time.time() + 3.0
    number_of: dict[str, int] = {}
    requests = []
    for number in range(posts):
        lines = []
        for row in range(POST_FIXES):
            # Each fix has a millisecond of its own, by which its event is known.
            at = number * POST_FIXES + row
            moment = datetime.fromtimestamp(round(began, 3) + at / FIXES_PER_S, UTC)
            key = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            who = identifiers[at % len(identifiers)]
            number_of[f"{at % len(identifiers)}@{key}"] = number
            lines.append(orjson.dumps({"device": who, "time": key, "lat": lat, "lon": lon, "speed_mps": 0.0}))
        requests.append(load.request_bytes("POST", "/gps/batch", b"\n".join(lines), "application/x-ndjson"))
    path = folder / "requests"
    load.write_requests(path, requests)
    heard: dict[tuple[int, str], float] = {}
    stream = _open_stream(platform.port, token)
    reader = threading.Thread(target=_listen, args=(stream, heard), daemon=True)
    reader.start()
    generator = load.start(platform.port, path, connections=16, per_s=FIXES_PER_S / POST_FIXES)
    sent = load.finish(generator)
    time.sleep(3.0)
    first = min((vehicle_id for vehicle_id, _ in heard), default=0)
    took_s = [
        at - sent.sent[number_of[key]]
        for (vehicle_id, moment), at in heard.items()
        if (key := f"{vehicle_id - first}@{moment}") in number_of
    ]
    if len(took_s) < 0.9 * posts * POST_FIXES:
        raise RuntimeError(f"Of {posts * POST_FIXES} fixes {len(took_s)} were heard of.")
    return {
        "event_fixes_per_s": posts * POST_FIXES / (sent.ended - sent.began),
        "events_heard_share": len(took_s) / (posts * POST_FIXES),
        "post_to_event_p50_ms": float(np.percentile(took_s, 50)) * 1e3,
        "post_to_event_p99_ms": float(np.percentile(took_s, 99)) * 1e3,
    }


def _sign_in(engine: Engine, port: int) -> str:
    """The bearer token of a planner made for this."""
    password = secrets.token_hex(16)
    with Session(engine) as session:
        service.create_account(
            ActionContext(session, None, datetime.now(UTC)),
            username="bench",
            password=password,
            full_name="Bench",
            role="planner",
        )
        session.commit()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/api/v1/tokens", urlencode({"username": "bench", "password": password}), form)
    token: str = json.loads(connection.getresponse().read())["access_token"]
    return token


def _open_stream(port: int, token: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    while not answer.readline().startswith(b"event: hello"):
        pass
    return answer


def _listen(stream: http.client.HTTPResponse, heard: dict[tuple[int, str], float]) -> None:
    """Note when the event of each position came, until the stream ends."""
    kind = b""
    while line := stream.readline():
        if line.startswith(b"event: "):
            kind = line[7:].strip()
        elif line.startswith(b"data: ") and kind == b"positions":
            at = time.time()
            for position in orjson.loads(line[6:]):
                heard.setdefault((position["vehicle_id"], position["time"]), at)
