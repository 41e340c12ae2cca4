"""The public board beside the framework: thousands look at once when the road stands still.

Pure ASGI, inside of what adds headers: who has no session and asks for a page of the board gets the kept body at once.
All others, and unknown gates, go on to the framework, whose routes (`app.public.board_pages`) answer the same.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.platform.errors import answer_error
from app.public.board_answers import answer_board, route_of
from app.tracking.gps_door import names_device
from app.web.headers import is_signed_in


class _Route(NamedTuple):
    """What figures of requests are kept under."""

    path: str


class BoardDoor:
    """Answers at the board's paths whoever is not signed in, and passes everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is kept, or pass the request on."""
        looks = scope["type"] == "http" and scope["method"] == "GET" and not is_signed_in(scope)
        if not looks or names_device(scope["query_string"]):
            await self.app(scope, receive, send)
            return
        route = route_of(scope["path"], scope["app"].state.runtime.corridor)
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = _Route(route)
        request = Request(scope, receive)
        try:
            answer = await answer_board(request, scope["path"])
        except Exception as error:
            answer = await answer_error(request, error)
        await answer(scope, receive, send)
