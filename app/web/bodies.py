"""Bodies of requests: read whole, within a size and a time, before anything else is done about the request.

Who sends slowly then holds a few kilobytes and nothing else: no thread, no connection of the database, no lock. What
is larger than usual is read only of callers that have proved who they are.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from anyio import to_thread
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.platform.errors import answer_error
from geo.clock import Clock
from ingest.budget import Budget, Share

MAX_BYTES: Final = 2**20
"""Of a body of which nothing else is said."""
IDLE_S: Final = 10.0
"""How long may pass between two pieces of a body."""
MIN_BYTES_PER_S: Final = 20_000
"""A phone at the edge of its cell; with `IDLE_S` it is how long a whole body may take."""
MAX_HELD_BYTES: Final = 128 * 2**20
"""Of all bodies that a process holds at once; beyond that it answers 503."""


@dataclass(frozen=True)
class LargeBody:
    """Requests whose bodies may be larger than usual: their paths, how large, and who may send them.

    `sender` raises what the caller is answered if it has not proved who it is; it runs in a thread.
    """

    path: re.Pattern[str]
    max_bytes: int
    sender: Callable[[Session, Request, Clock], object]


class BoundedBodies:
    """Passes a request on once its body is here; `apart` are paths whose bodies are read elsewhere."""

    def __init__(self, app: ASGIApp, *, large: Sequence[LargeBody] = (), apart: str | tuple[str, ...] = ()) -> None:
        self.app = app
        self._large = tuple(large)
        self._apart = apart
        self._budget = Budget(MAX_HELD_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, or answer why it is not read; then pass the request on."""
        if scope["type"] != "http" or scope["path"].startswith(self._apart) or not _has_body(scope):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        with self._budget.share() as share:
            try:
                waiting = [await self._read(request, share)]
            except ClientDisconnect:
                return
            except Exception as error:
                answer = await answer_error(request, error)
                answer.headers["Connection"] = "close"  # what was not read is not the next request
                await answer(scope, receive, send)
                return

            async def replay() -> Message:
                if waiting:
                    return {"type": "http.request", "body": waiting.pop(), "more_body": False}
                return await receive()

            await self.app(scope, replay, send)

    async def _read(self, request: Request, share: Share) -> bytes:
        large = next((each for each in self._large if each.path.fullmatch(request.scope["path"])), None)
        if large is None:
            return b"".join([piece async for piece in body_pieces(request, MAX_BYTES, share)])
        is_checked = _says_more_than(request, MAX_BYTES)
        if is_checked:
            await _check(request, large)
        parts: list[bytes] = []
        async for piece in body_pieces(request, large.max_bytes, share):
            parts.append(piece)
            if not is_checked and share.held_bytes > MAX_BYTES:
                await _check(request, large)
                is_checked = True
        return b"".join(parts)


async def body_pieces(request: Request, limit: int, share: Share) -> AsyncIterator[bytes]:
    """The body of a request as it comes, each piece taken of `share`: what is only announced takes nothing.

    Raises
    ------
    HTTPException
        413 if it is larger than `limit` bytes, by what it says or by what comes; 408 if it comes too slowly.
    UnavailableError
        If more is being read at once than memory is meant for.
    ClientDisconnect
        If the client goes away.
    """
    if _says_more_than(request, limit):
        raise _too_large(limit)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + IDLE_S + limit / MIN_BYTES_PER_S
    size, is_more = 0, True
    while is_more:
        try:
            async with asyncio.timeout(min(IDLE_S, deadline - loop.time())):
                message = await request.receive()
        except TimeoutError:
            raise HTTPException(408, "The body came too slowly; send it again.") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        is_more = message.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        share.take(len(piece))
        yield piece


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return headers.get(b"content-length", b"0").strip() != b"0" or b"transfer-encoding" in headers


def _says_more_than(request: Request, limit: int) -> bool:
    declared = request.headers.get("content-length", "")
    return declared.isdecimal() and int(declared) > limit


async def _check(request: Request, large: LargeBody) -> None:
    runtime = request.app.state.runtime

    def check() -> None:
        with runtime.sessions() as session:
            large.sender(session, request, runtime.clock)

    await to_thread.run_sync(check)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit} bytes; send smaller pieces.")
