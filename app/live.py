"""Live events of this process: one subscriber, fanned out to every open event stream."""

from __future__ import annotations

from types import TracebackType

from app.runtime import Runtime


class Live:
    """Subscribes to Redis while the process serves."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def __aenter__(self) -> Live:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
