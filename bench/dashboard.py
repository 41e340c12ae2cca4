"""The control room with 5,000 trucks: time to the map, frames while positions stream in, the positions resource.

Real processes (web, worker, private PostGIS and Redis), real GPS through `/gps/batch`, the real page in headless
Chromium with software rendering (SwiftShader), all on this one machine: a control room with a graphics card has more
to spare. Frames are counted by `requestAnimationFrame` over the whole corridor, where every truck is in sight; beside
them the same page while nothing moves.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
from playwright.sync_api import Page, sync_playwright
from sqlalchemy.orm import Session

from app.accounts import service
from app.ops import migrate
from app.ops.embedded import EmbeddedServers, ServerUrls
from app.platform.actions import ActionContext
from bench._left_open import left_open
from geo.corridor import Corridor
from geo.database import make_engine
from geo.store import save_corridor
from ingest import devices

ROOT = Path(__file__).parents[1]
TRUCKS = 5_000
EVERY_S = 10.0
"""Each truck reports this often, three times what the rule on trackers asks (30 s, TT 09/2015 art. 4)."""

WATCH_S = 15.0
REQUESTS = 20
CHROMIUM = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
FRAMES = """(seconds) => new Promise((done) => {
  const gaps = []; let last = performance.now(); const end = last + seconds * 1000; let busy = 0;
  const watcher = new PerformanceObserver((list) => list.getEntries().forEach((one) => { busy += one.duration; }));
  watcher.observe({type: "longtask"});
  const step = (now) => { gaps.push(now - last); last = now; now < end ? requestAnimationFrame(step)
    : (watcher.disconnect(), done({gaps: gaps.slice(1), busy})); };
  requestAnimationFrame(step);
})"""


def run(minutes: float | None = None) -> dict[str, Any]:
    """All figures; see the module for what they mean. With `minutes` the page then stays open for so long."""
    with contextlib.ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="cuakhau-bench-", ignore_cleanup_errors=True)
        urls = stack.enter_context(EmbeddedServers(Path(stack.enter_context(folder))))
        password = secrets.token_urlsafe(16)
        identifiers = _prepare(urls, password)
        base_url = stack.enter_context(_platform(urls))
        feeder = stack.enter_context(Feeder(base_url, identifiers))
        feeder.send_all()
        figures: dict[str, Any] = {"trucks": TRUCKS, "load_before": os.getloadavg()[0]}
        figures |= _positions(base_url, password)
        return figures | _page(base_url, password, feeder, minutes)


def _prepare(urls: ServerUrls, password: str) -> list[str]:
    """A migrated platform with the corridor, one officer and enrolled trucks; the trucks' identifiers."""
    engine, now = make_engine(urls.owner_url, application_name="cuakhau-bench"), datetime.now(UTC)
    migrate.upgrade(engine)
    with Session(engine) as session:
        save_corridor(session, Corridor.default())
        service.create_account(
            ActionContext(session, None, now),
            username="officer",
            password=password,
            full_name="Officer",
            role="traffic_police",
        )
        made = [devices.enrol(session, f"29C-{n:05d}", "tracker", now=now).identifier for n in range(TRUCKS)]
        session.commit()
    engine.dispose()
    return made


