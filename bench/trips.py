"""A full trip through the API in requests, and what a work list and the public page cost beside a million old trips.

The same live load (a busy day) is measured beside 10,000 and beside 1,000,000 trips in the database; the difference is
what history costs. Rows are generated and copied in. One run on one machine, HTTP in process, so that the figures hold
everything but the wire. Servers: those of `DATABASE_URL` and `REDIS_URL` (their contents are erased), else private.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from fastapi.testclient import TestClient
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from sqlalchemy import Engine, text

from app.accounts import service as accounts
from app.accounts.tables import Organisation
from app.bootstrap import web
from app.declarations.schemas import EXAMPLE as DECLARATION
from app.ops import migrate
from app.ops.embedded import EmbeddedServers, ServerUrls
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.procedures import service as procedures
from app.procedures.procedure import Facts, Procedure, Sheet
from app.settings import Settings
from geo.clock import SystemClock
from geo.corridor import Corridor
from geo.database import SCHEMAS, make_engine, make_session_factory
from geo.errors import ConflictError
from geo.store import save_corridor

SMALL, LARGE = 10_000, 1_000_000
LIVE = 3_000
"""Open trips of a busy day at both gates: 1,900 to pass today, the rest announced."""
VEHICLES = 60_000
GATES = ("huu-nghi", "tan-thanh")
WAY = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
    ("gate_management", "fee"),
    ("border_guard", "barrier_2"),
)
REPEATS = 140
PASSWORD = "correct horse battery staple"


def run() -> dict[str, Any]:
    """All figures of trips; see the module for what they mean."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with contextlib.ExitStack() as stack:
        if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
            urls = ServerUrls.of_environment(os.environ)
        else:
            folder = tempfile.TemporaryDirectory(prefix="cuakhau-bench-", ignore_cleanup_errors=True)
            data_dir = Path(stack.enter_context(folder))
            urls = stack.enter_context(EmbeddedServers(data_dir, durable=False))
        engine = make_engine(urls.owner_url, application_name="cuakhau-bench")
        stack.callback(engine.dispose)
        runtime = stack.enter_context(_runtime(engine, urls))
        _prepare(runtime)
        with TestClient(web(runtime), base_url="http://localhost") as client:
            desk = _Desk(runtime, client)
            _copy_live(runtime)
            _copy_history(engine, LIVE, SMALL)
            small = _measure(desk)
            _copy_history(engine, SMALL, LARGE)
            figures = _measure(desk)
            figures["growth_10k_to_1m"] = figures["work_list_ms"] / small["work_list_ms"]
            figures["work_list_10k_ms"] = small["work_list_ms"]
            figures["requests_per_trip"] = _full_trip(desk)
            return figures


@contextlib.contextmanager
def _runtime(engine: Engine, urls: ServerUrls) -> Iterator[Runtime]:
    settings = Settings(DATABASE_URL=urls.database_url, REDIS_URL=urls.redis_url, demo=True)  # type: ignore[call-arg]
    with Redis.from_url(urls.redis_url) as redis:
        redis.flushdb()
        sessions = make_session_factory(engine)
        asynchronous = AsyncRedis.from_url(urls.redis_url)
        yield Runtime(settings, SystemClock(), engine, sessions, redis, asynchronous, Corridor.default())


def _prepare(runtime: Runtime) -> None:
    with runtime.engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
    migrate.upgrade(runtime.engine)
    with runtime.sessions() as session:
        save_corridor(session, runtime.corridor)
        session.add(Organisation(name="Nông sản Lạng Sơn", kind="enterprise"))
        procedures.add_shipped(session, runtime.clock.now())
        session.commit()


class _Desk:
    """Signed-in people of each role, and a count of the requests they send."""

    def __init__(self, runtime: Runtime, client: TestClient) -> None:
        self.runtime, self.client = runtime, client
        self.tokens: dict[tuple[str, str], str] = {}
        self.requests = 0

    def send(self, role: str, method: str, path: str, *, gate: str = GATES[0], **more: Any) -> Any:
        """One request by a person of a role."""
        headers = {"Authorization": f"Bearer {self._token(role, gate)}"} | more.pop("headers", {})
        self.requests += 1
        answer = self.client.request(method, path, headers=headers, **more)
        if answer.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer

    def _token(self, role: str, gate: str) -> str:
        if (role, gate) not in self.tokens:
            name = f"{role}-{gate}"
            self._make_account(role, gate, name)
            self.requests += 1
            answer = self.client.post("/api/v1/tokens", data={"username": name, "password": PASSWORD})
            if answer.status_code != 200:
                raise RuntimeError(f"{name} is not signed in: {answer.status_code} {answer.text[:500]}")
            self.tokens[role, gate] = answer.json()["access_token"]
        return self.tokens[role, gate]

    def _make_account(self, role: str, gate: str, name: str) -> None:
        bound: dict[str, Any] = {"organisation_id": 1} if role == "enterprise" else {"gate_id": gate}
        with contextlib.suppress(ConflictError), self.runtime.sessions() as session:
            accounts.create_account(
                ActionContext(session, None, self.runtime.clock.now()),
                username=name,
                password=PASSWORD,
                full_name=name,
                role=role,
                **bound,
            )
            session.commit()


