"""Server-sent events over a real connection: who gets what, resuming, falling behind, the end of a session."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from sqlalchemy import text

from app.accounts import service
from app.bootstrap import web
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Role
from app.platform.runtime import Runtime
from app.registers import claims
from app.tracking.event_stream import POSITIONS_EVERY_S, SESSIONS_EVERY_S, Connection, Live, encode, format_id, parse_id
from geo.errors import InvalidInputError
from tests.app.serving import serve

PASSWORD = "correct horse battery staple"


@pytest.fixture
def address(runtime: Runtime) -> Iterator[str]:
    """The application on a real port."""
    config = uvicorn.Config(web(runtime), log_level="warning", timeout_graceful_shutdown=1)
    with serve(uvicorn.Server(config)) as serving:
        yield serving.url


class Stream:
    """A client of the event stream, read by a thread."""

    def __init__(self, address: str, token: str, last_event_id: str | None = None) -> None:
        self.events: queue.Queue[tuple[str, Any, str | None]] = queue.Queue()
        self.ended = threading.Event()
        headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        self._client = httpx.Client(base_url=address, headers=headers, timeout=60)
        threading.Thread(target=self._read, daemon=True).start()
        assert self.wait_for("hello") is not None

    def _read(self) -> None:
        event: dict[str, str] = {}
        try:
            with self._client.stream("GET", "/api/v1/events") as answer:
                assert answer.status_code == 200, answer.status_code
                for line in answer.iter_lines():
                    if line:
                        name, _, value = line.partition(": ")
                        event[name] = value
                    elif "event" in event:
                        self.events.put((event["event"], json.loads(event["data"]), event.get("id")))
                        event = {}
        except httpx.HTTPError:
            pass
        self.ended.set()

    def wait_for(self, type_: str, timeout_s: float = 60.0) -> Any:
        """The data of the next event of a type, `None` if none comes."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                found, data, self.last_id = self.events.get(timeout=left)
            except queue.Empty:
                return None
            if found == type_:
                return data if data is not None else {}
        return None

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def world(runtime: Runtime) -> dict[str, Any]:
    """Two enterprises with a truck and a driver each, on the way to different gates."""
    now = runtime.clock.now()
    ids: dict[str, Any] = {}
    with runtime.sessions.begin() as session:
        for number, gate in enumerate(("huu-nghi", "tan-thanh"), start=1):
            organisation = service.create_organisation(
                ActionContext(session, None, now), name=f"Công ty {number}", kind="enterprise"
            )
            plate = f"12C-0000{number}"
            vehicle_id = session.scalar(
                text(
                    "INSERT INTO ingest.vehicle (plate, plate_norm, kind, created_at) "
                    "VALUES (:plate, :norm, 'truck', :now) RETURNING vehicle_id"
                ),
                {"plate": plate, "norm": plate.replace("-", ""), "now": now},
            )
            claims.carry_over(session, [(vehicle_id, organisation.organisation_id)], now)
            driver = service.create_account(
                ActionContext(session, None, now),
                username=f"driver{number}",
                password=PASSWORD,
                full_name="Tài",
                role="driver",
                vehicle_id=vehicle_id,
                organisation_id=organisation.organisation_id,
            )
            service.create_account(
                ActionContext(session, None, now),
                username=f"enterprise{number}",
                password=PASSWORD,
                full_name="Hàng",
                role="enterprise",
                organisation_id=organisation.organisation_id,
            )
            trip_id = session.scalar(
                text(
                    "INSERT INTO app.trip (code, vehicle_id, driver_id, organisation_id, goods, goods_class, "
                    "perishable, regime, direction, gate_id, planned_arrival, stage, stage_since, created_at) "
                    "VALUES (:code, :vehicle, :driver, :organisation, 'thanh long', 'fruit', true, "
                    "'export', 'export', :gate, :now, 'queued', :now, :now) RETURNING trip_id"
                ),
                {
                    "code": f"T{number}",
                    "vehicle": vehicle_id,
                    "driver": driver.account_id,
                    "gate": gate,
                    "now": now,
                    "organisation": organisation.organisation_id,
                },
            )
            ids |= {
                f"vehicle{number}": vehicle_id,
                f"trip{number}": trip_id,
                f"driver{number}": driver.account_id,
                f"organisation{number}": organisation.organisation_id,
            }
        for username, role, gate_id in (
            ("police", "traffic_police", None),
            ("guard", "border_guard", "huu-nghi"),
            ("admin", "administrator", None),
        ):
            service.create_account(
                ActionContext(session, None, now),
                username=username,
                password=PASSWORD,
                full_name=username,
                role=role,
                gate_id=gate_id,
            )
    return ids


