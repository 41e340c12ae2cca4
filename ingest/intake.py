"""One intake for every transport: read the message, whose device is it, may it be believed, then into the stream.

HTTP, MQTT and TCP gateways hand in a format of `ingest.formats.registry` and a `RawMessage`, and get an `IntakeResult`
or an error of `geo.errors`. Refusals are counted by `RefusalReason`; what only the worker can tell (`impossible_jump`,
a repeat, a late fix) is counted there.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import numpy as np
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from geo.clock import Clock
from geo.errors import InvalidInputError, MalformedError, NotFoundError, UnavailableError
from ingest.budget import Budget
from ingest.decoding import MessageReader, Parts
from ingest.devices import Bindings, DeviceDirectory
from ingest.fixes import FLAG_CLOCK
from ingest.formats.gps_format import Credential, GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import (
    AttributeValues,
    EncryptedError,
    Refusal,
    RefusalReason,
    Refusals,
    Report,
    ReportColumns,
    from_microseconds,
    to_microseconds,
)
from ingest.hearing import MAX_FAKED_WAITING, MAX_HELD, Hearing
from ingest.judging import (
    DETAILS,
    MAX_SHOWN_US,
    VERDICTS,
    Judge,
    JudgedColumns,
    attributes_of,
    fix_of,
    last_of_each,
    refused_value,
)
from ingest.signals import SignalWriter
from ingest.store import DeviceBinding
from ingest.stream import RETRY_AFTER_S, FixWriter, pack_row, refused
from ingest.trait_store import FakedFix

Answer = TypeVar("Answer")

MAX_MESSAGE_BYTES = 64 * 2**20
"""Bytes of messages that are read and decoded at once; decoding takes several times as much."""
_DAY_US = 86_400_000_000
_ASK_TIMEOUT_S = 6.0
"""For an answer of the database to whose device it is: a line that is cut gives none."""
_JUDGE_IN_THREAD_FROM = 5_000


class FixIntake:
    """Judges reports and appends the fixes among them to the streams. Lives in one event loop.

    Arguments: `writer` appends to the streams, `directory` remembers identifiers, `sessions` opens database sessions,
    `clock` says when a message is received; a fix older than `retention_days` or further than `future_tolerance_s`
    ahead of the clock is refused. `signals` keeps what reports tell beside positions.
    """

    def __init__(
        self,
        *,
        writer: FixWriter,
        directory: DeviceDirectory,
        sessions: Callable[[], AbstractContextManager[Session]],
        clock: Clock,
        retention_days: int,
        future_tolerance_s: float,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        signals: SignalWriter | None = None,
    ) -> None:
        self.messages = Budget(max_message_bytes)
        self.writer, self.directory, self.clock = writer, directory, clock
        self._sessions, self._signals, self._hearing = sessions, signals, Hearing(self._ask)
        self._judge = Judge(retention_us=retention_days * _DAY_US, tolerance_us=int(future_tolerance_s * 1e6))
        self.reader, self.files = MessageReader(), MessageReader()
        self._renewal: asyncio.Task[None] | None = None
        self._wanted: dict[bool, set[str]] = {False: set(), True: set()}
        self._loading: asyncio.Task[dict[bool, Bindings]] | None = None

    async def receive(self, gps_format: GpsFormat, message: RawMessage) -> IntakeResult:
        """Take in one message; its fixes are durable when this returns.

        A refusal in the result is no fault that the client can mend; `gps_format.answer` expresses it.

        Raises
        ------
        MalformedError, EncryptedError
            If the message cannot be read.
        NotFoundError
            If a message of single reports names no enrolled device.
        InvalidInputError
            If the position of a single report is not on earth.
        UnavailableError
            If it could not be kept now; sending all of it again later does no harm.
        """
        gateway_token = message.gateway_token if gps_format.credential is Credential.IDENTIFIER_OR_IMEI else None
        try:
            decoded = await self.reader.decode(gps_format, message)
        except MalformedError:
            await self._count(RefusalReason.MALFORMED)
            raise
        except EncryptedError:
            await self._count(RefusalReason.ENCRYPTED)
            raise
        if isinstance(decoded, ReportColumns):
            return await self._accept_columns(decoded, gateway_token, gps_format.name)
        return await self._accept_reports(decoded, gateway_token, gps_format.name)

    async def _accept_reports(self, parts: Parts, gateway_token: str | None, door: str) -> IntakeResult:
        count, first, vehicle_ids, refusals = 0, None, set[int](), Refusals()
        has_event = False
        for part in parts:
            if first is None:
                first = part[0]
            else:
                await asyncio.sleep(0)  # the loop gets its turn
            has_event = has_event or any(report.is_event for report in part)
            vehicle_ids |= await self._accept_part(part, count, refusals, gateway_token, door)
            count += len(part)
        if refusals.counts:
            await self.writer.count(Counter({refused(reason): number for reason, number in refusals.counts.items()}))
        await self._hearing.keep()
        refused_count = refusals.counts.total()
        if first is not None and refused_count == count and not has_event:
            _raise_mendable(first, count, refusals)
        return IntakeResult(count - refused_count, refusals.listed, refusals.counts, frozenset(vehicle_ids))

    async def _accept_part(
        self, reports: Sequence[Report], before: int, refusals: Refusals, gateway_token: str | None, door: str
    ) -> set[int]:
        """Take in reports of a message that had `before` others before them; the vehicles of their sender."""
        now_us = to_microseconds(self.clock.now())
        names = {name for report in reports if report.fault is None for name in _names(report)}
        known = await self._bind(names, gateway_token)
        bindings = [_find(report, known) for report in reports]
        ahead = [
            (bound, self._judge.time(report, bound, now_us).time_us)
            for report, bound in zip(reports, bindings, strict=True)
            if bound is not None and self._judge.report(report, bound, now_us) is RefusalReason.FUTURE
        ]
        learned = await self._learn_clocks(ahead, now_us) if ahead else {}
        await self._release_understood(bindings)
        rows: list[tuple[int, bytes, AttributeValues]] = []
        for number, (report, found) in enumerate(zip(reports, bindings, strict=True), before + 1):
            bound = found if found is None else learned.get(found.device_id, found)
            if self._signals is not None and bound is not None:
                time_us = min(self._judge.time(report, bound, now_us).time_us, now_us)
                await self._signals.take(report, bound, time_us)
            taken = self._take(report, number, bound, now_us)
            if isinstance(taken, Refusal):
                refusals.add(taken)
            elif taken is not None:
                assert bound is not None
                rows.append((bound.vehicle_id, taken, attributes_of(report)))
        if len(rows) == 1:
            await self.writer.append_row(*rows[0], door=door)
        elif rows:  # what a device sends at once leaves at once
            await asyncio.gather(*(self.writer.append_row(*row, door=door) for row in rows))
        return {bound.vehicle_id for bound in bindings if bound is not None}

    def _take(self, report: Report, number: int, bound: DeviceBinding | None, now_us: int) -> bytes | Refusal | None:
        """The row of a report's fix, why it has none, or `None` of an event without one."""
        if report.fault is not None:
            return Refusal(number, RefusalReason.MALFORMED, report.fault)
        if bound is None:
            detail = DETAILS[RefusalReason.UNKNOWN_DEVICE] if report.is_event else str(_unknown(report))
            return Refusal(number, RefusalReason.UNKNOWN_DEVICE, detail)
        if report.is_event:
            return None
        time_us, flags, is_rolled = self._judge.time(report, bound, now_us)
        if is_rolled:
            self._hearing.roll(bound.device_id, from_microseconds(now_us))
        reason = self._judge.report(report, bound, now_us)
        if reason is None:
            return pack_row(*fix_of(report, bound, time_us, now_us), flags)
        detail = DETAILS[reason].format(lat=report.lat, lon=report.lon, time=report.time)
        self._note(report, bound, reason, time_us, now_us)
        return Refusal(number, reason, detail)

    async def _learn_clocks(self, ahead: Iterable[tuple[DeviceBinding, int]], now_us: int) -> dict[int, DeviceBinding]:
        """Devices, by number, whose clocks a message makes sure of: `ahead` are its reports from the future."""
        learned: dict[int, DeviceBinding] = {}
        for bound, time_us in ahead:
            if bound.device_id in learned:
                continue
            corrected = await self._hearing.learn_clock(bound, time_us, now_us)
            if corrected is not None:
                learned[bound.device_id] = corrected
                self.directory.forget()
                await self._release(corrected)
        return learned

    def _note(self, report: Report, bound: DeviceBinding, reason: RefusalReason, time_us: int, now_us: int) -> None:
        """Note what was refused of a device, hold what may be right, keep apart what is faked."""
        now = from_microseconds(now_us)
        self._hearing.refuse(bound.device_id, reason, refused_value(reason, time_us, report.lat, report.lon), now)
        if reason is RefusalReason.FUTURE:
            self._hearing.hold(fix_of(report, bound, time_us, now_us), bound.clock_shift_s)
        elif reason is RefusalReason.MOCK:
            assert report.lat is not None
            assert report.lon is not None
            self._hearing.fake(
                FakedFix(
                    bound.device_id,
                    now if report.time is None else report.time,
                    bound.vehicle_id,
                    now,
                    report.lon,
                    report.lat,
                    report.speed_mps,
                    report.accuracy_m,
                )
            )

    async def _release_understood(self, bindings: Iterable[DeviceBinding | None]) -> None:
        """Append what this process holds of devices whose clocks another one has understood."""
        for known in self._hearing.understood(bindings):
            await self._release(known)

    async def _release(self, known: DeviceBinding) -> None:
        """Append what was held of a device, now that its clock is understood."""
        assumed_s, fixes = self._hearing.release(known.device_id)
        shift_us = (known.clock_shift_s - assumed_s) * 1_000_000
        for held in fixes:
            moved = held._replace(time_us=held.time_us - shift_us)
            await self.writer.append_row(known.vehicle_id, pack_row(*moved, FLAG_CLOCK), None)

    async def _accept_columns(self, columns: ReportColumns, gateway_token: str | None, door: str) -> IntakeResult:
        await self.writer.require_room()
        return await self.receive_known(columns, await self._bind(columns.names, gateway_token), door=door)

    async def receive_known(
        self, columns: ReportColumns, known: Mapping[str, DeviceBinding | None], *, door: str
    ) -> IntakeResult:
        """Take in reports whose devices are bound already, by the identifier in `columns`; they came through `door`.

        Raises
        ------
        UnavailableError
            If they could not be kept now; sending all of them again later does no harm.
        """
        now_us = to_microseconds(self.clock.now())
        judged = await self._judge_columns(columns, known, now_us)
        ahead = [
            (bound, int(judged.time_us[row]))
            for row in _rows_ahead(judged)
            if (bound := known[columns.names[columns.name[row]]]) is not None
        ]
        learned = await self._learn_clocks(ahead, now_us) if ahead else {}
        await self._release_understood(known.get(device) for device in columns.names)
        if learned:
            bindings = {device: known.get(device) for device in columns.names}
            known = {device: bound and learned.get(bound.device_id, bound) for device, bound in bindings.items()}
            judged = await self._judge_columns(columns, known, now_us)
        self._note_columns(columns, known, judged, now_us)
        counts = judged.refusals.counts
        await self.writer.append(judged.fixes, {refused(reason): n for reason, n in counts.items()}, door=door)
        await self._hearing.keep()
        return IntakeResult(len(judged.fixes), judged.refusals.listed, counts)

    async def _judge_columns(
        self, columns: ReportColumns, known: Mapping[str, DeviceBinding | None], now_us: int
    ) -> JudgedColumns:
        if len(columns.name) > _JUDGE_IN_THREAD_FROM:
            return await self.reader.in_thread(partial(self._judge.columns, columns, known, now_us))
        return self._judge.columns(columns, known, now_us)

    def _note_columns(
        self, columns: ReportColumns, known: Mapping[str, DeviceBinding | None], judged: JudgedColumns, now_us: int
    ) -> None:
        """Note what was refused of devices that are known, hold what may be right, keep apart what is faked."""
        now = from_microseconds(now_us)
        for device_id in judged.rolled:
            self._hearing.roll(device_id, now)
        for row, reason, count in judged.refused_of_known():
            detail = refused_value(reason, int(judged.time_us[row]), float(columns.lat[row]), float(columns.lon[row]))
            self._hearing.refuse(int(judged.device_id[row]), reason, detail, now, count)
        for row in _rows_ahead(judged):
            bound = known[columns.names[columns.name[row]]]
            if bound is not None:
                self._hearing.hold(judged.held(columns, row, now_us), bound.clock_shift_s)
        for row in np.flatnonzero(judged.verdict == VERDICTS.index(RefusalReason.MOCK))[:MAX_FAKED_WAITING].tolist():
            fix = judged.held(columns, row, now_us)
            if abs(fix.time_us) < MAX_SHOWN_US:
                speed_mps, accuracy_m = (None if math.isnan(x) else x for x in (fix.speed_mps, fix.accuracy_m))
                moment = from_microseconds(fix.time_us)
                self._hearing.fake(
                    FakedFix(fix.device_id, moment, fix.vehicle_id, now, fix.lon, fix.lat, speed_mps, accuracy_m)
                )

    async def _count(self, reason: RefusalReason) -> None:
        await self.writer.count({refused(reason): 1})

    async def _bind(self, identifiers: Iterable[str], gateway_token: str | None) -> Mapping[str, DeviceBinding | None]:
        """Identifiers → devices, at least for `identifiers`."""
        by_imei = gateway_token is not None and await self._is_gateway(gateway_token)
        wanted = set(identifiers)
        known = self.directory.known(wanted, by_imei=by_imei)
        if self._renewal is None and self.directory.wants_renewal():
            self._renewal = asyncio.get_running_loop().create_task(self._renew())
        missing = {identifier for identifier in wanted if identifier not in known}
        if not missing:
            return known
        remembered = {identifier: known[identifier] for identifier in wanted - missing}
        return remembered | await self._look_up(missing, by_imei=by_imei)

    async def _look_up(self, identifiers: set[str], *, by_imei: bool) -> Bindings:
        """Ask the database; all that are waited for at a time are asked for together, in one query."""
        found: Bindings = {}
        while missing := identifiers - found.keys():
            self._wanted[by_imei] |= missing
            if self._loading is None:
                self._loading = asyncio.get_running_loop().create_task(self._load_wanted())
            found |= (await asyncio.shield(self._loading))[by_imei]
        return {identifier: found[identifier] for identifier in identifiers}

    async def _load_wanted(self) -> dict[bool, Bindings]:
        await asyncio.sleep(0)  # all that came in one turn of the loop are asked for together
        wanted, self._wanted = self._wanted, {False: set(), True: set()}

        def load(session: Session) -> dict[bool, Bindings]:
            return {
                by_imei: self.directory.load(session, own, by_imei=by_imei) if own else {}
                for by_imei, own in wanted.items()
            }

        try:
            return await self._ask(load)
        finally:
            self._loading = None

    async def _renew(self) -> None:
        try:
            await self._ask(self.directory.renew)
        except UnavailableError:
            self.directory.forget()  # then each message asks, and is refused
        finally:
            self._renewal = None

    async def _is_gateway(self, token: str) -> bool:
        answer = self.directory.is_gateway(token)
        return (
            await self._ask(lambda session: self.directory.load_gateway(session, token)) if answer is None else answer
        )

    async def _ask(self, question: Callable[[Session], Answer]) -> Answer:
        def ask() -> Answer:
            with self._sessions() as session:
                return question(session)

        try:
            async with asyncio.timeout(_ASK_TIMEOUT_S):
                return await asyncio.to_thread(ask)
        except (SQLAlchemyError, TimeoutError):
            raise UnavailableError(
                "The database does not answer; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
            ) from None