def _copy(engine: Engine, table: str, columns: str, lines: Iterator[str]) -> None:
    """Copy lines in, in pieces; foreign keys are true by construction and not checked."""
    raw: Any = engine.raw_connection()
    try:
        with raw.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            while piece := "".join(line for line, _ in zip(lines, range(200_000), strict=False)):
                cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.StringIO(piece))
            cursor.execute("SET session_replication_role = DEFAULT")
        raw.commit()
    finally:
        raw.close()


TRIP = (
    "trip_id, code, vehicle_id, organisation_id, goods, goods_class, perishable, regime, direction, gate_id, "
    "planned_arrival, stage, stage_since, created_at, version, procedure_id, facts, arrived_at"
)
STEP = "trip_id, step, status, since, done_at, data, is_live"
PLACE = "trip_id, began_at, ended_at, kind, gate_id, source, trust"
FACTS = Facts(direction="export", regime="export", goods_class=frozenset({"fresh_fruit"}))


def _copy_live(runtime: Runtime) -> None:
    """The trucks of today: some done with each number of steps, half of them still on the road or not yet off."""
    engine, now = runtime.engine, runtime.clock.now()
    with runtime.sessions() as session:
        rows = {gate: procedures.get_current(session, (gate, "export", "export"), now) for gate in GATES}
        ways = {gate: (row.procedure_id, Procedure.from_definition(row.definition)) for gate, row in rows.items()}
    record = json.dumps(FACTS.to_record())
    vehicles = (f"{n}\t29C-{n:05d}\t29C{n:05d}\ttruck\t{now.isoformat()}\n" for n in range(1, VEHICLES + 1))
    _copy(engine, "ingest.vehicle", "vehicle_id, plate, plate_norm, kind, created_at", vehicles)
    trips, steps, places, positions = [], [], [], []
    for number in range(1, LIVE + 1):
        gate = GATES[number % 2]
        done = number % 14 if number % 2 == 0 or number % 3 == 0 else 0
        done = min(done, len(WAY) - 1)
        sheet_now = Sheet(ways[gate][1], FACTS).confirm("declaration")
        for _, step in WAY[:done]:
            sheet_now = sheet_now.confirm(step)
        is_here = done > 0 or number % 5 == 0
        stage = "in_the_yard" if done > 2 else "queued" if is_here else "on_the_road" if number % 4 else "planned"
        planned = now + timedelta(minutes=number % 2000 - 200)
        since = now - timedelta(seconds=number)
        arrived = since.isoformat() if is_here else "\\N"
        trips.append(
            f"{number}\tL{number:013d}\t{number}\t1\tThanh long\tfresh_fruit\tt\texport\texport\t{gate}\t"
            f"{planned.isoformat()}\t{stage}\t{since.isoformat()}\t{since.isoformat()}\t3\t{ways[gate][0]}\t{record}\t"
            f"{arrived}\n"
        )
        steps += [
            f"{number}\t{step}\t{status}\t{since.isoformat()}\t\\N\t{{}}\tt\n"
            for step, status in sheet_now.state().items()
        ]
        place = "gate_area" if stage == "in_the_yard" else stage
        shown = f"{gate}\tact\t4" if is_here else "\\N\t\\N\t\\N" if stage == "planned" else "\\N\tgps\t1"
        places.append(f"{number}\t{since.isoformat()}\t\\N\t{place}\t{shown}\n")
        km, site = (0.8, gate) if is_here else (5 + number % 120, "\\N")
        positions.append(
            f"{number}\t1\tSRID=4326;POINT(106.7 21.9)\t5\t{km}\t1\t0\t0\t{now.isoformat()}\t{now.isoformat()}\t"
            f"{site}\tmoving\n"
        )
    _copy(engine, "app.trip", TRIP, iter(trips))
    _copy(engine, "app.trip_step", STEP, iter(steps))
    columns = "vehicle_id, device_id, geom, speed_mps, km, direction, status, flags, received_at, time, site_id, motion"
    _copy(engine, "ingest.last_position", columns, iter(positions))
    _copy(engine, "app.trip_place", PLACE, iter(places))


