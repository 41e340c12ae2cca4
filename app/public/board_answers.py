"""The public board as answers: which paths are its own, what stands at each, and what goes over the wire.

What is kept is made of nothing of a request but its path and its language, so that nothing of who asked first can be
in what others get.
"""

from __future__ import annotations

from typing import Final

import orjson
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from app.gates.vocabulary import KIND_NAMES
from app.notices.endpoints import Naming
from app.platform.runtime import Runtime
from app.public.board import Board, make_board
from app.public.board_keeper import FRESH_S, BoardKeeper, KeptBody
from app.web.first_sheet import VARIES_BY
from app.web.i18n import LANGUAGE_COOKIE
from app.web.pages import Pages, render
from geo.corridor import Corridor

JSON_PATH: Final = "/api/v1/board"
PAGES: Final = ("/", "/board")
PAGE: Final = "public/board.html"
SCREEN: Final = "public/screen.html"
WITH_SHEET: Final = "#sheet"
"""After the path of a page that brings its style sheet."""
SCREENS: Final = "/board/"
SHARED: Final = {
    "Cache-Control": f"public, max-age={FRESH_S:.0f}",
    "Vary": ", ".join(("Accept-Encoding", "Accept-Language", *VARIES_BY)),
}
"""Anybody may keep a board for as long as this process does."""


def route_of(path: str, corridor: Corridor) -> str | None:
    """The template of the route of one of the board's paths; `None` of any other, unknown gates among them."""
    if path == JSON_PATH or path in PAGES:
        return path
    gate_id = path.removeprefix(SCREENS)
    if gate_id != path and any(gate.site_id == gate_id for gate in corridor.gates()):
        return f"{SCREENS}{{gate_id}}"
    return None


def get_keeper(app: FastAPI) -> BoardKeeper:
    """The boards of this process."""
    state = app.state
    if not hasattr(state, "board_keeper"):

        def make(language: str) -> Board:
            runtime: Runtime = state.runtime
            naming = Naming.of(_asking(app, language, "/"))
            with runtime.sessions() as session:
                return make_board(
                    session,
                    runtime.corridor,
                    runtime.clock.now(),
                    language=language,
                    simulated=runtime.settings.demo,
                    say=lambda notice: naming(notice).text,
                )

        def write(board: Board, language: str, path: str) -> KeptBody:
            if path == JSON_PATH:
                return KeptBody.of("application/json", orjson.dumps(board))
            plain_path = path.removesuffix(WITH_SHEET)
            request = _asking(app, language, plain_path, as_document=path != plain_path)
            if plain_path in PAGES:
                answer = render(request, PAGE, board=board, kind_names=KIND_NAMES)
            else:
                gate = next(gate for gate in board.gates if gate.gate_id == plain_path.removeprefix(SCREENS))
                answer = render(request, SCREEN, board=board, gate=gate)
            policy = answer.headers.get("content-security-policy")
            return KeptBody.of("text/html; charset=utf-8", bytes(answer.body), policy)

        state.board_keeper = BoardKeeper(make, write)
    keeper: BoardKeeper = state.board_keeper
    return keeper


async def answer_board(request: Request, path: str) -> Response:
    """What stands at `path`, one of the board's, in the caller's language; raises as `BoardKeeper.get`."""
    pages: Pages = request.app.state.pages
    if path != JSON_PATH and pages.first_sheet(request, PAGE if path in PAGES else SCREEN).is_brought:
        path += WITH_SHEET
    return as_answer(await get_keeper(request.app).body(pages.language(request), path), request.headers)


def as_answer(body: KeptBody, asked: Headers) -> Response:
    """A kept body for a request with these headers: packed if it may be, 304 if it is known (RFC 9110, 13.1.2)."""
    headers = {**SHARED, "ETag": body.etag}
    if body.policy is not None:
        headers["Content-Security-Policy"] = body.policy
    known = asked.get("if-none-match", "")
    if known.strip() == "*" or body.etag in known:
        return Response(None, 304, headers)
    is_packed = "gzip" in asked.get("accept-encoding", "")
    if is_packed:
        headers["Content-Encoding"] = "gzip"
    return Response(body.packed if is_packed else body.plain, 200, headers, body.content_type)


def _asking(app: FastAPI, language: str, path: str, *, as_document: bool = False) -> Request:
    """A request of nobody, who only reads a language, and may open the page as a document."""
    headers = [(b"cookie", f"{LANGUAGE_COOKIE}={language}".encode())]
    if as_document:
        headers.append((b"sec-fetch-dest", b"document"))
    return Request({"type": "http", "app": app, "method": "GET", "path": path, "headers": headers})
