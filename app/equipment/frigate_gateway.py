"""An optional gateway: plate reads of Frigate, heard on its MQTT broker.

Frigate's own names of cameras (`config.camera_id`) tell which device a message is of; who may publish is the broker's
to say. Each message is one transaction. While the broker is away the client keeps trying to come back.
"""

from __future__ import annotations

import threading
from typing import Any

import structlog
from paho.mqtt import client as mqtt

from app.equipment import cameras, store
from app.equipment.drivers import address, connect_client
from app.platform import outbox
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import CuaKhauError
from ingest.formats import frigate

TOPIC = "frigate/tracked_object_update"
LARGEST_BYTES = 64 * 1024

log = structlog.get_logger("equipment")


def run(
    runtime: Runtime, sheets: Sheets, broker: str, *, topic: str = TOPIC, stop: threading.Event | None = None
) -> None:
    """Listen until told to stop. `broker` is `mqtt://[user:password@]host[:port]` or `mqtts://…`."""
    stop = stop or threading.Event()

    def on_connect(client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refuses", reason=str(reason))
        else:
            client.subscribe(topic, qos=1)
            log.info("listening", topic=topic)

    def on_message(_client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        take(runtime, sheets, bytes(message.payload))

    client = connect_client(broker)
    client.on_connect, client.on_message = on_connect, on_message
    client.connect_async(*address(broker), keepalive=30)
    client.loop_start()
    try:
        while not stop.wait(1.0):
            pass
    finally:
        client.disconnect()
        client.loop_stop()


def take(runtime: Runtime, sheets: Sheets, payload: bytes) -> int:
    """Take in one message; how many new reads it made. What cannot be read, or is of no camera of ours, is logged."""
    try:
        found = frigate.decode(payload) if len(payload) <= LARGEST_BYTES else []
        with runtime.sessions() as session:
            device = store.find_camera(session, "frigate", found[0].camera) if found else None
            if device is None:
                if found:
                    log.warning("unknown Frigate camera", camera=found[0].camera[:40])
                return 0
            now = runtime.clock.now()
            new = cameras.accept(session, device, found, cameras.Surroundings.of(runtime, sheets), now)
            session.commit()
            outbox.relay_after_commit(session, runtime.redis)
            return len(new)
    except CuaKhauError as error:
        log.warning("message of Frigate not readable", reason=str(error))
    except Exception:  # whatever it is, the next message must be heard
        log.exception("read of Frigate lost")
    return 0