@pytest.fixture
def connect(address: str, world: dict[str, Any]) -> Iterator[Any]:
    streams: list[Stream] = []

    def connect(username: str, last_event_id: str | None = None) -> Stream:
        answer = httpx.post(f"{address}/api/v1/tokens", data={"username": username, "password": PASSWORD})
        stream = Stream(address, answer.json()["access_token"], last_event_id)
        streams.append(stream)
        return stream

    yield connect
    for stream in streams:
        stream.close()


def emit(runtime: Runtime, type_: str, audience: Audience, data: dict[str, Any]) -> None:
    with runtime.sessions() as session:
        outbox.publish_event(session, type_, audience, data, at=runtime.clock.now())
        session.commit()
        outbox.relay_after_commit(session, runtime.redis)


def publish(runtime: Runtime, *vehicle_ids: int) -> None:
    time_text = runtime.clock.now().isoformat().replace("+00:00", "Z")
    positions = [
        {
            "vehicle_id": vehicle_id,
            "plate": "12C-00001",
            "time": time_text,
            "lon": 106.7,
            "lat": 21.9,
            "speed_mps": 0.5,
            "heading_deg": 10.0,
            "edge_id": "e",
            "road": "QL1A",
            "km": 3.2,
            "direction": 1,
            "site": None,
            "gate": None,
            "state": "slow",
        }
        for vehicle_id in vehicle_ids
    ]
    runtime.redis.publish("ck:positions", orjson.dumps(positions))


def test_positions_reach_only_those_who_may_see_them(runtime, world, connect):
    streams = {name: connect(name) for name in ("police", "enterprise1", "driver2", "guard", "admin")}  # admin last
    publish(runtime, world["vehicle1"], world["vehicle2"])
    seen = {
        name: sorted(
            position["vehicle_id"] for position in stream.wait_for("positions", 1.0 if name == "admin" else 60.0) or []
        )
        for name, stream in streams.items()
    }
    first, second = world["vehicle1"], world["vehicle2"]
    assert seen == {
        "police": [first, second],
        "enterprise1": [first],
        "driver2": [second],
        "guard": [first],
        "admin": [],
    }


def test_positions_carry_the_trip(runtime, world, connect):
    stream = connect("police")
    publish(runtime, world["vehicle1"])
    position = stream.wait_for("positions")[0]
    assert position["trip_id"] == world["trip1"]
    assert position["gate"] == "huu-nghi"
    assert position["state"] == "queued"
    assert position["perishable"] is True
    assert (position["lon"], position["lat"]) == (106.7, 21.9)


def test_positions_are_gathered(runtime, world, connect):
    stream = connect("police")
    began = time.monotonic()
    for _ in range(100):
        publish(runtime, world["vehicle1"])
        time.sleep(0.02)
    most = (time.monotonic() - began) / POSITIONS_EVERY_S + 2
    batches = 0
    while stream.wait_for("positions", 1.0) is not None:
        batches += 1
    assert 1 <= batches <= most < 100


def test_an_event_reaches_its_audience_and_nobody_else(runtime, world, connect):
    streams = {name: connect(name) for name in ("police", "enterprise1", "enterprise2", "driver1", "driver2")}
    audience = Audience(
        roles=("traffic_police",), organisations=(world["organisation1"],), vehicles=(world["vehicle1"],)
    )
    emit(runtime, "order", audience, {"order_id": 7, "status": "active"})
    for name in ("police", "enterprise1", "driver1"):
        assert streams[name].wait_for("order") == {"order_id": 7, "status": "active"}
    for name in ("enterprise2", "driver2"):
        assert streams[name].wait_for("order", 0.5) is None


def test_a_driver_does_not_get_what_concerns_other_trucks_of_the_employer(runtime, world, connect):
    driver, enterprise = connect("driver1"), connect("enterprise1")
    emit(runtime, "trip", Audience(organisations=(world["organisation1"],)), {"trip_id": 99, "stage": "queued"})
    assert enterprise.wait_for("trip") == {"trip_id": 99, "stage": "queued"}
    assert driver.wait_for("trip", 0.5) is None


