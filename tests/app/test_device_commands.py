"""Orders to trucks whose drivers have no page open: shown once by a device, and known to have been shown."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from redis.asyncio import Redis as AsyncRedis

from app.equipment import drivers
from app.platform.runtime import Runtime
from app.tracking.commands import CommandDesk, CommandQueue, text_for
from app.tracking.mqtt_gateway import owntracks_subscription
from ingest.formats.jt808 import encode_text
from tests.app.dispatching import Stage, set_stage
from tests.app.equipping import mosquitto
from tests.app.gps import enrol, rows
from tests.app.listening import listen, wait_for
from tests.app.test_mqtt import make_intake
from tests.app.test_terminals import Terminal, at, talk
from tests.ingest.terminals import frame

PHONE = "013800001111"


@pytest.fixture
def stage(runtime: Runtime, sign_in) -> Stage:
    return set_stage(runtime, sign_in)


def fill(stage: Stage, after_s: float = 11) -> int:
    """What control does every few seconds."""
    runtime = stage.runtime
    runtime.clock.advance(after_s)
    with runtime.sessions() as session:
        new = CommandQueue(runtime.redis).fill(session, runtime.clock.now())
        session.commit()
    return new


def standing(stage: Stage, order_id: int) -> list[tuple[str, str | None]]:
    answer = stage.police.get("/api/v1/device-commands", params={"order_id": order_id})
    assert answer.status_code == 200, answer.text
    return [(item["status"], item["protocol"]) for item in answer.json()]


def recipient(stage: Stage, order_id: int) -> str:
    return str(stage.police.get(f"/api/v1/orders/{order_id}").json()["recipients"][0]["status"])


def track(runtime: Runtime, **more: Any) -> dict[str, Any]:
    return {"_type": "location", "lat": 21.9, "lon": 106.7, "tst": int(runtime.clock.now().timestamp()), **more}


def test_a_terminal_shows_an_order_once_and_says_so(runtime, stage, sign_in) -> None:
    enrol(sign_in("administrator"), "29C-123.45", kind="tracker", imei="13800001111")
    order_id = stage.issue()
    assert fill(stage, 1) == 0, "the driver's own page comes first"
    assert fill(stage) == 1
    assert fill(stage) == 0

    async def story(connect, served) -> tuple[int, bytes]:
        terminal: Terminal = await connect()
        terminal.send(frame(0x0200, at(runtime), PHONE))
        assert await terminal.result() == 0
        served.commands = CommandDesk("jt808", served.intake.writer.redis, runtime.sessions, runtime.clock)
        assert [await served.send_commands() for _ in range(2)] == [1, 0]
        async with asyncio.timeout(10):
            message_id, body = await terminal.answer()
        assert standing(stage, order_id) == [("sent", "jt808")]
        terminal.send(frame(0x0001, struct.pack(">HHB", 1, 0x8300, 0), PHONE) + frame(0x0002, b"", PHONE))
        assert await terminal.result() == 0
        return message_id, body

    message_id, body = talk(runtime, story)
    assert message_id == 0x8300
    assert body == b"\x0d" + encode_text("Dừng chờ tại Điểm dừng chờ Lạng Sơn đến 12:00. Cửa khẩu đang ùn tắc.")
    assert body[1:].decode("gbk").startswith("Dung cho tai")
    assert standing(stage, order_id) == [("acknowledged", "jt808")]
    assert recipient(stage, order_id) == "delivered"


def test_owntracks_gets_it_in_the_answer_to_its_next_message(runtime, client: TestClient, stage, sign_in) -> None:
    device = enrol(sign_in("administrator"), "29C-123.45")["device_id"]
    other = enrol(sign_in("administrator"), "29C-999.99")["device_id"]
    order_id = stage.issue()
    fill(stage)
    assert client.post("/gps/owntracks", json=track(runtime, topic=f"owntracks/x/{other}")).json() == []
    answer = client.post("/gps/owntracks", json=track(runtime, topic=f"owntracks/x/{device}")).json()
    assert [item["action"] for item in answer] == ["action", "reportLocation"]
    assert answer[0]["content"].startswith("Dừng chờ tại")
    assert client.post("/gps/owntracks", json=track(runtime, topic=f"owntracks/x/{device}")).json() == []
    assert standing(stage, order_id) == [("sent", "owntracks")]


def test_owntracks_over_mqtt_gets_it_at_its_topic(runtime, stage, sign_in, tmp_path) -> None:
    device = enrol(sign_in("administrator"), "29C-123.45")["device_id"]
    stage.issue()
    fill(stage)
    told: list[dict[str, Any]] = []
    topic = f"owntracks/driver/{device}"
    with mosquitto(tmp_path) as broker:
        host, port = drivers.address(broker)
        phone = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="phone")
        phone.on_message = lambda _client, _data, message: told.append(json.loads(message.payload))
        phone.connect(host, port)
        phone.subscribe(f"{topic}/cmd", qos=1)
        phone.loop_start()
        stop = threading.Event()
        publish: list[Any] = []

        def say(to: str, payload: bytes) -> None:
            publish[0].publish(to, payload)

        def subscriptions() -> list[Any]:
            redis = AsyncRedis.from_url(runtime.settings.redis_url.get_secret_value())
            desk = CommandDesk("owntracks", redis, runtime.sessions, runtime.clock)
            return [owntracks_subscription(make_intake(runtime), desk, say)]

        thread = listen(broker, subscriptions, stop, use=publish.append)
        try:
            assert wait_for(lambda: phone.publish(topic, json.dumps(track(runtime)), qos=1) and len(told) == 2)
        finally:
            stop.set()
            thread.join(10)
            phone.disconnect()
            phone.loop_stop()
    assert [item["action"] for item in told] == ["action", "reportLocation"]


def test_what_the_driver_saw_or_the_police_withdrew_is_not_sent(runtime, client, stage, sign_in) -> None:
    device = enrol(sign_in("administrator"), "29C-123.45")["device_id"]
    seen, withdrawn = stage.issue(kind="notice", text={"vi": "A", "en": "A", "zh": "A"}), stage.issue()
    fill(stage)
    assert stage.driver.post(f"/api/v1/orders/{seen}/delivered").status_code in (200, 204)
    version = stage.police.get(f"/api/v1/orders/{withdrawn}").headers["etag"]
    cancelled = stage.police.post(f"/api/v1/orders/{withdrawn}/cancel", headers={"If-Match": version})
    assert cancelled.status_code in (200, 204), cancelled.text
    fill(stage)
    assert standing(stage, seen) == standing(stage, withdrawn) == [("expired", None)]
    assert client.post("/gps/owntracks", json=track(runtime, topic=f"owntracks/x/{device}")).json() == []
    assert stage.enterprise.get("/api/v1/device-commands", params={"order_id": seen}).status_code == 403


def test_a_truck_without_a_device_waits_for_its_driver(stage) -> None:
    stage.issue()
    assert fill(stage) == 0
    assert rows(stage.runtime, "SELECT count(*) FROM app.device_command") == [(0,)]
    assert text_for("桂F·A1234", {"vi": "v", "zh": "z"}) == "z"
    assert text_for("29C-123.45", {"vi": "v", "zh": "z"}) == "v"
