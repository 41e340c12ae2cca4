"""More than the platform can store: whether its memory stays bounded, and what it took is kept."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
from sqlalchemy import text

from bench.chaos.fleet import Door, Truck, enrol
from bench.chaos.platform import Platform, Target
from bench.chaos.verdict import settle
from geo.corridor import Corridor

LINES = 2_000
SENDERS = 12
TRUCKS = 400


@dataclass
class Overload:
    """What the doors said while nothing was stored, how much memory was taken, and what was kept of what they took."""

    seconds: float
    answers: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    taken: int = 0
    stored: int = 0
    web_before_mb: float = 0.0
    web_max_mb: float = 0.0
    redis_max_mb: float = 0.0
    drained_s: float = 0.0

    def figures(self) -> dict[str, float]:
        """As the measurement prints them."""
        return {
            "overload_offered_per_s": sum(self.answers.values()) * LINES / self.seconds,
            "overload_refused_share": self.answers[503] / max(1, sum(self.answers.values())),
            "overload_web_rss_grown_mb": self.web_max_mb - self.web_before_mb,
            "overload_redis_rss_max_mb": self.redis_max_mb,
            "overload_drained_s": self.drained_s,
        }


def overload(platform: Platform, seconds: float) -> Overload:
    """Post batches from many connections at once while the worker is stopped, then let it go on."""
    found = Overload(seconds)
    trucks = enrol(platform, TRUCKS, first=60_000)
    bodies = _bodies(trucks)
    ended = threading.Event()
    lock = threading.Lock()

    def send() -> None:
        door = Door(platform)
        while not ended.is_set():
            with lock:
                body = next(bodies)
            status = 503
            while status in {0, 503} and not ended.is_set():
                status, answer, retry_after = door.request("POST", "/gps/batch", body)
                with lock:
                    found.answers[status] += 1
                    found.without_retry_after += status == 503 and not retry_after
                    found.taken += orjson.loads(answer)["accepted"] if status == 200 else 0
        door.close()

    found.web_before_mb = platform.rss_bytes(Target.WEB) / 2**20
    platform.send(Target.WORKER, signal.SIGSTOP)
    senders = [threading.Thread(target=send, daemon=True) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found.web_max_mb = max(found.web_max_mb, platform.rss_bytes(Target.WEB) / 2**20)
        found.redis_max_mb = max(found.redis_max_mb, platform.rss_bytes(Target.REDIS) / 2**20)
        time.sleep(0.1)
    ended.set()
    for sender in senders:
        sender.join(30)
    began = time.monotonic()
    platform.send(Target.WORKER, signal.SIGCONT)
    settle(platform)
    found.drained_s = time.monotonic() - began
    with platform.engine.connect() as connection:
        query = text("SELECT count(*) FROM ingest.fix WHERE vehicle_id = ANY(:ids)")
        found.stored = int(connection.scalar(query, {"ids": [truck.vehicle_id for truck in trucks]}) or 0)
    return found


def _bodies(trucks: list[Truck]) -> Iterator[bytes]:
    """Bodies of fixes of trucks that stand still; no two fixes are of one truck and moment."""
    (lon,), (lat,) = Corridor.default().position("QL1A", np.array([50.0]))
    oldest = datetime.now(UTC) - timedelta(hours=12)
    rounds = LINES // len(trucks)
    number = 0
    while True:
        times = [(oldest + timedelta(seconds=number * rounds + second)).isoformat() for second in range(rounds)]
        number += 1
        yield b"".join(
            orjson.dumps(
                {"device": truck.identifier, "time": moment, "lat": float(lat), "lon": float(lon), "speed_mps": 0.0},
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for moment in times
            for truck in trucks
        )