def test_a_client_that_was_away_catches_up_without_gap_or_repeat(runtime, world, connect):
    police = Audience(roles=("traffic_police",))
    stream = connect("police")
    emit(runtime, "advisory", police, {"number": 1})
    assert stream.wait_for("advisory") == {"number": 1}
    last_id = stream.last_id
    stream.close()
    emit(runtime, "advisory", police, {"number": 2})
    emit(runtime, "advisory", Audience(roles=("planner",)), {"number": 3})
    emit(runtime, "advisory", police, {"number": 4})
    again = connect("police", last_id)
    emit(runtime, "advisory", police, {"number": 5})
    assert [again.wait_for("advisory")["number"] for _ in range(3)] == [2, 4, 5]
    assert again.wait_for("advisory", 0.3) is None


def test_a_client_away_too_long_is_told_to_start_anew(runtime, world, connect):
    emit(runtime, "advisory", Audience(roles=("traffic_police",)), {"number": 1})
    stream = connect("police", "1000-0")
    assert stream.wait_for("resync") == {}


def test_signing_out_ends_the_stream_at_once(runtime, world, connect, address):
    stream = connect("police")
    token = stream._client.headers["Authorization"]
    httpx.delete(f"{address}/api/v1/tokens/current", headers={"Authorization": token}).raise_for_status()
    assert stream.wait_for("signed_out") == {}
    assert stream.ended.wait(15.0)


@pytest.mark.parametrize(
    ("change", "farewell"),
    [
        ("UPDATE app.session SET lock_after_s = 900, active_at = :now - interval '901 s'", "locked"),
        ("UPDATE app.session SET expires_at = :now", "signed_out"),
        ("UPDATE app.account SET disabled_at = :now WHERE username = 'police'", "signed_out"),
        ("UPDATE app.account SET role = 'tax', gate_id = 'huu-nghi' WHERE username = 'police'", None),
        ("UPDATE app.account SET gate_id = 'huu-nghi' WHERE username = 'police'", None),
    ],
)
def test_a_stream_ends_with_its_session_by_whatever_ends_it(runtime, world, connect, change, farewell):
    stream = connect("police")
    with runtime.sessions.begin() as session:
        session.execute(text(change), {"now": runtime.clock.now()})
    assert stream.ended.wait(SESSIONS_EVERY_S + 15.0)
    publish(runtime, world["vehicle1"])
    emit(runtime, "yard", Audience(roles=("traffic_police",)), {"yard_id": "y"})
    told = [type_ for type_, _, _ in list(stream.events.queue) if type_ != "ping"]
    assert told == ([] if farewell is None else [farewell])


def test_a_desk_that_is_locked_gets_nothing_until_it_is_unlocked(runtime, world, connect, address):
    stream = connect("police")
    with runtime.sessions.begin() as session:
        session.execute(text("UPDATE app.session SET lock_after_s = 900"))
    headers = {"Authorization": stream._client.headers["Authorization"]}
    httpx.post(f"{address}/api/v1/session/lock", headers=headers).raise_for_status()
    assert stream.wait_for("locked") == {}
    assert stream.ended.wait(15.0)
    emit(runtime, "yard", Audience(roles=("traffic_police",)), {"yard_id": "while away"})
    refused = httpx.get(f"{address}/api/v1/events", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "session_locked")
    proof = httpx.post(f"{address}/api/v1/session/proof", headers=headers, json={"password": PASSWORD})
    assert proof.status_code == 204, proof.text
    again = Stream(address, headers["Authorization"].removeprefix("Bearer "), "0-0")
    assert again.wait_for("yard") == {"yard_id": "while away"}
    again.close()


def test_nobody_listens_without_signing_in(address):
    assert httpx.get(f"{address}/api/v1/events").status_code == 401
    headers = {"Authorization": "Bearer nothing"}
    assert httpx.get(f"{address}/api/v1/events", headers=headers).status_code == 401


def test_a_slow_client_loses_its_queue_and_is_told():
    async def run() -> None:
        principal = Principal(1, "a", "A", Role.PLANNER, None, None, None, "vi", b"", "")
        connection = Connection(principal, None)
        resync = encode("resync", {}, (5, 0))
        kept = [connection.put(b"message", lambda: resync) for _ in range(connection.queue.maxsize + 1)]
        assert kept == [True] * connection.queue.maxsize + [False]
        assert connection.queue.qsize() == 1
        assert connection.queue.get_nowait() == resync

    asyncio.run(run())


def test_event_ids_are_read_and_written():
    assert parse_id("1700-3") == (1700, 3)
    assert format_id(parse_id("1700-3")) == "1700-3"
    assert parse_id("10-0") > parse_id("9-99")
    for nonsense in ("", "x", "1-2-3", "-1", "9" * 60):
        with pytest.raises(InvalidInputError):
            parse_id(nonsense)


