"""Barriers over HTTP and over a real MQTT broker: opened for a confirmed step, after the commit, never by a clock."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from paho.mqtt import client as mqtt

from app.equipment import barriers, drivers, on_sheet, service
from app.equipment.drivers import Command, HttpPort, MqttPort
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.procedures.procedure import Facts
from app.sheets.service import SheetChange
from app.trips.tables import Trip
from tests.app.dispatching import Stage, put_truck, set_stage
from tests.app.equipping import confirm, mosquitto, one, rekor, send, set_up
from tests.app.gps import rows


class Controller:
    """A barrier's controller on HTTP; `says` makes its answers."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.says: Callable[[dict[str, Any]], tuple[int, bytes]] = lambda _: (200, b'{"status": "opened"}')
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.heard.append(body | {"authorization": self.headers.get("Authorization")})
                status, answer = outer.says(body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/open"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def controller() -> Iterator[Controller]:
    controller = Controller()
    yield controller
    controller.server.shutdown()
    controller.server.server_close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[str]:
    with mosquitto(tmp_path_factory.mktemp("mosquitto")) as address:
        yield address


@pytest.fixture
def stage(runtime: Runtime, sign_in) -> Stage:
    return set_stage(runtime, sign_in)


@pytest.fixture
def guard(stage, sign_in) -> TestClient:
    return sign_in("border_guard", gate_id="huu-nghi")


@pytest.fixture
def barrier(stage, sign_in, controller) -> dict[str, Any]:
    config = {"url": controller.url, "secret": "key-of-the-controller", "timeout_s": 2}
    return set_up(
        sign_in("administrator"), "barrier", "http", site_id="huu-nghi-barrier-1", station="barrier_1", config=config
    )


def open_(guard: TestClient, barrier: dict[str, Any], stage: Stage, **headers: str) -> Any:
    url = f"/api/v1/barriers/{barrier['equipment_id']}/open"
    answer = guard.post(url, json={"trip_id": stage.trip_id}, headers=headers)
    barriers.settle()
    return answer


def test_it_opens_for_a_confirmed_step_only(runtime, guard, barrier, stage, controller) -> None:
    assert open_(guard, barrier, stage).status_code == 409
    assert controller.heard == []
    confirm(runtime, stage.trip_id, "barrier_1")
    assert open_(guard, barrier, stage).json()["status"] == "sent"
    (heard,) = controller.heard
    assert (heard["command"], heard["authorization"]) == ("open", "Bearer key-of-the-controller")
    assert datetime.fromisoformat(heard["valid_until"]) == runtime.clock.now() + drivers.VALID
    (command,) = guard.get("/api/v1/barriers/commands").json()["items"]
    assert (command["status"], command["detail"]) == ("opened", "opened")
    told = rows(runtime, "SELECT data->>'status' FROM app.outbox WHERE type = 'equipment' ORDER BY event_id")
    assert told == [("sent",), ("opened",)]


def test_a_double_tap_is_one_command(runtime, guard, barrier, stage, controller) -> None:
    confirm(runtime, stage.trip_id, "barrier_1")
    for _ in range(2):
        open_(guard, barrier, stage)
        open_(guard, barrier, stage, **{"Idempotency-Key": "k"})
    assert len(controller.heard) == 1
    runtime.clock.advance(60)
    open_(guard, barrier, stage)
    assert len(controller.heard) == 2


def test_confirming_on_the_sheet_opens_it_after_the_commit(runtime, sheets, barrier, stage, controller) -> None:
    def act(session) -> None:
        change = SheetChange(
            session.get_one(Trip, stage.trip_id),
            "confirm",
            "barrier_1",
            None,
            {},
            {"barrier_1": "done"},
            {},
            runtime.clock.now(),
        )
        on_sheet.open_on_confirmation(session, sheets, change)

    with runtime.sessions() as session:
        act(session)
        session.rollback()
    barriers.settle()
    assert controller.heard == []
    with runtime.sessions() as session:
        with session.begin_nested():
            act(session)
        time.sleep(0.1)
        assert controller.heard == []
        session.commit()
    barriers.settle()
    assert len(controller.heard) == 1


def test_from_the_camera_over_the_sheet_to_the_open_barrier(
    runtime, sheets, client, stage, guard, barrier, controller, sign_in
) -> None:
    facts = Facts(direction="export", regime="export", goods_class=frozenset({"fresh_fruit"}))
    with runtime.sessions() as session:
        sheets.open_sheet(ActionContext(session, None, runtime.clock.now()), stage.trip_id, facts)
        put_truck(session, runtime.corridor, "29C-123.45", time=runtime.clock.now(), km=1.1)
        session.commit()
    camera = set_up(
        sign_in("administrator"), "plate_camera", "rekor", site_id="huu-nghi-barrier-1", station="barrier_1"
    )
    url = f"/api/v1/trips/{stage.trip_id}"

    def confirm_on_sheet(officer: TestClient, step: str) -> None:
        tag = f'"{officer.get(f"{url}/sheet").json()["version"]}"'
        answer = officer.post(f"{url}/steps/{step}/confirm", json={}, headers={"If-Match": tag})
        assert answer.status_code == 200, answer.text

    confirm_on_sheet(sign_in("health_quarantine", gate_id="huu-nghi"), "health")
    send(client, camera, rekor("29C12345", runtime.clock.now()))
    assert guard.get(f"{url}/sheet").json()["trip"]["arrived_at"] is not None
    assert controller.heard == []
    confirm_on_sheet(guard, "barrier_1")
    barriers.settle()
    assert len(controller.heard) == 1
    shown = guard.get(f"{url}/sheet").json()["equipment"]
    assert [(read["station"], read["status"]) for read in shown["reads"]] == [("barrier_1", "matched")]
    assert [state["status"] for state in shown["barriers"]] == ["opened"]


@pytest.mark.parametrize(
    "says", [(500, b""), (200, b'{"status": "refused"}'), (200, b"?"), (200, b'{"status": "opened", "command_id": 99}')]
)
def test_anything_but_opened_is_a_failure(runtime, guard, barrier, stage, controller, says) -> None:
    controller.says = lambda _: says
    confirm(runtime, stage.trip_id, "barrier_1")
    open_(guard, barrier, stage)
    assert one(runtime, "SELECT status FROM app.barrier_command").status == "failed"
    assert len(controller.heard) == 1


def test_no_clock_opens_a_barrier(runtime, guard, barrier, stage, controller) -> None:
    controller.says = lambda _: (time.sleep(3), (200, b'{"status": "opened"}'))[1]  # later than the port waits
    confirm(runtime, stage.trip_id, "barrier_1")
    open_(guard, barrier, stage)
    assert one(runtime, "SELECT status, detail FROM app.barrier_command").status == "failed"
    for _ in range(5):
        runtime.clock.advance(120)
        with runtime.sessions() as session:
            service.sweep(session, runtime.clock.now())
            session.commit()
    assert len(controller.heard) == 1


def test_a_command_lost_with_its_process_fails_and_is_not_sent_again(runtime, barrier, stage, controller) -> None:
    with runtime.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO app.barrier_command (equipment_id, trip_id, requested_at, status) VALUES (%s, %s, %s, 'sent')",
            (barrier["equipment_id"], stage.trip_id, runtime.clock.now()),
        )
    runtime.clock.advance(31)
    with runtime.sessions() as session:
        assert service.sweep(session, runtime.clock.now()) == 1
        session.commit()
    assert one(runtime, "SELECT status FROM app.barrier_command").status == "failed"
    order = Command(1, runtime.clock.now())
    barriers.deliver(runtime.engine, order, "http", {"url": controller.url}, runtime.clock.now())
    assert controller.heard == []


