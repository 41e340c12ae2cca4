"""Electronic seals as a neighbour: what their service says is kept, compared and warned of as at the door of seals."""

from __future__ import annotations

import base64
import time
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import text

from app.bootstrap import make_sheets
from app.checkpoints import store as checkpoint_store
from app.checkpoints.warnings import warnings_at
from app.integrations import service, store
from app.integrations.messages import JsonCodec, Message
from app.integrations.registry import make_neighbours
from app.integrations.running import Exchanges
from app.integrations.seals import seals
from app.integrations.simulators.seals import SealsScript
from app.notifications.webhooks import sign
from app.platform.runtime import Runtime
from app.procedures.steps import Step
from app.settings import NeighbourSettings
from geo.clock import LOCAL_ZONE
from tests.app.dispatching import set_stage
from tests.app.neighbouring import connect, exchange, simulated
from tests.conftest import SignIn


def test_what_a_service_of_seals_says_reaches_customs_and_the_barrier(
    runtime: Runtime, sign_in: SignIn, tmp_path: Path
) -> None:
    stage = set_stage(runtime, sign_in)
    with simulated(runtime, SealsScript(), tmp_path) as simulator:
        exchanger = connect(runtime, seals(), simulator.url)
        simulator.tell("VN 7", {"event": "locked", "plate": "29C-123.45", "lon": 106.7, "lat": 21.9})
        exchange(exchanger)
        runtime.clock.advance(5)  # type: ignore[attr-defined]
        simulator.tell("VN 7", {"event": "tampered"})
        simulator.tell("VN 8", {"event": "opened"})
        simulator.tell("VN 9", {"event": "melted"})
        for _ in range(3):
            exchange(exchanger)
        with runtime.sessions() as session:
            kept = session.execute(
                text("SELECT seal_number, kind, trip_id FROM app.seal_event ORDER BY event_id")
            ).all()
            inbox = session.execute(text("SELECT about, status FROM app.neighbour_inbox ORDER BY in_id")).all()
            case = checkpoint_store.load_case(session, stage.trip_id)
            devices = session.execute(text("SELECT count(*) FROM app.equipment WHERE kind = 'seal'")).scalar()
    assert [tuple(row) for row in kept] == [
        ("VN 7", "closed", stage.trip_id),
        ("VN 7", "tampered", stage.trip_id),
        ("VN 8", "opened", None),
    ]
    assert [tuple(row) for row in inbox] == [*(("VN 7", "taken"),) * 2, ("VN 8", "taken"), ("VN 9", "waiting")]
    assert devices == 1, "all seals of the service are behind one device"
    for step in (Step.CUSTOMS, Step.BARRIER_2):
        assert "seal_tampered:VN7" in {
            each.identity for each in warnings_at(step, case, today=runtime.clock.now().date())
        }


def test_a_service_that_only_pushes_needs_no_address(
    runtime: Runtime, application: FastAPI, client: TestClient, sign_in: SignIn
) -> None:
    set_stage(runtime, sign_in)
    administrator = sign_in("administrator", locale="vi")

    def card() -> str:
        page = administrator.get("/admin/neighbours").text
        return page.split('data-neighbour="seals"')[1].split("</section>")[0]

    assert 'data-health="off"' in card()
    secret = SecretStr("whsec_" + base64.b64encode(b"a secret of a neighbour!").decode())
    application.state.neighbour_secrets = {"seals": secret}
    settings = NeighbourSettings(neighbour_secrets={"seals": secret, "traccar": secret})
    exchanges = Exchanges(runtime, make_neighbours(make_sheets()), settings)
    exchanges.start()
    try:
        assert 'data-health="pushing"' in card()
        assert "Tự gửi sang" in card()
        assert "chưa gửi gì" in card()
        now = runtime.clock.now()
        said = {"seal_number": "VN 7", "event": "locked", "at": now.isoformat(), "plate": "29C-123.45"}
        message = Message(id="s-1", kind="seal.event", about="VN 7", sent_at=now, body=said)
        body = JsonCodec().encode(message)
        headers = sign(b"a secret of a neighbour!", "push-1", now, body.decode())
        assert client.post("/neighbours/seals/messages", content=body, headers=headers).status_code == 202
        until = time.monotonic() + 60.0
        while not (kept := _kept(runtime)) and time.monotonic() < until:
            time.sleep(0.05)
        assert kept == 1
        assert now.astimezone(LOCAL_ZONE).strftime("%H:%M") in card()
        assert 'data-health="pushing"' in card(), "it is not asked, and so never down"
        (shown,) = [each for each in administrator.get("/api/v1/neighbours").json()["items"] if each["name"] == "seals"]
        assert (shown["health"], shown["last_exchange_at"]) == ("pushing", None)
        assert datetime.fromisoformat(shown["last_pushed_at"]) == now
        with runtime.sessions() as session:
            figures = service.gauges(service.read_conditions(session, exchanges.neighbours))
            assert 'neighbour_up{neighbour="seals"}' not in figures
            assert 'neighbour_dead{neighbour="seals"}' in figures
    finally:
        exchanges.stop()
    with runtime.sessions() as session:
        store.set_connected(session, [])
        session.commit()
    assert client.post("/neighbours/seals/messages", content=body, headers=headers).status_code == 401


def _kept(runtime: Runtime) -> int:
    with runtime.sessions() as session:
        return int(session.scalar(text("SELECT count(*) FROM app.seal_event")) or 0)
