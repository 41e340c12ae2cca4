"""Positions forwarded to a Traccar server: of vehicles whose owner agreed, once each, none after that is taken back."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from app.integrations import store
from app.integrations.exchange import Exchanger
from app.integrations.tables import OutMessageRow
from app.integrations.traccar import NAME, Forwarder, OsmandAdapter, traccar
from app.platform.runtime import Runtime
from ingest.fix_store import ensure_partitions
from tests.app.registering import Companies, make_companies
from tests.conftest import SignIn

RECEIVER = "Traccar of the hauliers"
PLATE = "29C12345"


class Traccar:
    """A server that takes positions as Traccar documents its OsmAnd protocol; 400 for a device it knows not."""

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        self.known = {PLATE}
        self.is_away = False
        traccar = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                found = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                status = 503 if traccar.is_away else 200 if found["id"] in traccar.known else 400
                if status == 200:
                    traccar.taken.append(found)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def running(server: Traccar) -> Iterator[Traccar]:
    thread = threading.Thread(target=server.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        thread.join()
        server.server.server_close()


@pytest.fixture
def companies(runtime: Runtime, sign_in: SignIn) -> Companies:
    return make_companies(runtime, sign_in)


@pytest.fixture
def receiver(runtime: Runtime) -> Iterator[Traccar]:
    runtime.settings.position_receiver = RECEIVER
    with running(Traccar()) as server:
        yield server


@pytest.fixture
def exchanger(runtime: Runtime, receiver: Traccar) -> Exchanger:
    with runtime.sessions.begin() as session:
        store.set_connected(session, [NAME])
    return Exchanger(runtime, traccar(), OsmandAdapter(receiver.url), random.Random(7))


def put_fix(runtime: Runtime, vehicle_id: int, time: datetime) -> None:
    with runtime.sessions.begin() as session:
        ensure_partitions(session.connection(), time.date(), time.date())
        session.execute(
            text(
                """
                INSERT INTO ingest.fix (vehicle_id, time, device_id, geom, speed_mps, heading_deg, accuracy_m,
                    direction, status, flags, received_at)
                VALUES (:vehicle_id, :time, 1, 'SRID=4326;POINT(106.7 21.8)', 10, 350, 5, 1, 0, 0, :time)
                """
            ),
            {"vehicle_id": vehicle_id, "time": time},
        )


def forward(runtime: Runtime, forwarder: Forwarder) -> int:
    with runtime.sessions.begin() as session:
        return forwarder.forward(session, runtime.clock.now())


def rows(runtime: Runtime) -> list[OutMessageRow]:
    with runtime.sessions() as session:
        return list(session.scalars(select(OutMessageRow).order_by(OutMessageRow.out_id)))


def agree(client: TestClient, vehicle_id: int) -> int:
    return client.put(f"/api/v1/own-vehicles/{vehicle_id}/forwarding").status_code


def test_from_an_owners_word_to_the_server_and_back(
    companies: Companies, exchanger: Exchanger, receiver: Traccar
) -> None:
    runtime, vehicle_id = companies.runtime, companies.vehicle_id
    forwarder, now = Forwarder(RECEIVER), runtime.clock.now()
    put_fix(runtime, vehicle_id, now)
    assert agree(companies.ours, vehicle_id) == 404, "nobody's word counts who has not proven the vehicle"
    companies.prove(companies.ours)
    assert forward(runtime, forwarder) == 0, "nothing without a word"
    runtime.clock.advance(10)  # type: ignore[attr-defined]
    assert agree(companies.ours, vehicle_id) == 204
    assert agree(companies.ours, vehicle_id) == 204, "again changes nothing"
    moments = [runtime.clock.now() + timedelta(seconds=each) for each in (0, 10, 20)]
    runtime.clock.advance(30)  # type: ignore[attr-defined]
    for moment in moments:
        put_fix(runtime, vehicle_id, moment)
    assert forward(runtime, forwarder) == 3, "what was before the word stays here"
    assert forward(runtime, forwarder) == 0
    assert forward(runtime, Forwarder(RECEIVER)) == 0, "whoever leads next tells nothing twice"
    receiver.is_away = True
    exchanger.run_round()
    receiver.is_away = False
    runtime.clock.advance(120)  # type: ignore[attr-defined]
    exchanger.run_round()
    exchanger.run_round()
    told = sorted(receiver.taken, key=lambda each: each["timestamp"])
    assert [each["timestamp"] for each in told] == [f"{moment.timestamp():.0f}" for moment in moments]
    assert (told[0]["id"], told[0]["lat"], told[0]["lon"], told[0]["speed"], told[0]["bearing"]) == (
        *(PLATE, "21.800000", "106.700000", "19.4", "350.0"),
    )
    put_fix(runtime, vehicle_id, runtime.clock.now())
    assert forward(runtime, forwarder) == 1
    assert companies.ours.delete(f"/api/v1/own-vehicles/{vehicle_id}/forwarding").status_code == 204
    put_fix(runtime, vehicle_id, runtime.clock.now() + timedelta(seconds=1))
    assert forward(runtime, forwarder) == 0
    exchanger.run_round()
    assert len(receiver.taken) == 3, "what waited does not go out after the word was taken back"
    assert [row.status for row in rows(runtime)] == ["sent"] * 3 + ["dropped"]
    with runtime.sessions() as session:
        acts = session.execute(
            text("SELECT action FROM app.audit WHERE object_type = 'position_forwarding' ORDER BY 1")
        )
        assert list(acts.scalars()) == ["vehicles.forward", "vehicles.forward_end"]


def test_what_ingest_stored_late_goes_out_late(companies: Companies, exchanger: Exchanger) -> None:
    runtime, vehicle_id = companies.runtime, companies.vehicle_id
    companies.prove(companies.ours)
    assert agree(companies.ours, vehicle_id) == 204
    forwarder, of_then = Forwarder(RECEIVER), runtime.clock.now() + timedelta(seconds=5)
    assert forward(runtime, forwarder) == 0
    runtime.clock.advance(3 * 3600)  # type: ignore[attr-defined]
    put_fix(runtime, vehicle_id, of_then)
    assert forward(runtime, forwarder) == 1
    assert exchanger.neighbour.name == NAME


def test_the_owner_says_it_and_another_receiver_is_another_word(
    companies: Companies, exchanger: Exchanger, receiver: Traccar
) -> None:
    runtime, vehicle_id = companies.runtime, companies.vehicle_id
    companies.prove(companies.ours)
    companies.prove(companies.theirs)
    assert agree(companies.theirs, vehicle_id) == 409, "who holds it beside the owner"
    page = companies.ours.get("/enterprise/register").text
    assert f"Chuyển tiếp vị trí đến {RECEIVER}" in page
    assert agree(companies.ours, vehicle_id) == 204
    assert 'data-testid="forwarding"' in companies.ours.get("/enterprise/register").text
    put_fix(runtime, vehicle_id, runtime.clock.now() + timedelta(seconds=1))
    assert forward(runtime, Forwarder("somebody else")) == 0
    assert forward(runtime, Forwarder(RECEIVER)) == 1
    runtime.settings.position_receiver = ""
    assert agree(companies.ours, vehicle_id) == 409
    assert exchanger.neighbour.name == NAME
    receiver.known.clear()
    exchanger.run_round()
    assert [(row.status, row.error[:3]) for row in rows(runtime)] == [("dead", "400")], (
        "a person sees that it is unknown"
    )
    runtime.settings.position_receiver = RECEIVER
    put_fix(runtime, vehicle_id, runtime.clock.now() + timedelta(seconds=2))
    assert forward(runtime, Forwarder(RECEIVER)) == 0, "one dead letter of an unknown device, not one a position"
    with runtime.sessions.begin() as session:
        session.execute(text("UPDATE app.neighbour_outbox SET status = 'dropped'"))
    assert forward(runtime, Forwarder(RECEIVER)) == 1, "once a person has seen to it, what was missed goes out"
