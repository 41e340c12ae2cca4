"""Many trucks on the road as bodies of `/gps/batch`, sent and waited for."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import orjson
from redis import Redis

from bench.rig import load
from geo.corridor import Corridor

VEHICLES = 2_000
BODY_LINES = 5_000
SENDERS = 2
INTERVAL_S = 5.0


def make_bodies(identifiers: list[str], fixes: int, began_s: float, first: int = 0) -> list[bytes]:
    """NDJSON bodies: all trucks drive toward the border and report every 5 s, from round `first` after `began_s`."""
    corridor, rng = Corridor.default(), np.random.default_rng([1, first])
    rounds = fixes // VEHICLES
    truck = np.tile(np.arange(VEHICLES), rounds)
    number = first + np.repeat(np.arange(rounds), VEHICLES)
    # Back and forth, 30 km of way each.
    way_km = (number * INTERVAL_S * 0.012) % 60.0
    lon, lat = corridor.position("QL1A", 110.0 - truck % 75 - np.where(way_km < 30.0, way_km, 60.0 - way_km))
    noise = rng.normal(0, 8e-5, (2, len(truck)))
    moments = ((began_s + number * INTERVAL_S) * 1000).astype("datetime64[ms]")
    times = np.datetime_as_string(moments, timezone="UTC").tolist()
    lines = [
        orjson.dumps(
            {"device": identifiers[who], "time": moment, "lat": y, "lon": x, "speed_mps": 12.0, "heading_deg": 20.0},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for who, moment, y, x in zip(
            truck.tolist(), times, (lat + noise[0]).round(6).tolist(), (lon + noise[1]).round(6).tolist(), strict=True
        )
    ]
    return [b"".join(lines[start : start + BODY_LINES]) for start in range(0, len(lines), BODY_LINES)]


def send_batches(redis: Redis, port: int, bodies: list[bytes], folder: Path) -> tuple[load.Load, float]:
    """Send bodies and wait until all their fixes are stored: what the generator measured, and the seconds from its
    beginning until then."""
    stored = _count_stored(redis)
    path = folder / "requests"
    kind = "application/x-ndjson"
    load.write_requests(path, (load.request_bytes("POST", "/gps/batch", body, kind) for body in bodies))
    lines = sum(body.count(b"\n") for body in bodies)
    generator = load.start(port, path, connections=SENDERS)
    _await_stored(redis, stored + lines)
    ended = time.time()
    sent = load.finish(generator)
    return sent, ended - sent.began


def _count_stored(redis: Redis) -> int:
    return int(redis.hget("ck:counters", "fixes_stored_total") or 0)


def _await_stored(redis: Redis, count: int) -> None:
    deadline = time.monotonic() + 300
    while _count_stored(redis) < count:
        if time.monotonic() > deadline:
            raise RuntimeError("Fixes were not stored.")
        time.sleep(0.005)
