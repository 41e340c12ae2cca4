"""Trucks that report through the HTTP doors and repeat until they are answered, as real clients do."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

import orjson
from sqlalchemy.orm import Session

from bench.chaos.platform import Loaded
from geo.corridor import Corridor
from ingest import devices

SPEED_MPS = 12.0
PAUSE_S = 0.2
"""Between a refusal and the next try: shorter than the doors ask for, so that a short run sees many tries."""
TIMEOUT_S = 15.0


@dataclass
class Truck:
    """A truck with a tracker, driving toward the border; `acknowledged_ms` are the times of fixes answered with 2xx."""

    identifier: str
    vehicle_id: int
    begin_km: float
    acknowledged_ms: list[int] = field(default_factory=list)
    newest_ms: int = 0

    def report(self, corridor: Corridor, began_s: float, now_s: float) -> tuple[int, float, float]:
        """Its next fix: milliseconds since 1970, longitude, latitude. Times of a truck strictly rise."""
        self.newest_ms = max(int(now_s * 1000), self.newest_ms + 1)
        km = max(1.0, self.begin_km - (self.newest_ms / 1000 - began_s) * SPEED_MPS / 1000)
        (lon,), (lat,) = corridor.position("QL1A", [km])
        return self.newest_ms, round(float(lon), 6), round(float(lat), 6)


def enrol(platform: Loaded, count: int, first: int = 0) -> list[Truck]:
    """New trucks with trackers."""
    now = datetime.now(UTC)
    with Session(platform.engine) as session:
        made = [
            devices.enrol(session, f"29C-{first + number:05d}", "tracker", now=now) for number in range(1, count + 1)
        ]
        trucks = [
            Truck(device.identifier, device.vehicle.vehicle_id, 40.0 + number % 60)
            for number, device in enumerate(made)
        ]
        session.commit()
    return trucks


class Door:
    """One kept-alive connection to the doors."""

    def __init__(self, platform: Loaded) -> None:
        self.host, self.port = platform.host, platform.port
        self._connection: http.client.HTTPConnection | None = None

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, str]:
        """Status, body and Retry-After of the answer; status 0 if there was none."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            headers = {"Content-Type": "application/x-ndjson"} if body else {}
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Retry-After") or ""
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, b"", ""

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Fleet:
    """Sends the fixes of trucks from several threads until `stop`: in batches, and single ones at OsmAnd's door.

    Every tenth acknowledged message is sent once more, like by a client that missed the answer. `answers` counts
    statuses, `unexpected` holds what no door may say to a sound message.
    """

    def __init__(self, platform: Loaded, trucks: Sequence[Truck], *, threads: int = 2, pause_s: float = 0.25) -> None:
        self.platform, self.trucks, self.pause_s = platform, trucks, pause_s
        self.answers: Counter[int] = Counter()
        self.unexpected: list[str] = []
        self.without_retry_after = 0
        self._corridor = Corridor.default()
        self._began_s = time.time()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(trucks[number::threads], number), daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 120.0) -> None:
        """Send what is under way until it is acknowledged, and no more.

        Raises
        ------
        RuntimeError
            If something stays without an answer of success.
        """
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_s)
            if thread.is_alive():
                raise RuntimeError(f"A message is not acknowledged after {timeout_s:.0f} s: {self.answers}")

    def _send(self, own: Sequence[Truck], number: int) -> None:
        rng = random.Random(number)
        door = Door(self.platform)
        turn = 0
        while not self._stopping.is_set():
            singles = own[turn % len(own) : turn % len(own) + 3]
            rest = [truck for truck in own if truck not in singles]
            self._batch(door, rest, is_repeated=rng.random() < 0.1)
            for truck in singles:
                self._single(door, truck, is_repeated=rng.random() < 0.1)
            turn += 3
            self._stopping.wait(self.pause_s)
        door.close()

    def _batch(self, door: Door, trucks: Sequence[Truck], *, is_repeated: bool) -> None:
        now_s = time.time()
        fixes = [(truck, *truck.report(self._corridor, self._began_s, now_s)) for truck in trucks]
        body = b"".join(
            orjson.dumps(
                {
                    "device": truck.identifier,
                    "time": datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(),
                    "lat": lat,
                    "lon": lon,
                    "speed_mps": SPEED_MPS,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for truck, moment_ms, lon, lat in fixes
        )
        answer = self.until_acknowledged(door, "POST", "/gps/batch", body)
        accepted = orjson.loads(answer)["accepted"] if answer is not None else 0
        if accepted == len(fixes):
            for truck, moment_ms, _, _ in fixes:
                truck.acknowledged_ms.append(moment_ms)
        elif answer is not None:
            self.unexpected.append(answer.decode()[:300])
        if is_repeated:
            self.until_acknowledged(door, "POST", "/gps/batch", body)

    def _single(self, door: Door, truck: Truck, *, is_repeated: bool) -> None:
        moment_ms, lon, lat = truck.report(self._corridor, self._began_s, time.time())
        query = {"id": truck.identifier, "timestamp": moment_ms, "lat": lat, "lon": lon, "speed": 23.3}
        path = f"/gps/osmand?{urlencode(query)}"
        if self.until_acknowledged(door, "GET", path) is not None:
            truck.acknowledged_ms.append(moment_ms)
        if is_repeated:
            self.until_acknowledged(door, "GET", path)

    def until_acknowledged(self, door: Door, method: str, path: str, body: bytes | None = None) -> bytes | None:
        """Send, and again after each 503 or broken connection; the answer, `None` if it was refused for good."""
        while True:
            status, answer, retry_after = door.request(method, path, body)
            self.answers[status] += 1
            if 200 <= status < 300:
                return answer
            if status == 503 and not retry_after:
                self.without_retry_after += 1
            if status not in {0, 503}:
                self.unexpected.append(f"{status} {answer.decode(errors='replace')[:300]}")
                return None
            time.sleep(PAUSE_S)
