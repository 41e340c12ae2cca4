"""An optional gateway: plate reads of cameras whose format comes over MQTT, such as Frigate's.

The vendor's own names of cameras (`config.camera_id`) tell which device a message is of; who may publish is the
broker's to say. Each message is one transaction. While the broker is away the client keeps trying to come back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import structlog
from paho.mqtt import client as mqtt
from sqlalchemy.orm import Session

from app.equipment.cameras import PlateIntake
from app.equipment.drivers import address, connect_client
from app.platform import outbox
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.clock import Clock
from geo.errors import CuaKhauError
from ingest.formats import frigate
from ingest.formats.camera_format import CameraFormat

log = structlog.get_logger("equipment")


@dataclass(frozen=True)
class PlateGateway:
    """Hands each message of a broker to the plate intake.

    `sessions` opens database sessions; `after_commit` publishes what a committed session left in the outbox.
    """

    camera_format: CameraFormat
    intake: PlateIntake
    sessions: Callable[[], AbstractContextManager[Session]]
    clock: Clock
    after_commit: Callable[[Session], object]

    @classmethod
    def of(cls, runtime: Runtime, sheets: Sheets, camera_format: CameraFormat = frigate.FORMAT) -> PlateGateway:
        """That of a process."""
        return cls(
            camera_format,
            PlateIntake.of(runtime, sheets),
            runtime.sessions,
            runtime.clock,
            lambda session: outbox.relay_after_commit(session, runtime.redis),
        )

    def receive(self, payload: bytes) -> int:
        """Take in one message; how many new reads it made.

        What cannot be read, or is of no camera of ours, is logged: there is nobody to answer.
        """
        try:
            with self.sessions() as session:
                received = self.intake.receive(
                    session, self.camera_format, payload, "", device=None, now=self.clock.now()
                )
                session.commit()
                self.after_commit(session)
                return len(received.new)
        except CuaKhauError as error:
            log.warning("plate message not accepted", vendor=self.camera_format.name, reason=str(error)[:200])
        except Exception:  # whatever it is, the next message must be taken in
            log.exception("plate message lost", vendor=self.camera_format.name)
        return 0


def run(gateway: PlateGateway, broker: str, *, topic: str | None = None, stop: threading.Event | None = None) -> None:
    """Listen until told to stop.

    `broker` is `mqtt://[user:password@]host[:port]` or `mqtts://…`, `topic` by default the one of the format.
    """
    stop = stop or threading.Event()
    topic = topic or gateway.camera_format.mqtt_topic or "#"

    def on_connect(client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refuses", reason=str(reason))
        else:
            client.subscribe(topic, qos=1)
            log.info("listening", topic=topic)

    def on_message(_client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        gateway.receive(bytes(message.payload))

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
