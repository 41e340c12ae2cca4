"""Plate reads of cameras whose format comes over MQTT, such as Frigate's: what the gateway of MQTT hands them to.

The vendor's own names of cameras (`config.camera_id`) tell which device a message is of; who may publish is the
broker's to say. Each message is one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from app.equipment.cameras import PlateIntake
from app.platform import outbox
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from app.tracking.mqtt_gateway import Subscription
from geo.clock import Clock
from geo.errors import CuaKhauError, UnavailableError
from ingest.formats import frigate
from ingest.formats.camera_format import CameraFormat

log = structlog.get_logger("equipment")


@dataclass(frozen=True)
class PlateGateway:
    """Hands each message of a broker to the plate intake of its moment.

    `sessions` opens database sessions; `after_commit` publishes what a committed session left in the outbox.
    """

    camera_format: CameraFormat
    intake: Callable[[], PlateIntake]
    sessions: Callable[[], AbstractContextManager[Session]]
    clock: Clock
    after_commit: Callable[[Session], object]

    @classmethod
    def of(cls, runtime: Runtime, sheets: Sheets, camera_format: CameraFormat = frigate.FORMAT) -> PlateGateway:
        """That of a process."""
        return cls(
            camera_format,
            lambda: PlateIntake.of(runtime, sheets),  # on the corridor of the moment
            runtime.sessions,
            runtime.clock,
            lambda session: outbox.relay_after_commit(session, runtime.redis),
        )

    def receive(self, payload: bytes) -> int:
        """Take in one message; how many new reads it made.

        What cannot be read, or is of no camera of ours, is logged: there is nobody to answer.

        Raises
        ------
        UnavailableError, DBAPIError, RedisError, OSError
            If a server is away: the message must come again.
        """
        try:
            with self.sessions() as session:
                received = self.intake().receive(
                    session, self.camera_format, payload, "", device=None, now=self.clock.now()
                )
                session.commit()
                self.after_commit(session)
                return len(received.new)
        except UnavailableError:
            raise
        except CuaKhauError as error:
            log.warning("plate message not accepted", vendor=self.camera_format.name, reason=str(error)[:200])
        return 0

    def subscription(self, topic: str | None = None) -> Subscription:
        """What to listen to, by default the topic of the format; one message after the other, as reads get better."""

        async def receive(_topic: str, payload: bytes) -> None:
            await asyncio.to_thread(self.receive, payload)

        return Subscription(topic or self.camera_format.mqtt_topic or "#", receive, in_order=True)