@contextlib.contextmanager
def _platform(urls: ServerUrls) -> Iterator[str]:
    """The web part and one worker as processes of their own; the address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": urls.database_url,
        "REDIS_URL": urls.redis_url,
        "CUAKHAU_DEMO": "1",
        "CUAKHAU_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    parts = [
        subprocess.Popen([sys.executable, "-m", "app.cli", part], env=environment, cwd=ROOT, **quiet)
        for part in ("worker", "serve")
    ]
    base_url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{base_url}/healthz", timeout=5).is_success:
                    break
            if time.monotonic() > deadline or any(part.poll() is not None for part in parts):
                raise RuntimeError("The platform did not start.")
            time.sleep(0.1)
        yield base_url
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            try:
                part.wait(20)
            except subprocess.TimeoutExpired:
                part.kill()


class Feeder:
    """Trucks over the whole corridor, a third of them in a queue before the gate, that report by `/gps/batch`."""

    def __init__(self, base_url: str, identifiers: list[str]) -> None:
        rng = np.random.default_rng(1)
        self.url = f"{base_url}/gps/batch"
        self.identifiers = identifiers
        self.corridor = Corridor.default()
        queued = rng.random(TRUCKS) < 1 / 3
        self.km = np.where(queued, rng.uniform(1.2, 9.0, TRUCKS), rng.uniform(9.0, 112.0, TRUCKS))
        self.speed_mps = np.where(queued, rng.uniform(0.2, 1.0, TRUCKS), rng.uniform(8.0, 16.0, TRUCKS))
        self.seen_at = np.full(TRUCKS, time.time())
        self.sent = 0
        self.moving = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def is_alive(self) -> bool:
        """Whether trucks are still sent."""
        return self._thread.is_alive()

    def send_all(self) -> None:
        """One fix of each truck."""
        for chunk in np.array_split(np.arange(TRUCKS), 5):
            self.send(chunk)

    def send(self, trucks: np.ndarray[Any, Any]) -> None:
        """A fix of some trucks, moved on since their last."""
        now = time.time()
        ahead_km = self.speed_mps[trucks] * (now - self.seen_at[trucks]) / 1000.0
        self.km[trucks] = np.where(self.km[trucks] - ahead_km < 1.2, 112.0, self.km[trucks] - ahead_km)
        self.seen_at[trucks] = now
        lon, lat = self.corridor.position("QL1A", self.km[trucks])
        moment = datetime.fromtimestamp(now, UTC).isoformat()
        lines = [
            orjson.dumps(
                {"device": self.identifiers[t], "time": moment, "lat": y, "lon": x, "speed_mps": self.speed_mps[t]},
                option=orjson.OPT_SERIALIZE_NUMPY,
            )
            for t, x, y in zip(trucks.tolist(), lon.tolist(), lat.tolist(), strict=True)
        ]
        httpx.post(self.url, content=b"\n".join(lines), timeout=30).raise_for_status()
        self.sent += len(lines)

    def _run(self) -> None:
        groups = np.array_split(np.random.default_rng(2).permutation(TRUCKS), int(EVERY_S))
        turn = 0
        while not self._stop.wait(1.0):
            if self.moving.is_set():
                self.send(groups[turn % len(groups)])
                turn += 1


def _positions(base_url: str, password: str) -> dict[str, Any]:
    """Latency and size of the whole positions resource."""
    with httpx.Client(base_url=base_url, timeout=30, headers={"Accept-Encoding": "identity"}) as client:
        answer = client.post("/api/v1/tokens", data={"username": "officer", "password": password})
        client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        deadline = time.monotonic() + 60
        while len(client.get("/api/v1/positions").json()["features"]) < TRUCKS:
            if time.monotonic() > deadline:
                raise RuntimeError("Not all trucks came through.")
            time.sleep(0.5)
        took: list[float] = []
        for _ in range(REQUESTS):
            began = time.perf_counter()
            body = client.get("/api/v1/positions").raise_for_status().content
            took.append((time.perf_counter() - began) * 1000)
    return {
        "positions_p50_ms": float(np.percentile(took, 50)),
        "positions_p95_ms": float(np.percentile(took, 95)),
        "positions_bytes": len(body),
        "positions_gzip_bytes": len(gzip.compress(body, 4)),
    }


def _page(base_url: str, password: str, feeder: Feeder, minutes: float | None) -> dict[str, Any]:
    """The page in a browser: time to the map, then frames while nothing and while everything moves."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        page = browser.new_page(
            viewport={"width": 1440, "height": 900}, bypass_csp=True
        )  # what is waited for is evaluated
        page.goto(f"{base_url}/signin?next=/police")
        page.fill("[name=username]", "officer")
        page.fill("[name=password]", password)
        page.press("[name=password]", "Enter")
        page.wait_for_selector("live-map[data-ready]", timeout=120_000)
        began = time.perf_counter()
        page.reload()  # now with a warm cache, as each morning
        page.wait_for_selector("live-map[data-ready]", timeout=120_000)
        map_s = time.perf_counter() - began
        count = "document.querySelector('live-map').trucks.byId.size"
        page.wait_for_function(f"{count} >= {TRUCKS}", timeout=120_000)
        trucks_s = time.perf_counter() - began
        page.wait_for_timeout(3000)
        still = _frames(page)
        patched = (
            "(() => { const m = document.querySelector('live-map'); const take = m.patchTrucks.bind(m); m.seen = 0;"
        )
        page.evaluate(patched + " m.patchTrucks = (list) => { m.seen += list.length; take(list); }; })()")
        sent = feeder.sent
        feeder.moving.set()
        page.wait_for_timeout(3000)
        moving = _frames(page)
        lasting = left_open(page, base_url, minutes, feeder.is_alive) if minutes else {}
        feeder.moving.clear()
        page.wait_for_timeout(2000)
        shown = page.evaluate("document.querySelector('live-map').seen")
        browser.close()
    return {
        "map_s": map_s,
        "trucks_shown_s": trucks_s,
        "still_frames_per_s": still["frames_per_s"],
        "moving_frames_per_s": moving["frames_per_s"],
        "moving_to_still": moving["frames_per_s"] / still["frames_per_s"],
        "moving_frame_p50_ms": moving["p50_ms"],
        "moving_frame_p95_ms": moving["p95_ms"],
        "moving_long_frame_share": moving["long_share"],
        "moving_long_task_share": moving["busy_share"],
        "updates_per_s": TRUCKS / EVERY_S,
        "updates_shown_share": shown / max(1, feeder.sent - sent),
        **lasting,
    }


def _frames(page: Page) -> dict[str, float]:
    """Frames over `WATCH_S`: a long one takes over 50 ms; `busy_share` is the time in tasks over 50 ms."""
    found = page.evaluate(FRAMES, WATCH_S)
    gaps = np.array(found["gaps"])
    return {
        "frames_per_s": 1000.0 * len(gaps) / float(gaps.sum()),
        "p50_ms": float(np.percentile(gaps, 50)),
        "p95_ms": float(np.percentile(gaps, 95)),
        "long_share": float((gaps > 50.0).mean()),
        "busy_share": found["busy"] / 1000.0 / WATCH_S,
    }


def chromium() -> str | None:
    """The system's Chromium, else Playwright's own."""
    return next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)


def main() -> None:
    """Run by itself: `python -m bench.dashboard [--json]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    figures = run()
    print(json.dumps(figures) if parser.parse_args().json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