def test_a_vehicle_is_open_to_a_party_of_its_trip_while_that_lasts(runtime, world):
    from app.tracking.event_stream_store import visible_vehicle_ids

    with runtime.sessions.begin() as session:
        named = "INSERT INTO app.trip_party (trip_id, role, organisation_id) VALUES (:trip, 'consignor', :party)"
        session.execute(text(named), {"trip": world["trip1"], "party": world["organisation2"]})
        party = Principal(0, "e", "E", Role.ENTERPRISE, world["organisation2"], None, None, "vi", b"", "")
        holder = Principal(0, "e", "E", Role.ENTERPRISE, world["organisation1"], None, None, "vi", b"", "")
        assert visible_vehicle_ids(session, party) == {world["vehicle1"], world["vehicle2"]}
        assert visible_vehicle_ids(session, holder) == {world["vehicle1"]}
        session.execute(text("UPDATE app.trip SET stage = 'out' WHERE code = 'T1'"))
        assert visible_vehicle_ids(session, party) == {world["vehicle2"]}
        assert visible_vehicle_ids(session, holder) == set(), "between two trips its enterprise does not see it either"
        nobody = Principal(0, "e", "E", Role.ENTERPRISE, None, None, None, "vi", b"", "")
        assert visible_vehicle_ids(session, nobody) == set()


def test_a_stream_follows_whose_a_vehicle_is_at_once(runtime, world, connect, address):
    with runtime.sessions.begin() as session:  # it was seen: between trips nobody is shown where a truck is
        session.execute(
            text(
                "INSERT INTO ingest.last_position (vehicle_id, time, device_id, geom, km, direction, status, flags, "
                "received_at, passage, motion) VALUES (:vehicle, :now, 1, "
                "ST_SetSRID(ST_MakePoint(106.71, 21.97), 4326), 0.5, 1, 0, 0, :now, 0, 'slow')"
            ),
            {"vehicle": world["vehicle1"], "now": runtime.clock.now()},
        )
    streams = {name: connect(name) for name in ("enterprise1", "enterprise2", "driver1")}
    token = httpx.post(f"{address}/api/v1/tokens", data={"username": "enterprise1", "password": PASSWORD}).json()
    handed = httpx.post(
        f"{address}/api/v1/own-vehicles/{world['vehicle1']}/hand-on",
        json={"to_id": world["organisation2"]},
        headers={"Authorization": f"Bearer {token['access_token']}"},
    )
    assert handed.status_code == 204, handed.text
    for name, stream in streams.items():
        assert stream.wait_for("resync") == {}, name
    publish(runtime, world["vehicle1"])
    (seen,) = streams["enterprise2"].wait_for("positions")
    assert seen["vehicle_id"] == world["vehicle1"]
    assert streams["enterprise1"].wait_for("positions", 1.5) is None


def test_whoever_finds_the_change_first_tells_it_and_once(runtime, world):
    with runtime.sessions() as session:
        named = text("SELECT account_id FROM app.account WHERE username = 'enterprise1'")
        account_id = session.scalar(named)
    enterprise = Principal(account_id, "e", "E", Role.ENTERPRISE, world["organisation1"], None, None, "vi", b"", "")

    async def looked_at_twice() -> list[bytes | None]:
        async with Live(runtime) as live:
            connection = Connection(enterprise, frozenset({world["vehicle2"]}))
            await asyncio.gather(live._rescope([connection]), live._rescope([connection]))
            assert connection.vehicles == {world["vehicle1"]}
            return [connection.queue.get_nowait() for _ in range(connection.queue.qsize())]

    (told,) = asyncio.run(looked_at_twice())
    assert b"event: resync" in told


def test_a_stream_ends_with_the_power_that_opened_it(runtime, world, connect, address):
    token = httpx.post(f"{address}/api/v1/tokens", data={"username": "enterprise1", "password": PASSWORD}).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    day = runtime.clock.now().date().isoformat()
    stream = connect("enterprise2")
    body = {"agent_id": world["organisation2"], "valid_from": day, "valid_to": day}
    given = httpx.post(f"{address}/api/v1/powers", json=body, headers=headers)
    assert given.status_code == 201, given.text
    assert stream.wait_for("resync") == {}
    publish(runtime, world["vehicle1"])
    assert stream.wait_for("positions")[0]["vehicle_id"] == world["vehicle1"]
    revoked = httpx.delete(f"{address}/api/v1/powers/{given.json()['power_id']}", headers=headers)
    assert revoked.status_code == 200, revoked.text
    assert stream.wait_for("resync") == {}
    publish(runtime, world["vehicle1"])
    assert stream.wait_for("positions", 1.5) is None
