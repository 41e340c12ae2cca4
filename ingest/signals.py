"""What devices tell beside where they are: a driver's call for help, power lost, regions entered, ignition.

The intake appends signals to the stream `ck:signals`, as durable as a fix and before it: a call for help counts whether
or not its receiver has a fix. Control reads them into the database and tells people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

import orjson
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from geo.errors import UnavailableError
from ingest.formats.report import Report, from_microseconds
from ingest.store import DeviceBinding
from ingest.stream import RETRY_AFTER_S

STREAM: Final = "ck:signals"
MAX_LENGTH: Final = 200_000
LOW_BATTERY: Final = 0.15
BATTERY_RECOVERED: Final = 0.25
MAX_REMEMBERED: Final = 200_000


class SignalKind(StrEnum):
    """What a signal says."""

    SOS = "sos"
    ACCIDENT = "accident"
    POWER_LOST = "power_lost"
    LOW_BATTERY = "low_battery"
    REGION_ENTERED = "region_entered"
    REGION_LEFT = "region_left"
    IGNITION_ON = "ignition_on"
    IGNITION_OFF = "ignition_off"


_ALARMS: Final = {
    "sos": SignalKind.SOS,
    "panic": SignalKind.SOS,
    "accident": SignalKind.ACCIDENT,
    "powercut": SignalKind.POWER_LOST,
    "poweroff": SignalKind.POWER_LOST,
    "lowbattery": SignalKind.LOW_BATTERY,
    "lowpower": SignalKind.LOW_BATTERY,
    "geofenceenter": SignalKind.REGION_ENTERED,
    "geofenceexit": SignalKind.REGION_LEFT,
}
"""Names of alarms as Traccar writes them, in small letters without separators."""
_REPEATS_S: Final = {
    SignalKind.SOS: 600,
    SignalKind.ACCIDENT: 600,
    SignalKind.POWER_LOST: 3_600,
    SignalKind.LOW_BATTERY: 6 * 3_600,
}
"""How long after one of a kind another of the same device says nothing new: trackers repeat an alarm with every fix."""
_IGNITION_SAID_AGAIN_US: Final = 300 * 1_000_000
"""A process that remembers an ignition may have missed its change, which another process was told: so it tells again
after a while, and control, who keeps events, knows what is new."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that a device told, when (µs since 1970 UTC), and where if it knew."""

    device_id: int
    vehicle_id: int
    kind: SignalKind
    time_us: int
    lat: float | None = None
    lon: float | None = None
    detail: str = ""


def read_signals(report: Report) -> Iterator[tuple[SignalKind, str]]:
    """What a report signals, each with the region it names if it is about one."""
    said = report.attributes
    found: dict[SignalKind, str] = {}
    for name in str(said.get("alarm", "")).split(","):
        kind = _ALARMS.get(name.strip().lower().replace("_", "").replace(" ", ""))
        if kind is not None:
            found[kind] = ""
    if said.get("event") in ("sos", "panic"):
        found[SignalKind.SOS] = ""
    region = str(said.get("region", ""))[:100]
    if said.get("transition") == "enter":
        found[SignalKind.REGION_ENTERED] = region
    elif said.get("transition") == "leave":
        found[SignalKind.REGION_LEFT] = region
    if report.battery is not None and report.battery < LOW_BATTERY and said.get("charge") is not True:
        found[SignalKind.LOW_BATTERY] = f"{report.battery:.0%}"
    if said.get("ignition") is True:
        found[SignalKind.IGNITION_ON] = ""
    elif said.get("ignition") is False:
        found[SignalKind.IGNITION_OFF] = ""
    yield from found.items()


class SignalWriter:
    """Appends signals that are new. Remembers, in this process, what each device told last; lives in one event loop.

    While some are on their way, others gather and leave together with the next: after an outage thousands of terminals
    tell of their ignition in the same seconds.
    """

    def __init__(self, redis: AsyncRedis) -> None:
        self._redis = redis
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._told: dict[tuple[int, SignalKind], int] = {}
        self._ignition: dict[int, tuple[SignalKind, int]] = {}

    async def take(self, report: Report, device: DeviceBinding, time_us: int) -> None:
        """Append what `report` signals, made at `time_us` by a right clock; returns when it is durable.

        Raises
        ------
        UnavailableError
            If it could not be kept.
        """
        if not report.attributes and report.battery is None:
            return
        if report.battery is not None and report.battery > BATTERY_RECOVERED:
            self._told.pop((device.device_id, SignalKind.LOW_BATTERY), None)
        for kind, detail in read_signals(report):
            if self._is_new(device.device_id, kind, time_us):
                place = (report.lat, report.lon)
                if place in ((None, None), (0.0, 0.0)):  # zeros are what receivers send that have no position
                    place = (_number(report, "last_lat"), _number(report, "last_lon"))
                await self._append(Signal(device.device_id, device.vehicle_id, kind, time_us, *place, detail))
                self._remember(device.device_id, kind, time_us)

    def _is_new(self, device_id: int, kind: SignalKind, time_us: int) -> bool:
        if kind in (SignalKind.IGNITION_ON, SignalKind.IGNITION_OFF):
            last, last_us = self._ignition.get(device_id, (None, 0))
            return last is not kind or abs(time_us - last_us) >= _IGNITION_SAID_AGAIN_US
        told_us = self._told.get((device_id, kind))
        return told_us is None or abs(time_us - told_us) >= _REPEATS_S.get(kind, 0) * 1_000_000

    def _remember(self, device_id: int, kind: SignalKind, time_us: int) -> None:
        if len(self._told) + len(self._ignition) > MAX_REMEMBERED:
            self._told.clear()
            self._ignition.clear()
        if kind in (SignalKind.IGNITION_ON, SignalKind.IGNITION_OFF):
            self._ignition[device_id] = (kind, time_us)
        elif kind in _REPEATS_S:
            self._told[device_id, kind] = time_us

    async def _append(self, signal: Signal) -> None:
        is_durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((encode(signal), is_durable))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())
        await is_durable

    async def _send(self) -> None:
        while self._waiting:
            sent, self._waiting = self._waiting, []
            failure: Exception | None = None
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for data, _ in sent:
                        pipe.xadd(STREAM, cast(Any, {b"s": data}), maxlen=MAX_LENGTH, approximate=True)
                    await pipe.execute()
            except (RedisError, OSError):
                failure = UnavailableError(
                    "The queue does not answer; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
                )
            except Exception as error:  # whoever waits must get it, whatever it is
                failure = error
            for _, is_durable in sent:
                if is_durable.done():
                    continue
                if failure is None:
                    is_durable.set_result(None)
                else:
                    is_durable.set_exception(failure)


def encode(signal: Signal) -> bytes:
    """A signal as it lies in the stream."""
    return orjson.dumps(signal)


def decode(data: bytes) -> Signal:
    """A signal out of the stream; raises ValueError or TypeError if it is none."""
    values = orjson.loads(data)
    signal = Signal(**{**values, "kind": SignalKind(values["kind"])})
    from_microseconds(signal.time_us)
    return signal


def repeats_s(kind: SignalKind) -> int:
    """How long after one of a kind another of the same device says nothing new."""
    return _REPEATS_S.get(kind, 0)


def _number(report: Report, name: str) -> float | None:
    value = report.attributes.get(name)
    return value if isinstance(value, float) and value != 0.0 else None
