"""Frigate's plate reads over a real MQTT broker."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta

from paho.mqtt import publish

from app.equipment import drivers, frigate_gateway
from ingest.formats import frigate
from tests.app.dispatching import put_truck, set_stage
from tests.app.equipping import mosquitto, set_up
from tests.app.gps import rows
from tests.app.listening import listen, wait_for


def test_reads_heard_on_the_broker_are_matched_once(runtime, sheets, sign_in, tmp_path) -> None:
    stage = set_stage(runtime, sign_in)
    acts: list[str] = []
    sheets = replace(sheets, listeners=(*sheets.listeners, lambda _session, _sheets, change: acts.append(change.act)))
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, "29C-123.45", time=runtime.clock.now(), km=1.1)
        session.commit()
    administrator = sign_in("administrator")
    set_up(
        administrator,
        "plate_camera",
        "frigate",
        site_id="huu-nghi-barrier-1",
        station="barrier_1",
        config={"camera_id": "gate_in"},
    )
    message = {
        "type": "lpr",
        "id": "a-1",
        "plate": "29C12345",
        "score": 0.93,
        "camera": "gate_in",
        "timestamp": runtime.clock.now().timestamp(),
    }
    stop = threading.Event()
    gateway = frigate_gateway.PlateGateway.of(runtime, sheets)
    with mosquitto(tmp_path) as broker:
        thread = listen(broker, lambda: [gateway.subscription()], stop)
        host, port = drivers.address(broker)

        def tell(payload: str) -> None:
            publish.single(frigate.FORMAT.mqtt_topic, payload, qos=1, hostname=host, port=port)

        try:
            found = wait_for(lambda: tell(json.dumps(message)) or rows(runtime, "SELECT read_id FROM app.plate_read"))
            assert found
            tell("not json")
            tell(json.dumps(message | {"camera": "elsewhere", "id": "a-2"}))
            later = runtime.clock.now() + timedelta(seconds=1)
            tell(json.dumps(message | {"score": 0.97, "timestamp": later.timestamp()}))
            tell(json.dumps(message | {"plate": "29C1234S", "score": 0.5}))
            assert wait_for(lambda: rows(runtime, "SELECT count(*) FROM app.plate_read") == [(2,)])
        finally:
            stop.set()
            thread.join(10)
    assert rows(runtime, "SELECT status, trip_id FROM app.plate_read ORDER BY read_id") == [
        ("matched", stage.trip_id),
        ("repeat", stage.trip_id),
    ]
    assert acts == ["undeclared"], "its arrival at the gate is an act on its sheet like any other"
