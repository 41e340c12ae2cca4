"""One intake for every transport: read the message, whose device is it, may it be believed, then into the stream.

HTTP, MQTT and TCP gateways hand in a format of `ingest.formats.registry` and a `RawMessage`, and get an `IntakeResult`
or an error of `geo.errors`. Refusals are counted by `RefusalReason`; what only the worker can tell (`impossible_jump`,
a repeat, a late fix) is counted there.
"""

from __future__ import annotations

import asyncio
import math
from collections import ChainMap, Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import numpy as np
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from geo.clock import Clock
from geo.errors import InvalidInputError, MalformedError, NotFoundError, UnavailableError
from ingest.devices import DeviceDirectory
from ingest.fixes import FIX, FLAG_RECEIPT_TIME, FixArray
from ingest.formats.gps_format import Credential, Decoded, GpsFormat, IntakeResult, RawMessage
from ingest.formats.report import (
    NO_TIME,
    AttributeValues,
    EncryptedError,
    Refusal,
    RefusalReason,
    Report,
    ReportColumns,
    from_microseconds,
    to_microseconds,
)
from ingest.store import DeviceBinding
from ingest.stream import RETRY_AFTER_S, FixWriter, pack_row, refused

Answer = TypeVar("Answer")

_DAY_US = 86_400_000_000
_DECODE_IN_THREAD_FROM_BYTES = 256 * 1024
_MAX_FLOAT32 = 3e38
_DETAILS: Mapping[RefusalReason, str] = {
    RefusalReason.UNKNOWN_DEVICE: "No device is enrolled with this identifier.",
    RefusalReason.OUT_OF_RANGE: "lat={lat}, lon={lon} is not on earth: −90 ≤ lat ≤ 90, −180 ≤ lon ≤ 180.",
    RefusalReason.NO_POSITION: "lat=0, lon=0 is what receivers send that have no position.",
    RefusalReason.MOCK: "The position was faked on the phone.",
    RefusalReason.FUTURE: "time={time} is in the future.",
    RefusalReason.TOO_OLD: "time={time} is older than positions are kept.",
}


