"""The way to `/ogc`: its libraries are loaded and its connections opened when somebody first asks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.platform.errors import answer_own
from app.platform.runtime import Runtime
from geo.errors import NotFoundError

if TYPE_CHECKING:
    from fastapi import FastAPI

PATH = "/ogc"


class OgcDoor:
    """ASGI: hands requests to the application of `app.open_data.ogc`, on the runtime of the application around it."""

    def __init__(self) -> None:
        self._ogc: FastAPI | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say that this installation serves no such thing."""
        outer: Starlette = scope["app"]
        runtime: Runtime = outer.state.runtime
        if not runtime.settings.open_database_url.get_secret_value():
            error = NotFoundError("This installation serves no open data by OGC API: OPEN_DATABASE_URL is not set.")
            await answer_own(Request(scope, receive), error)(scope, receive, send)
            return
        ogc = await self._ready(outer, runtime)
        await ogc(scope, receive, send)

    async def _ready(self, outer: Starlette, runtime: Runtime) -> FastAPI:
        async with self._lock:
            from app.open_data import ogc  # noqa: PLC0415 - half a second that most processes can spare

            if self._ogc is None:
                self._ogc = await to_thread.run_sync(ogc.make_ogc, PATH)
            state = self._ogc.state
            if getattr(outer.state, "open_pool", None) is None:
                outer.state.open_pool = await ogc.open_pool(runtime.settings.open_database_url.get_secret_value())
            if getattr(state, "corridor", None) is not runtime.corridor:
                state.corridor, state.collection_catalog = runtime.corridor, ogc.catalog_of(runtime.corridor)
            state.runtime, state.pool = runtime, ogc.ImpatientPool(outer.state.open_pool)
            state.gettext = outer.state.gettext
            return self._ogc


async def close_pool(outer: Starlette) -> None:
    """Give the connections back, if there are any."""
    pool, outer.state.open_pool = getattr(outer.state, "open_pool", None), None
    if pool is not None:
        await pool.close()
