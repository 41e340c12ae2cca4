"""What the intake hears of devices beside fixes it takes: what was refused and why, faked positions, wrong clocks.

A device that reports and is refused must not look as if it were silent. Notes gather for at most `KEEP_EVERY_S` and go
to the database together; the first one goes at once. Lives in one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from geo.errors import UnavailableError
from ingest import trait_store
from ingest.clocks import MAX_REMEMBERED, ClocksAhead
from ingest.formats.report import RefusalReason, from_microseconds
from ingest.judging import HeldFix
from ingest.store import DeviceBinding
from ingest.trait_store import FakedFix, RefusalNote

Answer = TypeVar("Answer")

KEEP_EVERY_S = 0.5
MAX_FAKED_WAITING = 5_000
MAX_HELD = 20
MAX_DETAIL_LENGTH = 200


class Ask(Protocol):
    """Puts a question to the database, in a thread; `UnavailableError` if it does not answer in time."""

    def __call__(self, question: Callable[[Session], Answer], /) -> Awaitable[Answer]: ...


class Hearing:
    """Notes of one intake, which go to the database by `ask`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._refusals: dict[tuple[int, str], RefusalNote] = {}
        self._faked: list[FakedFix] = []
        self._rolled: dict[int, datetime] = {}
        self._known_rolled: set[int] = set()
        self._clocks = ClocksAhead()
        self._held: dict[int, tuple[int, list[HeldFix]]] = {}
        self._kept_at = -1e9
        self._later: asyncio.Task[None] | None = None

    def refuse(self, device_id: int, reason: RefusalReason, detail: str, now: datetime, count: int = 1) -> None:
        """Note that `count` reports were refused, the last one for `detail`."""
        known = self._refusals.get((device_id, reason))
        shown = detail[:MAX_DETAIL_LENGTH]
        self._refusals[device_id, reason] = (
            RefusalNote(device_id, reason, count, now, now, shown)
            if known is None
            else replace(known, count=known.count + count, last_at=now, detail=shown)
        )

    def fake(self, fix: FakedFix) -> None:
        """Keep a faked position apart."""
        if len(self._faked) < MAX_FAKED_WAITING:
            self._faked.append(fix)

    def roll(self, device_id: int, now: datetime) -> None:
        """Note that a device dates its reports 1,024 weeks early."""
        if device_id not in self._known_rolled:
            self._rolled[device_id] = now

    def hold(self, fix: HeldFix, shift_s: int) -> None:
        """Hold a report from the future until its device's clock is understood; so far `shift_s` is taken from it."""
        if len(self._held) > MAX_REMEMBERED:
            self._held.clear()
        assumed_s, held = self._held.get(fix.device_id, (shift_s, []))
        self._held[fix.device_id] = (shift_s, [*(held if assumed_s == shift_s else ()), fix][-MAX_HELD:])

    def understood(self, bindings: Iterable[DeviceBinding | None]) -> list[DeviceBinding]:
        """Devices of which reports are held whose clocks are understood since, by this process or another."""
        if not self._held:
            return []
        held = ((bound, self._held.get(bound.device_id)) for bound in bindings if bound is not None)
        return [bound for bound, found in held if found is not None and found[0] != bound.clock_shift_s]

    def release(self, device_id: int) -> tuple[int, list[HeldFix]]:
        """What was held of a device, and the seconds that were taken from its times."""
        return self._held.pop(device_id, (0, []))

    async def learn_clock(self, bound: DeviceBinding, time_us: int, now_us: int) -> DeviceBinding | None:
        """The device with its clock corrected, once a report from the future (`time_us`) makes that sure."""
        ahead_s = self._clocks.note(bound.device_id, time_us, now_us)
        if ahead_s is None:
            return None

        def save(session: Session) -> int:
            moment, assumed_s = from_microseconds(now_us), bound.clock_shift_s
            shift_s = trait_store.set_clock_shift(
                session, bound.device_id, assumed_s + ahead_s, assumed_s=assumed_s, now=moment
            )
            session.commit()
            return shift_s

        try:
            return replace(bound, clock_shift_s=await self._ask(save))
        except UnavailableError:
            return None  # it is learned again when the database answers

    async def keep(self) -> None:
        """Bring the notes to the database, now or soon."""
        if not (self._refusals or self._faked or self._rolled):
            return
        wait_s = self._kept_at + KEEP_EVERY_S - time.monotonic()
        if wait_s <= 0:
            await self._keep()
        elif self._later is None or self._later.done():
            self._later = asyncio.get_running_loop().create_task(self._keep_after(wait_s))

    async def _keep_after(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        await self._keep()

    async def _keep(self) -> None:
        self._kept_at = time.monotonic()
        refusals, self._refusals = self._refusals, {}
        faked, self._faked = self._faked, []
        rolled, self._rolled = self._rolled, {}

        def save(session: Session) -> None:
            trait_store.add_refusals(session, list(refusals.values()))
            trait_store.add_faked(session, faked)
            if rolled:
                trait_store.mark_weeks_rolled(session, list(rolled), now=max(rolled.values()))
            session.commit()

        try:
            await self._ask(save)
            self._known_rolled |= rolled.keys()
        except UnavailableError:  # a note that cannot be kept now waits; it is no reason to fail a message
            for key, note in refusals.items():
                later = self._refusals.get(key)
                self._refusals[key] = note if later is None else replace(later, count=later.count + note.count)
            self._faked = [*faked, *self._faked][:MAX_FAKED_WAITING]
            self._rolled = rolled | self._rolled