class FixIntake:
    """Judges reports and appends the fixes among them to the streams. Lives in one event loop.

    Arguments: `writer` appends to the streams, `directory` remembers identifiers, `sessions` opens database sessions,
    `clock` says when a message is received; a fix older than `retention_days` or further than `future_tolerance_s`
    ahead of the clock is refused.
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
    ) -> None:
        self.writer, self.directory, self.clock = writer, directory, clock
        self._sessions = sessions
        self._retention_us = retention_days * _DAY_US
        self._renewal: asyncio.Task[None] | None = None
        self._tolerance_us = int(future_tolerance_s * 1e6)

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
            decoded = await _decode(gps_format, message)
        except MalformedError:
            await self._count(RefusalReason.MALFORMED)
            raise
        except EncryptedError:
            await self._count(RefusalReason.ENCRYPTED)
            raise
        if isinstance(decoded, ReportColumns):
            return await self._accept_columns(decoded, gateway_token)
        return await self._accept_reports(decoded, gateway_token)

    async def _accept_reports(self, reports: Sequence[Report], gateway_token: str | None) -> IntakeResult:
        refusals: list[Refusal] = []
        for number, report in enumerate(reports, 1):
            refusal = await self._accept(report, number, gateway_token)
            if refusal is not None:
                refusals.append(refusal)
        return IntakeResult(len(reports) - len(refusals), refusals)

    async def _accept(self, report: Report, number: int, gateway_token: str | None) -> Refusal | None:
        bound = (await self._bind([report.device], gateway_token)).get(report.device)
        if bound is None:
            await self._count(RefusalReason.UNKNOWN_DEVICE)
            raise NotFoundError(
                "No device is enrolled with the identifier {device}.", field="id", device=report.device[:40]
            )
        now_us = to_microseconds(self.clock.now())
        time_us = now_us if report.time is None else to_microseconds(report.time)
        reason = self._judge(report, time_us, now_us)
        if reason is not None:
            await self._count(reason)
            if reason is RefusalReason.OUT_OF_RANGE:
                raise InvalidInputError(_DETAILS[reason], field="lat", lat=report.lat, lon=report.lon)
            return Refusal(number, reason, _DETAILS[reason].format(time=report.time))
        assert report.lat is not None
        assert report.lon is not None
        row = pack_row(
            bound.vehicle_id,
            bound.device_id,
            time_us,
            now_us,
            report.lon,
            report.lat,
            _real(report.speed_mps),
            _real(report.heading_deg),
            _real(report.accuracy_m),
            FLAG_RECEIPT_TIME if report.time is None else 0,
        )
        await self.writer.append_row(bound.vehicle_id, row, _attributes(report))
        return None

    async def _accept_columns(self, columns: ReportColumns, gateway_token: str | None) -> IntakeResult:
        await self.writer.require_room()
        known = await self._bind(columns.device, gateway_token)
        fixes, refusals = self._judge_columns(columns, known)
        refusals = sorted([*columns.errors, *refusals], key=lambda refusal: refusal.line)
        await self.writer.append(fixes, Counter(refused(refusal.reason) for refusal in refusals))
        return IntakeResult(len(fixes), refusals)

    async def _count(self, reason: RefusalReason) -> None:
        await self.writer.count({refused(reason): 1})

    def _judge(self, report: Report, time_us: int, now_us: int) -> RefusalReason | None:
        if report.lat is None or report.lon is None or (report.lat == 0.0 and report.lon == 0.0):
            return RefusalReason.NO_POSITION
        if not (-90.0 <= report.lat <= 90.0 and -180.0 <= report.lon <= 180.0):
            return RefusalReason.OUT_OF_RANGE
        if report.mock:
            return RefusalReason.MOCK
        if time_us > now_us + self._tolerance_us:
            return RefusalReason.FUTURE
        if time_us < now_us - self._retention_us:
            return RefusalReason.TOO_OLD
        return None

    def _judge_columns(
        self, columns: ReportColumns, known: Mapping[str, DeviceBinding | None]
    ) -> tuple[FixArray, list[Refusal]]:
        """The fixes among the reports, and what was wrong with the others; as `_judge`, for many at once."""
        now_us = to_microseconds(self.clock.now())
        nobody = (-1, -1)
        pairs = {
            device: nobody if bound is None else (bound.device_id, bound.vehicle_id)
            for device in set(columns.device)
            for bound in (known.get(device),)
        }
        bound = np.array([pairs[device] for device in columns.device], dtype=np.int64).reshape(-1, 2)
        unnamed = columns.time_us == NO_TIME
        time_us = np.where(unnamed, now_us, columns.time_us)
        lat, lon = columns.lat, columns.lon
        verdicts = (
            (RefusalReason.UNKNOWN_DEVICE, bound[:, 0] < 0),
            (RefusalReason.NO_POSITION, (lat == 0.0) & (lon == 0.0)),
            (RefusalReason.OUT_OF_RANGE, ~((lat >= -90.0) & (lat <= 90.0) & (lon >= -180.0) & (lon <= 180.0))),
            (RefusalReason.MOCK, columns.mock),
            (RefusalReason.FUTURE, time_us > now_us + self._tolerance_us),
            (RefusalReason.TOO_OLD, time_us < now_us - self._retention_us),
        )
        bad = np.zeros(len(lat), dtype=np.bool_)
        refusals: list[Refusal] = []
        for reason, wrong in verdicts:
            for row in np.flatnonzero(wrong & ~bad).tolist():
                moment = from_microseconds(int(time_us[row])).isoformat() if abs(time_us[row]) < 6e16 else "?"
                detail = _DETAILS[reason].format(lat=lat[row], lon=lon[row], time=moment)
                named = reason is not RefusalReason.OUT_OF_RANGE
                shown = f"{columns.device[row][:8]}…: {detail}" if named else detail
                refusals.append(Refusal(int(columns.line[row]), reason, shown))
            bad |= wrong
        good = ~bad if bad.any() else slice(None)
        fixes = np.empty(len(lat) - int(bad.sum()), FIX)
        fixes["device_id"], fixes["vehicle_id"] = bound[good, 0], bound[good, 1]
        fixes["time_us"], fixes["received_us"] = time_us[good], now_us
        for name in ("lon", "lat", "speed_mps", "heading_deg", "accuracy_m"):
            fixes[name] = getattr(columns, name)[good]
        fixes["flags"] = np.where(unnamed, FLAG_RECEIPT_TIME, 0)[good]
        return fixes, refusals

    async def _bind(self, identifiers: Iterable[str], gateway_token: str | None) -> Mapping[str, DeviceBinding | None]:
        """Identifiers → devices, at least for `identifiers`."""
        by_imei = gateway_token is not None and await self._is_gateway(gateway_token)
        wanted = set(identifiers)
        known = self.directory.known(wanted, by_imei=by_imei)
        if self._renewal is None and self.directory.wants_renewal():
            self._renewal = asyncio.get_running_loop().create_task(self._renew())
        missing = wanted - known.keys()
        if not missing:
            return known
        loaded = await self._ask(lambda session: self.directory.load(session, missing, by_imei=by_imei))
        return ChainMap(loaded, known)

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
            return await asyncio.to_thread(ask)
        except SQLAlchemyError:
            raise UnavailableError(
                "The database does not answer; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
            ) from None


async def _decode(gps_format: GpsFormat, message: RawMessage) -> Decoded:
    size = len(message.payload)
    if size > gps_format.max_bytes:
        raise MalformedError("The message is larger than {limit} bytes.", limit=gps_format.max_bytes)
    if size > _DECODE_IN_THREAD_FROM_BYTES:
        return await asyncio.to_thread(gps_format.decode, message)
    return gps_format.decode(message)


def _real(value: float | None) -> float:
    """`value` as a single-precision measurement: unknown, or beyond what such a number can hold, is NaN."""
    return math.nan if value is None or abs(value) > _MAX_FLOAT32 else value


def _attributes(report: Report) -> AttributeValues:
    kept = dict(report.attributes)
    if report.battery is not None:
        kept["battery"] = report.battery
    if report.altitude_m is not None:
        kept["altitude_m"] = report.altitude_m
    return kept
