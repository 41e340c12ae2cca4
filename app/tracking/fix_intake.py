"""The intake of GPS messages of a process, whatever transport brings them, and the gateways of trackers."""

from __future__ import annotations

import asyncio
from typing import Protocol

from app.platform.runtime import Runtime
from app.tracking.commands import CommandDesk
from app.tracking.terminal_gateway import TerminalGateway
from app.tracking.terminal_state import PartStore
from geo.clock import SteadyClock, SystemClock
from ingest.devices import DeviceDirectory, GatewayDirectory
from ingest.formats.gps_format import GpsFormat, IntakeResult
from ingest.formats.registry import TERMINAL_FORMATS
from ingest.intake import FixIntake
from ingest.signals import SignalWriter
from ingest.stream import FixWriter


class State(Protocol):
    """What of an application's state is used here."""

    runtime: Runtime
    command_desk: tuple[object, CommandDesk]
    fix_intake: tuple[object, FixIntake]


def open_fix_intake(runtime: Runtime, directory: DeviceDirectory | None = None) -> FixIntake:
    """An intake on the servers and settings of a process; for one event loop."""
    settings = runtime.settings
    return FixIntake(
        writer=FixWriter(runtime.async_redis, settings.ingest_shards, max_bytes=settings.ingest_max_stream_mb * 2**20),
        directory=directory or DeviceDirectory(),
        sessions=runtime.sessions,
        clock=SteadyClock(runtime.clock) if isinstance(runtime.clock, SystemClock) else runtime.clock,
        retention_days=settings.fix_retention_days,
        future_tolerance_s=settings.fix_future_tolerance_s,
        signals=SignalWriter(runtime.async_redis),
    )


def shared_intake(state: State) -> FixIntake:
    """The intake of an application and event loop, opened by whoever needs it first; `state` is the application's.

    Doors and uploads share it, so that one budget bounds what is read at once, and one process reads what is large.
    """
    loop = asyncio.get_running_loop()
    opened: tuple[object, FixIntake] | None = getattr(state, "fix_intake", None)
    if opened is None or opened[0] is not loop:
        state.fix_intake = opened = (loop, open_fix_intake(state.runtime))
    return opened[1]


def open_command_desk(runtime: Runtime, protocol: str) -> CommandDesk:
    """Where a transport fetches what waits for its devices; for one event loop."""
    return CommandDesk(protocol, runtime.async_redis, runtime.sessions, runtime.clock)


async def texts_for(state: State, intake: FixIntake, gps_format: GpsFormat, result: IntakeResult) -> list[str]:
    """What waits to be shown by the sender of a message whose intake is `result`; `state` is the application's."""
    if gps_format.answer_commands is None:
        return []
    opened: tuple[object, CommandDesk] | None = getattr(state, "command_desk", None)
    if opened is None or opened[0] is not intake:
        state.command_desk = opened = (intake, open_command_desk(state.runtime, gps_format.name))
    desk = opened[1]
    if not await desk.waiting():
        return []
    return [command.text for command in await desk.take(result.vehicle_ids)]


def open_terminal_gateway(runtime: Runtime, protocol: str) -> TerminalGateway:
    """The gateway of a protocol of trackers, by its name in the registry; for one event loop."""
    settings = runtime.settings
    return TerminalGateway(
        TERMINAL_FORMATS[protocol],
        open_fix_intake(runtime, GatewayDirectory()),
        parts=PartStore(runtime.async_redis, protocol),
        sessions=runtime.sessions,
        key=settings.secret_key.get_secret_value().encode(),
        commands=open_command_desk(runtime, protocol),
        must_authenticate=protocol == "jt808" and settings.jt808_require_authentication,
    )