def _names(report: Report) -> tuple[str, ...]:
    """What the sender may be known by, the likeliest first."""
    return (report.device, *report.alternatives) if report.alternatives else (report.device,)


def _find(report: Report, known: Mapping[str, DeviceBinding | None]) -> DeviceBinding | None:
    if report.fault is not None:
        return None
    return next((found for name in _names(report) if (found := known.get(name)) is not None), None)


def _unknown(report: Report) -> NotFoundError:
    return NotFoundError("No device is enrolled with the identifier {device}.", field="id", device=report.device[:40])


def _rows_ahead(judged: JudgedColumns) -> list[int]:
    """Rows of reports from the future, the last of each device."""
    rows = np.flatnonzero(judged.verdict == VERDICTS.index(RefusalReason.FUTURE))
    return last_of_each(judged.device_id, rows, MAX_HELD)


def _raise_mendable(first: Report, count: int, refusals: Refusals) -> None:
    """Raise what somebody must mend, of a message of which none of `count` reports was taken in.

    Raises
    ------
    NotFoundError
        If all reports name devices that are not enrolled.
    InvalidInputError
        If the position of its single report is not on earth.
    """
    if refusals.counts.keys() == {RefusalReason.UNKNOWN_DEVICE}:
        raise _unknown(first)
    if count == 1 and refusals.counts.keys() == {RefusalReason.OUT_OF_RANGE}:
        raise InvalidInputError(DETAILS[RefusalReason.OUT_OF_RANGE], field="lat", lat=first.lat, lon=first.lon)
