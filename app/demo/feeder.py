"""The process that plays the demo day: recorded fixes through the real doors, shifted to now, day after day.

At a first start the road is already full: the newest position of every truck goes first, then the hours before, then
the present, in real time or as fast as the platform's clock runs. What was fed is kept in the data directory, so that
a restart goes on in the same shifted days and sends only what is missing.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import orjson
import structlog
from sqlalchemy.orm import Session, sessionmaker

from app.demo.cashiers import open_accounts
from app.demo.drivers import Drivers
from app.demo.officers import Officers, hire
from app.demo.plate_cameras import PlateCameras, set_up
from app.demo.playback import Fix, Playback
from app.demo.recording import Recording
from app.demo.seed import Fleet, plan_trips, seed
from app.demo.state import DemoState
from app.platform.permissions import Role
from app.settings import Settings
from app.sheets.service import Sheets
from geo.clock import Clock
from geo.database import make_engine, make_session_factory
from geo.store import load_corridor

log = structlog.get_logger("demo")

HISTORY = timedelta(hours=3)
"""How much of the past is fed at a first start, or at most after a pause."""
FRESH = timedelta(minutes=2)
"""Of the past, this much goes first, with each truck's newest fix."""
MAX_SILENCE_S = 1200.0
"""A truck that stands reports at least this often in the recording."""
CHUNK = 2000
TICK_S = 1.0
SAVE_EVERY_S = 10.0
DRIVERS_EVERY_S = 2.0
TRIPS_EVERY_S = 60.0
OFFICERS_EVERY_S = 5.0


def run_demo(settings: Settings, sheets: Sheets, base_url: str | None = None) -> None:
    """Feed the platform at `base_url` (its own address, if not given) until told to stop."""
    recording = Recording.load().thinned(settings.demo_every)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    base_url = base_url or own_url(settings)
    clock = settings.clock()
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=2, application_name="cuakhau-demo")
    try:
        with httpx.Client(base_url=base_url, timeout=30.0) as client:
            sender = Sender(client, stop)
            sessions = make_session_factory(engine)
            with sessions.begin() as session:
                corridor = load_corridor(session)
                fleet = seed(session, corridor, clock.now(), recording, settings.data_dir)
                people = hire(session, corridor, fleet, clock.now())
                cameras = set_up(session, people[Role.ADMINISTRATOR, None], corridor, settings.data_dir, clock.now())
                open_accounts(session, (gate.site_id for gate in corridor.gates()), clock.now())
            state = DemoState.load(settings.data_dir, clock.now(), recording.start_s)
            playback = Playback(recording, state.timeline, state.shifts)
            if not sender.await_platform():
                return
            drivers = Drivers(playback, fleet, corridor, sessions, clock, client)
            officers = Officers(
                playback, fleet, corridor, sessions, clock, people, sheets, PlateCameras(client, cameras)
            )
            Feeder(playback, state, fleet, sessions, clock, sender, drivers, officers, settings.data_dir).run(stop)
    finally:
        engine.dispose()


def own_url(settings: Settings) -> str:
    """Where this installation's web process listens, as seen from this machine."""
    anywhere = settings.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    host = "127.0.0.1" if anywhere else f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def catch_up(playback: Playback, fed_until: datetime | None, now: datetime) -> Iterator[list[Fix]]:
    """What to send before the present, in the order of its use: the newest picture, then what led to it.

    At a first start that is `HISTORY`; after a pause what is missing since, at most as much. A short pause needs no
    picture first.
    """
    since = max(fed_until, now - HISTORY) if fed_until is not None and fed_until < now else now - HISTORY
    if fed_until is not None and fed_until >= now:
        return
    if now - since > FRESH and not playback.shifts:
        picture = playback.newest(now, within_s=min(MAX_SILENCE_S, (now - since).total_seconds()))
        yield picture
        yield playback.due(now - FRESH, now)
        now -= FRESH
    piece = timedelta(minutes=10)
    while since < now:
        until = min(since + piece, now)
        yield playback.due(since, until)
        since = until


