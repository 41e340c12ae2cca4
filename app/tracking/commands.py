"""Orders to trucks whose driver has no page of ours open: queued, sent once by a device that can show a text.

Control queues what drivers have not seen and says in Redis for which vehicles something waits, so that a gateway asks
the database only when one of its own is among them. A command is marked as sent before it leaves: it is shown once or
not at all. What a device confirms counts as delivered to the driver.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

import structlog
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.dispatch import order_answers
from app.tracking import command_store
from app.tracking.command_store import CommandLine, NewCommand, TakenCommand
from app.tracking.vocabulary import CommandStatus
from geo.clock import Clock

WAITING_KEY: Final = "ck:commands:waiting"
WAITING_TTL_S: Final = 60
GRACE: Final = timedelta(seconds=10)
"""So long an order may take to a driver's own page before a device is asked to show it."""
KEPT: Final = timedelta(days=90)
LOOK_S: Final = 2.0

log = structlog.get_logger("commands")


@dataclass(frozen=True)
class CommandQueue:
    """Control's side: what waits."""

    redis: Redis

    def fill(self, session: Session, now: datetime) -> int:
        """Queue orders that drivers have not seen, end what is no longer wanted; how many were new."""
        undelivered = order_answers.list_undelivered(session, now - GRACE)
        vehicles = command_store.with_device(session, {order.vehicle_id for order in undelivered})
        wanted = [
            NewCommand(
                order.order_id, order.vehicle_id, text_for(order.plate, order.text), now, expires_at=order.valid_to
            )
            for order in undelivered
            if order.vehicle_id in vehicles
        ]
        command_store.expire(session, {(command.order_id, command.vehicle_id) for command in wanted}, now)
        new = command_store.insert_commands(session, wanted)
        waiting = command_store.waiting_vehicles(session)
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.delete(WAITING_KEY)
            if waiting:
                pipe.sadd(WAITING_KEY, *waiting)
                pipe.expire(WAITING_KEY, WAITING_TTL_S)
            pipe.execute()
        return new


def text_for(plate: str, texts: dict[str, str]) -> str:
    """An order in the language of a truck's driver: Chinese plates begin with a Chinese character."""
    return texts["vi"] if plate[:1].isascii() else texts["zh"]


def list_of_order(session: Session, order_id: int) -> list[CommandLine]:
    """How the commands of an order stand."""
    return command_store.list_of_order(session, order_id)


def prune(session: Session, now: datetime) -> None:
    """Forget what is older than `KEPT`."""
    command_store.prune(session, now - KEPT)


@dataclass
class CommandDesk:
    """A gateway's side: fetches what waits for its devices. Lives in one event loop; failures mean nothing waits."""

    protocol: str
    redis: AsyncRedis
    sessions: Callable[[], AbstractContextManager[Session]]
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    _waiting: frozenset[int] = frozenset()
    _looked: float = field(default=-1e9)

    async def waiting(self) -> frozenset[int]:
        """The vehicles for which something waits, as looked up within `LOOK_S`."""
        if self.monotonic() - self._looked >= LOOK_S:
            self._looked = self.monotonic()
            try:
                found = await cast(Any, self.redis.smembers(WAITING_KEY))
                self._waiting = frozenset(int(vehicle_id) for vehicle_id in found)
            except (RedisError, OSError):
                self._waiting = frozenset()
        return self._waiting

    async def take(self, vehicle_ids: Collection[int]) -> list[TakenCommand]:
        """What waits for these vehicles; from now on it is the caller's to send."""
        wanted = (await self.waiting()).intersection(vehicle_ids)
        if not wanted:
            return []
        self._waiting -= wanted

        def ask() -> list[TakenCommand]:
            with self.sessions() as session:
                taken = command_store.take(session, wanted, self.protocol, self.clock.now())
                session.commit()
                return taken

        try:
            return await asyncio.to_thread(ask)
        except SQLAlchemyError as error:
            log.warning("commands wait", reason=str(error).splitlines()[0][:200])
            return []

    async def answer(self, command_id: int, *, is_obeyed: bool) -> None:
        """A device says that it showed a command, or cannot."""

        def note() -> None:
            now = self.clock.now()
            status = CommandStatus.ACKNOWLEDGED if is_obeyed else CommandStatus.REFUSED
            with self.sessions() as session:
                found = command_store.answer(session, command_id, status, now)
                if found is not None and is_obeyed:
                    order_answers.deliver_by_device(session, found[0], found[1], now=now)
                session.commit()

        try:
            await asyncio.to_thread(note)
        except SQLAlchemyError as error:
            log.warning("answer to a command lost", command_id=command_id, reason=str(error).splitlines()[0][:200])
