"""What all doors do with decoded reports: whose device, may it be believed, then into the stream.

Refusals are counted by reason: `unknown_device`, `no_position`, `out_of_range`, `mock`, `future`, `too_old`,
`malformed`, `encrypted`; what only the worker can tell (`impossible_jump`, a repeat, a late fix) is counted there.
"""

from __future__ import annotations

import asyncio
import math
from collections import ChainMap, Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from geo.clock import Clock
from geo.errors import InvalidInputError, NotFoundError, UnavailableError
from ingest.devices import Bound, DeviceDirectory
from ingest.fixes import FIX, FLAG_RECEIPT_TIME, FixArray
from ingest.formats.batch import NO_TIME, Batch, LineError
from ingest.formats.report import Report, from_microseconds, to_microseconds
from ingest.stream import RETRY_AFTER_S, FixWriter, pack_row, refused

_DAY_US = 86_400_000_000
_DETAILS = {
    "unknown_device": "No device is enrolled with this identifier.",
    "out_of_range": "lat={lat}, lon={lon} is not on earth: −90 ≤ lat ≤ 90, −180 ≤ lon ≤ 180.",
    "no_position": "lat=0, lon=0 is what receivers send that have no position.",
    "mock": "The position was faked on the phone.",
    "future": "time={time} is in the future.",
    "too_old": "time={time} is older than positions are kept.",
}


class Doors:
    """Judges reports and appends the fixes among them to the streams. Lives in one event loop."""

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

    async def accept(self, report: Report, gateway_token: str | None = None) -> str | None:
        """Take in one report; `None` once its fix is durable, else why it was refused without blame to the client.

        Raises
        ------
        NotFoundError
            If no device is enrolled with the identifier.
        InvalidInputError
            If the position is not on earth.
        UnavailableError
            If the report could not be kept now; sending it again later may work.
        """
        bound = (await self._bind([report.device], gateway_token)).get(report.device)
        if bound is None:
            await self.refuse("unknown_device")
            raise NotFoundError(
                "No device is enrolled with the identifier {device}.", field="id", device=report.device[:40]
            )
        now_us = to_microseconds(self.clock.now())
        time_us = now_us if report.time is None else to_microseconds(report.time)
        reason = self._judge(report, time_us, now_us)
        if reason is not None:
            await self.refuse(reason)
            if reason == "out_of_range":
                raise InvalidInputError(_DETAILS[reason], field="lat", lat=report.lat, lon=report.lon)
            return reason
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

    async def accept_batch(self, batch: Batch, gateway_token: str | None = None) -> tuple[int, list[LineError]]:
        """Take in the lines of a bulk body; how many fixes are durable now, and what was wrong with the others.

        Raises
        ------
        UnavailableError
            If the fixes could not be kept now; sending the whole body again later does no harm.
        """
        await self.writer.require_room()
        errors = list(batch.errors)
        known = await self._bind(batch.device, gateway_token)
        fixes, refusals = self._judge_batch(batch, known)
        errors += refusals
        errors.sort(key=lambda error: error.line)
        await self.writer.append(fixes, Counter(refused(error.reason) for error in errors))
        return len(fixes), errors

    async def refuse(self, reason: str) -> None:
        """Count a refusal."""
        await self.writer.count({refused(reason): 1})

    def _judge(self, report: Report, time_us: int, now_us: int) -> str | None:
        if report.lat is None or report.lon is None or (report.lat == 0.0 and report.lon == 0.0):
            return "no_position"
        if not (-90.0 <= report.lat <= 90.0 and -180.0 <= report.lon <= 180.0):
            return "out_of_range"
        if report.mock:
            return "mock"
        if time_us > now_us + self._tolerance_us:
            return "future"
        if time_us < now_us - self._retention_us:
            return "too_old"
        return None

    def _judge_batch(self, batch: Batch, known: Mapping[str, Bound | None]) -> tuple[FixArray, list[LineError]]:
        now_us = to_microseconds(self.clock.now())
        nobody = (-1, -1)
        pairs = {
            device: nobody if bound is None else (bound.device_id, bound.vehicle_id)
            for device in set(batch.device)
            for bound in (known.get(device),)
        }
        bound = np.array([pairs[device] for device in batch.device], dtype=np.int64).reshape(-1, 2)
        unnamed = batch.time_us == NO_TIME
        time_us = np.where(unnamed, now_us, batch.time_us)
        lat, lon = batch.lat, batch.lon
        verdicts = (
            ("unknown_device", bound[:, 0] < 0),
            ("no_position", (lat == 0.0) & (lon == 0.0)),
            ("out_of_range", ~((lat >= -90.0) & (lat <= 90.0) & (lon >= -180.0) & (lon <= 180.0))),
            ("mock", batch.mock),
            ("future", time_us > now_us + self._tolerance_us),
            ("too_old", time_us < now_us - self._retention_us),
        )
        bad = np.zeros(len(lat), dtype=np.bool_)
        errors: list[LineError] = []
        for reason, wrong in verdicts:
            for row in np.flatnonzero(wrong & ~bad).tolist():
                moment = from_microseconds(int(time_us[row])).isoformat() if abs(time_us[row]) < 6e16 else "?"
                detail = _DETAILS[reason].format(lat=lat[row], lon=lon[row], time=moment)
                shown = f"{batch.device[row][:8]}…: {detail}" if reason != "out_of_range" else detail
                errors.append(LineError(int(batch.line[row]), reason, shown))
            bad |= wrong
        good = ~bad if bad.any() else slice(None)
        fixes = np.empty(len(lat) - int(bad.sum()), FIX)
        fixes["device_id"], fixes["vehicle_id"] = bound[good, 0], bound[good, 1]
        fixes["time_us"], fixes["received_us"] = time_us[good], now_us
        for name in ("lon", "lat", "speed_mps", "heading_deg", "accuracy_m"):
            fixes[name] = getattr(batch, name)[good]
        fixes["flags"] = np.where(unnamed, FLAG_RECEIPT_TIME, 0)[good]
        return fixes, errors

    async def _bind(self, identifiers: Iterable[str], gateway_token: str | None) -> Mapping[str, Bound | None]:
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
            self.directory.forget()  # then each request asks, and hears of it
        finally:
            self._renewal = None

    async def _is_gateway(self, token: str) -> bool:
        answer = self.directory.is_gateway(token)
        if answer is None:
            answer = bool(await self._ask(lambda session: self.directory.load_gateway(session, token)))
        return answer

    async def _ask(self, question: Callable[[Session], Any]) -> Any:
        def ask() -> Any:
            with self._sessions() as session:
                return question(session)

        try:
            return await asyncio.to_thread(ask)
        except SQLAlchemyError:
            raise UnavailableError(
                "The database does not answer; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
            ) from None


def _real(value: float | None) -> float:
    """`value` as a single-precision measurement: unknown, or beyond what one can hold, is NaN."""
    return math.nan if value is None or abs(value) > 3e38 else value


def _attributes(report: Report) -> dict[str, Any]:
    kept: dict[str, Any] = dict(report.attributes)
    if report.battery is not None:
        kept["battery"] = report.battery
    if report.altitude_m is not None:
        kept["altitude_m"] = report.altitude_m
    return kept
