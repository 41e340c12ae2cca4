"""The intake of GPS messages of a process, whatever transport brings them."""

from __future__ import annotations

from app.platform.runtime import Runtime
from ingest.devices import DeviceDirectory
from ingest.intake import FixIntake
from ingest.stream import FixWriter


def open_fix_intake(runtime: Runtime) -> FixIntake:
    """An intake on the servers and settings of a process; for one event loop."""
    settings = runtime.settings
    return FixIntake(
        writer=FixWriter(runtime.async_redis, settings.ingest_shards),
        directory=DeviceDirectory(),
        sessions=runtime.sessions,
        clock=runtime.clock,
        retention_days=settings.fix_retention_days,
        future_tolerance_s=settings.fix_future_tolerance_s,
    )