def test_by_hand_with_a_reason_when_the_device_is_down(runtime, guard, barrier, stage, controller, sign_in) -> None:
    confirm(runtime, stage.trip_id, "barrier_1")
    url = f"/api/v1/barriers/{barrier['equipment_id']}/by-hand"
    body = {"trip_id": stage.trip_id, "reason": "Mất điện, mở cần bằng tay quay"}
    assert guard.post(url, json=body).status_code == 409  # it works
    controller.says = lambda _: (503, b"")
    open_(guard, barrier, stage)
    assert guard.post(url, json=body | {"reason": " x "}).status_code == 422
    assert sign_in("border_guard", gate_id="tan-thanh").post(url, json=body).status_code == 404
    assert sign_in("customs", gate_id="huu-nghi").post(url, json=body).status_code == 403
    made = guard.post(url, json=body)
    assert (made.status_code, made.json()["status"], made.json()["reason"]) == (201, "by_hand", body["reason"])
    assert (
        rows(runtime, "SELECT after->>'reason' FROM app.audit WHERE action = 'barriers.open' ORDER BY audit_id")[-1][0]
        == body["reason"]
    )


# MQTT, on a real broker


@pytest.fixture
def barrier_client(broker) -> Iterator[mqtt.Client]:
    client = drivers.connect_client(broker)
    client.connect(*drivers.address(broker))
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def answering(client: mqtt.Client, topic: str, answer: Callable[[dict[str, Any]], dict[str, Any] | None]) -> list[Any]:
    """A barrier that listens on its topic and answers."""
    heard: list[Any] = []
    ready = threading.Event()

    def on_message(_client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        command = json.loads(message.payload)
        heard.append((command, message.retain))
        said = answer(command)
        if said is not None:
            client.publish(f"{topic}/state", json.dumps(said), qos=1)

    client.on_message = on_message
    client.on_subscribe = lambda *_: ready.set()
    client.subscribe(f"{topic}/command", qos=1)
    assert ready.wait(5)
    return heard


COMMAND = Command(41, datetime(2026, 3, 2, 3, 0, 10, tzinfo=UTC))


def test_mqtt_opens_and_hears_so(broker, barrier_client) -> None:
    opened = answering(barrier_client, "gate/1", lambda c: {"command_id": c["command_id"], "status": "opened"})
    assert MqttPort(broker, "gate/1").open(COMMAND) == drivers.Answer(True, "opened")
    ((command, retained),) = opened
    assert (command, retained) == (
        {"command": "open", "command_id": 41, "valid_until": "2026-03-02T03:00:10+00:00"},
        False,
    )


def test_mqtt_answers_to_other_commands_and_old_ones_do_not_count(broker, barrier_client) -> None:
    kept = barrier_client.publish("gate/2/state", '{"command_id": 41, "status": "opened"}', qos=1, retain=True)
    kept.wait_for_publish(5)
    answering(barrier_client, "gate/2", lambda _: {"command_id": 40, "status": "opened"})
    assert MqttPort(broker, "gate/2", timeout_s=1.0).open(COMMAND) == drivers.Answer(False, "No answer in time.")


def test_a_barrier_that_comes_back_later_finds_no_command(broker, barrier_client) -> None:
    assert not MqttPort(broker, "gate/3", timeout_s=0.5).open(COMMAND).opened
    heard = answering(barrier_client, "gate/3", lambda _: None)
    time.sleep(0.5)
    assert heard == []


def test_no_broker_is_a_failure_with_a_reason() -> None:
    assert "broker" in MqttPort("mqtt://127.0.0.1:1", "x", timeout_s=1.0).open(COMMAND).detail
    assert not MqttPort("http://127.0.0.1", "x").open(COMMAND).opened
    assert not HttpPort("http://127.0.0.1:1", timeout_s=1.0).open(COMMAND).opened


def test_a_barrier_on_mqtt_from_the_officer_to_the_device(
    runtime, guard, stage, sign_in, broker, barrier_client
) -> None:
    answering(barrier_client, "gate/4", lambda c: {"command_id": c["command_id"], "status": "opened", "detail": "ok"})
    made = set_up(
        sign_in("administrator"),
        "barrier",
        "mqtt",
        site_id="huu-nghi-barrier-2",
        station="barrier_2",
        config={"broker": broker, "topic": "gate/4"},
    )
    confirm(runtime, stage.trip_id, "barrier_2")
    assert open_(guard, made, stage).status_code == 202
    assert one(runtime, "SELECT status, detail FROM app.barrier_command")[:] == ("opened", "ok")
    found = one(runtime, "SELECT last_seen_at FROM app.equipment")
    assert timedelta(0) <= found.last_seen_at - runtime.clock.now() < timedelta(seconds=10)