def _copy_history(engine: Engine, after: int, until: int) -> None:
    """Trips that are over, with all their steps; one in twenty ended with steps left open."""
    began = datetime.now(UTC) - timedelta(days=1500)
    steps = ["declaration", *[step for _, step in WAY], "transshipment", "quarantine_animal", "quarantine_health"]
    record = json.dumps(FACTS.to_record())

    def trips() -> Iterator[str]:
        for number in range(after + 1, until + 1):
            at = (began + timedelta(seconds=number * 120)).isoformat()
            yield (
                f"{number}\tH{number:013d}\t{LIVE + 1 + number % (VEHICLES - LIVE)}\t1\tThanh long\tfresh_fruit\tt\t"
                f"export\texport\t{GATES[number % 2]}\t{at}\tout\t{at}\t{at}\t9\t1\t{record}\t{at}\n"
            )

    def places() -> Iterator[str]:
        for number in range(after + 1, until + 1):
            moments = [(began + timedelta(seconds=number * 120 - minutes * 60)).isoformat() for minutes in (90, 60, 0)]
            gate = f"{GATES[number % 2]}\tact\t4"
            yield f"{number}\t{moments[0]}\t{moments[1]}\tqueued\t{gate}\n"
            yield f"{number}\t{moments[1]}\t{moments[2]}\tgate_area\t{gate}\n"
            yield f"{number}\t{moments[2]}\t\\N\tover_the_border\t{gate}\n"

    def lines() -> Iterator[str]:
        for number in range(after + 1, until + 1):
            at = (began + timedelta(seconds=number * 120)).isoformat()
            left_open = number % 20 == 0
            for place, step in enumerate(steps):
                status = "not_needed" if place > 7 else "ready" if left_open and place == 6 else "done"
                done = at if status == "done" else "\\N"
                yield f"{number}\t{step}\t{status}\t{at}\t{done}\t{{}}\tf\n"

    _copy(engine, "app.trip", TRIP, trips())
    _copy(engine, "app.trip_step", STEP, lines())
    _copy(engine, "app.trip_place", PLACE, places())
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text("VACUUM ANALYZE app.trip, app.trip_step, app.trip_place, ingest.vehicle, ingest.last_position")
        )
        for table, column in (("app.trip", "trip_id"), ("ingest.vehicle", "vehicle_id")):
            query = f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}"
            connection.execute(text(query))


def _measure(desk: _Desk) -> dict[str, Any]:
    def work_list(turn: int) -> None:
        role, station = WAY[turn % len(WAY)]
        gate = GATES[turn // len(WAY) % 2]
        desk.send(role, "GET", "/api/v1/inspections", gate=gate, params={"station": station})

    figures: dict[str, Any] = {"work_list_ms": _median_ms(work_list)}
    with desk.runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET code = '2345-6789-ABCD' WHERE trip_id = 2"))
        session.commit()
    page = desk.client.get("/t/2345-6789-ABCD", headers={"accept": "text/html"})
    if page.status_code == 200:
        figures["public_page_ms"] = _median_ms(lambda _: desk.client.get("/t/2345-6789-ABCD"), repeats=10)
    else:
        print(f"public page: {page.status_code}", file=sys.stderr)
    return figures


def _median_ms(act: Callable[[int], Any], *, repeats: int = REPEATS) -> float:
    for turn in range(14 if repeats >= 14 else 2):
        act(turn)
    took_ms = []
    for turn in range(repeats):
        began = time.perf_counter()
        act(turn)
        took_ms.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took_ms)


def _full_trip(desk: _Desk) -> int:
    """Declare and lead one truck out as the stations' pages do: list, sheet, act; sign-ins counted too."""
    desk.requests = 0
    desk.tokens.clear()
    now = desk.runtime.clock.now()
    later = (now + timedelta(days=90)).date().isoformat()
    body = DECLARATION | {
        "planned_arrival": (now + timedelta(hours=1)).isoformat(),
        "plate": "29C-998.77",
        "trailer_plate": "29R-012.99",
        "inspection_expires": later,
        "driver_paper_expires": later,
        "driver_licence_expires": later,
        "submit": True,
    }
    trip_id = desk.send("enterprise", "POST", "/api/v1/declarations", json=body).json()["trip_id"]
    for role, step in WAY:
        desk.send(role, "GET", "/api/v1/inspections", params={"station": step})
        if step == "fee":
            _pay(desk, role, trip_id)
            continue
        tag = desk.send(role, "GET", f"/api/v1/trips/{trip_id}/sheet").headers["ETag"]
        where = f"/api/v1/trips/{trip_id}/steps/{step}/confirm"
        desk.send(role, "POST", where, json={}, headers={"If-Match": tag, "Idempotency-Key": f"{trip_id}-{step}"})
    return desk.requests


def _pay(desk: _Desk, role: str, trip_id: int) -> None:
    """The collector settles an open question of the tariff, then takes the money."""
    answer = desk.send(role, "GET", f"/api/v1/fees/of-trip/{trip_id}")
    fee, where = answer.json(), f"/api/v1/fees/{answer.json()['fee_id']}"
    if fee["status"] == "open_question":
        body = {"amount_vnd": 100_000, "reason": "Measured only"}
        tag = {"If-Match": answer.headers["ETag"]}
        answer = desk.send(role, "POST", f"{where}/decision", json=body, headers=tag)
        fee = answer.json()
    headers = {"If-Match": answer.headers["ETag"], "Idempotency-Key": f"{trip_id}-cash"}
    desk.send(role, "POST", f"{where}/cash", json={"amount_vnd": fee["outstanding_vnd"]}, headers=headers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    asked = parser.parse_args()
    found = run()
    for key, value in found.items():
        print(f"{key:<28} {value:,.2f}" if isinstance(value, float) else f"{key:<28} {value}")
    if asked.json:
        print(json.dumps(found))
