"""The public board for everyone, without an account: as a page, on a screen beside the road, as JSON."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.accounts.authorisation import find_principal
from app.notices.endpoints import Naming
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.platform.runtime import Runtime
from app.public.board import Board, make_board
from app.public.board_keeper import BoardKeeper, KeptBoard
from app.web.pages import render
from geo.errors import NotFoundError

router = APIRouter(tags=["board"])

MaybePrincipal = Annotated[Principal | None, Depends(find_principal)]
NONCE = b"@nonce-of-the-answer@"


def get_keeper(request: Request) -> BoardKeeper:
    """The boards of this process."""
    state = request.app.state
    if not hasattr(state, "board_keeper"):
        state.board_keeper = BoardKeeper()
    keeper: BoardKeeper = state.board_keeper
    return keeper


async def get_board(request: Request) -> KeptBoard:
    """The board in the caller's language."""
    runtime: Runtime = request.app.state.runtime
    naming = Naming.of(request)

    def make() -> Board:
        with runtime.sessions() as session:
            return make_board(
                session,
                runtime.corridor,
                runtime.clock.now(),
                simulated=runtime.settings.demo,
                say=lambda notice: naming(notice).text,
            )

    return await get_keeper(request).get(request.app.state.pages.language(request), make)


BoardDep = Annotated[KeptBoard, Depends(get_board)]


@router.get("/api/v1/board", response_model=Board, responses=problems())
async def read_board(kept: BoardDep) -> Response:
    """What everybody may know of the gates now: open or closed, queue, wait and forecast with ranges, free places,
    intake bans and outages. Nobody signs in; nothing in it is about a truck, a person or an enterprise."""
    headers = {"Cache-Control": "public, max-age=5", "Vary": "Accept-Language, Cookie"}
    return Response(orjson.dumps(kept.board), media_type="application/json", headers=headers)


@router.get("/", include_in_schema=False)
async def show_start(request: Request, principal: MaybePrincipal, kept: BoardDep) -> Response:
    """The page of the caller's role; of who has not signed in, the public board."""
    if principal is not None:
        return RedirectResponse(principal.role.home_page, 303)
    return _shown(request, kept, "public/board.html")


@router.get("/board", include_in_schema=False)
async def show_board(request: Request, principal: MaybePrincipal, kept: BoardDep) -> Response:
    """The public board, for those who have signed in too."""
    if principal is not None:
        return render(request, "public/board.html", board=kept.board)
    return _shown(request, kept, "public/board.html")


@router.get("/board/{gate_id}", include_in_schema=False)
async def show_screen(request: Request, gate_id: Annotated[str, Path(max_length=60)], kept: BoardDep) -> Response:
    """One gate on a whole screen, to be read from afar; it renews itself for weeks."""
    for gate in kept.board.gates:
        if gate.gate_id == gate_id:
            return _shown(request, kept, "public/screen.html", gate_id)
    raise NotFoundError("There is no gate {gate_id}.", field="gate_id", gate_id=gate_id)


def _shown(request: Request, kept: KeptBoard, template: str, gate_id: str = "") -> Response:
    """A page made once for each board; only the nonce of its scripts is that of this answer."""
    nonce: str = request.state.csp_nonce
    name = f"{template} {gate_id}"
    if name not in kept.pages:
        gate = next((gate for gate in kept.board.gates if gate.gate_id == gate_id), None)
        body = bytes(render(request, template, board=kept.board, gate=gate).body)
        kept.pages[name] = body.replace(nonce.encode(), NONCE)
    return HTMLResponse(kept.pages[name].replace(NONCE, nonce.encode()), headers={"Cache-Control": "no-store"})