def encode(fixes: Sequence[Fix], identifiers: Sequence[str]) -> bytes:
    """Fixes as the NDJSON of `/gps/batch`."""
    return b"".join(
        orjson.dumps(
            {
                "device": identifiers[fix.truck],
                "time": fix.time,
                "lat": fix.lat,
                "lon": fix.lon,
                "speed_mps": fix.speed_mps,
                "heading_deg": fix.heading_deg,
                "accuracy_m": fix.accuracy_m,
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for fix in fixes
    )


@dataclass
class Sender:
    """Posts to the doors, again and again until they take it."""

    client: httpx.Client
    stop: threading.Event

    def await_platform(self) -> bool:
        """Wait until the platform is ready (web, workers, database); whether it came to that."""
        while not self.stop.is_set():
            try:
                if self.client.get("/readyz", timeout=5.0).status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            self.stop.wait(0.25)
        return False

    def post(self, body: bytes) -> bool:
        """Send one batch; `False` if told to stop before it was taken."""
        pause_s = 0.5
        while not self.stop.is_set():
            try:
                answer = self.client.post("/gps/batch", content=body, headers={"Content-Type": "application/x-ndjson"})
            except httpx.HTTPError as error:
                log.warning("demo waits for the door", error=str(error))
            else:
                if answer.status_code < 300:
                    refused = answer.json().get("refused") or []
                    if refused:
                        log.warning("demo fixes refused", count=len(refused), first=refused[0])
                    return True
                if answer.status_code not in {429, 502, 503, 504}:
                    log.error("demo batch not taken", status=answer.status_code, answer=answer.text[:300])
                    return True
                pause_s = retry_after_s(answer.headers.get("retry-after"), pause_s)
            self.stop.wait(pause_s)
            pause_s = min(10.0, pause_s * 2)
        return False


def retry_after_s(header: str | None, default_s: float) -> float:
    """The pause a `Retry-After` in seconds asks for, within reason; `default_s` if it is none."""
    try:
        return min(60.0, max(0.1, float(header))) if header is not None else default_s
    except ValueError:
        return default_s


@dataclass
class Feeder:
    """Feeds, plans trips and lets drivers answer, each at its own pace."""

    playback: Playback
    state: DemoState
    fleet: Fleet
    sessions: sessionmaker[Session]
    clock: Clock
    sender: Sender
    drivers: Drivers
    officers: Officers
    data_dir: Path
    _due_at: dict[str, float] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Catch up, then follow the clock until told to stop."""
        self._catch_up(stop)
        try:
            while not stop.is_set():
                now = self.clock.now()
                if not self._send(self.playback.due(self.state.fed_until or now, now)):
                    break
                self.state.fed_until = now
                self._every("save", SAVE_EVERY_S, lambda: self.state.save(self.data_dir))
                self._every("drivers", DRIVERS_EVERY_S, self.drivers.step)
                self._every("trips", TRIPS_EVERY_S, self._plan_trips)
                self._every(
                    "officers", 0.0 if self.officers.is_behind_at_gates else OFFICERS_EVERY_S, self.officers.step
                )
                stop.wait(TICK_S)
        finally:
            self.state.save(self.data_dir)

    def _officers_every_s(self) -> float:
        return 0.0 if self.officers.is_behind_at_gates else OFFICERS_EVERY_S

    def _catch_up(self, stop: threading.Event) -> None:
        began, now = time.monotonic(), self.clock.now()
        sent = 0
        for fixes in catch_up(self.playback, self.state.fed_until, now):
            if not self._send(fixes):
                return
            sent += len(fixes)
            log.info("demo catches up", fixes=sent, seconds=round(time.monotonic() - began, 1))
        if not stop.is_set():
            self.state.fed_until = now
            self.state.save(self.data_dir)

    def _send(self, fixes: Sequence[Fix]) -> bool:
        return all(
            self.sender.post(encode(fixes[start : start + CHUNK], self.fleet.identifiers))
            for start in range(0, len(fixes), CHUNK)
        )

    def _plan_trips(self) -> None:
        with self.sessions.begin() as session:
            now, delayed = self.clock.now(), self.playback.shifts
            plan_trips(session, self.playback.recording, self.state.timeline, self.fleet, now, delayed)

    def _every(self, name: str, seconds: float, act: Callable[[], object]) -> None:
        """Act if the last time was `seconds` ago; a failure is told and tried again next time."""
        if time.monotonic() < self._due_at.get(name, 0.0):
            return
        self._due_at[name] = time.monotonic() + seconds
        try:
            act()
        except Exception as error:  # the traffic must not stop because a database restarts
            log.warning("demo step failed", step=name, error=str(error)[:300])
