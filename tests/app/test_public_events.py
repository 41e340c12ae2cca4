"""What changes on the board reaches everybody's broker and the webhooks that ask for it, once, in order."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import text

from app.control.minute import Minute
from app.equipment.drivers import address
from app.gates.vocabulary import GoodsClass
from app.notifications import feed
from app.open_data.events import changes
from app.open_data.mqtt_publisher import BoardPublisher
from app.open_data.tables import PublicGateRow
from app.platform.runtime import Runtime
from geo.errors import UnavailableError
from tests.app.boarding import queue_at_huu_nghi
from tests.app.dispatching import add_organisation
from tests.app.equipping import mosquitto
from tests.conftest import SignIn


def told(runtime: Runtime) -> list[dict[str, Any]]:
    with runtime.sessions() as session:
        rows = session.execute(text("SELECT data FROM app.outbox WHERE type = 'board' ORDER BY event_id"))
        return [row.data for row in rows]


def kinds(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["subject"], event["type"].removeprefix("vn.cuakhau.")) for event in events]


@pytest.fixture
def evening(runtime: Runtime, sign_in: SignIn) -> Runtime:
    """A ban is announced, begins; the gates close for the night."""
    queue_at_huu_nghi(runtime)
    minute = Minute.of(runtime)
    assert told(runtime) == [], "nothing changed before the first state was known"
    body = {
        "cause": "Cửa khẩu bạn dừng tiếp nhận",
        "goods": [GoodsClass.FRESH_FRUIT],
        "ends_at": (runtime.clock.now() + timedelta(hours=6)).isoformat(),
    }
    assert sign_in("planner").post("/api/v1/gates/huu-nghi/bans", json=body).status_code == 201
    runtime.clock.advance(60)  # type: ignore[attr-defined]
    assert minute.run().failed == []
    runtime.clock.advance(10 * 3600)  # type: ignore[attr-defined]
    assert minute.run().failed == []
    runtime.clock.advance(60)  # type: ignore[attr-defined]
    assert minute.run().failed == []
    return runtime


def test_each_change_is_told_once(evening: Runtime) -> None:
    events = told(evening)
    without_queues = [each for each in kinds(events) if each[1] != "queue.changed"]
    assert without_queues[0] == ("huu-nghi", "ban.begun")
    assert sorted(without_queues[1:]) == [
        ("huu-nghi", "ban.over"),
        ("huu-nghi", "gate.closed"),
        ("tan-thanh", "gate.closed"),
    ]
    assert len({event["id"] for event in events}) == len(events)
    begun = next(event for event in events if event["type"].endswith("ban.begun"))
    assert begun.keys() == {*("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data")}
    assert (begun["specversion"], begun["data"]["cause"]) == ("1.0", "Cửa khẩu bạn dừng tiếp nhận")
    assert "29C" not in json.dumps(events)


def state(runtime: Runtime, severity: str | None, queue_veh: float) -> list[PublicGateRow]:
    at = runtime.clock.now()
    known = {"gate_id": "huu-nghi", "slot": at, "as_of": at, "is_open": True, "notices": [], "simulated": True}
    return [PublicGateRow(severity=severity, queue_veh=queue_veh, **known)]


def test_a_queue_is_told_when_its_severity_changes(runtime: Runtime) -> None:
    calm, fuller, bad = (state(runtime, *each) for each in ((None, 10.0), (None, 60.0), ("alarm", 200.0)))
    assert changes(calm, fuller, [], []) == []
    (event,) = changes(fuller, bad, [], [], source="https://border.example")
    assert (event["type"], event["source"]) == ("vn.cuakhau.queue.changed", "https://border.example")
    assert (event["data"]["severity_before"], event["data"]["severity"]) == (None, "alarm")
    assert event["data"]["queue_veh"] == 200.0
    assert changes([], bad, [], []) == [], "what was not known before has not changed"


def test_a_broker_gets_them_in_order_and_keeps_the_last(evening: Runtime, tmp_path: Path) -> None:
    events = told(evening)
    with mosquitto(tmp_path) as broker:
        publisher = BoardPublisher(evening, broker)
        assert publisher.publish_new() == len(events)
        assert publisher.publish_new() == 0
        publisher.close()
        received: dict[str, dict[str, Any]] = {}
        is_there = threading.Event()
        wanted = {f"cuakhau/v1/{subject}/{kind}" for subject, kind in kinds(events)}

        def note(_client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
            received[message.topic] = json.loads(message.payload)
            if received.keys() >= wanted:
                is_there.set()

        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.on_message = note
        client.connect(*address(broker))
        client.subscribe("cuakhau/v1/#", qos=1)
        client.loop_start()
        assert is_there.wait(60), f"who comes later knows the last of each: {received.keys()}"
        client.loop_stop()
        client.disconnect()
    last = {f"cuakhau/v1/{event['subject']}/{event['type'].removeprefix('vn.cuakhau.')}": event for event in events}
    assert received == last


def test_a_broker_that_is_away_costs_nothing_but_time(evening: Runtime, tmp_path: Path) -> None:
    publisher = BoardPublisher(evening, "mqtt://127.0.0.1:9")
    with pytest.raises((OSError, UnavailableError)):
        publisher.publish_new()
    with mosquitto(tmp_path) as broker:
        again = BoardPublisher(evening, broker)
        assert again.publish_new() == len(told(evening))
        again.close()


def test_webhooks_of_any_enterprise_that_asks_get_them(runtime: Runtime, sign_in: SignIn) -> None:
    webhooks = {}
    for name, events in (("one", ["board.changed"]), ("two", ["trip.changed"]), ("three", ["board.changed"])):
        enterprise = sign_in("enterprise", organisation_id=add_organisation(runtime, f"Enterprise {name}"))
        body = {"url": f"https://{name}.example/hook", "events": events}
        made = enterprise.post("/api/v1/webhooks", json=body)
        assert made.status_code == 201, made.text
        webhooks[name] = made.json()["webhook_id"]
    queue_at_huu_nghi(runtime)
    runtime.clock.advance(10 * 3600)  # type: ignore[attr-defined]
    assert Minute.of(runtime).run().failed == []
    with runtime.sessions.begin() as session:
        feed.follow(session, runtime.clock.now())
        feed.follow(session, runtime.clock.now())
    with runtime.sessions() as session:
        rows = session.execute(
            text("SELECT webhook_id, type, body FROM app.webhook_delivery ORDER BY delivery_id")
        ).all()
        notified = session.execute(text("SELECT count(*) FROM app.notification")).scalar_one()
    expected = [(name, event["id"]) for event in told(runtime) for name in ("one", "three")]
    names = {number: name for name, number in webhooks.items()}
    assert sorted((names[row.webhook_id], json.loads(row.body)["data"]["id"]) for row in rows) == sorted(expected)
    assert {row.type for row in rows} == {"board.changed"}
    assert notified == 0
